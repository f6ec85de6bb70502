/* Messages to other processes of davit: see outbox.h. */
#include "outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>

#include "base/cleanup.h"

static void stop_watching(struct outbox *outbox)
{
    if (outbox->source == NULL)
        return;
    outbox->source = sd_event_source_disable_unref(outbox->source);
    fd_close(&outbox->fd);
}

/* Errors are dropped: whoever reads from the peer notices that it is gone. */
static int on_writable(sd_event_source *source, int fd, uint32_t events, void *context)
{
    struct outbox *outbox = context;
    int result = send_queue_flush(&outbox->queue, fd);

    (void)source;
    (void)events;
    if (result == -EAGAIN)
        return 0;
    send_queue_release(&outbox->queue);
    stop_watching(outbox);
    return 0;
}

/* The reading end of the same socket may be watched already, which epoll(7) takes once for each
 * descriptor. */
static int watch(struct outbox *outbox, sd_event *loop, int socket_fd)
{
    int result;

    if (outbox->source != NULL)
        return 0;
    outbox->fd = fcntl(socket_fd, F_DUPFD_CLOEXEC, 0);
    if (outbox->fd < 0)
        return -errno;
    result = sd_event_add_io(loop, &outbox->source, outbox->fd, EPOLLOUT, on_writable, outbox);
    if (result < 0)
        fd_close(&outbox->fd);
    return result < 0 ? result : 0;
}

int outbox_send(struct outbox *outbox, sd_event *loop, int socket_fd, const void *bytes,
                size_t length, const int *fds, size_t fd_count, const char *peer, struct error *err)
{
    int result =
        send_queue_send(&outbox->queue, socket_fd, bytes, length, fds, fd_count, OUTBOX_MAX_BYTES);

    if (result == 0 && !send_queue_is_empty(&outbox->queue))
        result = watch(outbox, loop, socket_fd);
    if (result == -EAGAIN)
        return error_set(err, ERROR_BUSY, EAGAIN, "%s does not answer", peer);
    return result < 0 ? error_errno(err, -result, "talk to %s", peer) : 0;
}

void outbox_release(struct outbox *outbox)
{
    send_queue_release(&outbox->queue);
    stop_watching(outbox);
}
