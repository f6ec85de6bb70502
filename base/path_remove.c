/*
 * Removing a tree: path_remove_tree() of path.h. The tree may have been made to be hard to remove:
 * it may be deeper than there are descriptors, have any names, and stand on a full disk. So nothing
 * in it is renamed or made; directories that lie far above are closed and found again through "..".
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "memory.h"
#include "path.h"

/* How many directories are open at once: the one that is being emptied and those right above it. */
#define OPEN_LEVELS 64

struct level {
    DIR *dir;             /* NULL: closed, because too many below it are open */
    struct dirent *entry; /* the entry read last; NULL: none yet */
    bool is_reopened;
    dev_t device;
    ino_t inode;
};

struct removal {
    struct level *levels; /* from the top down */
    size_t depth;
    size_t room;
    dev_t device;
    struct error first; /* the first failure to remove something */
};

static int note_failure(struct removal *removal, int errnum, const char *name)
{
    if (removal->first.errnum == 0)
        error_errno(&removal->first, errnum, "%s", name);
    return -errnum;
}

static struct level *deepest_level(const struct removal *removal)
{
    assert(removal->levels != NULL && removal->depth > 0);
    return &removal->levels[removal->depth - 1];
}

/* Makes the directory the deepest level. Owns `fd`, also on failure. */
static int enter_level(struct removal *removal, int fd, const char *name)
{
    struct stat status;
    DIR *dir;

    if (fstat(fd, &status) < 0 || (dir = fdopendir(fd)) == NULL) {
        int saved = errno;

        close(fd);
        return note_failure(removal, saved, name);
    }
    if (removal->depth > 0 && status.st_dev != removal->device) {
        closedir(dir);
        if (removal->first.errnum == 0)
            error_set(&removal->first, ERROR_CONFLICT, EXDEV, "%s: something is mounted there",
                      name);
        return -EXDEV;
    }
    removal->device = status.st_dev;
    if (removal->depth == removal->room) {
        removal->room = removal->room > 0 ? 2 * removal->room : OPEN_LEVELS;
        removal->levels = memory_resize(removal->levels, removal->room, sizeof(*removal->levels));
    }
    removal->levels[removal->depth++] =
        (struct level){.dir = dir, .device = status.st_dev, .inode = status.st_ino};
    if (removal->depth > OPEN_LEVELS) {
        struct level *far = &removal->levels[removal->depth - 1 - OPEN_LEVELS];

        if (far->dir != NULL)
            closedir(far->dir);
        far->dir = NULL;
        far->entry = NULL;
    }
    return 0;
}

/* Opens the level above, which was closed, again. It is read from its beginning: what is left of it
 * is what has not been removed. */
static int reopen_parent(struct removal *removal)
{
    struct level *child = deepest_level(removal);
    struct level *parent = child - 1;
    int fd = path_open_parent(dirfd(child->dir), parent->device, parent->inode);

    parent->dir = fd >= 0 ? fdopendir(fd) : NULL;
    parent->is_reopened = true;
    if (parent->dir != NULL)
        return 0;
    if (fd < 0)
        return note_failure(removal, -fd, "..");
    close(fd);
    return note_failure(removal, errno, "..");
}

/* Leaves the directory on top, which has been read to its end. */
static int leave_level(struct removal *removal)
{
    struct level *level = deepest_level(removal);
    struct level *parent = removal->depth > 1 ? level - 1 : NULL;
    int result = parent != NULL && parent->dir == NULL ? reopen_parent(removal) : 0;

    closedir(level->dir);
    removal->depth--;
    if (parent == NULL || parent->dir == NULL)
        return result;
    /* A parent that was reopened has no entry here. It will read the child, which is empty now,
     * once more and remove it then. */
    if (parent->entry != NULL &&
        unlinkat(dirfd(parent->dir), parent->entry->d_name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        note_failure(removal, errno, parent->entry->d_name);
    return 0;
}

static bool is_self_or_parent(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Removes the entry, or descends into it. */
static void remove_entry(struct removal *removal, struct level *level)
{
    const char *name = level->entry->d_name;
    int fd;

    if (level->entry->d_type != DT_DIR) {
        if (unlinkat(dirfd(level->dir), name, 0) == 0 || errno == ENOENT)
            return;
        /* Not every filesystem says in its directories what a directory is. */
        if (errno != EISDIR) {
            note_failure(removal, errno, name);
            return;
        }
    }
    fd = openat(dirfd(level->dir), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0)
        enter_level(removal, fd, name);
    else if (errno != ENOENT)
        note_failure(removal, errno, name);
}

/* Reads the next entry of the deepest directory. After a failure a directory that was reopened is
 * given up: it would come to the entry that failed again and again. */
static int remove_next_entry(struct removal *removal)
{
    struct level *level = deepest_level(removal);

    if (level->is_reopened && removal->first.errnum != 0)
        return leave_level(removal);
    do {
        errno = 0;
        level->entry = readdir(level->dir);
    } while (level->entry != NULL && is_self_or_parent(level->entry->d_name));
    if (level->entry == NULL) {
        if (errno != 0)
            note_failure(removal, errno, "read a directory");
        return leave_level(removal);
    }
    remove_entry(removal, level);
    return 0;
}

static void close_levels(struct removal *removal)
{
    while (removal->depth > 0) {
        if (deepest_level(removal)->dir != NULL)
            closedir(deepest_level(removal)->dir);
        removal->depth--;
    }
    free(removal->levels);
}

int path_remove_tree(int directory_fd, const char *name, struct error *err)
{
    struct removal removal = {0};
    int result = 0;
    int fd;

    if (unlinkat(directory_fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return error_errno(err, errno, "remove %s", name);
    fd = openat(directory_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "remove %s", name);
    result = enter_level(&removal, fd, name);
    while (result == 0 && removal.depth > 0)
        result = remove_next_entry(&removal);
    close_levels(&removal);
    if (removal.first.errnum != 0) {
        if (err != NULL)
            *err = removal.first;
        error_prefix(err, "remove %s", name);
        return -removal.first.errnum;
    }
    if (unlinkat(directory_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return error_errno(err, errno, "remove %s", name);
    return 0;
}

int path_discard(int directory_fd, const char *name, int trash_fd, struct error *err)
{
    int result = path_move_unique(directory_fd, name, trash_fd, name, err);

    return result == -EXDEV ? path_remove_tree(directory_fd, name, err) : result;
}
