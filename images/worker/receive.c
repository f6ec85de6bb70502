/* A blob from a pipe: hashed and stored, and, if it is a layer, unpacked as it comes. */
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "worker.h"

#define CHUNK_BYTES (256 << 10)

static int take_chunk(const struct receive_order *order, struct ingest *ingest, const char *bytes,
                      size_t length, struct error *err)
{
    int result = ingest_write(ingest, bytes, length, err);

    if (result == 0 && (int64_t)ingest->blob.size > order->size)
        result = error_set(err, ERROR_TOO_LARGE, EFBIG, "more comes than the manifest says");
    return result;
}

static int take_all(const struct receive_order *order, struct ingest *ingest, struct error *err)
{
    cleanup_free char *bytes = memory_new(CHUNK_BYTES, 1);

    for (;;) {
        ssize_t count = read(order->pipe_fd, bytes, CHUNK_BYTES);
        int result;

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return error_errno(err, errno, "read from the fetch worker");
        if (count == 0)
            break;
        result = take_chunk(order, ingest, bytes, (size_t)count, err);
        if (result < 0)
            return result;
    }
    if ((int64_t)ingest->blob.size != order->size)
        return error_set(err, ERROR_CORRUPT, EBADMSG, "cut off: %llu of %lld bytes came",
                         (unsigned long long)ingest->blob.size, (long long)order->size);
    return 0;
}

static int receive(const struct receive_order *order, struct error *err)
{
    bool unpacks = order->chain_hex != NULL;
    struct ingest ingest;
    char digest[DIGEST_SIZE];
    int result = ingest_begin(&ingest, order->store_fd, unpacks ? order->limits : NULL, err);

    if (result < 0)
        return result;
    result = take_all(order, &ingest, err);
    if (result == 0)
        result = ingest_commit(&ingest, order->digest, digest, err);
    if (result == 0 && unpacks)
        result = ingest_publish(&ingest, order->diff_id, order->chain_hex, err);
    ingest_release(&ingest);
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
