/* path_tree_size(): see path.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "path.h"

#define DEPTH_MAX 512 /* two descriptors each */
#define BLOCK_BYTES 512

struct measure {
    dev_t device;
    uint64_t *bytes;
    struct error *err;
};

static int measure_entry(struct measure *measure, int directory_fd, const char *name, int depth);

static int measure_entries(struct measure *measure, int directory_fd, int depth)
{
    cleanup_dir DIR *dir = path_list(directory_fd, ".");
    struct dirent *entry;
    int result = 0;

    if (dir == NULL)
        return error_errno(measure->err, errno, "open directory");
    while (result == 0 && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = measure_entry(measure, directory_fd, entry->d_name, depth);
    }
    return result;
}

static int measure_entry(struct measure *measure, int directory_fd, const char *name, int depth)
{
    cleanup_close int fd = -1;
    struct stat status;

    /* It may go away while it is looked at. */
    if (fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_errno(measure->err, errno, "%s", name);
    if (depth == 0)
        measure->device = status.st_dev;
    if (status.st_dev != measure->device)
        return 0;
    *measure->bytes += (uint64_t)status.st_blocks * BLOCK_BYTES /
                       (S_ISDIR(status.st_mode) || status.st_nlink == 0 ? 1 : status.st_nlink);
    if (!S_ISDIR(status.st_mode))
        return 0;
    if (depth == DEPTH_MAX)
        return error_set(measure->err, ERROR_TOO_LARGE, ELOOP, "nested too deeply");
    fd = openat(directory_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0
                                                   : error_errno(measure->err, errno, "%s", name);
    return measure_entries(measure, fd, depth + 1);
}

int path_tree_size(int directory_fd, const char *name, uint64_t *bytes, struct error *err)
{
    struct measure measure = {.bytes = bytes, .err = err};

    return measure_entry(&measure, directory_fd, name, 0);
}
