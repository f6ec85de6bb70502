/* Compression: gzip (RFC 1952) by ISA-L, to a descriptor. The same bytes in give the same bytes
 * out. */
#include <errno.h>
#include <isa-l.h>
#include <stdlib.h>

#include "base/file.h"
#include "worker.h"

#define LEVEL 1
#define OUTPUT_BYTES (128 << 10)

struct gzip {
    int fd;
    struct isal_zstream stream;
    unsigned char level_buffer[ISAL_DEF_LVL1_DEFAULT];
    unsigned char output[OUTPUT_BYTES];
};

struct gzip *gzip_open(int fd)
{
    struct gzip *gzip = memory_new_one(struct gzip);

    gzip->fd = fd;
    isal_deflate_init(&gzip->stream);
    gzip->stream.gzip_flag = IGZIP_GZIP;
    gzip->stream.level = LEVEL;
    gzip->stream.level_buf = gzip->level_buffer;
    gzip->stream.level_buf_size = sizeof(gzip->level_buffer);
    return gzip;
}

/* Runs until the input is used up and no more output comes of it. */
static int deflate_all(struct gzip *gzip)
{
    do {
        int result;

        gzip->stream.next_out = gzip->output;
        gzip->stream.avail_out = OUTPUT_BYTES;
        if (isal_deflate(&gzip->stream) != COMP_OK)
            return -EIO;
        result = file_write_fd(gzip->fd, gzip->output, OUTPUT_BYTES - gzip->stream.avail_out);
        if (result < 0)
            return result;
    } while (gzip->stream.avail_out == 0);
    return 0;
}

int gzip_write(struct gzip *gzip, const void *bytes, size_t length)
{
    /* ISA-L does not write to its input; its type is older than that promise. */
    gzip->stream.next_in = (uint8_t *)(uintptr_t)bytes;
    gzip->stream.avail_in = (uint32_t)length;
    return deflate_all(gzip);
}

int gzip_finish(struct gzip *gzip)
{
    gzip->stream.avail_in = 0;
    gzip->stream.end_of_stream = 1;
    return deflate_all(gzip);
}

void gzip_free(struct gzip *gzip)
{
    free(gzip);
}
