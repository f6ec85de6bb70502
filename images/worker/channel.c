/* The image worker's end of images/fetch_channel.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/socket.h"
#include "worker.h"

int channel_send(int channel_fd, const struct json_struct *type, const void *message, int pipe_fd,
                 struct error *err)
{
    struct json_writer *writer = json_writer_new(false);
    const char *text;
    ssize_t sent;

    json_encode(writer, type, message);
    text = json_writer_text(writer);
    sent = socket_send(channel_fd, text, strlen(text), &pipe_fd, pipe_fd >= 0 ? 1 : 0);
    json_writer_free(writer);
    return sent < 0 ? error_errno(err, (int)-sent, "ask the fetch worker") : 0;
}

int channel_request(int channel_fd, const struct fetch_request *request, struct error *err)
{
    cleanup_close int read_fd = -1;
    cleanup_close int write_fd = -1;
    int pair[2];
    int result;

    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    read_fd = pair[0];
    write_fd = pair[1];
    result = channel_send(channel_fd, &fetch_request_type, request, write_fd, err);
    return result < 0 ? result : take_fd(&read_fd);
}

int channel_receive(int channel_fd, struct arena *arena, struct fetch_answer *answer,
                    struct error *err)
{
    char text[FETCH_MESSAGE_MAX];
    int fds[SOCKET_MAX_FDS];
    size_t fd_count = SOCKET_MAX_FDS;
    ssize_t length = socket_receive(channel_fd, text, sizeof(text), fds, &fd_count);

    for (size_t i = 0; length > 0 && i < fd_count; i++)
        close(fds[i]);
    if (length <= 0)
        return error_set(err, ERROR_INTERNAL, ECHILD, "the fetch worker has ended");
    return json_decode_text(arena, text, (size_t)length, &fetch_answer_type, answer, err);
}

void channel_failure(const struct fetch_answer *answer, struct error *err)
{
    error_set(err, error_code_by_name(answer->code), EIO, "%s", answer->error);
}

int channel_await(int channel_fd, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    struct fetch_answer answer = {0};
    int result = 0;

    while (result == 0 && !answer.is_done && answer.error == NULL) {
        answer = (struct fetch_answer){0};
        result = channel_receive(channel_fd, &arena, &answer, err);
    }
    if (result < 0 || answer.error == NULL)
        return result;
    channel_failure(&answer, err);
    return -EIO;
}
