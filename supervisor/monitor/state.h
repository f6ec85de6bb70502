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
    uint64_t launch_until_us; /* it is not the program that is meant yet; 0: it is */
    bool has_ended;
    bool was_refused;    /* it never ran, which davitd has been told */
    struct winsize size; /* that its terminal is to have, which may not be there yet */
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
    struct log_writer log;
    int listen_fd;
    int control_fd;         /* to the davitd of the moment; -1: none */
    struct send_queue said; /* that it has not read */
    int stop_fd;            /* SIGTERM: whoever stops all of us means the container */
    uint64_t kill_us;       /* when it is killed, if it has not ended; 0: nobody wants that */
    int shm_mounts_fd; /* another container's mount namespace, whose /dev/shm this one shares */
    int64_t started_ns;
    struct task init;
    struct task *execs;
    size_t exec_count;
    uint64_t dead_us; /* when all that was killed with the first process should be dead, or 0 */
    char message[sizeof(struct monitor_message) + MONITOR_TEXT_MAX];
    struct monitor_message *long_message; /* in its place, if its text is longer; or NULL */
};

/* Talking to davitd: channel.c */

void monitor_disconnect(struct monitor *monitor);

/* davitd may be gone or stopped at any moment; that is its problem, not the container's. `fd` -1:
 * none. */
void monitor_tell_with_fd(struct monitor *monitor, const struct monitor_message *header,
                          const char *text, int fd);

void monitor_flush_said(struct monitor *monitor);

/* Before this process ends, and what is left unsaid with it. */
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

/* The terminal's master is both ends. */
void stdio_use_terminal(struct task *task, int console_fd);

/* Setting up: start.c */

int monitor_start(struct monitor *monitor, struct error *err);
void monitor_remove_cgroup(struct monitor *monitor);
void monitor_tell_started(struct monitor *monitor);
int monitor_prepare(struct monitor *monitor, struct error *err);

/* Execs and probes: execs.c */

struct task *monitor_find_task(struct monitor *monitor, uint64_t token);
void task_free(struct task *task);
void execs_start(struct monitor *monitor, const struct monitor_message *message, int fd);

/* Something has come from a process that is about to become its program. */
void execs_follow(struct monitor *monitor, struct task *task);

void execs_refuse_late(struct monitor *monitor);

/* A process of the monitor's own that ends like an exec. */
void execs_start_probe(struct monitor *monitor, const struct monitor_message *message, int fd);

/* What davitd asks for: orders.c */

void orders_follow(struct monitor *monitor, const struct monitor_message *message, int *fd);
void orders_receive(struct monitor *monitor);

/* The end: end.c */

void task_reap(struct task *task);

/* The status is told before the client's stream ends, so that whoever has seen the end can ask for
 * it. */
void execs_finish(struct monitor *monitor);

/* Without a pid namespace of its own the container's other processes do not end with its first;
 * probes are in none of its namespaces but one. */
void monitor_end_container(struct monitor *monitor);

/* Whether nothing is left to be waited for: no stream has anything more, and every process is dead
 * or is one that does not die. */
bool monitor_is_over(const struct monitor *monitor);

/* As davitd would stop it, which may not be there. */
void monitor_stop_container(struct monitor *monitor);

void monitor_kill_if_due(struct monitor *monitor);

/* In a file for a davitd that is not there, and in the message. */
void monitor_tell_exit(struct monitor *monitor);

#endif
