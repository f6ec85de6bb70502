/* Blobs as they come: see worker.h. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "worker.h"

static int start_unpacking(struct ingest *ingest, int store_fd, const struct worker_limits *limits,
                           struct error *err)
{
    cleanup_close int input_fd = -1;
    int pair[2];
    int result;

    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    input_fd = pair[0];
    fcntl(pair[1], F_SETPIPE_SZ, 1 << 20);
    ingest->unpack_fd = pair[1];
    result = layer_unpack_begin(&ingest->unpack, store_fd, input_fd, limits, err);
    ingest->unpacks = result == 0;
    return result;
}

int ingest_begin(struct ingest *ingest, int store_fd, const struct worker_limits *limits,
                 struct error *err)
{
    int result;

    *ingest = (struct ingest){.unpack_fd = -1};
    result = blob_begin(&ingest->blob, store_fd, err);
    if (result == 0 && limits != NULL)
        result = start_unpacking(ingest, store_fd, limits, err);
    if (result < 0)
        ingest_release(ingest);
    return result;
}

int ingest_write(struct ingest *ingest, const void *bytes, size_t length, struct error *err)
{
    int result = blob_write(&ingest->blob, bytes, length, err);

    /* A child that has stopped reading says why when it is asked. */
    if (result == 0 && ingest->unpack_fd >= 0 &&
        file_write_fd(ingest->unpack_fd, bytes, length) < 0)
        fd_close(&ingest->unpack_fd);
    return result;
}

int ingest_commit(struct ingest *ingest, const char *expected, char digest[DIGEST_SIZE],
                  struct error *err)
{
    fd_close(&ingest->unpack_fd);
    return blob_commit(&ingest->blob, expected, digest, err);
}

void ingest_settle(struct ingest *ingest)
{
    if (!ingest->unpacks || ingest->is_settled)
        return;
    layer_unpack_wait(&ingest->unpack, &ingest->outcome);
    ingest->is_settled = true;
}

int ingest_publish(struct ingest *ingest, const char *diff_id, const char *chain_hex,
                   struct error *err)
{
    ingest_settle(ingest);
    if (ingest->outcome.errnum != 0) {
        if (err != NULL)
            *err = ingest->outcome;
        return -ingest->outcome.errnum;
    }
    return layer_unpack_publish(&ingest->unpack, diff_id, chain_hex, err);
}

void ingest_release(struct ingest *ingest)
{
    fd_close(&ingest->unpack_fd);
    blob_abort(&ingest->blob);
    if (ingest->unpacks)
        layer_unpack_abort(&ingest->unpack);
    ingest->unpacks = false;
}
