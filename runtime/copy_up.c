/* Copying a tree by descriptors: see copy_up.h. */
#include "copy_up.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/xattrs.h"

/* A tree from an image: bounded, so that a hostile one cannot exhaust descriptors or the stack. */
#define COPY_DEPTH_MAX 64
/* What a file is called until it is complete. */
#define UNFINISHED ".davit-copyup"
/* The target has this attribute until the copy is complete. */
#define UNDER_WAY_XATTR "user.davit.copyup"

static int copy_directory(int from_fd, int to_fd, int depth, struct error *err);

static bool is_wanted(const char *name)
{
    return strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0;
}

static bool is_there(int directory_fd, const char *name)
{
    return faccessat(directory_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The owner first: a change of it takes setuid bits and capabilities away. */
static int copy_attributes(int from, int to, const struct stat *status, struct error *err)
{
    const struct timespec times[] = {status->st_atim, status->st_mtim};
    int result = fchown(to, status->st_uid, status->st_gid);

    if (result == 0)
        result = xattrs_copy(from, to, is_wanted, err);
    else
        result = error_errno(err, errno, "owner");
    if (result == 0 && (fchmod(to, status->st_mode & 07777) < 0 || futimens(to, times) < 0))
        result = error_errno(err, errno, "mode and times");
    return result;
}

static int copy_file(int from_dir, int to_dir, const char *name, const struct stat *status,
                     struct error *err)
{
    cleanup_close int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    cleanup_close int to = -1;
    ssize_t count;

    if (from < 0)
        return error_errno(err, errno, "copy %s", name);
    /* A file of this name was left by a copy that was killed, or put there by somebody who may
     * write to the directory. It is removed and never opened. */
    unlinkat(to_dir, UNFINISHED, 0);
    to = openat(to_dir, UNFINISHED, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0)
        return error_errno(err, errno, "copy %s", name);
    while ((count = sendfile(to, from, NULL, 1 << 20)) > 0)
        continue;
    if (count < 0)
        return error_errno(err, errno, "copy %s", name);
    if (copy_attributes(from, to, status, err) < 0)
        return error_prefix(err, "copy %s", name);
    if (renameat2(to_dir, UNFINISHED, to_dir, name, RENAME_NOREPLACE) < 0)
        return error_errno(err, errno, "copy %s", name);
    return 0;
}

static int copy_link(int from_dir, int to_dir, const char *name, struct error *err)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(from_dir, name, target, sizeof(target) - 1);

    if (length < 0)
        return error_errno(err, errno, "copy %s", name);
    target[length] = '\0';
    return symlinkat(target, to_dir, name) < 0 ? error_errno(err, errno, "copy %s", name) : 0;
}

static int copy_special(int to_dir, const char *name, const struct stat *status, struct error *err)
{
    if (mknodat(to_dir, name, status->st_mode & (S_IFMT | 0777), 0) < 0)
        return error_errno(err, errno, "copy %s", name);
    return 0;
}

static int copy_subdirectory(int from_dir, int to_dir, const char *name, int depth,
                             struct error *err)
{
    cleanup_close int from =
        openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    cleanup_close int to = -1;
    int result;

    if (from < 0 || (mkdirat(to_dir, name, 0700) < 0 && errno != EEXIST))
        return error_errno(err, errno, "copy %s", name);
    to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (to < 0)
        return error_errno(err, errno, "copy %s", name);
    result = copy_directory(from, to, depth + 1, err);
    if (result < 0)
        error_prefix(err, "%s", name);
    return result;
}

/* Gives the entry that was made its owner. Compares the file type, so that nothing which was put in
 * its place gets the owner instead. */
static int give_owner(int to_dir, const char *name, const struct stat *status, struct error *err)
{
    cleanup_close int fd = openat(to_dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat made;

    if (fd < 0 || fstat(fd, &made) < 0)
        return error_errno(err, errno, "copy %s", name);
    if ((made.st_mode & S_IFMT) != (status->st_mode & S_IFMT))
        return error_set(err, ERROR_CONFLICT, EBUSY, "copy %s: something else was put there", name);
    if (fchownat(fd, "", status->st_uid, status->st_gid, AT_EMPTY_PATH) < 0)
        return error_errno(err, errno, "copy %s", name);
    return 0;
}

static int copy_other(int from_dir, int to_dir, const char *name, const struct stat *status,
                      struct error *err)
{
    int result;

    switch (status->st_mode & S_IFMT) {
    case S_IFLNK:
        result = copy_link(from_dir, to_dir, name, err);
        break;
    case S_IFIFO:
    case S_IFSOCK:
        result = copy_special(to_dir, name, status, err);
        break;
    default:
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "%s is a device: what lies under the mount is not copied", name);
    }
    return result < 0 ? result : give_owner(to_dir, name, status, err);
}

static int copy_entry(int from_dir, int to_dir, const char *name, int depth, struct error *err)
{
    struct stat status;

    if (fstatat(from_dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(err, errno, "copy %s", name);
    if (S_ISDIR(status.st_mode))
        return copy_subdirectory(from_dir, to_dir, name, depth, err);
    if (is_there(to_dir, name))
        return 0;
    return S_ISREG(status.st_mode) ? copy_file(from_dir, to_dir, name, &status, err)
                                   : copy_other(from_dir, to_dir, name, &status, err);
}

static int copy_directory(int from_fd, int to_fd, int depth, struct error *err)
{
    cleanup_dir DIR *dir = path_list(from_fd, ".");
    struct dirent *entry;
    struct stat status;

    if (dir == NULL || fstat(dirfd(dir), &status) < 0)
        return error_errno(err, errno, "open directory");
    if (depth == COPY_DEPTH_MAX)
        return error_set(err, ERROR_TOO_LARGE, ELOOP, "nested too deeply to be copied");
    while ((entry = readdir(dir)) != NULL) {
        int result = 0;

        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = copy_entry(dirfd(dir), to_fd, entry->d_name, depth, err);
        if (result < 0)
            return result;
    }
    /* An earlier copy may have been killed while it copied a file that exists by now: its remains
     * go. */
    unlinkat(to_fd, UNFINISHED, 0);
    if (copy_attributes(dirfd(dir), to_fd, &status, err) < 0)
        return error_prefix(err, "directory");
    return 0;
}

/* 1, 0 or a negative errno. */
static int check_empty(int directory_fd)
{
    cleanup_dir DIR *dir = path_list(directory_fd, ".");
    struct dirent *entry;

    if (dir == NULL)
        return -errno;
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            strcmp(entry->d_name, "lost+found") != 0)
            return 0;
    }
    return 1;
}

int copy_up(int from_fd, int to_fd, struct error *err)
{
    cleanup_close int to = openat(to_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_under_way = to >= 0 && fgetxattr(to, UNDER_WAY_XATTR, NULL, 0) >= 0;
    int empty = to >= 0 ? check_empty(to) : -errno;
    int result;

    if (empty < 0)
        return error_errno(err, -empty, "open what is mounted");
    if (empty == 0 && !is_under_way)
        return 0;
    if (!is_under_way && fsetxattr(to, UNDER_WAY_XATTR, "y", 1, 0) < 0 && errno != EOPNOTSUPP)
        return error_errno(err, errno, "note that a copy is under way");
    result = copy_directory(from_fd, to, 0, err);
    if (result == 0 && fremovexattr(to, UNDER_WAY_XATTR) < 0 && errno != EOPNOTSUPP &&
        errno != ENODATA)
        result = error_errno(err, errno, "note that the copy is complete");
    return result;
}
