/*
 * The spawner: a small single-threaded process, forked from davitd before anything else happens,
 * that forks monitors and image workers on request. Forking a daemon full of state would copy too
 * much and, once it has threads, not be safe.
 */
#ifndef DAVIT_SUPERVISOR_SPAWNER_H
#define DAVIT_SUPERVISOR_SPAWNER_H

#include <sys/types.h>

#include "base/error.h"

/* Forks the spawner; returns davitd's end of the channel and, in *pid, its number. The spawner ends
 * when that closes. It and its children forget davitd's command line, which would show in a
 * container whose process 1 is the built-in reaper. */
int spawner_start(char **argv, pid_t *pid, struct error *err);

/* What a monitor is born with. All descriptors stay the caller's. */
struct spawn_monitor {
    int container_fd; /* <root>/containers/ID */
    int run_fd;       /* <run>/containers/ID */
    int layers_fd;    /* <root>/layers */
    int seccomp_fd;   /* <root>/seccomp */
    int control_fd;   /* the monitor's end of its channel to davitd */
};

/* Asks for a monitor. If it cannot be had its control channel closes. */
int spawner_request_monitor(int spawner_fd, const struct spawn_monitor *monitor, struct error *err);

/* Asks for a worker that imports the archive from `input_fd` into the store and reports to
 * `output_fd` (see images/report.h). Both close when it ends. */
int spawner_request_load(int spawner_fd, int store_fd, int input_fd, int output_fd,
                         struct error *err);

/* Asks for one that does the job that `input_fd` holds (images/registry_job.h), with the fetch
 * worker at the other end of `channel_fd` (images/fetch_channel.h). */
int spawner_request_pull(int spawner_fd, int store_fd, int input_fd, int output_fd, int channel_fd,
                         struct error *err);

int spawner_request_push(int spawner_fd, int store_fd, int input_fd, int output_fd, int channel_fd,
                         struct error *err);

/* Asks for a fetch worker with its end of the channel. */
int spawner_request_fetch(int spawner_fd, int channel_fd, struct error *err);

#endif
