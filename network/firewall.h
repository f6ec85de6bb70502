/*
 * The rules that networks need: the tables "inet davit" and "bridge davit", which are ours (nft.h).
 * They are written anew as a whole when networks come or go, and so are right whatever was there
 * before; ports and devices are elements of their sets, which change by themselves.
 */
#ifndef DAVIT_NETWORK_FIREWALL_H
#define DAVIT_NETWORK_FIREWALL_H

#include "address.h"
#include "limits.h"
#include "nft.h"

#define FIREWALL_TABLE "davit"

/* Devices of ours in a bridge begin so: one that is not known lets nothing through. */
#define FIREWALL_DEVICE_PREFIX "dve"

#define FIREWALL_GROUP_SIZE 33 /* of a group's name */

/* Members of a network, and who may begin connections to them there. */
struct egress_rule;
struct firewall_group {
    const char *name;
    struct egress_rule *rules; /* by the name of the other group, or "*": any member */
    size_t rule_count;
};

struct firewall_network {
    const char *bridge;
    struct subnet subnet;
    struct subnet subnet6;               /* family 0: none */
    bool is_internal;                    /* nothing is forwarded into it or out of it */
    bool is_isolated;                    /* its containers do not reach each other */
    bool keeps_sources;                  /* what leaves it is not masqueraded */
    bool reaches_host;                   /* its containers may begin connections to this host */
    const struct firewall_group *groups; /* none: its containers reach each other */
    size_t group_count;
};

/* A port of the host whose connections go to a container. */
struct firewall_port {
    const char *protocol; /* "tcp", "udp" or "sctp" */
    struct address host;  /* of the container's family; family 0: any */
    uint16_t host_port;
    struct address container;
    uint16_t container_port;
};

/* A container's device, as its bridge sees it: packets that come in by it must have its MAC and one
 * of its addresses. */
struct firewall_device {
    const char *name;
    uint8_t mac[6];
    struct address address;
    struct address address6; /* family 0: none */
    uint32_t packets;        /* that it may send a second; 0: any number */
    bool is_apart;           /* its bridge passes nothing on from it to another port */
};

/* Removes our table of that family, which is there. */
void firewall_remove(struct nft_transaction *transaction, enum nft_family family);

/* Makes both tables, without any port or device. */
void firewall_write(struct nft_transaction *transaction, const struct firewall_network *networks,
                    size_t count);

/* Changes one port, or one device. */
void firewall_change_port(struct nft_transaction *transaction, const struct firewall_port *port,
                          bool is_removed);
void firewall_change_device(struct nft_transaction *transaction,
                            const struct firewall_device *device, bool is_removed);

/* Changes one address of a group's member. */
struct firewall_member {
    const char *bridge;
    const char *group;
    struct address address;
};
void firewall_change_member(struct nft_transaction *transaction,
                            const struct firewall_member *member, bool is_removed);

/* The rules between members, in the table of family inet, and the chain with those of a bridge:
 * firewall_groups.c. */
#define FIREWALL_GROUPS_CHAIN_SIZE 40
/* Of packets that they refuse, as these are logged. */
#define FIREWALL_GROUPS_PREFIX "davit groups"
void firewall_groups_write(struct nft_transaction *transaction,
                           const struct firewall_network *network);
void firewall_groups_chain(const char *bridge, char name[FIREWALL_GROUPS_CHAIN_SIZE]);

#endif
