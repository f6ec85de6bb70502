/* Containers as systemd scopes (--systemd-cgroup). systemd makes the cgroup and knows the limits it
 * has words for, so that it does not reset them; all limits are then written by us as well. */
#ifndef DAVIT_RUNTIME_OCI_SYSTEMD_H
#define DAVIT_RUNTIME_OCI_SYSTEMD_H

#include "base/error.h"
#include "base/memory.h"
#include "bundle/config.h"
#include "cgroups/cgroups.h"

/* Starts the scope that linux.cgroupsPath names as "slice:prefix:name" (default: system.slice and
 * "davit-ID.scope") with `pid` in it. *unit and *path live in the arena. */
int scope_start(struct arena *arena, const char *id, const struct oci_config *config,
                const struct cgroup_settings *settings, pid_t pid, const char **unit,
                const char **path, struct error *err);

/* Tells systemd of changed limits. */
int scope_update(const char *unit, const struct cgroup_settings *settings, struct error *err);

/* Ends a scope. */
int scope_stop(const char *unit, struct error *err);

/* Finds davit-scope: in DAVIT_LIBEXEC, or else near the program that was started as argv[0], or
 * else where it was built to be installed. Call this in main. */
void systemd_find_helper(const char *argv0);

#endif
