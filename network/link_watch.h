/* Devices and addresses that go, as the kernel tells of them (rtnetlink(7)). */
#ifndef DAVIT_NETWORK_LINK_WATCH_H
#define DAVIT_NETWORK_LINK_WATCH_H

#include "base/error.h"

/* A socket, not blocking, that is told of them in the caller's network namespace, and of nothing
 * else: what comes wakes nobody. */
int link_watch_open(struct error *err);

/* What has gone. */
struct link_loss {
    const char *device; /* which has gone, or has left its bridge; NULL: neither */
    unsigned int index; /* of a device that has lost an address; 0: none */
};

/* Reads what is there and calls `handle` for each. Neither a device nor an index: some were missed,
 * and anything may have gone. */
void link_watch_read(int fd, void (*handle)(void *context, const struct link_loss *loss),
                     void *context);

#endif
