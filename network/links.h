/* Network devices, their addresses and routes, as requests of a batch (see netlink.h). */
#ifndef DAVIT_NETWORK_LINKS_H
#define DAVIT_NETWORK_LINKS_H

#include <net/if.h>

#include "address.h"
#include "netlink.h"

/* A bridge that is up; mtu 0: the kernel's choice. */
void link_add_bridge(struct netlink_batch *batch, const char *name, unsigned int mtu);

struct veth {
    const char *name;      /* this end's */
    unsigned int master;   /* index of the bridge that it joins; 0: none */
    const char *peer_name; /* the other end's */
    int peer_netns_fd;
    const uint8_t *peer_mac; /* 6 bytes */
    unsigned int mtu;        /* 0: the kernel's choice */
};

/* A pair, of which this end is up. */
void link_add_veth(struct netlink_batch *batch, const struct veth *veth);

/* A device of a bridge gets back what it has sent to itself: a container that asks for a port of
 * the host that is its own. */
void link_set_hairpin(struct netlink_batch *batch, unsigned int index);

void link_set_up(struct netlink_batch *batch, unsigned int index);

/* ENODEV in the answer if there is none. */
void link_delete(struct netlink_batch *batch, const char *name);

/* The index of a device in the connection's namespace; 0: there is none of that name. */
unsigned int link_index(const struct netlink *netlink, const char *name);

/* An address with its subnet's route; no error if it has it already. */
void link_add_address(struct netlink_batch *batch, unsigned int index,
                      const struct subnet *address);

void link_add_default_route(struct netlink_batch *batch, unsigned int index,
                            const struct address *gateway);

#endif
