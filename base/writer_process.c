/* A process that writes behind a bounded queue: see writer_process.h. */
#include "writer_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"

#define READ_BYTES (64 << 10)
#define FIRST_KEPT 64 /* the number of the first descriptor that is kept */

/* Keeps the descriptors of the job and the pipe, and closes all others, which would keep
 * connections of the caller open. False: some could not be had; then none may be used. */
static bool keep_descriptors(const struct writer_job *job, int *pipe_fd)
{
    int *fds[WRITER_FDS_MAX + 1];
    const int count = (int)job->fd_count + 1;

    memcpy(fds, job->fds, job->fd_count * sizeof(fds[0]));
    fds[job->fd_count] = pipe_fd;
    for (int i = 0; i < count; i++) {
        *fds[i] = fcntl(*fds[i], F_DUPFD_CLOEXEC, FIRST_KEPT + 2 * count);
        if (*fds[i] < 0)
            return false;
    }
    for (int i = 0; i < count; i++)
        *fds[i] = dup3(*fds[i], FIRST_KEPT + i, O_CLOEXEC);
    close_range(3, FIRST_KEPT - 1, 0);
    close_range((unsigned int)(FIRST_KEPT + count), ~0u, 0);
    return true;
}

static _Noreturn void write_lines(const struct writer_job *job, int pipe_fd)
{
    struct buffer lines = {0};

    if (!keep_descriptors(job, &pipe_fd))
        _exit(1);
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
        job->write(job->context, lines.data, (size_t)(end + 1 - lines.data));
        buffer_consume(&lines, (size_t)(end + 1 - lines.data));
    }
}

int writer_process_start(struct writer_process *writer, const struct writer_job *job,
                         size_t max_bytes, struct error *err)
{
    int pair[2];

    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    writer->pid = fork();
    if (writer->pid == 0) {
        close(pair[1]);
        write_lines(job, pair[0]);
    }
    close(pair[0]);
    if (writer->pid < 0) {
        error_errno(err, errno, "fork");
        close(pair[1]);
        return -err->errnum;
    }
    fcntl(pair[1], F_SETFL, O_NONBLOCK);
    writer->fd = pair[1];
    writer->max_bytes = max_bytes;
    return 0;
}

void writer_process_flush(struct writer_process *writer)
{
    while (writer->lines.length > 0) {
        ssize_t count = write(writer->fd, writer->lines.data, writer->lines.length);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno != EAGAIN) {
            /* The writer has died: what it was to write is lost. */
            writer->lines.length = 0;
            writer->max_bytes = 0;
        }
        if (count <= 0)
            return;
        buffer_consume(&writer->lines, (size_t)count);
    }
}

int writer_process_push(struct writer_process *writer, const char *lines, size_t length)
{
    writer_process_flush(writer);
    if (writer->lines.length + length > writer->max_bytes)
        return -ENOBUFS;
    buffer_append(&writer->lines, lines, length);
    writer_process_flush(writer);
    return 0;
}

void writer_process_finish(struct writer_process *writer)
{
    struct pollfd pipe_end = {.fd = writer->fd, .events = POLLOUT};
    struct pollfd process = {.fd = pidfd_open(writer->pid, 0), .events = POLLIN};

    while (writer->lines.length > 0 && poll(&pipe_end, 1, WRITER_FINISH_MS) > 0)
        writer_process_flush(writer);
    fd_close(&writer->fd);
    poll(&process, 1, WRITER_FINISH_MS);
    waitpid(writer->pid, NULL, WNOHANG);
    fd_close(&process.fd);
    buffer_release(&writer->lines);
}
