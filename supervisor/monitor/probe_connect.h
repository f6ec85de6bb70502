/* A probe of a container's network, run by its monitor. */
#ifndef DAVIT_SUPERVISOR_MONITOR_PROBE_CONNECT_H
#define DAVIT_SUPERVISOR_MONITOR_PROBE_CONNECT_H

#include <sys/types.h>

#include "base/error.h"
#include "protocol.h"

/* Forks a process that enters the network of `pidfd`, gives up its privileges, connects and, if the
 * probe has a path, asks for it. It says on `output_fd` what it found and exits 0 (good) or 1.
 * Returns its number, or a negative errno. */
pid_t probe_connect(const struct monitor_probe *probe, int pidfd, int output_fd, struct error *err);

#endif
