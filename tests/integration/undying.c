/*
 * A process that cannot end once it was killed: it has a file of a FUSE filesystem open whose
 * server is gone, while it keeps the connection itself. Closing the file waits for an answer for
 * ever. Whoever ends it aborts the connection (/sys/fs/fuse/connections).
 */
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define LATE_FD 100 /* closed after the file */

static int device;

static void answer(const struct fuse_in_header *request, int error, const void *bytes, size_t size)
{
    char message[512];
    struct fuse_out_header header = {
        .len = (uint32_t)(sizeof(header) + size), .error = error, .unique = request->unique};

    memcpy(message, &header, sizeof(header));
    if (size > 0)
        memcpy(message + sizeof(header), bytes, size);
    (void)!write(device, message, header.len);
}

static void serve(void)
{
    static _Alignas(8) char bytes[1 << 17];
    const struct fuse_in_header *request = (const void *)bytes;
    const struct fuse_init_out begin = {.major = 7, .minor = 31, .max_write = 4096};
    const struct fuse_open_out opened = {.fh = 1};
    const struct fuse_attr file = {.ino = 2, .mode = S_IFREG | 0600, .nlink = 1};
    const struct fuse_entry_out found = {
        .nodeid = 2, .entry_valid = 1000, .attr_valid = 1000, .attr = file};

    while (read(device, bytes, sizeof(bytes)) > 0) {
        if (request->opcode == FUSE_INIT)
            answer(request, 0, &begin, sizeof(begin));
        else if (request->opcode == FUSE_LOOKUP)
            answer(request, 0, &found, sizeof(found));
        else if (request->opcode == FUSE_OPEN)
            answer(request, 0, &opened, sizeof(opened));
        else if (request->opcode != FUSE_FLUSH)
            answer(request, -38, NULL, 0);
    }
}

int main(void)
{
    char options[80];

    mkdir("/fuse", 0700);
    device = open("/dev/fuse", O_RDWR);
    snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
    if (device < 0 || mount("undying", "/fuse", "fuse", 0, options) < 0) {
        perror("fuse");
        return 1;
    }
    if (fork() == 0) {
        serve();
        return 0;
    }
    if (open("/fuse/file", O_RDONLY) < 0 || dup2(device, LATE_FD) < 0) {
        perror("open");
        return 1;
    }
    puts("open");
    fflush(stdout);
    for (;;)
        pause();
}
