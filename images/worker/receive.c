/* A blob from a pipe: hashed and stored, and, if it is a layer, unpacked as it comes. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "worker.h"

#define CHUNK_BYTES (256 << 10)

struct receiver {
    const struct receive_order *order;
    struct blob_writer blob;
    struct layer_unpack unpack;
    int unpack_fd; /* to the unpacking child; -1: none, or it reads no more */
};

static int start_unpacking(struct receiver *receiver, struct error *err)
{
    const struct receive_order *order = receiver->order;
    cleanup_close int input_fd = -1;
    int pair[2];
    int result;

    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    input_fd = pair[0];
    fcntl(pair[1], F_SETPIPE_SZ, 1 << 20);
    receiver->unpack_fd = pair[1];
    result = layer_unpack_begin(&receiver->unpack, order->store_fd, order->chain_hex, input_fd,
                                order->limits, err);
    if (result < 0)
        fd_close(&receiver->unpack_fd);
    return result;
}

static int take_chunk(struct receiver *receiver, const char *bytes, size_t length,
                      struct error *err)
{
    int result = blob_write(&receiver->blob, bytes, length, err);

    if (result < 0)
        return result;
    if ((int64_t)receiver->blob.size > receiver->order->size)
        return error_set(err, ERROR_TOO_LARGE, EFBIG, "more comes than the manifest says");
    /* A child that has stopped reading says why when it is asked. */
    if (receiver->unpack_fd >= 0 && file_write_fd(receiver->unpack_fd, bytes, length) < 0)
        fd_close(&receiver->unpack_fd);
    return 0;
}

static int take_all(struct receiver *receiver, struct error *err)
{
    cleanup_free char *bytes = memory_new(CHUNK_BYTES, 1);

    for (;;) {
        ssize_t count = read(receiver->order->pipe_fd, bytes, CHUNK_BYTES);
        int result;

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return error_errno(err, errno, "read from the fetch worker");
        if (count == 0)
            break;
        result = take_chunk(receiver, bytes, (size_t)count, err);
        if (result < 0)
            return result;
    }
    if ((int64_t)receiver->blob.size != receiver->order->size)
        return error_set(err, ERROR_CORRUPT, EBADMSG, "cut off: %llu of %lld bytes came",
                         (unsigned long long)receiver->blob.size, (long long)receiver->order->size);
    return 0;
}

static int receive(const struct receive_order *order, struct error *err)
{
    struct receiver receiver = {.order = order, .unpack_fd = -1};
    bool unpacks = order->chain_hex != NULL;
    char digest[DIGEST_SIZE];
    int result = blob_begin(&receiver.blob, order->store_fd, err);

    if (result < 0)
        return result;
    if (unpacks)
        result = start_unpacking(&receiver, err);
    if (result < 0) {
        blob_abort(&receiver.blob);
        return result;
    }
    result = take_all(&receiver, err);
    fd_close(&receiver.unpack_fd);
    if (result < 0)
        blob_abort(&receiver.blob);
    else
        result = blob_commit(&receiver.blob, order->digest, digest, err);
    if (unpacks && result < 0)
        layer_unpack_abort(&receiver.unpack);
    else if (unpacks)
        result = layer_unpack_finish(&receiver.unpack, order->diff_id, order->chain_hex, err);
    return result;
}

int receive_start(const struct receive_order *order, pid_t *pid, int *outcome_fd, struct error *err)
{
    int pair[2];

    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    *pid = fork();
    if (*pid == 0) {
        struct receive_order own = *order;
        struct error outcome = {0};

        process_keep_only((int *const[]){&own.store_fd, &own.pipe_fd, &pair[1]}, 3);
        receive(&own, &outcome);
        (void)!write(pair[1], &outcome, sizeof(outcome));
        _exit(0);
    }
    close(pair[1]);
    if (*pid < 0) {
        close(pair[0]);
        return error_errno(err, errno, "fork");
    }
    *outcome_fd = pair[0];
    return 0;
}

int receive_finish(pid_t pid, int outcome_fd, struct error *err)
{
    struct error outcome = {0};
    ssize_t count = read(outcome_fd, &outcome, sizeof(outcome));
    int status = 0;

    waitpid(pid, &status, 0);
    close(outcome_fd);
    if (count != (ssize_t)sizeof(outcome))
        return error_set(err, ERROR_INTERNAL, ECHILD, "the receiving process died of signal %d",
                         WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    outcome.message[sizeof(outcome.message) - 1] = '\0';
    if (outcome.errnum != 0 && err != NULL)
        *err = outcome;
    return -outcome.errnum;
}
