/* A blob from a pipe: hashed and stored, and passed on to whoever unpacks it. */
#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "worker.h"

#define CHUNK_BYTES (256 << 10)

static int take_chunk(const struct receive_order *order, struct blob_writer *blob,
                      const char *bytes, size_t length, struct error *err)
{
    int result = blob_write(blob, bytes, length, err);

    if (result == 0 && (int64_t)blob->size > order->size)
        result = error_set(err, ERROR_TOO_LARGE, EFBIG, "more comes than the manifest says");
    return result;
}

static int take_all(const struct receive_order *order, struct blob_writer *blob, struct error *err)
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
        result = take_chunk(order, blob, bytes, (size_t)count, err);
        if (result < 0)
            return result;
    }
    if ((int64_t)blob->size != order->size)
        return error_set(err, ERROR_CORRUPT, EBADMSG, "cut off: %llu of %lld bytes came",
                         (unsigned long long)blob->size, (long long)order->size);
    return 0;
}

static int receive_blob(const struct receive_order *order, struct error *err)
{
    struct blob_writer blob;
    char digest[DIGEST_SIZE];
    int result = blob_begin(&blob, order->store_fd, err);

    if (result < 0)
        return result;
    blob.copy_fd = order->copy_fd;
    result = take_all(order, &blob, err);
    if (result < 0)
        blob_abort(&blob);
    return result < 0 ? result : blob_commit(&blob, order->digest, digest, err);
}

int receive_start(const struct receive_order *order, struct child *child, struct error *err)
{
    struct receive_order own = *order;
    pid_t pid = child_fork(child, (int *const[]){&own.store_fd, &own.pipe_fd, &own.copy_fd},
                           own.copy_fd < 0 ? 2 : 3, err);

    if (pid == 0) {
        struct child_outcome outcome = {0};

        receive_blob(&own, &outcome.error);
        child_exit(child, &outcome);
    }
    return pid < 0 ? (int)pid : 0;
}
