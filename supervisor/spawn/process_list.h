/*
 * A container's processes, in the columns of ps -ef, from its cgroup and /proc. No program is run.
 * To read a command line waits for the lock on a process's memory, which the process can keep for
 * seconds: so this is the work of a process of its own (spawner_request_process_list()).
 */
#ifndef DAVIT_SUPERVISOR_SPAWN_PROCESS_LIST_H
#define DAVIT_SUPERVISOR_SPAWN_PROCESS_LIST_H

#define PROCESSES_MAX 10000 /* further ones are left out */

/* Writes Docker's answer to GET /containers/NAME/top to `output_fd`, a line. In a child of the
 * spawner. */
_Noreturn void process_list_run(int cgroup_fd, int output_fd);

#endif
