/*
 * Messages for a peer that may not read: it may be stopped, slow or hostile, and nobody waits for
 * it. What its socket does not take is kept here, up to a bound.
 */
#ifndef DAVIT_BASE_SEND_QUEUE_H
#define DAVIT_BASE_SEND_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

struct queued_message;

/* Zeroed is empty. */
struct send_queue {
    struct queued_message *first;
    struct queued_message *last;
    size_t bytes; /* of the messages that are kept, with their headers */
};

/* Sends a message with descriptors (still owned by the caller), after those that are kept already,
 * or keeps it. -EAGAIN: more than max_bytes would be kept; nothing of it was. Other negative errnos
 * are the socket's, whose peer is gone. */
int send_queue_send(struct send_queue *queue, int socket_fd, const void *bytes, size_t length,
                    const int *fds, size_t fd_count, size_t max_bytes);

/* Sends what is kept, as much as the socket takes: 0 if that was all, -EAGAIN if more is left. */
int send_queue_flush(struct send_queue *queue, int socket_fd);

bool send_queue_is_empty(const struct send_queue *queue);

/* Forgets what is kept. */
void send_queue_release(struct send_queue *queue);

#endif
