/* The channel between the parent of a container and its first process: fixed-size records over a
 * SOCK_SEQPACKET pair. Closing it by execve says that the program runs. */
#ifndef DAVIT_RUNTIME_SYNC_H
#define DAVIT_RUNTIME_SYNC_H

#include "base/error.h"

enum sync_type {
    SYNC_END,        /* not sent: the other side closed */
    SYNC_MAPPED,     /* P3: id mappings are written */
    SYNC_NETWORK,    /* P3: carries the network namespace to enter */
    SYNC_CONFINED,   /* P3: all that the parent does to the child's surroundings is done */
    SYNC_RUN_HOOKS,  /* C5: the runtime's hooks may run now */
    SYNC_HOOKS_DONE, /* P4 */
    SYNC_CONSOLE,    /* C7: carries the terminal's master */
    SYNC_SECCOMP,    /* C9: carries memory for the hand-over of a seccomp listener */
    SYNC_CREATED,    /* C8 */
    SYNC_START,      /* P5 */
    SYNC_ERROR,      /* carries the error object; the child exits after it */
};

/* Each returns 0 or a negative errno. */
int sync_send(int fd, enum sync_type type);
int sync_send_fd(int fd, enum sync_type type, int carried_fd);
void sync_send_error(int fd, const struct error *error);

/* Waits for the next record. A descriptor that comes along goes to *carried_fd, or is closed if
 * that is NULL. An error record fills `err` and returns its negative errno. */
int sync_receive(int fd, enum sync_type *type, int *carried_fd, struct error *err);

/* Waits for one certain record; anything else is an error. *carried_fd as in sync_receive(). */
int sync_expect(int fd, enum sync_type type, int *carried_fd, struct error *err);

#endif
