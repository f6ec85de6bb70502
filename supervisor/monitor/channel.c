/* Talking to davitd: see state.h. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/send_queue.h"
#include "base/socket.h"
#include "protocol.h"
#include "state.h"

#define GOODBYE_MS 2000 /* for davitd to read how it ended; the file says it as well */
#define SAID_MAX_BYTES (1 << 20)

void monitor_disconnect(struct monitor *monitor)
{
    send_queue_release(&monitor->said);
    /* Nobody else would let it go on, for as long as there is no davitd. */
    if (monitor->is_held)
        cgroup_begin_freeze(&monitor->cgroup, false, NULL);
    monitor->is_held = false;
    fd_close(&monitor->control_fd);
}

void monitor_tell_with_fd(struct monitor *monitor, const struct monitor_message *header,
                          const char *text, int fd)
{
    cleanup_buffer struct buffer message = {0};
    struct monitor_message copy = *header;

    if (monitor->control_fd < 0)
        return;
    copy.version = MONITOR_PROTOCOL_VERSION;
    copy.text_length = text != NULL ? (uint32_t)strlen(text) : 0;
    buffer_append(&message, &copy, sizeof(copy));
    if (text != NULL)
        buffer_append_string(&message, text);
    if (send_queue_send(&monitor->said, monitor->control_fd, message.data, message.length, &fd,
                        fd >= 0 ? 1 : 0, SAID_MAX_BYTES) < 0)
        monitor_disconnect(monitor);
}

void monitor_flush_said(struct monitor *monitor)
{
    int result = send_queue_flush(&monitor->said, monitor->control_fd);

    if (result < 0 && result != -EAGAIN)
        monitor_disconnect(monitor);
}

void monitor_say_goodbye(struct monitor *monitor)
{
    struct pollfd event = {.fd = monitor->control_fd, .events = POLLOUT};

    while (!send_queue_is_empty(&monitor->said) && poll(&event, 1, GOODBYE_MS) > 0)
        monitor_flush_said(monitor);
}

void monitor_tell(struct monitor *monitor, const struct monitor_message *header, const char *text)
{
    monitor_tell_with_fd(monitor, header, text, -1);
}

void monitor_tell_failure(struct monitor *monitor, uint32_t type, uint64_t token,
                          const struct error *err)
{
    int status = err->code == ERROR_COMMAND_NOT_FOUND ? 127
                 : err->code == ERROR_NOT_EXECUTABLE  ? 126
                                                      : 128;
    const struct monitor_message message = {
        .type = type, .token = token, .value = status, .value2 = (int32_t)err->code};

    monitor_tell(monitor, &message, err->message);
}

/* A text that is longer than a message comes in memory of its own. NULL: it cannot be had. */
static const struct monitor_message *read_long_text(struct monitor *monitor, int fd)
{
    const struct monitor_message *header = (const struct monitor_message *)(void *)monitor->message;
    cleanup_buffer struct buffer text = {0};
    struct monitor_message *message;

    if (fd < 0 || file_read_fd(fd, MONITOR_LONG_TEXT_MAX, &text) < 0)
        return NULL;
    message = memory_new(1, sizeof(*message) + text.length);
    *message = *header;
    message->text_length = (uint32_t)text.length;
    memcpy(message->text, buffer_text(&text), text.length);
    monitor->long_message = message;
    return message;
}

const struct monitor_message *monitor_receive(struct monitor *monitor, int *fd)
{
    const struct monitor_message *message =
        (const struct monitor_message *)(void *)monitor->message;
    int fds[2] = {-1, -1};
    size_t fd_count = ARRAY_SIZE(fds);
    ssize_t count;

    free(monitor->long_message);
    monitor->long_message = NULL;
    count = socket_receive(monitor->control_fd, monitor->message, sizeof(monitor->message), fds,
                           &fd_count);
    if (count < (ssize_t)sizeof(*message) ||
        message->text_length > (size_t)count - sizeof(*message)) {
        message = NULL;
    } else if ((message->flags & MONITOR_TEXT_FD) != 0) {
        size_t last = fd_count > 0 ? fd_count - 1 : 0;

        message = read_long_text(monitor, fds[last]);
        fd_close(&fds[last]);
    }
    *fd = take_fd(&fds[0]);
    fd_close(&fds[1]);
    if (message == NULL) {
        fd_close(fd);
        monitor_disconnect(monitor);
    }
    return message;
}
