/* What davitd is made of, below directories of its own, with one container, whose monitor is the
 * test: for tests of rooms that need most of the others. */
#ifndef DAVIT_TESTS_UNIT_HOST_H
#define DAVIT_TESTS_UNIT_HOST_H

#include "test.h"

#include "supervisor/containers/all_parts.h"
#include "supervisor/containers/internal.h"

struct host {
    char root[64];
    char run[64];
    int spawner_fd; /* where requests for monitors come out */
    int monitor_fd; /* the monitor's end of the channel; -1: there is none */
    struct spawner spawner;
    struct places places;
    struct projects projects;
    struct networks networks;
    struct event_bus events;
    struct trash trash;
    struct image_store images;
    struct cgroup_hierarchy hierarchy;
    struct containers containers;
    struct managed_container *container; /* "tested"; created */
};

/* `parts` is the table, and outlives the host. */
struct host *host_open(const struct container_part *const *parts);
void host_close(struct host *host);

void host_run_loop_until_idle(struct host *host);

/* Receives a request for a monitor; monitor_fd is that monitor's then. False if there is none. */
bool host_receive_spawn(struct host *host);

/* The type of the next message to the monitor. */
enum monitor_message_type host_next_order(struct host *host);

/* Says something as the monitor, and lets davitd handle it. */
void host_say(struct host *host, int type, int value, const char *text);

/* Starts the container, up to where its monitor begins. */
void host_start(struct host *host);

/* davitd ends without warning, and another takes over what is kept of the container. */
void host_restart(struct host *host, const struct container_part *const *parts);

#endif
