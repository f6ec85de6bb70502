/*
 * Connections that the kernel tracks (nf_conntrack), by ctnetlink. A packet that belongs to one
 * passes because an earlier one did: so connections end when the earlier one would not pass any
 * more, and when an address becomes somebody else's.
 */
#ifndef DAVIT_NETWORK_CONNTRACK_H
#define DAVIT_NETWORK_CONNTRACK_H

#include "address.h"
#include "base/error.h"

struct nlmsghdr;

struct conntrack_flow {
    struct address source;      /* who began it */
    struct address destination; /* whom it leads to, whatever address was asked for */
    uint8_t protocol;           /* IPPROTO_* */
    uint16_t port;              /* of the destination; 0: there is none */
    bool is_direct;             /* it leads to the address that was asked for */
};

/* False where the kernel tracks nothing in the calling thread's network namespace. */
bool conntrack_has_any(void);

/* Reads an entry as the kernel writes it. False: it is none of IPv4 or IPv6. */
bool conntrack_read_flow(const struct nlmsghdr *header, struct conntrack_flow *flow);

/* Whom it is about; `context` is the caller's. */
typedef bool conntrack_choice(const void *context, const struct conntrack_flow *flow);

/* Ends the connections for which `is_over` is true. The kernel goes through its whole table for it,
 * which takes 10 ms where that is empty and a second where a million are in it: this is the work of
 * a process of its own. */
int conntrack_end(conntrack_choice *is_over, const void *context, struct error *err);

#endif
