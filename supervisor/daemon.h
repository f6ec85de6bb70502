/*
 * davitd's state. One thread runs the event loop and owns all of it; see docs/hacking.md for the
 * processes around it.
 */
#ifndef DAVIT_SUPERVISOR_DAEMON_H
#define DAVIT_SUPERVISOR_DAEMON_H

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "base/identifier.h"
#include "cgroups/cgroups.h"
#include "images/images.h"
#include "supervisor/definition/definition.h"
#include "supervisor/events/bus.h"
#include "supervisor/http/server.h"
#include "supervisor/images/registries.h"
#include "supervisor/networks/networks.h"
#include "supervisor/spawn/namespace_pool.h"
#include "supervisor/spawn/spawner.h"
#include "supervisor/store/database.h"
#include "supervisor/store/places.h"
#include "supervisor/store/projects.h"
#include "supervisor/store/trash.h"
#include "supervisor/volumes/volumes.h"

struct exec;
struct leftover;
struct managed_container;

/* Host ids for containers with a user namespace, in ranges of ID_RANGE_SIZE. */
struct id_pool {
    uint32_t first; /* a multiple of the size */
    uint32_t count; /* of ranges */
};

struct daemon_options {
    const char *root;
    const char *run;
    const char *socket;        /* NULL: <run>/davit.sock */
    const char *cgroup_parent; /* NULL: a scope of its own under systemd, else /davit */
    const char *socket_group;  /* group that may use the socket; NULL: root alone */
    struct registries registries;
    struct id_pool id_pool;
    const char *default_network; /* of containers that do not name one */
    bool gives_host_ids;         /* to containers that do not say whose they want */
    bool
        refuses_unmapped; /* a container whose files cannot have other ids; or it gets the host's */
    uint32_t namespace_pool; /* how many are kept in reserve */
    struct string_list cni_plugin_directories;
    struct docker_log_config log; /* of containers that do not say how they log */
    const char *policy; /* a file, see davit-policy.json(5); NULL: everything is accepted */
};

struct daemon {
    struct daemon_options options;
    sd_event *loop;
    struct spawner spawner;
    struct places places;
    struct trash trash;
    struct projects projects;
    struct database *database;
    struct image_store images;
    struct cgroup_hierarchy hierarchy;
    char cgroup_parent[CGROUP_PATH_SIZE];
    int userns_fd;              /* of no container: to try what can map ids */
    bool maps_ids;              /* the filesystem of `root` */
    struct leftover *leftovers; /* cgroups that are to go */
    sd_event_source *leftovers_timer;
    sd_event_source *save_timer; /* to save states that could not be saved */
    struct server *server;
    struct event_bus events;
    struct string_list aside_layers; /* of containers that were put aside */
    struct arena aside_arena;
    struct managed_container *containers; /* newest first */
    size_t container_count;
    bool is_recovering; /* not all that there are may be known */
    struct volumes volumes;
    struct networks networks;
    struct namespace_pool namespace_pool;
    sd_event_source *shutdown; /* the machine goes down, see shutdown.h; NULL: it does not */
    struct exec *execs;
    uint64_t next_token; /* of an exec or probe: unique over all davitds that a monitor may meet */
    char id[IDENTIFIER_SIZE];
};

/* Opens everything, takes over containers that run, and serves until SIGTERM or SIGINT. Containers
 * go on afterwards. */
int daemon_run(const struct daemon_options *options, const struct spawner *spawner,
               struct error *err);

/* The API: see api/api.c. */
void api_handle(void *context, struct request *request);
bool api_streams_body(void *context, const struct request *request);

#endif
