/*
 * Networks: bridges of the host that containers are attached to, as Docker's driver "bridge" has
 * them. One lies in <root>/networks/ID.json; its bridge is made when the first container needs it.
 */
#ifndef DAVIT_SUPERVISOR_NETWORKS_H
#define DAVIT_SUPERVISOR_NETWORKS_H

#include <net/if.h>

#include "daemon.h"
#include "filters.h"
#include "network/address.h"

struct managed_container;
struct netlink;

#define NETWORK_DEFAULT "bridge" /* which is always there */

struct network {
    struct network *next;
    struct arena arena;
    const char *id;
    const char *name;
    int64_t created_ns;
    const char *subnet_text;
    const char *gateway_text;
    const char *range_text; /* of what containers get; "": all of the subnet */
    uint32_t mtu;           /* 0: the kernel's choice */
    bool is_internal;       /* nothing leaves it */
    bool is_isolated;       /* its containers do not reach each other */
    struct string_map labels;
    struct string_map options;
    /* From the texts: */
    struct subnet subnet;
    struct subnet range;
    struct address gateway;
    char bridge[IFNAMSIZ];
    bool is_prepared; /* by this davitd: its bridge is as it has to be */
};

/* POST /networks/create. */
struct network_pool {
    const char *subnet;
    const char *range;
    const char *gateway;
};

struct network_ipam {
    const char *driver;
    LIST_OF(struct network_pool) pools;
};

struct network_order {
    const char *name;
    const char *driver;
    bool is_internal;
    bool has_ipv6;
    struct network_ipam ipam;
    struct string_map options;
    struct string_map labels;
};

/* At start: reads those on disk, and makes the default one if it is not there. */
int networks_read(struct daemon *daemon, struct error *err);

/* By id, a part of its beginning, or name. ERROR_NOT_FOUND "network NAME not found". */
int network_find(struct daemon *daemon, const char *name, struct network **network,
                 struct error *err);

/* Durable when it returns. */
int network_create(struct daemon *daemon, const struct network_order *order,
                   struct network **network, struct error *err);

/* Refuses the default one and those that containers are attached to. */
int network_remove(struct daemon *daemon, struct network *network, struct error *err);

/* Whether a container, running or not, belongs to it. */
bool network_is_used(const struct daemon *daemon, const struct network *network);

/* Makes the bridge if there is none, and what another davitd has left half made whole. */
int network_prepare(struct daemon *daemon, struct netlink *netlink, struct network *network,
                    struct error *err);

/* Docker's object. */
void network_write(struct json_writer *writer, const struct daemon *daemon,
                   const struct network *network);

/* ---- the firewall: network_firewall.c ---- */

/* What davitd knows is to become the kernel's rules; soon, several changes at once. */
void firewall_change(struct daemon *daemon);

/* Calls `done` when the rules are those of this moment, or could not be set. One call for each. */
struct firewall_waiter {
    struct firewall_waiter *next;
    void (*done)(struct firewall_waiter *waiter, const struct error *err);
};
void firewall_await(struct daemon *daemon, struct firewall_waiter *waiter);

#endif
