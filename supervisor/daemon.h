/*
 * davitd's state. One thread runs the event loop and owns all of it; see docs/hacking.md for the
 * processes around it.
 */
#ifndef DAVIT_SUPERVISOR_DAEMON_H
#define DAVIT_SUPERVISOR_DAEMON_H

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "shutdown.h"
#include "supervisor/api/api.h"

struct daemon_options {
    const char *root;
    const char *run;
    const char *socket;        /* NULL: <run>/davit.sock */
    const char *cgroup_parent; /* NULL: a scope of its own under systemd, else /davit */
    const char *socket_group;  /* group that may use the socket; NULL: root alone */
    struct registries registries;
    const char *default_network; /* of containers that do not name one */
    uint32_t namespace_pool;     /* how many are kept in reserve */
    struct string_list cni_plugin_directories;
    struct container_settings containers;
    const char *policy; /* a file, see davit-policy.json(5); NULL: everything is accepted */
};

struct daemon {
    struct daemon_options options;
    sd_event *loop;
    struct spawner spawner;
    struct places places;
    struct trash trash;
    struct projects projects;
    struct event_bus events;
    struct cgroup_hierarchy hierarchy;
    char cgroup_parent[CGROUP_PATH_SIZE];
    struct image_store store;
    struct namespace_pool namespace_pool;
    struct volumes volumes;
    struct networks networks;
    struct containers containers;
    struct images images;
    struct api api;
    struct server *server;
    struct shutdown shutdown;
    char id[IDENTIFIER_SIZE];
};

/* Opens everything, takes over containers that run, and serves until SIGTERM or SIGINT. Containers
 * go on afterwards. */
int daemon_run(const struct daemon_options *options, const struct spawner *spawner,
               struct error *err);

#endif
