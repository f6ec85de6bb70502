/* Copying a small tree by descriptors: see copy_up.h. */
#include "copy_up.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* A tree from an image: bounded, so that a hostile one cannot exhaust descriptors or the stack. */
#define COPY_DEPTH_MAX 64

static int copy_directory(int from_fd, int to_fd, int depth, struct error *err);

static int copy_file(int from_dir, int to_dir, const char *name, const struct stat *status,
                     struct error *err)
{
    cleanup_close int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    cleanup_close int to = -1;
    ssize_t count;

    if (from < 0)
        return error_errno(err, errno, "copy %s", name);
    to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (to < 0)
        return error_errno(err, errno, "copy %s", name);
    while ((count = sendfile(to, from, NULL, 1 << 20)) > 0)
        continue;
    if (count < 0 || fchown(to, status->st_uid, status->st_gid) < 0 ||
        fchmod(to, status->st_mode & 07777) < 0)
        return error_errno(err, errno, "copy %s", name);
    return 0;
}

static int copy_link(int from_dir, int to_dir, const char *name, const struct stat *status,
                     struct error *err)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(from_dir, name, target, sizeof(target) - 1);

    if (length < 0)
        return error_errno(err, errno, "copy %s", name);
    target[length] = '\0';
    if (symlinkat(target, to_dir, name) < 0 ||
        fchownat(to_dir, name, status->st_uid, status->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
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

    if (from < 0 || mkdirat(to_dir, name, 0700) < 0)
        return error_errno(err, errno, "copy %s", name);
    to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (to < 0)
        return error_errno(err, errno, "copy %s", name);
    result = copy_directory(from, to, depth + 1, err);
    if (result < 0)
        error_prefix(err, "%s", name);
    return result;
}

static int copy_entry(int from_dir, int to_dir, const char *name, int depth, struct error *err)
{
    struct stat status;

    if (fstatat(from_dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(err, errno, "copy %s", name);
    switch (status.st_mode & S_IFMT) {
    case S_IFREG:
        return copy_file(from_dir, to_dir, name, &status, err);
    case S_IFLNK:
        return copy_link(from_dir, to_dir, name, &status, err);
    case S_IFDIR:
        return copy_subdirectory(from_dir, to_dir, name, depth, err);
    default:
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "tmpcopyup: %s is neither file, directory nor link", name);
    }
}

static int copy_directory(int from_fd, int to_fd, int depth, struct error *err)
{
    int duplicate = openat(from_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_dir DIR *dir = duplicate >= 0 ? fdopendir(duplicate) : NULL;
    struct dirent *entry;
    struct stat status;

    if (dir == NULL || fstat(duplicate, &status) < 0)
        return error_errno(err, errno, "open directory");
    if (depth == COPY_DEPTH_MAX)
        return error_set(err, ERROR_TOO_LARGE, ELOOP, "tmpcopyup: nested too deeply");
    while ((entry = readdir(dir)) != NULL) {
        int result = 0;

        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = copy_entry(duplicate, to_fd, entry->d_name, depth, err);
        if (result < 0)
            return result;
    }
    if (fchown(to_fd, status.st_uid, status.st_gid) < 0 ||
        fchmod(to_fd, status.st_mode & 07777) < 0)
        return error_errno(err, errno, "directory attributes");
    return 0;
}

int copy_up(int from_fd, int to_fd, struct error *err)
{
    cleanup_close int to = openat(to_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (to < 0)
        return error_errno(err, errno, "tmpcopyup");
    return copy_directory(from_fd, to, 0, err);
}
