/* Trees that nobody wants any more. Removing a large one takes long: a process of its own does it,
 * while davitd goes on. */
#ifndef DAVIT_SUPERVISOR_STORE_TRASH_H
#define DAVIT_SUPERVISOR_STORE_TRASH_H

#include "supervisor/daemon.h"

/* Has removed what is in <root>/trash: at once, or with what else comes within a moment. */
void trash_sweep(struct daemon *daemon);
void trash_sweep_later(struct daemon *daemon);

/* Moves directory_fd/name there, for the next sweep: before there is a loop. */
int trash_move(struct daemon *daemon, int directory_fd, const char *name, struct error *err);

/* Moves directory_fd/name there and has it removed. It is gone for good, also after a power cut,
 * when the caller has synced the directory. */
int trash_put(struct daemon *daemon, int directory_fd, const char *name, struct error *err);

#endif
