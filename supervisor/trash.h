/* Trees that nobody wants any more. Removing a large one takes long: a process of its own does it,
 * while davitd goes on. */
#ifndef DAVIT_SUPERVISOR_TRASH_H
#define DAVIT_SUPERVISOR_TRASH_H

#include "daemon.h"

/* Opens <root>/trash and has removed what is in it. */
int trash_open(struct daemon *daemon, struct error *err);

/* Moves directory_fd/name there, durably, and has it removed. */
int trash_put(struct daemon *daemon, int directory_fd, const char *name, struct error *err);

#endif
