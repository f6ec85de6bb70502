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
#include "network/nft_elements.h"
#include "supervisor/definition/definition.h"
#include "supervisor/events/bus.h"
#include "supervisor/http/server.h"
#include "supervisor/images/registries.h"
#include "supervisor/spawn/spawner.h"
#include "supervisor/store/database.h"
#include "supervisor/store/places.h"
#include "supervisor/store/projects.h"
#include "supervisor/store/trash.h"
#include "supervisor/volumes/volumes.h"

#define NAMESPACE_POOL_MAX 64

struct egress_ended;
struct exec;
struct firewall_run;
struct firewall_waiter;
struct leftover;
struct managed_container;
struct namespace_pool;
struct network;

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
    struct network *networks;
    struct namespace_pool *namespace_pool;
    int networks_lock_fd;     /* as long as no other davitd may have any; -1: nobody needs it */
    bool firewall_is_dirty;   /* what davitd knows is not what the kernel has */
    char *firewall_base;      /* that the kernel has; NULL: unknown */
    bool lost_track_of_ports; /* of which of them the kernel has: the next run has to write them */
    struct nft_channel nft;
    struct firewall_run *firewall_run;        /* under way; NULL: none */
    struct firewall_waiter *firewall_waiters; /* for the next run */
    sd_event_source *firewall_turn;           /* that begins it */
    sd_event_source *firewall_watch;          /* hears of what others do to it; NULL: not yet */
    sd_event_source *firewall_retry;          /* after it has failed */
    uint64_t firewall_retry_us;               /* to that; 0: the last run was good */
    bool has_egress;                   /* rules of containers, or what an earlier davitd left */
    bool lacks_bridge_tracking;        /* the kernel has no CONFIG_NF_CONNTRACK_BRIDGE */
    struct egress_ended *egress_ended; /* that the kernel may still know */
    int egress_log_fd;                 /* what was refused */
    sd_event_source *egress_log;       /* NULL: not yet */
    int resolver_fd;                   /* channel to the resolver of names; -1: none */
    struct outbox resolver_outbox;
    sd_event_source *resolver;       /* listens to it */
    sd_event_source *resolver_timer; /* to start another */
    char resolver_instance[IDENTIFIER_SIZE];
    bool watches_names;        /* the host's resolv.conf(5) */
    ino_t redirected_cgroup;   /* whose processes' questions come to it; 0: none */
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
