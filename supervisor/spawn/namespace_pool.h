/*
 * Namespaces made ahead: most of the kernel's time for a container's start goes into its network
 * namespace. davitd keeps some in reserve, each with the user namespace that owns it if containers
 * have ids of their own by default; ids are mapped when a container takes one. A namespace is held
 * by descriptors alone: those that nobody took end with davitd. See
 * docs/decisions/namespace-pool.md.
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

/* Makes what is missing, beside davitd's other work: called at davitd's start, and when a container
 * has started or has failed to. */
void namespace_pool_fill(struct namespace_pool *pool);

/* Takes one, with a user namespace or without: ready_namespaces_release() is the caller's. False if
 * there is none of that kind. */
bool namespace_pool_take(struct namespace_pool *pool, bool has_user,
                         struct ready_namespaces *ready);

#endif
