/*
 * path_tree_size(): see path.h. The tree may be a stranger's, deeper than there are descriptors and
 * changed meanwhile: directories that lie far above are closed, found again through "..", and read
 * on from where they were.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "memory.h"
#include "path.h"

#define OPEN_LEVELS 64
#define BLOCK_BYTES 512

struct level {
    DIR *dir;      /* NULL: closed, because too many below it are open */
    long position; /* where to read on (telldir(3)) */
    dev_t device;
    ino_t inode;
};

struct measure {
    struct level *levels; /* from the top down */
    size_t depth;
    size_t room;
    uint64_t *bytes;
};

static struct level *deepest_level(const struct measure *measure)
{
    return &measure->levels[measure->depth - 1];
}

static void close_level(struct level *level)
{
    if (level->dir != NULL)
        closedir(level->dir);
    level->dir = NULL;
}

/* Makes a subdirectory the deepest level. It may be gone. */
static int enter_level(struct measure *measure, int directory_fd, const char *name,
                       const struct stat *status)
{
    DIR *dir = path_list(directory_fd, name);

    if (dir == NULL)
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : -errno;
    if (measure->depth == measure->room) {
        measure->room = measure->room > 0 ? 2 * measure->room : OPEN_LEVELS;
        measure->levels = memory_resize(measure->levels, measure->room, sizeof(*measure->levels));
    }
    measure->levels[measure->depth++] =
        (struct level){.dir = dir, .device = status->st_dev, .inode = status->st_ino};
    if (measure->depth > OPEN_LEVELS)
        close_level(&measure->levels[measure->depth - 1 - OPEN_LEVELS]);
    return 0;
}

/* Goes on in the directory above. Where somebody has moved this one away from it, there is no way
 * back: what was counted so far is what there is. */
static void leave_level(struct measure *measure)
{
    struct level *level = deepest_level(measure);
    struct level *parent = measure->depth > 1 ? level - 1 : NULL;

    if (parent != NULL && parent->dir == NULL) {
        int fd = path_open_parent(dirfd(level->dir), parent->device, parent->inode);

        parent->dir = fd >= 0 ? fdopendir(fd) : NULL;
        if (parent->dir != NULL)
            seekdir(parent->dir, parent->position);
        else if (fd >= 0)
            close(fd);
    }
    close_level(level);
    measure->depth--;
    if (parent == NULL || parent->dir != NULL)
        return;
    while (measure->depth > 0)
        close_level(&measure->levels[--measure->depth]);
}

static void count(struct measure *measure, const struct stat *status)
{
    bool is_shared = !S_ISDIR(status->st_mode) && status->st_nlink > 1;

    *measure->bytes +=
        (uint64_t)status->st_blocks * BLOCK_BYTES / (is_shared ? status->st_nlink : 1);
}

static int measure_next_entry(struct measure *measure, struct error *err)
{
    struct level *level = deepest_level(measure);
    struct dirent *entry = readdir(level->dir);
    struct stat status;
    int result;

    if (entry == NULL) {
        leave_level(measure);
        return 0;
    }
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
        return 0;
    /* It may go away while it is looked at. */
    if (fstatat(dirfd(level->dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_errno(err, errno, "%s", entry->d_name);
    if (status.st_dev != level->device)
        return 0;
    count(measure, &status);
    if (!S_ISDIR(status.st_mode))
        return 0;
    level->position = telldir(level->dir);
    result = enter_level(measure, dirfd(level->dir), entry->d_name, &status);
    return result < 0 ? error_errno(err, -result, "open %s", entry->d_name) : 0;
}

int path_tree_size(int directory_fd, const char *name, uint64_t *bytes, struct error *err)
{
    struct measure measure = {.bytes = bytes};
    struct stat status;
    int result = 0;

    if (fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_errno(err, errno, "%s", name);
    count(&measure, &status);
    if (S_ISDIR(status.st_mode)) {
        result = enter_level(&measure, directory_fd, name, &status);
        if (result < 0)
            error_errno(err, -result, "open %s", name);
    }
    while (result == 0 && measure.depth > 0)
        result = measure_next_entry(&measure, err);
    while (measure.depth > 0)
        close_level(&measure.levels[--measure.depth]);
    free(measure.levels);
    return result;
}
