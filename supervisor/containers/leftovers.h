/* Cgroups whose processes were killed and may take a while to be gone: davitd goes on meanwhile. */
#ifndef DAVIT_SUPERVISOR_CONTAINERS_LEFTOVERS_H
#define DAVIT_SUPERVISOR_CONTAINERS_LEFTOVERS_H

#include "containers.h"

/* Kills what is in the cgroup of that path, if there is one, and removes it: at once, or as soon as
 * it is empty. */
void leftovers_kill(struct containers *containers, const char *path);

/* A container starts in the cgroup again: it is not removed any more. */
void leftovers_keep(struct containers *containers, const char *path);

#endif
