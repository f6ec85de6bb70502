/*
 * davitd, put together from its rooms. One thread runs the event loop and owns all state; see
 * docs/hacking.md for the rooms, and for the processes around it.
 */
#ifndef DAVIT_SUPERVISOR_DAEMON_H
#define DAVIT_SUPERVISOR_DAEMON_H

#include "supervisor/containers/containers.h"
#include "supervisor/images/registries.h"
#include "supervisor/spawn/spawner.h"

struct daemon_options {
    const char *root;
    const char *run;
    const char *socket;        /* NULL: <run>/davit.sock */
    const char *cgroup_parent; /* NULL: a scope of its own under systemd, else /davit */
    const char *socket_group;  /* group that may use the socket; NULL: root alone */
    struct registries registries;
    const char *default_network; /* of containers that do not name one */
    bool leaves_host_firewall;
    uint32_t network_connections; /* that a container may have begun; 0: any number */
    uint32_t namespace_pool;      /* how many are kept in reserve */
    struct string_list cni_plugin_directories;
    struct container_settings containers;
    const char *policy; /* a file, see davit-policy.json(5); NULL: everything is accepted */
};

/* Opens everything, takes over containers that run, and serves until SIGTERM or SIGINT. Containers
 * go on afterwards. */
int daemon_run(const struct daemon_options *options, const struct spawner *spawner,
               struct error *err);

#endif
