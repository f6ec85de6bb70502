/*
 * Seccomp filters with SCMP_ACT_NOTIFY (seccomp_unotify(2)): the descriptor that loading one gives
 * goes to the agent at linux.seccomp.listenerPath (runtime-spec config-linux.md "The Container
 * Process State").
 *
 * Once the filter is loaded every system call of the process may wait for an agent that does not
 * have the descriptor yet. So the process makes none: it tells the descriptor's number through
 * shared memory and waits there until the other side has fetched it.
 */
#ifndef DAVIT_RUNTIME_SECCOMP_LISTENER_H
#define DAVIT_RUNTIME_SECCOMP_LISTENER_H

#include "runtime.h"

/* The process: loads the filter. Returns when the agent has the descriptor. */
int seccomp_load_with_listener(const struct seccomp_program *program, int control_fd,
                               struct error *err);

/* The other side of the channel, on SYNC_SECCOMP: fetches the descriptor and sends it on. */
int seccomp_forward_listener(int memory_fd, const struct container *container,
                             const struct container_identity *identity, struct error *err);

#endif
