/*
 * Namespaces made ahead: of a container's start the kernel spends most on its network namespace.
 * davitd keeps some in reserve, each with the user namespace that owns it where containers have ids
 * of their own by default; ids are mapped when a container takes one. They are descriptors alone:
 * what nobody took goes with davitd. See docs/decisions/namespace-pool.md.
 */
#ifndef DAVIT_SUPERVISOR_SPAWN_NAMESPACE_POOL_H
#define DAVIT_SUPERVISOR_SPAWN_NAMESPACE_POOL_H

#include "runtime/runtime.h"
#include "spawner.h"

#define NAMESPACE_POOL_MAX 64

/* The first members are to be set before anything else. */
struct namespace_pool {
    sd_event *loop;
    struct spawner *spawner;
    uint32_t target; /* how many are kept in reserve */
    bool has_user;   /* each has a user namespace */

    struct ready_namespaces items[NAMESPACE_POOL_MAX];
    uint32_t count;
    int channel_fd;
    sd_event_source *channel; /* while more are made; NULL: none are */
};

/* Makes what is missing, beside davitd's other work: called at start, and when what was taken is no
 * longer waited for. */
void namespace_pool_fill(struct namespace_pool *pool);

/* Takes one, with a user namespace or without: ready_namespaces_release() is the caller's. False if
 * there is none of that kind. */
bool namespace_pool_take(struct namespace_pool *pool, bool has_user,
                         struct ready_namespaces *ready);

#endif
