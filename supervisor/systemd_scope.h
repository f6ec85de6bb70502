/* Under systemd, containers live in a transient scope of their own, which systemd delegates to us.
 */
#ifndef DAVIT_SUPERVISOR_SYSTEMD_SCOPE_H
#define DAVIT_SUPERVISOR_SYSTEMD_SCOPE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "cgroups/cgroups.h"

/* True if davitd was started as a unit of the systemd that manages this host. */
bool systemd_manages_us(void);

/* Makes the scope `name` with the process in it, or finds the one that an earlier davitd left with
 * its containers. *path is its cgroup. Blocks until systemd has done it: for start-up only. */
int systemd_scope_get(const char *name, pid_t pid, char path[CGROUP_PATH_SIZE], struct error *err);

#endif
