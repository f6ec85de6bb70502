/* Network devices, their addresses and routes, as requests of a batch (see netlink.h). */
#ifndef DAVIT_NETWORK_LINKS_H
#define DAVIT_NETWORK_LINKS_H

#include <net/if.h>

#include "address.h"
#include "netlink.h"

/* Makes a bridge; mtu 0: the kernel's choice. A bridge without a MAC of its own would take one of
 * its ports', which changes as ports come and go. */
void link_add_bridge(struct netlink_batch *batch, const char *name, const uint8_t mac[6],
                     unsigned int mtu);

/* The MAC that Docker gives a device with this IPv4 address: it is the same for the next device
 * with the address, so that neighbours need not learn a new one. */
void link_make_mac(const struct address *address, uint8_t mac[6]);

struct veth {
    const char *name;      /* this end's */
    unsigned int master;   /* index of the bridge that it joins; 0: none */
    const char *peer_name; /* the other end's */
    int peer_netns_fd;
    const uint8_t *peer_mac; /* 6 bytes */
    unsigned int mtu;        /* 0: the kernel's choice */
};

/* A pair, both of whose ends are down. */
void link_add_veth(struct netlink_batch *batch, const struct veth *veth);

struct bridge_port {
    bool gets_own_back; /* what it has sent to itself: a container asks for its own port of the host
                         */
    bool is_isolated;   /* reaches the bridge itself, but no other isolated port */
};

/* Makes a dummy device: traffic goes only between the devices that lie upon it. */
void link_add_dummy(struct netlink_batch *batch, const char *name);

void link_add_vlan(struct netlink_batch *batch, const char *name, unsigned int parent,
                   unsigned int id);

/* A device upon another: of kind "macvlan" with a mode of its (bridge, private, vepa, passthru), or
 * "ipvlan" (l2, l3, l3s). */
struct upper_link {
    const char *kind;
    const char *mode;
    unsigned int parent;
    const char *name; /* in the other namespace */
    int netns_fd;
    const uint8_t *mac; /* 6 bytes; NULL: the parent's */
    unsigned int mtu;   /* 0: the parent's */
};
void link_add_upper(struct netlink_batch *batch, const struct upper_link *upper);

/* The device becomes a port of the bridge; no error if it is one. */
void link_join(struct netlink_batch *batch, unsigned int index, unsigned int bridge);

/* How the bridge treats a device that has joined it. */
void link_set_port(struct netlink_batch *batch, unsigned int index, const struct bridge_port *port);

void link_set_up(struct netlink_batch *batch, const char *name);

/* Call this before the device is up: it gets no link-local address of IPv6 and so does not look for
 * routers and neighbours, which each device of a bridge would hear. */
void link_forgo_ipv6(struct netlink_batch *batch, const char *name);

/* ENODEV in the answer if there is none. */
void link_delete(struct netlink_batch *batch, const char *name);

/* The index of a device in the connection's namespace; 0: there is none of that name. */
unsigned int link_index(const struct netlink *netlink, const char *name);

/* An address with its subnet's route; no error if it has it already. */
void link_add_address(struct netlink_batch *batch, unsigned int index,
                      const struct subnet *address);

/* How much may leave through a device: a token bucket (tc-tbf(8)). */
void link_limit(struct netlink_batch *batch, unsigned int index, uint64_t bytes_per_second);

/* The device answers for that address of IPv6 when neighbours ask who has it; no error if it does.
 */
void link_add_proxy(struct netlink_batch *batch, unsigned int index, const struct address *address);
void link_delete_proxy(struct netlink_batch *batch, unsigned int index,
                       const struct address *address);

/* A gateway of zero bytes, with its family set: every address is reached directly. */
void link_add_default_route(struct netlink_batch *batch, unsigned int index,
                            const struct address *gateway);

/* What has gone through a device, as the namespace sees it that it is in. */
struct link_counters {
    uint64_t received_bytes;
    uint64_t received_packets;
    uint64_t received_errors;
    uint64_t received_dropped;
    uint64_t sent_bytes;
    uint64_t sent_packets;
    uint64_t sent_errors;
    uint64_t sent_dropped;
};
int link_read_counters(struct netlink *netlink, const char *name, struct link_counters *counters,
                       struct error *err);

/* The index of the bridge that it is a port of; 0: none, or it is not there. */
unsigned int link_master(struct netlink *netlink, const char *name);

#endif
