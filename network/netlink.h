/*
 * Requests to the kernel's routing subsystem (rtnetlink(7)), by libmnl. Several travel in one
 * message exchange: the kernel takes them one after the other and answers each. Its reasons come as
 * text (extended acknowledgements) and end in our errors.
 */
#ifndef DAVIT_NETWORK_NETLINK_H
#define DAVIT_NETWORK_NETLINK_H

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdint.h>

#include "base/error.h"

#define NETLINK_BATCH_BYTES 16384
#define NETLINK_BATCH_REQUESTS 32

struct netlink {
    struct mnl_socket *socket;
    uint32_t sequence;
};

/* A connection to the network namespace that the calling thread is in. */
int netlink_open(struct netlink *netlink, struct error *err);

/* A connection to another network namespace. The thread is in its own namespace again afterwards;
 * it aborts if it cannot go back, rather than go on in a container's network. */
int netlink_open_in(struct netlink *netlink, int netns_fd, struct error *err);

void netlink_close(struct netlink *netlink);

/* Requests that are being written. */
struct netlink_batch {
    _Alignas(8) char bytes[NETLINK_BATCH_BYTES];
    size_t length;
    size_t count;
    const char *names[NETLINK_BATCH_REQUESTS]; /* what errors call them; the caller's */
};

/* Ends the request before and begins one of rtnetlink type `type`; attributes are added with
 * mnl_attr_put*() to what is returned. `extra` is the family's header, of `extra_size` bytes.
 * Aborts when the batch is full: how many requests there are depends on the program, never on its
 * input. */
struct nlmsghdr *netlink_add(struct netlink_batch *batch, const char *name, uint16_t type,
                             uint16_t flags, const void *extra, size_t extra_size);

/* Begins a request of nfnetlink: `type` is NFNL_SUBSYS_* in its upper byte. It writes to `bytes`.
 */
struct nlmsghdr *nfnetlink_put_header(char *bytes, uint16_t type, uint16_t flags, uint8_t family);

/* Sends a request that is answered by a list, by a connection of its own, and gives `handle` each
 * message of it. -EINTR: what is listed has changed meanwhile. */
int nfnetlink_list(struct nlmsghdr *request, mnl_cb_t handle, void *context, struct error *err);

/* The attributes of one level, by number; of those that are there several times the last. */
#define NETLINK_ATTRIBUTES_MAX 32
struct netlink_attributes {
    const struct nlattr *at[NETLINK_ATTRIBUTES_MAX + 1];
};
/* Of a message behind a header of that size; of an attribute, which may be NULL. */
struct netlink_attributes netlink_attributes(const struct nlmsghdr *header, size_t skipped);
struct netlink_attributes netlink_nested(const struct nlattr *outer);

/* What an answer (NLMSG_ERROR) says besides its errno, where NETLINK_EXT_ACK is set; NULL: nothing.
 */
const char *netlink_reason(const struct nlmsghdr *header);

/* Sends all and waits for all answers. The first that failed is the error, with its name; the
 * others have been tried all the same. */
int netlink_run(struct netlink *netlink, struct netlink_batch *batch, struct error *err);

#endif
