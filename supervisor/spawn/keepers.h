/* What monitors keep for davitd while there is none. */
#ifndef DAVIT_SUPERVISOR_SPAWN_KEEPERS_H
#define DAVIT_SUPERVISOR_SPAWN_KEEPERS_H

#include <stdbool.h>

/* A copy of the first descriptor that `is_wanted` takes, of any monitor on this host; -1: there is
 * none. The monitors need not answer, and may be stopped (pidfd_getfd(2)). */
int monitors_find_descriptor(bool (*is_wanted)(int fd, const void *context), const void *context);

#endif
