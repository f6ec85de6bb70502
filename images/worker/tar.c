/* libarchive on our streams: it parses tar, nothing else. */
#include <archive.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "worker.h"

#define READ_BYTES (256 << 10)

struct tar_source {
    struct stream *stream;
    struct error *err;
    unsigned char bytes[READ_BYTES];
};

static la_ssize_t on_read(struct archive *archive, void *context, const void **bytes)
{
    struct tar_source *source = context;
    ssize_t count = stream_read(source->stream, source->bytes, READ_BYTES, source->err);

    *bytes = source->bytes;
    if (count < 0)
        archive_set_error(archive, (int)-count, "%s", source->err->message);
    return count < 0 ? -1 : count;
}

static int on_close(struct archive *archive, void *context)
{
    (void)archive;
    free(context);
    return ARCHIVE_OK;
}

struct archive *tar_open(struct stream *stream, struct error *err)
{
    struct archive *archive = archive_read_new();
    struct tar_source *source = memory_new_one(struct tar_source);

    source->stream = stream;
    source->err = err;
    archive_read_support_format_tar(archive);
    /* Bytes stay bytes: names and values are never converted between charsets. */
    archive_read_set_options(archive, "hdrcharset=BINARY");
    archive_clear_error(archive);
    if (archive_read_open(archive, source, NULL, on_read, on_close) == ARCHIVE_OK)
        return archive;
    tar_error(archive, err);
    archive_read_free(archive);
    return NULL;
}

int tar_error(struct archive *archive, struct error *err)
{
    const char *message = archive_error_string(archive);
    char copy[256];

    snprintf(copy, sizeof(copy), "%s", message != NULL ? message : "unreadable");
    error_set(err, ERROR_CORRUPT, EBADMSG, "archive: %s", copy);
    return -EBADMSG;
}
