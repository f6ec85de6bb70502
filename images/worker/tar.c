/* libarchive on our streams and descriptors: it parses and writes tar, nothing else. */
#include <archive.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "worker.h"

#define READ_BYTES (256 << 10)
#define WRITE_BYTES (128 << 10)

struct tar_source {
    struct decompressor *stream;
    struct error *err;
    unsigned char bytes[READ_BYTES];
};

static la_ssize_t on_read(struct archive *archive, void *context, const void **bytes)
{
    struct tar_source *source = context;
    ssize_t count = decompressor_read(source->stream, source->bytes, READ_BYTES, source->err);

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

struct archive *tar_open(struct decompressor *stream, struct error *err)
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

struct tar_sink {
    int fd;
    struct gzip *gzip; /* NULL: as it is */
};

static la_ssize_t on_write(struct archive *archive, void *context, const void *bytes, size_t length)
{
    struct tar_sink *sink = context;
    int result = sink->gzip != NULL ? gzip_write(sink->gzip, bytes, length)
                                    : file_write_fd(sink->fd, bytes, length);

    if (result < 0)
        archive_set_error(archive, -result, "%s", strerror(-result));
    return result < 0 ? -1 : (la_ssize_t)length;
}

static int on_write_close(struct archive *archive, void *context)
{
    struct tar_sink *sink = context;
    int result = sink->gzip != NULL ? gzip_finish(sink->gzip) : 0;

    if (result < 0)
        archive_set_error(archive, -result, "%s", strerror(-result));
    gzip_free(sink->gzip);
    free(sink);
    return result < 0 ? ARCHIVE_FATAL : ARCHIVE_OK;
}

struct archive *tar_create(int fd, enum tar_form form, struct error *err)
{
    struct archive *archive = archive_write_new();
    struct tar_sink *sink = memory_new_one(struct tar_sink);

    sink->fd = fd;
    sink->gzip = form == TAR_EXACT_GZIP ? gzip_open(fd) : NULL;
    if (form == TAR_PLAIN)
        archive_write_set_format_pax_restricted(archive);
    else
        archive_write_set_format_pax(archive);
    /* Extended attributes in the one form that everybody reads. */
    archive_write_set_options(archive, "xattrheader=SCHILY");
    archive_write_set_bytes_per_block(archive, WRITE_BYTES);
    archive_write_set_bytes_in_last_block(archive, 1);
    if (archive_write_open(archive, sink, NULL, on_write, on_write_close) == ARCHIVE_OK)
        return archive;
    tar_write_error(archive, err);
    archive_write_free(archive);
    return NULL;
}

int tar_write_error(struct archive *archive, struct error *err)
{
    const char *message = archive_error_string(archive);
    int number = archive_errno(archive);

    return error_set(err, ERROR_INTERNAL, number > 0 ? number : EIO, "write the archive: %s",
                     message != NULL ? message : "failed");
}

int tar_finish(struct archive *archive, int result, struct error *err)
{
    if (result == 0 && archive_write_close(archive) != ARCHIVE_OK)
        result = tar_write_error(archive, err);
    archive_write_free(archive);
    return result;
}
