/* The queue in front of a log: see log_queue.h. */
#include "log_queue.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "log_writer.h"

#define READ_BYTES (64 << 10)

/* Keeps three descriptors, and with them no connection of the monitor's alive. */
static void settle(struct log_writer *log, int *pipe_fd)
{
    enum { FIRST = 64, COUNT = 3 };
    int *const fds[COUNT] = {&log->fd, &log->directory_fd, pipe_fd};

    for (int i = 0; i < COUNT; i++)
        *fds[i] = fcntl(*fds[i], F_DUPFD_CLOEXEC, FIRST + 2 * COUNT);
    for (int i = 0; i < COUNT; i++)
        *fds[i] = dup3(*fds[i], FIRST + i, O_CLOEXEC);
    close_range(3, FIRST - 1, 0);
    close_range(FIRST + COUNT, ~0u, 0);
}

static _Noreturn void write_lines(struct log_writer *log, int pipe_fd)
{
    struct buffer lines = {0};

    settle(log, &pipe_fd);
    log->options.queue_bytes = 0;
    for (;;) {
        ssize_t count = read(pipe_fd, buffer_reserve(&lines, READ_BYTES), READ_BYTES);
        const char *end;

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            _exit(0);
        lines.length += (size_t)count;
        end = memrchr(lines.data, '\n', lines.length);
        if (end == NULL)
            continue;
        log_writer_append_entries(log, lines.data, (size_t)(end + 1 - lines.data));
        buffer_consume(&lines, (size_t)(end + 1 - lines.data));
    }
}

int log_queue_start(struct log_queue *queue, struct log_writer *log, size_t max_bytes,
                    struct error *err)
{
    int pair[2];

    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    queue->pid = fork();
    if (queue->pid == 0) {
        close(pair[1]);
        write_lines(log, pair[0]);
    }
    close(pair[0]);
    if (queue->pid < 0) {
        error_errno(err, errno, "fork");
        close(pair[1]);
        return -err->errnum;
    }
    fcntl(pair[1], F_SETFL, O_NONBLOCK);
    queue->fd = pair[1];
    queue->max_bytes = max_bytes;
    return 0;
}

void log_queue_flush(struct log_queue *queue)
{
    while (queue->lines.length > 0) {
        ssize_t count = write(queue->fd, queue->lines.data, queue->lines.length);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno != EAGAIN) {
            /* The writer has died: what it was to write is lost. */
            queue->lines.length = 0;
            queue->max_bytes = 0;
        }
        if (count <= 0)
            return;
        buffer_consume(&queue->lines, (size_t)count);
    }
}

int log_queue_push(struct log_queue *queue, const char *lines, size_t length)
{
    log_queue_flush(queue);
    if (queue->lines.length + length > queue->max_bytes)
        return -ENOBUFS;
    buffer_append(&queue->lines, lines, length);
    log_queue_flush(queue);
    return 0;
}

void log_queue_finish(struct log_queue *queue)
{
    struct pollfd pipe_end = {.fd = queue->fd, .events = POLLOUT};
    struct pollfd process = {.fd = pidfd_open(queue->pid, 0), .events = POLLIN};

    while (queue->lines.length > 0 && poll(&pipe_end, 1, LOG_QUEUE_FINISH_MS) > 0)
        log_queue_flush(queue);
    fd_close(&queue->fd);
    poll(&process, 1, LOG_QUEUE_FINISH_MS);
    waitpid(queue->pid, NULL, WNOHANG);
    fd_close(&process.fd);
    buffer_release(&queue->lines);
}
