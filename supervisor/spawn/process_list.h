/*
 * A container's processes, in columns of ps(1), from its cgroup and /proc. No program is run. Users
 * and groups are those that the container sees; numbers of processes are the host's.
 * To read a command line waits for the lock on a process's memory, which the process can keep for
 * seconds: so this is the work of a process of its own (spawner_request_process_list()).
 */
#ifndef DAVIT_SUPERVISOR_SPAWN_PROCESS_LIST_H
#define DAVIT_SUPERVISOR_SPAWN_PROCESS_LIST_H

#include "process_columns.h"

#define PROCESSES_MAX 10000 /* further ones are left out */

/* Writes Docker's answer to GET /containers/NAME/top to `output_fd`, a line. In a child of the
 * spawner. */
_Noreturn void process_list_run(const struct process_columns *columns, int cgroup_fd,
                                int output_fd);

#endif
