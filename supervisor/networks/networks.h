/*
 * Networks: bridges of the host that containers are attached to, as Docker's driver "bridge" has
 * them. One lies in <root>/networks/ID.json; its bridge is made when the first container needs it.
 */
#ifndef DAVIT_SUPERVISOR_NETWORKS_NETWORKS_H
#define DAVIT_SUPERVISOR_NETWORKS_NETWORKS_H

#include <net/if.h>

#include "network/address.h"
#include "supervisor/daemon.h"
#include "supervisor/http/filters.h"

struct managed_container;
struct netlink;

#define NETWORK_DEFAULT "bridge" /* which is always there */

enum network_driver {
    NETWORK_DRIVER_BRIDGE = 1,
    NETWORK_DRIVER_MACVLAN,
    NETWORK_DRIVER_IPVLAN,
    NETWORK_DRIVER_CNI, /* plugins: plugins.h */
};

/* What it has of one family of addresses. */
struct network_addresses {
    const char *subnet_text; /* NULL: nothing */
    const char *gateway_text;
    const char *range_text; /* of what containers get; "": all of the subnet */
    /* From the texts: */
    struct subnet subnet;
    struct subnet range;
    struct address gateway; /* family 0: none */
};

struct network {
    struct network *next;
    struct arena arena;
    const char *id;
    const char *name;
    int64_t created_ns;
    int driver; /* enum network_driver */
    struct network_addresses ipv4;
    struct network_addresses ipv6;
    uint32_t mtu;       /* 0: the kernel's choice */
    bool is_internal;   /* nothing leaves it */
    bool is_isolated;   /* its containers do not reach each other */
    bool keeps_sources; /* others see its containers' own addresses: no masquerading */
    struct string_map labels;
    struct string_map options;
    /* Of macvlan and ipvlan: */
    const char
        *parent;      /* the host's device below those of containers; "": one that leads nowhere */
    const char *mode; /* "": the driver's usual one */
    const char *conflist; /* of cni: the file that says which plugins; NULL with other drivers */
    /* Not on disk: */
    char device[IFNAMSIZ]; /* the bridge, or the parent */
    bool is_prepared;      /* by this davitd: that device is as it has to be */
};

/* POST /networks/create. */
struct network_pool_order {
    const char *subnet;
    const char *range;
    const char *gateway;
};

struct network_ipam {
    const char *driver;
    LIST_OF(struct network_pool_order) pools;
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

/* "bridge", "macvlan", "ipvlan", "cni". */
const char *network_driver_name(const struct network *network);

/* Of the family AF_INET or AF_INET6. */
const struct network_addresses *network_addresses(const struct network *network, int family);

/* Whether a container that is on it has a way out by that family. */
bool network_leads_out(const struct network *network, int family);

/* Makes its device if there is none, and what another davitd has left half made whole. */
int network_prepare(struct daemon *daemon, struct netlink *netlink, struct network *network,
                    struct error *err);

/* Docker's object. */
void network_write(struct json_writer *writer, const struct daemon *daemon,
                   const struct network *network);

/* ---- subnets: addresses.c ---- */

/* What the order says, and what it leaves open. */
int network_addresses_take(const struct daemon *daemon, struct network *network,
                           const struct network_order *order, struct error *err);

/* The texts become what is calculated with. */
int network_addresses_resolve(struct network *network, struct error *err);

/* Refuses what another network has. */
int network_addresses_check(const struct daemon *daemon, const struct network *network,
                            struct error *err);

/* ---- the host's device: device.c ---- */

void network_device_name(struct network *network);

/* One davitd alone has networks in a network namespace of the host: they have one firewall. Waits
 * so long for one that may be about to die. */
int networks_claim(struct daemon *daemon, int timeout_ms, struct error *err);

/* At davitd's end. */
void networks_release(struct daemon *daemon);
void network_device_remove(const struct network *network);

/* ---- the firewall: firewall.c ---- */

/* What davitd knows is to become the kernel's rules; soon, several changes at once. */
void firewall_change(struct daemon *daemon);

/* At davitd's end: waits a moment for rules that are being written. False if they are still. */
bool firewall_settle(const struct daemon *daemon);

/* Published ports have come, or are about to go: they are changed now, if nothing else is. */
void firewall_change_ports(const struct managed_container *container, bool is_removed);

/* Calls `done` when the rules are those of this moment, or could not be set. One call for each. */
struct firewall_waiter {
    struct firewall_waiter *next;
    void (*done)(struct firewall_waiter *waiter, const struct error *err);
};
void firewall_await(struct daemon *daemon, struct firewall_waiter *waiter);

#endif
