/* Decompression: gzip (RFC 1952) by ISA-L, zstd (RFC 8878) by libzstd. */
#include <errno.h>
#include <isa-l.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "ahead.h"
#include "base/cleanup.h"
#include "worker.h"

#define INPUT_BYTES (128 << 10)
/* What a frame may ask the decoder to keep: 128 MiB, what the zstd tool allows by default. */
#define ZSTD_WINDOW_LOG_MAX 27

enum decompressor_kind {
    STREAM_PLAIN,
    STREAM_GZIP,
    STREAM_ZSTD,
};

struct decompressor {
    int fd;
    enum decompressor_kind kind;
    unsigned char input[INPUT_BYTES];
    size_t input_start;
    size_t input_end;
    bool is_input_over;
    bool is_between_members; /* where a compressed stream may end */
    struct inflate_state inflate;
    ZSTD_DStream *zstd;
    struct digest_context *digest;
    struct ahead *ahead; /* if not NULL, its thread alone uses the members above */
};

static int fill_input(struct decompressor *stream, struct error *err)
{
    ssize_t count;

    if (stream->input_start == stream->input_end) {
        stream->input_start = 0;
        stream->input_end = 0;
    }
    if (stream->is_input_over || stream->input_end == sizeof(stream->input))
        return 0;
    do
        count = read(stream->fd, stream->input + stream->input_end,
                     sizeof(stream->input) - stream->input_end);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return error_errno(err, errno, "read the archive");
    stream->is_input_over = count == 0;
    stream->input_end += (size_t)count;
    return 0;
}

static void start_member(struct decompressor *stream)
{
    isal_inflate_init(&stream->inflate);
    stream->inflate.crc_flag = ISAL_GZIP;
    stream->is_between_members = true;
}

int decompressor_open(int fd, bool hashes, struct decompressor **opened, struct error *err)
{
    static const unsigned char gzip_magic[] = {0x1f, 0x8b};
    static const unsigned char zstd_magic[] = {0x28, 0xb5, 0x2f, 0xfd};
    struct decompressor *stream = memory_new_one(struct decompressor);
    int result = 0;

    stream->fd = fd;
    while (result == 0 && stream->input_end < sizeof(zstd_magic) && !stream->is_input_over)
        result = fill_input(stream, err);
    if (result < 0) {
        decompressor_close(stream);
        return result;
    }
    if (stream->input_end >= sizeof(gzip_magic) &&
        memcmp(stream->input, gzip_magic, sizeof(gzip_magic)) == 0) {
        stream->kind = STREAM_GZIP;
        start_member(stream);
    } else if (stream->input_end >= sizeof(zstd_magic) &&
               memcmp(stream->input, zstd_magic, sizeof(zstd_magic)) == 0) {
        stream->kind = STREAM_ZSTD;
        stream->zstd = ZSTD_createDStream();
        if (stream->zstd == NULL)
            abort();
        ZSTD_DCtx_setParameter(stream->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
        stream->is_between_members = true;
    }
    if (hashes)
        stream->digest = digest_new();
    *opened = stream;
    return 0;
}

static int truncated(struct error *err)
{
    return error_set(err, ERROR_CORRUPT, EBADMSG, "the compressed data ends in the middle");
}

static ssize_t read_plain(struct decompressor *stream, void *bytes, size_t size, struct error *err)
{
    size_t available = stream->input_end - stream->input_start;

    if (available == 0) {
        int result = fill_input(stream, err);

        if (result < 0)
            return result;
        available = stream->input_end - stream->input_start;
    }
    if (size > available)
        size = available;
    memcpy(bytes, stream->input + stream->input_start, size);
    stream->input_start += size;
    return (ssize_t)size;
}

/* One call of the decompressor; the number of bytes it gave, which may be none. */
static ssize_t inflate_some(struct decompressor *stream, void *bytes, size_t size,
                            struct error *err)
{
    struct inflate_state *state = &stream->inflate;
    int code;

    if (state->block_state == ISAL_BLOCK_FINISH)
        start_member(stream);
    state->next_in = stream->input + stream->input_start;
    state->avail_in = (uint32_t)(stream->input_end - stream->input_start);
    state->next_out = bytes;
    state->avail_out = (uint32_t)size;
    code = isal_inflate(state);
    stream->input_start = stream->input_end - state->avail_in;
    stream->is_between_members = state->block_state == ISAL_BLOCK_FINISH;
    if (code != ISAL_DECOMP_OK)
        return error_set(err, ERROR_CORRUPT, EBADMSG, "gzip: invalid data (%d)", code);
    return (ssize_t)(size - state->avail_out);
}

static ssize_t unzstd_some(struct decompressor *stream, void *bytes, size_t size, struct error *err)
{
    ZSTD_inBuffer in = {stream->input, stream->input_end, stream->input_start};
    ZSTD_outBuffer out = {bytes, size, 0};
    size_t code = ZSTD_decompressStream(stream->zstd, &out, &in);

    stream->input_start = in.pos;
    if (ZSTD_isError(code))
        return error_set(err, ERROR_CORRUPT, EBADMSG, "zstd: %s", ZSTD_getErrorName(code));
    stream->is_between_members = code == 0;
    return (ssize_t)out.pos;
}

static ssize_t read_compressed(struct decompressor *stream, void *bytes, size_t size,
                               struct error *err)
{
    for (;;) {
        ssize_t count;

        if (stream->input_start == stream->input_end) {
            int result = fill_input(stream, err);

            if (result < 0)
                return result;
            if (stream->is_input_over && stream->is_between_members)
                return 0;
        }
        count = stream->kind == STREAM_GZIP ? inflate_some(stream, bytes, size, err)
                                            : unzstd_some(stream, bytes, size, err);
        if (count != 0)
            return count;
        if (stream->is_input_over && stream->input_start == stream->input_end)
            return stream->is_between_members ? 0 : truncated(err);
    }
}

static ssize_t read_here(void *source, void *bytes, size_t size, struct error *err)
{
    struct decompressor *stream = source;
    ssize_t count = stream->kind == STREAM_PLAIN ? read_plain(stream, bytes, size, err)
                                                 : read_compressed(stream, bytes, size, err);

    if (count > 0 && stream->digest != NULL)
        digest_update(stream->digest, bytes, (size_t)count);
    return count;
}

int decompressor_read_ahead(struct decompressor *stream, struct error *err)
{
    stream->ahead = ahead_start(read_here, stream, err);
    return stream->ahead == NULL ? -EAGAIN : 0;
}

ssize_t decompressor_read(struct decompressor *stream, void *bytes, size_t size, struct error *err)
{
    return stream->ahead != NULL ? ahead_read(stream->ahead, bytes, size, err)
                                 : read_here(stream, bytes, size, err);
}

static void stop_ahead(struct decompressor *stream)
{
    if (stream->ahead != NULL)
        ahead_stop(stream->ahead);
    stream->ahead = NULL;
}

int decompressor_finish(struct decompressor *stream, char digest[DIGEST_SIZE], struct error *err)
{
    unsigned char rest[16384];
    ssize_t count;

    while ((count = decompressor_read(stream, rest, sizeof(rest), err)) > 0)
        continue;
    if (count < 0)
        return (int)count;
    stop_ahead(stream);
    digest_finish(stream->digest, digest);
    stream->digest = NULL;
    return 0;
}

void decompressor_close(struct decompressor *stream)
{
    if (stream == NULL)
        return;
    stop_ahead(stream);
    if (stream->zstd != NULL)
        ZSTD_freeDStream(stream->zstd);
    digest_free(stream->digest);
    free(stream);
}
