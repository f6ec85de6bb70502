/*
 * A container as davitd knows it, and its life. docs/container-states.md draws the states and the
 * transitions between them, and names the files that have them.
 */
#ifndef DAVIT_SUPERVISOR_CONTAINERS_CONTAINER_H
#define DAVIT_SUPERVISOR_CONTAINERS_CONTAINER_H

#include "base/actor.h"
#include "base/completion.h"
#include "containers.h"
#include "supervisor/definition/revision.h"
#include "supervisor/monitor/protocol.h"
#include "supervisor/networks/membership.h"

enum container_status {
    CONTAINER_CREATED,  /* never ran, or did not start */
    CONTAINER_STARTING, /* its monitor is at work */
    CONTAINER_RUNNING,
    CONTAINER_EXITED,
    CONTAINER_REMOVING,
    CONTAINER_RESTARTING, /* has exited, and its policy waits to start it again */
    CONTAINER_STATUS_COUNT,
};

#define CONTAINER_PARTS_MAX 32
#define CONTAINER_STOP_TIMEOUT_MAX_S INT32_MAX
#define CONTAINER_STOP_TIMEOUT_S 10 /* to SIGKILL, where neither request nor container says */

/* Docker's word for the state: one that runs may be paused. */
const char *container_state_name(const struct managed_container *container);

/* What a completion can wait for. */
enum container_wait {
    WAIT_STARTED, /* or failed to */
    WAIT_NOT_RUNNING,
    WAIT_NEXT_EXIT,
    WAIT_REMOVED,
    WAIT_FROZEN, /* or that it cannot be */
    WAIT_COUNT,
};

struct managed_container;

/* Handles a message of the container's monitor; NULL: the monitor has gone. *passed_fd is a
 * descriptor that came with the message, or -1. A handler that keeps the descriptor sets -1. */
typedef void (*monitor_handler)(struct managed_container *container,
                                const struct monitor_message *message, int *passed_fd);

struct managed_container {
    struct containers *containers;
    struct managed_container *next;
    struct managed_container **link; /* to it: the list's beginning, or the `next` before it; NULL:
                                        it is not in the list */
    struct index_links links;
    struct arena arena;
    struct revision *revision;           /* of its definition */
    const struct definition *definition; /* that revision's */
    enum container_status status;
    int32_t pid;
    int32_t exit_code;
    int64_t started_ns;
    uint64_t started_us; /* monotonic */
    int64_t finished_ns;
    bool is_oom_killed;
    bool is_paused;         /* while it runs */
    bool has_unsaved_state; /* the database could not take it */
    bool has_state_file;    /* in its run directory */
    bool is_unpublished;    /* its directory is still called .new-ID */
    bool is_bundle_known;   /* see container_renew_bundle() */
    char *error;            /* why it did not start */
    const char *warning;    /* for the client that creates it; or NULL */
    struct buffer summary;  /* what lists say of it, as far as it stays the same: api/inspect.c */
    uint64_t summary_stamp; /* of what it was written from; 0: there is none */
    int control_fd;         /* to its monitor */
    sd_event_source *control;
    monitor_handler on_message;
    struct outbox outbox;     /* messages that its monitor has not read */
    int monitor_pidfd;        /* -1: not known (yet), or there is none */
    uint32_t monitor_version; /* of the protocol that it speaks */
    sd_event_source *stop_timer;
    sd_event_source *kill_timer; /* while a kill is under way: see life.c */
    bool is_kill_overdue;        /* its monitor was killed as well */
    bool is_stop_requested;
    bool is_held_back; /* somebody stopped or killed it: its policy does not start it again */
    sd_event_source *restart_timer;
    int64_t restart_delay_ms; /* of the latest restart; 0: there was none */
    int32_t restart_count;
    bool is_kill_wanted;  /* as soon as it has started */
    bool is_start_untold; /* it was found to run; the davitd that started it has died too early */
    struct completion *waiters[WAIT_COUNT];
    unsigned int copies_in; /* copies into it under way; it cannot be started meanwhile */
    unsigned int holders;   /* see container_hold() */
    bool is_pausing;        /* is_paused, and not frozen yet */
    sd_event_source *freeze_timer;
    uint64_t freeze_deadline_us;
    bool is_restart_wanted; /* when it has ended: its liveness probe has killed it */
    void *part_states[CONTAINER_PARTS_MAX]; /* see part.h */
};

/* A container of the tenant by its id, name, or the first digits of its id. "No such container: X".
 */
int container_find(struct containers *containers, const char *tenant, const char *reference,
                   struct managed_container **container, struct error *err);
/* By its whole id, whatever its tenant; NULL: there is none. */
struct managed_container *container_by_id(struct containers *containers, const char *id);

/* POST /containers/create. */
struct create_order {
    const char *name;     /* NULL or "": one is picked */
    const char *platform; /* that its image has to be for, "linux/arm64"; NULL or "": any */
    const char *body;     /* JSON */
    size_t body_length;
};

/* Checks the order, and makes the container's directory, its files and the row. */
int container_create(struct containers *containers, const struct actor *actor,
                     const struct create_order *order, struct managed_container **container,
                     struct error *err);

/* Begins to start; who waits for WAIT_STARTED learns the outcome. ERROR_NOT_MODIFIED if it runs. */
int container_begin_start(struct managed_container *container, const struct actor *actor,
                          struct error *err);

/* Begins to stop: the signal (0: the container's own), then SIGKILL after timeout_s (-1: never).
 * Its restart policy does not start it again. ERROR_NOT_MODIFIED if it does not run. */
int container_begin_stop(struct managed_container *container, const struct actor *actor,
                         int signal_number, int64_t timeout_s, struct error *err);

/* Begins to hold all processes of one that runs: who waits for WAIT_FROZEN learns the outcome; or
 * lets them go on. ERROR_CONFLICT if it does not run, or is so already. */
int container_pause(struct managed_container *container, const struct actor *actor,
                    struct error *err);
int container_unpause(struct managed_container *container, const struct actor *actor,
                      struct error *err);

/* Holds all processes of one that runs, without that it counts as paused, until everybody who holds
 * it has let it go: its files do not change meanwhile. Who waits for WAIT_FROZEN learns when they
 * are held. To be let go also after a failure, and when it has ended since. */
int container_hold(struct managed_container *container, struct error *err);
void container_let_go(struct managed_container *container);

/* Notes that somebody wants the container stopped: its restart policy does not start it again, even
 * if davitd dies now. */
void container_hold_back(struct managed_container *container);

/* Somebody starts the container: its restarts and their delay count from zero again. */
void container_forget_restarts(struct managed_container *container);

/* Makes a container that waits for its restart EXITED: its policy does not start it now. */
void container_cancel_restart(struct managed_container *container);

/* Gives it another name. ERROR_CONFLICT if that is taken. */
int container_rename(struct managed_container *container, const struct actor *actor,
                     const char *name, struct error *err);

/* What its definition says, or else what is usual: the signal that asks it to end, and how many
 * seconds it has for that. */
int container_stop_signal(const struct managed_container *container);
int64_t container_stop_timeout(const struct managed_container *container);

/* Sends a signal to its first process; SIGKILL to all, also while it starts. Its restart policy
 * does not start it again. ERROR_CONFLICT if it does not run. */
int container_signal(struct managed_container *container, const struct actor *actor,
                     int signal_number, struct error *err);

/* For one that was killed: 0, or an error that names a process of it which lives on because it
 * waits in the kernel. */
int container_check_dead(const struct managed_container *container, struct error *err);

/* Kills all processes of the container by its cgroup, also while it starts. A monitor that does not
 * answer is killed as well. Completions of WAIT_NOT_RUNNING end when it is over. */
void container_kill(struct managed_container *container);

/* Whether somebody may attach to the container now. ERROR_BUSY if too many wait for its start. */
int container_admit_attach(struct managed_container *container, const struct actor *actor,
                           struct error *err);

/* Hands a connection to the monitor, or keeps it until there is one, or until its client hangs up.
 * The descriptor is taken. Ask container_admit_attach() before the connection stops being HTTP. */
int container_attach(struct managed_container *container, int fd, unsigned int flags,
                     struct buffer *leftover, struct error *err);

int container_resize(struct managed_container *container, uint64_t token, int rows, int columns,
                     struct error *err);

/* Sends a message with a text and perhaps a descriptor (-1: none) to the monitor. Nobody waits:
 * ERROR_BUSY if the monitor has left too much unread. */
int container_send(struct managed_container *container, const struct monitor_message *header,
                   const void *text, size_t text_length, int fd, struct error *err);

/* Removes a container that does not run, and everything it has; its anonymous volumes only if they
 * are wanted to go. */
int container_remove(struct managed_container *container, const struct actor *actor,
                     bool removes_volumes, struct error *err);

/* Ends the completion when `kind` has happened, unless container_stop_waiting() takes it back. A
 * failed start or freeze ends its wait with the error; a removal ends all that wait, without an
 * error. */
void container_wait_for(struct managed_container *container, enum container_wait kind,
                        struct completion *completion);
void container_stop_waiting(struct managed_container *container,
                            const struct completion *completion);

/* Publishes an event with the container's labels, name and image; `extra` pairs may be NULL. */
void container_event(struct managed_container *container, const char *action,
                     const struct string_map *extra);

/* Changes limits and restart policy as Docker's request for that says, in force at once. */
int container_update(struct managed_container *container, const struct actor *actor,
                     const char *request, size_t length, struct error *err);

/* Replaces davit's own probes, which then begin anew; NULL: none. Both stay the caller's. */
int container_set_probes(struct managed_container *container, const struct actor *actor,
                         struct probe_definition *liveness, struct probe_definition *readiness,
                         struct error *err);

/* Docker's list of its mounts, as a member. */
void container_write_mounts(struct json_writer *writer, const struct managed_container *container);

/* Its part in networks. */
struct membership *container_network(const struct managed_container *container);

/* Connects it to a network, or disconnects it, also while it runs. `wanted` stays the caller's. */
int container_connect(struct managed_container *container, const struct actor *actor,
                      const struct network *network, const struct endpoint *wanted,
                      struct error *err);
int container_disconnect(struct managed_container *container, const struct actor *actor,
                         const struct network *network, struct error *err);

/* The same for a network that is gone, by the name or id that the container knows. */
int container_disconnect_lost(struct managed_container *container, const struct actor *actor,
                              const char *name, struct error *err);

/* Replaces the rules of what it may reach, also while it runs; NULL: it may reach everything. They
 * stay the caller's. firewall_await() waits until the kernel has them. */
int container_set_egress(struct managed_container *container, const struct actor *actor,
                         const struct docker_egress *egress, struct error *err);

/* Opens <root>/containers/ID. */
int container_open_directory(const struct managed_container *container);

/* Opens its cgroup into *cgroup, which the caller has and closes; after a failure it is closed. */
int container_open_cgroup(const struct managed_container *container, struct cgroup *cgroup,
                          struct error *err);

#endif
