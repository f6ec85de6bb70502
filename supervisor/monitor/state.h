/* A monitor's state, and what its files do with it. One thread, no globals. */
#ifndef DAVIT_SUPERVISOR_MONITOR_STATE_H
#define DAVIT_SUPERVISOR_MONITOR_STATE_H

#include <sys/ioctl.h>

#include "base/send_queue.h"
#include "cgroups/cgroups.h"
#include "monitor.h"
#include "protocol.h"
#include "runtime/runtime.h"
#include "streams.h"

/* The container's first process (token 0) or an exec. */
struct task {
    uint64_t token;
    struct container process;
    struct streams streams;
    uint64_t launch_until_us; /* deadline to run its program; 0: it runs, or was refused */
    bool has_ended;
    bool was_refused;    /* it never ran, which davitd has been told */
    struct winsize size; /* of its terminal, which may come later */
    int status;
    struct task *next;
};

struct monitor {
    struct spawn_monitor fds;
    struct arena arena;
    struct monitor_config settings;
    struct oci_config config;
    struct cgroup_hierarchy hierarchy;
    struct cgroup cgroup;
    struct seccomp_program seccomp;
    struct string_list device_env; /* variables that its devices bring, for execs as well */
    const char *bundle_path;       /* that hooks are told of; NULL: there are no hooks */
    bool was_launched;             /* hooks may have run */
    struct log_writer log;
    int listen_fd;
    bool is_held;           /* by davitd, as long as it lives: MONITOR_HELD */
    int control_fd;         /* to the current davitd; -1: none */
    struct send_queue said; /* messages that davitd has not read */
    int stop_fd;            /* for SIGTERM, which asks the container to stop */
    uint64_t kill_us;       /* when the container is killed if it still runs; 0: never */
    int shm_mounts_fd; /* another container's mount namespace, whose /dev/shm this one shares */
    int64_t started_ns;
    int64_t finished_ns;
    struct task init;
    struct task *execs;
    size_t exec_count;
    uint64_t dead_us; /* when all that was killed with the first process should be dead, or 0 */
    char message[sizeof(struct monitor_message) + MONITOR_TEXT_MAX];
    struct monitor_message *long_message; /* instead of `message` for a longer text; or NULL */
};

/* Talking to davitd: channel.c */

void monitor_disconnect(struct monitor *monitor);

/* Sends a message or queues it, and never waits: davitd may be gone or stopped at any moment. `fd`
 * -1: none. */
void monitor_tell_with_fd(struct monitor *monitor, const struct monitor_message *header,
                          const char *text, int fd);

void monitor_flush_said(struct monitor *monitor);

/* Sends what is still queued for davitd, and waits a short time for that: the monitor is about to
 * end. */
void monitor_say_goodbye(struct monitor *monitor);

void monitor_tell(struct monitor *monitor, const struct monitor_message *header, const char *text);
void monitor_tell_failure(struct monitor *monitor, uint32_t type, uint64_t token,
                          const struct error *err);

/* Receives one message, which is good until the next one comes. NULL: davitd is gone. */
const struct monitor_message *monitor_receive(struct monitor *monitor, int *fd);

/* Standard streams: stdio.c */

/* Pipes for a process without a terminal. The process's ends go to `stdio`, ours to the streams. */
int stdio_make_pipes(struct streams *streams, bool has_input, int stdio[3], struct error *err);

void stdio_close(int stdio[3]);

/* Makes the terminal's master the input and the output of the task's streams. */
void stdio_use_terminal(struct task *task, int console_fd);

/* Setting up: start.c */

int monitor_start(struct monitor *monitor, struct error *err);
void monitor_remove_cgroup(struct monitor *monitor);
void monitor_tell_started(struct monitor *monitor);
int monitor_prepare(struct monitor *monitor, struct error *err);

/* Hooks: hooks.c */

/* Makes the bundle that hooks are told of, if there are hooks. The configuration is complete then.
 */
int monitor_make_bundle(struct monitor *monitor, struct error *err);
int monitor_run_poststart_hooks(struct monitor *monitor, struct error *err);
/* When the container has ended, or has not started. Removes the bundle. What goes wrong is told to
 * davitd. */
void monitor_run_poststop_hooks(struct monitor *monitor);

/* Execs and probes: execs.c */

struct task *monitor_find_task(struct monitor *monitor, uint64_t token);
void task_free(struct task *task);
void execs_start(struct monitor *monitor, const struct monitor_message *message, int fd);

/* Handles what an exec's process has sent that is about to run its program. */
void execs_follow(struct monitor *monitor, struct task *task);

void execs_refuse_late(struct monitor *monitor);

/* Starts a probe: a process of the monitor's own, whose end is told like that of an exec. */
void execs_start_probe(struct monitor *monitor, const struct monitor_message *message, int fd);

/* What davitd asks for: orders.c */

void orders_follow(struct monitor *monitor, const struct monitor_message *message, int *fd);
void orders_receive(struct monitor *monitor);

/* The end: end.c */

void task_reap(struct task *task);

/* Tells davitd the status of execs that have ended, then ends their clients' streams: a client that
 * has seen the end can ask for the status. */
void execs_report_ended(struct monitor *monitor);

/* The first process has ended: kills all others. They survive it if the container has no pid
 * namespace of its own; probes are never in that. */
void monitor_end_container(struct monitor *monitor);

/* Kills the first process and waits for its end, if there is one: its start has failed. */
void monitor_kill_container(struct monitor *monitor);

/* Whether nothing is left to be waited for: no stream has anything more, and every process is dead
 * or is one that does not die. */
bool monitor_is_over(const struct monitor *monitor);

/* Stops the container on SIGTERM as davitd would: there may be no davitd. */
void monitor_stop_container(struct monitor *monitor);

void monitor_kill_if_due(struct monitor *monitor);

/* Writes the exit to exit.json, for a davitd that comes later. Returns what it says. */
struct json_writer *monitor_write_exit(const struct monitor *monitor);
/* Removes the cgroup and tells the current davitd of the exit. Frees the record. */
void monitor_tell_exit(struct monitor *monitor, struct json_writer *record);

#endif
