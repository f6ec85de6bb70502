/* Messages of davitd to another process of davit: the loop sends them when there is room, and
 * nobody waits for that. */
#ifndef DAVIT_SUPERVISOR_SPAWN_OUTBOX_H
#define DAVIT_SUPERVISOR_SPAWN_OUTBOX_H

#include <systemd/sd-event.h>

#include "base/error.h"
#include "base/send_queue.h"

#define OUTBOX_MAX_BYTES (1 << 20) /* that wait for a peer; then it is said not to answer */

/* Zeroed is empty. */
struct outbox {
    struct send_queue queue;
    int fd; /* of its own, for the loop; only while `source` is there */
    sd_event_source *source;
};

/* Sends a message, or has it sent later, in order. `peer` is who it is for, in errors: ERROR_BUSY
 * if too much waits for it already, another code if it is gone. Descriptors stay the caller's. */
int outbox_send(struct outbox *outbox, sd_event *loop, int socket_fd, const void *bytes,
                size_t length, const int *fds, size_t fd_count, const char *peer,
                struct error *err);

void outbox_release(struct outbox *outbox);

#endif
