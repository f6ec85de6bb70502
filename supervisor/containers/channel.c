/* The channel to a container's monitor: see container.h and internal.h. */
#include <errno.h>

#include <sys/epoll.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/socket.h"
#include "internal.h"

/* Monitors' messages are handled before all other events: a client that sees a stream end and then
 * asks for the exit status must find it. */
#define CONTROL_PRIORITY (SD_EVENT_PRIORITY_NORMAL - 10)

int container_send(struct managed_container *container, const struct monitor_message *header,
                   const void *text, size_t text_length, int fd, struct error *err)
{
    bool is_long = text_length > MONITOR_TEXT_MAX;
    size_t max_length = container->monitor_version >= 2 ? MONITOR_LONG_TEXT_MAX : MONITOR_TEXT_MAX;
    cleanup_buffer struct buffer message = {0};
    cleanup_close int text_fd = -1;
    struct monitor_message copy = *header;
    int fds[2];
    size_t fd_count = 0;

    if (container->control_fd < 0)
        return error_set(err, ERROR_CONFLICT, ESRCH, "container %s is not running",
                         container->definition->id);
    if (text_length > max_length)
        return error_set(err, ERROR_TOO_LARGE, E2BIG, "the request is larger than %zu bytes",
                         max_length);
    if (is_long) {
        text_fd = file_in_memory("text", text, text_length);
        if (text_fd < 0)
            return error_errno(err, -text_fd, "memory for a request");
        copy.flags |= MONITOR_TEXT_FD;
    }
    copy.version = MONITOR_PROTOCOL_VERSION;
    copy.text_length = is_long ? 0 : (uint32_t)text_length;
    buffer_append(&message, &copy, sizeof(copy));
    buffer_append(&message, text, copy.text_length);
    if (fd >= 0)
        fds[fd_count++] = fd;
    if (text_fd >= 0)
        fds[fd_count++] = text_fd;
    return outbox_send(&container->outbox, container->containers->loop, container->control_fd,
                       message.data, message.length, fds, fd_count, "the container's monitor", err);
}

void container_close_channel(struct managed_container *container)
{
    container->control = sd_event_source_disable_unref(container->control);
    container->kill_timer = sd_event_source_disable_unref(container->kill_timer);
    container->is_kill_overdue = false;
    outbox_release(&container->outbox);
    fd_close(&container->control_fd);
    fd_close(&container->monitor_pidfd);
}

static int on_control(sd_event_source *source, int fd, uint32_t events, void *context)
{
    struct managed_container *container = context;
    cleanup_free struct monitor_message *message =
        memory_new(1, sizeof(*message) + MONITOR_TEXT_MAX);
    cleanup_close int passed_fd = -1;
    size_t fd_count = 1;
    ssize_t count =
        socket_receive(fd, message, sizeof(*message) + MONITOR_TEXT_MAX, &passed_fd, &fd_count);

    (void)source;
    (void)events;
    if (count == 0 || count == -ECONNRESET) {
        container->on_message(container, NULL, NULL);
        return 0;
    }
    /* A monitor of another version may send what this davitd does not know: ignore it. */
    if (count < (ssize_t)sizeof(*message) ||
        message->text_length > (size_t)count - sizeof(*message))
        return 0;
    container->monitor_version = message->version;
    container->on_message(container, message, &passed_fd);
    return 0;
}

int container_watch_monitor(struct managed_container *container, int fd, monitor_handler on_message,
                            struct error *err)
{
    int result;

    container->control_fd = fd;
    container->on_message = on_message;
    result = sd_event_add_io(container->containers->loop, &container->control, fd, EPOLLIN,
                             on_control, container);
    if (result < 0) {
        fd_close(&container->control_fd);
        return error_errno(err, -result, "watch the container's monitor");
    }
    sd_event_source_set_priority(container->control, CONTROL_PRIORITY);
    return 0;
}
