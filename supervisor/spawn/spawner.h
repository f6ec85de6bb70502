/*
 * The spawner: a small single-threaded process, forked from davitd before anything else happens,
 * that forks monitors, workers and other helpers on request. Forking a daemon full of state would
 * copy too much and, once it has threads, not be safe.
 */
#ifndef DAVIT_SUPERVISOR_SPAWN_SPAWNER_H
#define DAVIT_SUPERVISOR_SPAWN_SPAWNER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/json_table.h"
#include "outbox.h"
#include "process_columns.h"
#include "supervisor/monitor/monitor.h"

/* davitd's side of the spawner. Requests never wait: they are queued while the spawner is stopped,
 * and refused with ERROR_BUSY when too much is queued. */
struct spawner {
    int fd;
    pid_t pid;
    sd_event *loop; /* to be set before anything is asked */
    struct outbox outbox;
};

/* Forks the spawner. It ends when `fd` closes. It and its children forget davitd's command line,
 * which would show in a container whose process 1 is the built-in reaper. */
int spawner_start(char **argv, struct spawner *spawner, struct error *err);

/* Asks for a monitor. All descriptors stay the caller's. Its pidfd comes through its control
 * channel (MONITOR_SPAWNED), perhaps behind what the monitor says; if it cannot be had that channel
 * closes. */
int spawner_request_monitor(struct spawner *spawner, const struct spawn_monitor *monitor,
                            struct error *err);

/* Asks for so many namespaces, made ahead (runtime.h, struct ready_namespaces). Each comes through
 * `channel_fd` as a message of one byte with its descriptors; the channel's end is the end of that.
 */
int spawner_request_namespaces(struct spawner *spawner, int channel_fd, bool has_user,
                               uint32_t count, struct error *err);

/* Asks for a process that removes everything in a directory. */
int spawner_request_sweep(struct spawner *spawner, int directory_fd, struct error *err);

/* Asks for a process that writes the list of a cgroup's processes: process_list.h. */
int spawner_request_process_list(struct spawner *spawner, const struct process_columns *columns,
                                 int cgroup_fd, int output_fd, struct error *err);

/* Asks for a process that ends connections: network/conntrack_job.h. */
int spawner_request_conntrack(struct spawner *spawner, int job_fd, int report_fd,
                              struct error *err);

/* The image worker, by command, the fetch worker, the resolver, and davit-cni, which runs
 * plugins. */
enum spawner_worker {
    WORKER_LOAD,
    WORKER_PULL,
    WORKER_PUSH,
    WORKER_INQUIRE,
    WORKER_SAVE,
    WORKER_IMPORT,
    WORKER_COMMIT,
    WORKER_DIFF,
    WORKER_EXPORT,
    WORKER_SBOM,
    WORKER_USAGE,
    WORKER_STAT_PATH,
    WORKER_COPY_OUT,
    WORKER_COPY_IN,
    WORKER_FETCH,
    WORKER_RESOLVER,
    WORKER_CNI,
    WORKER_COUNT,
};

#define WORKER_FDS_MAX 5

/* A worker's job, in memory that it reads as its standard input: nobody waits for it. It has
 * max_bytes at most. */
int spawner_open_job(const struct json_struct *type, const void *job, size_t max_bytes,
                     struct error *err);

/* A pipe for what a worker says: returns our end, which does not block; *write_fd is the worker's.
 */
int spawner_open_report(int *write_fd, struct error *err);

/* Asks for a worker. The descriptors of the image worker are the store, the standard input (a job,
 * see images/registry_job.h and images/image_job.h), the standard output (its report,
 * images/report.h) and what the command needs besides; of WORKER_FETCH its end of the channel
 * (images/fetch_channel.h); of WORKER_RESOLVER where it listens; of
 * WORKER_CNI job, report and record (network/cni_job.h). A worker that cannot be had closes
 * them. */
int spawner_request_worker(struct spawner *spawner, enum spawner_worker worker, const int *fds,
                           size_t count, struct error *err);

#endif
