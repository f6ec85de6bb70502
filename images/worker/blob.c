/* Content-addressed blobs: written under a temporary name, named by what they turn out to be. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "worker.h"

int blob_begin(struct blob_writer *writer, int store_fd, struct error *err)
{
    static unsigned int counter;

    *writer = (struct blob_writer){.store_fd = store_fd, .fd = -1, .copy_fd = -1};
    /* An earlier process with our pid may have died and left a file of this name. */
    do {
        snprintf(writer->temporary, sizeof(writer->temporary), "ingest/blob.%d.%u", (int)getpid(),
                 counter++);
        writer->fd = openat(store_fd, writer->temporary,
                            O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    } while (writer->fd < 0 && errno == EEXIST);
    if (writer->fd < 0)
        return error_errno(err, errno, "create %s", writer->temporary);
    writer->digest = digest_new();
    return 0;
}

int blob_write(struct blob_writer *writer, const void *bytes, size_t length, struct error *err)
{
    int result = file_write_fd(writer->fd, bytes, length);

    if (result < 0)
        return error_errno(err, -result, "write a blob");
    digest_update(writer->digest, bytes, length);
    writer->size += length;
    /* A child that has stopped reading tells the reason in its outcome. */
    if (writer->copy_fd >= 0 && file_write_fd(writer->copy_fd, bytes, length) < 0)
        fd_close(&writer->copy_fd);
    return 0;
}

int blob_commit(struct blob_writer *writer, const char *expected, char digest[DIGEST_SIZE],
                struct error *err)
{
    char path[128];
    int result = 0;

    digest_finish(writer->digest, digest);
    writer->digest = NULL;
    if (expected != NULL && strcmp(expected, digest) != 0) {
        result = error_set(err, ERROR_CORRUPT, EBADMSG,
                           "the content does not match its digest: expected %s, found %s", expected,
                           digest);
    } else if (fsync(writer->fd) < 0) {
        result = error_errno(err, errno, "sync a blob");
    } else {
        snprintf(path, sizeof(path), "blobs/sha256/%s", digest + 7);
        if (renameat(writer->store_fd, writer->temporary, writer->store_fd, path) < 0)
            result = error_errno(err, errno, "publish a blob");
    }
    blob_abort(writer);
    return result;
}

void blob_abort(struct blob_writer *writer)
{
    digest_free(writer->digest);
    writer->digest = NULL;
    if (writer->fd >= 0)
        unlinkat(writer->store_fd, writer->temporary, 0);
    fd_close(&writer->fd);
    fd_close(&writer->copy_fd);
}

int blob_open(int store_fd, const char *digest)
{
    char path[128];

    snprintf(path, sizeof(path), "blobs/sha256/%s", digest + 7);
    return file_open_regular(store_fd, path, O_RDONLY | O_NOFOLLOW, 0);
}

int blob_put(int store_fd, const void *bytes, size_t length, const char *expected,
             char digest[DIGEST_SIZE], struct error *err)
{
    struct blob_writer writer;
    int result = blob_begin(&writer, store_fd, err);

    if (result == 0)
        result = blob_write(&writer, bytes, length, err);
    if (result < 0) {
        blob_abort(&writer);
        return result;
    }
    return blob_commit(&writer, expected, digest, err);
}
