/* Messages for a peer that may not read: see send_queue.h. */
#include "send_queue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "socket.h"

struct queued_message {
    struct queued_message *next;
    size_t length;
    size_t fd_count;
    int fds[SOCKET_MAX_FDS];
    char bytes[];
};

static void free_message(struct queued_message *message)
{
    for (size_t i = 0; i < message->fd_count; i++)
        close(message->fds[i]);
    free(message);
}

static void drop_first(struct send_queue *queue)
{
    struct queued_message *message = queue->first;

    queue->first = message->next;
    if (queue->first == NULL)
        queue->last = NULL;
    queue->bytes -= sizeof(*message) + message->length;
    free_message(message);
}

static int queue_message(struct send_queue *queue, const void *bytes, size_t length, const int *fds,
                         size_t fd_count)
{
    struct queued_message *message = memory_new(1, sizeof(*message) + length);

    message->length = length;
    memcpy(message->bytes, bytes, length);
    for (size_t i = 0; i < fd_count; i++) {
        int fd = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
        int saved = errno;

        if (fd < 0) {
            free_message(message);
            return -saved;
        }
        message->fds[message->fd_count++] = fd;
    }
    if (queue->last != NULL)
        queue->last->next = message;
    else
        queue->first = message;
    queue->last = message;
    queue->bytes += sizeof(*message) + length;
    return 0;
}

int send_queue_send(struct send_queue *queue, int socket_fd, const void *bytes, size_t length,
                    const int *fds, size_t fd_count, size_t max_bytes)
{
    int result = send_queue_flush(queue, socket_fd);

    if (result == 0) {
        ssize_t sent = socket_try_send(socket_fd, bytes, length, fds, fd_count);

        result = sent < 0 ? (int)sent : 0;
    }
    if (result != -EAGAIN)
        return result;
    if (fd_count > SOCKET_MAX_FDS ||
        queue->bytes + sizeof(struct queued_message) + length > max_bytes)
        return -EAGAIN;
    return queue_message(queue, bytes, length, fds, fd_count);
}

int send_queue_flush(struct send_queue *queue, int socket_fd)
{
    while (queue->first != NULL) {
        const struct queued_message *message = queue->first;
        ssize_t sent = socket_try_send(socket_fd, message->bytes, message->length, message->fds,
                                       message->fd_count);

        if (sent < 0)
            return (int)sent;
        drop_first(queue);
    }
    return 0;
}

bool send_queue_is_empty(const struct send_queue *queue)
{
    return queue->first == NULL;
}

void send_queue_release(struct send_queue *queue)
{
    while (queue->first != NULL)
        drop_first(queue);
}
