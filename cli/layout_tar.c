/* Writing a tar of a layout's files: see layout_tar.h. The format is POSIX ustar. */
#include "layout_tar.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/build.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/helpers.h"
#include "base/memory.h"

#define BLOCK 512

struct ustar {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6];
    char version[2];
    char rest[247];
};

_Static_assert(sizeof(struct ustar) == BLOCK, "a tar header is one block");

/* Sizes beyond eleven octal digits are written in base 256, as all readers of today take them. */
static void set_size(struct ustar *header, uint64_t size)
{
    if (size < UINT64_C(1) << 33) {
        snprintf(header->size, sizeof(header->size), "%011llo", (unsigned long long)size);
        return;
    }
    header->size[0] = (char)0x80;
    for (int i = 11; i > 3; i--) {
        header->size[i] = (char)(size & 0xff);
        size >>= 8;
    }
}

static int write_header(int out_fd, const char *name, uint64_t size)
{
    struct ustar header = {.mode = "0000644",
                           .uid = "0000000",
                           .gid = "0000000",
                           .mtime = "00000000000",
                           .type = '0',
                           .magic = "ustar"};
    unsigned int sum = 0;

    if (strlen(name) >= sizeof(header.name))
        return -ENAMETOOLONG;
    strcpy(header.name, name);
    memcpy(header.version, "00", 2);
    set_size(&header, size);
    memset(header.checksum, ' ', sizeof(header.checksum));
    for (size_t i = 0; i < sizeof(header); i++)
        sum += ((const unsigned char *)&header)[i];
    snprintf(header.checksum, sizeof(header.checksum), "%06o", sum);
    return file_write_fd(out_fd, &header, sizeof(header));
}

static int write_file(int out_fd, int layout_fd, const char *name)
{
    static const char zeros[BLOCK];
    cleanup_close int fd = openat(layout_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat status;
    char bytes[65536];
    uint64_t left;
    int result;

    if (fd < 0 || fstat(fd, &status) < 0)
        return errno == ENOENT ? 0 : -errno;
    left = (uint64_t)status.st_size;
    result = write_header(out_fd, name, left);
    while (result == 0 && left > 0) {
        ssize_t count = read(fd, bytes, left < sizeof(bytes) ? left : sizeof(bytes));

        if (count <= 0)
            return -EIO;
        result = file_write_fd(out_fd, bytes, (size_t)count);
        left -= (uint64_t)count;
    }
    if (result == 0 && status.st_size % BLOCK != 0)
        result = file_write_fd(out_fd, zeros, BLOCK - (size_t)(status.st_size % BLOCK));
    return result;
}

static int write_layout(int out_fd, int layout_fd)
{
    static const char zeros[2 * BLOCK];
    cleanup_dir DIR *blobs = path_list(layout_fd, "blobs/sha256");
    struct dirent *entry;
    int result = write_file(out_fd, layout_fd, "oci-layout");

    if (result == 0)
        result = write_file(out_fd, layout_fd, "index.json");
    while (result == 0 && blobs != NULL && (entry = readdir(blobs)) != NULL) {
        char name[300];

        snprintf(name, sizeof(name), "blobs/sha256/%s", entry->d_name);
        if (entry->d_name[0] != '.')
            result = write_file(out_fd, layout_fd, name);
    }
    return result < 0 ? result : file_write_fd(out_fd, zeros, sizeof(zeros));
}

int layout_tar_write(int layout_fd, int out_fd, struct error *err)
{
    int result;

    if (faccessat(layout_fd, "oci-layout", F_OK, 0) < 0 ||
        faccessat(layout_fd, "index.json", F_OK, 0) < 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "the directory is not an OCI layout: oci-layout or index.json is missing");
    if (out_fd < 0)
        return 0;
    result = write_layout(out_fd, layout_fd);
    return result < 0 ? error_errno(err, -result, "read the layout") : 0;
}

int tree_tar_write(int directory_fd, int out_fd, struct error *err)
{
    const char *directory;
    cleanup_free char *program = NULL;

    helpers_set_directory();
    directory = getenv("DAVIT_LIBEXEC");
    program = memory_printf("%s/davit-image", directory != NULL ? directory : davit_libexecdir);
    if (access(program, X_OK) < 0)
        return error_errno(err, errno, "%s, which reads directories", program);
    if (out_fd < 0)
        return 0;
    if (fchdir(directory_fd) < 0 || dup2(out_fd, STDOUT_FILENO) < 0)
        return error_errno(err, errno, "enter the directory");
    execl(program, "davit-image", "tree", ".", (char *)NULL);
    return error_errno(err, errno, "%s", program);
}
