/*
 * All containers of davitd, and the rooms that they live from. One thread.
 */
#ifndef DAVIT_SUPERVISOR_CONTAINERS_CONTAINERS_H
#define DAVIT_SUPERVISOR_CONTAINERS_CONTAINERS_H

#include "base/findings.h"
#include "cgroups/cgroups.h"
#include "index.h"
#include "supervisor/definition/definition.h"
#include "supervisor/definition/seccomp_cache.h"
#include "supervisor/events/bus.h"
#include "supervisor/networks/networks.h"
#include "supervisor/spawn/namespace_pool.h"
#include "supervisor/store/database.h"
#include "supervisor/store/places.h"
#include "supervisor/store/projects.h"
#include "supervisor/store/trash.h"
#include "supervisor/volumes/volumes.h"

struct container_part;
struct exec;
struct leftover;
struct managed_container;

/* Host ids for containers with a user namespace, in ranges of ID_RANGE_SIZE. */
struct id_pool {
    uint32_t first; /* a multiple of the size */
    uint32_t count; /* of ranges */
};

/* What an administrator says of containers that do not say it themselves. */
struct container_settings {
    struct id_pool id_pool;
    bool gives_host_ids;
    bool refuses_unmapped; /* a container whose files cannot be mapped; else it gets host ids */
    struct docker_log_config log;
    struct device_settings devices;
};

/* The first members are to be set before anything else. */
struct containers {
    sd_event *loop;
    struct spawner *spawner;
    struct event_bus *events;
    const struct places *places;
    struct trash *trash;
    struct projects *projects;
    struct database *database;
    struct image_store *images;
    struct volumes *volumes;
    struct networks *networks;
    struct namespace_pool *namespace_pool;
    const struct cgroup_hierarchy *hierarchy;
    const char *cgroup_parent;
    struct container_settings settings;
    const struct container_part *const *parts; /* NULL ends them; see part.h */

    struct managed_container *list; /* newest first */
    size_t count;
    struct container_index index;    /* of the list */
    bool is_recovering;              /* some may not be in the list yet */
    int userns_fd;                   /* a user namespace to try which mounts can map ids */
    bool maps_ids;                   /* the filesystem of <root> */
    struct selinux_contexts selinux; /* that the host's policy has for containers */
    struct arena selinux_arena;
    struct leftover *leftovers; /* cgroups that are to go */
    sd_event_source *leftovers_timer;
    sd_event_source *save_timer;     /* to save states that could not be saved */
    struct string_list aside_layers; /* of containers that were put aside */
    struct arena aside_arena;
    bool has_unknown_layers; /* of one of these: no layer may be collected */
    struct seccomp_cache seccomp_cache;
    struct exec *execs;
    size_t exec_bytes;          /* that execs hold: see exec.c */
    uint64_t next_token;        /* of an exec or probe: see containers_open() */
    bool is_closing;            /* see containers_close() */
    struct completion *closing; /* who waits for the last to end */
};

/* At davitd's start, when the first members are set: finds out whether ids can be mapped, and picks
 * the first token at random. */
void containers_open(struct containers *containers);

/* Then: reads all containers and takes over those that run. */
int containers_recover(struct containers *containers, struct error *err);

/* Finds what is among the containers and is none, and does what `how` says about it: aside.c */
void containers_repair(struct containers *containers, enum repair how, struct findings *findings);

/* The machine goes down: no container starts any more, and those that run are asked to end as
 * `stop` would ask them. What their policies say holds for the next start of the machine. The
 * completion ends when none runs. closing.c */
void containers_close(struct containers *containers, struct completion *completion);

#endif
