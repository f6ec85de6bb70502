/* Path resolution by descriptor: see path.h. */
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cleanup.h"

/* The kernel answers EAGAIN when a rename raced with "..". We try again, but not forever: a hostile
 * renamer must not hold us here. */
#define RESOLVE_ATTEMPTS 64

static int open_resolved(int root_fd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
    bool has_mode = (flags & (O_CREAT | O_TMPFILE)) != 0 && (flags & O_PATH) == 0;
    struct open_how how = {
        .flags = (uint64_t)(unsigned int)flags | O_CLOEXEC,
        .mode = has_mode ? mode : 0,
        .resolve = resolve,
    };
    long fd = -EAGAIN;

    if (path[0] == '\0')
        path = ".";
    for (int i = 0; i < RESOLVE_ATTEMPTS && fd == -EAGAIN; i++) {
        fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
        if (fd < 0)
            fd = -errno;
    }
    return (int)fd;
}

int path_open_in_root(int root_fd, const char *path, int flags, mode_t mode)
{
    return open_resolved(root_fd, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

static bool is_regular(int fd, struct stat *status)
{
    return fstat(fd, status) == 0 && S_ISREG(status->st_mode);
}

int path_open_regular_in_root(int root_fd, const char *path)
{
    const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    cleanup_close int seen_fd = path_open_in_root(root_fd, path, O_PATH, 0);
    cleanup_close int fd = -1;
    char link[PATH_FD_SIZE];
    struct stat seen;
    struct stat opened;

    if (seen_fd < 0)
        return take_fd(&seen_fd);
    if (!is_regular(seen_fd, &seen))
        return -EINVAL;
    fd = open(path_of_fd(link, seen_fd), flags);
    /* A process whose root is that tree has no procfs, or none that can be trusted: then the path
     * is opened again and checked afterwards. */
    if (fd < 0 || fstat(fd, &opened) < 0 || opened.st_dev != seen.st_dev ||
        opened.st_ino != seen.st_ino) {
        fd_close(&fd);
        fd = path_open_in_root(root_fd, path, flags, 0);
    }
    if (fd < 0)
        return fd;
    return is_regular(fd, &opened) ? take_fd(&fd) : -EINVAL;
}

int path_open_beneath(int root_fd, const char *path, int flags, mode_t mode)
{
    return open_resolved(root_fd, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

int path_split(const char *path, char *storage, const char **directory, const char **name)
{
    size_t length = strlen(path);
    char *slash;

    if (length >= PATH_MAX)
        return -ENAMETOOLONG;
    memcpy(storage, path, length + 1);
    while (length > 0 && storage[length - 1] == '/')
        storage[--length] = '\0';
    slash = strrchr(storage, '/');
    if (slash == NULL) {
        *directory = "";
        *name = storage;
        return 0;
    }
    *slash = '\0';
    *directory = storage;
    *name = slash + 1;
    return 0;
}

const char *path_of_fd(char storage[PATH_FD_SIZE], int fd)
{
    snprintf(storage, PATH_FD_SIZE, "/proc/self/fd/%d", fd);
    return storage;
}

bool path_is_on_filesystem(int fd, uint64_t magic)
{
    struct statfs fs;

    return fstatfs(fd, &fs) == 0 && (uint64_t)fs.f_type == magic;
}

/* Makes one directory under parent_fd and opens it; someone else may have made it meanwhile. */
static int make_one_directory(int parent_fd, const char *name, mode_t mode)
{
    int fd;

    if (mkdirat(parent_fd, name, mode) < 0 && errno != EEXIST)
        return -errno;
    fd = openat(parent_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Makes the components of `rest`, which all are missing, below *fd and leaves the last in *fd. */
static int make_missing(int *fd, char *rest, mode_t mode)
{
    char *position = NULL;

    for (char *name = strtok_r(rest, "/", &position); name != NULL;
         name = strtok_r(NULL, "/", &position)) {
        int next;

        if (strcmp(name, ".") == 0)
            continue;
        if (strcmp(name, "..") == 0)
            return -EINVAL;
        next = make_one_directory(*fd, name, mode);
        if (next < 0)
            return next;
        fd_close(fd);
        *fd = next;
    }
    return 0;
}

int path_make_directories(int root_fd, const char *path, mode_t mode, struct error *err)
{
    char existing[PATH_MAX];
    char missing[PATH_MAX] = "";
    cleanup_close int fd = -1;
    int result;

    if (strlen(path) >= sizeof(existing))
        return error_errno(err, ENAMETOOLONG, "%.64s...", path);
    strcpy(existing, path);
    /* Shorten the path from its end until the kernel can open what is left of it. */
    for (;;) {
        char *slash;
        char tail[PATH_MAX];

        fd = path_open_in_root(root_fd, existing, O_PATH | O_DIRECTORY, 0);
        if (fd != -ENOENT || existing[0] == '\0')
            break;
        slash = strrchr(existing, '/');
        snprintf(tail, sizeof(tail), "%s", slash != NULL ? slash + 1 : existing);
        if (slash != NULL)
            *slash = '\0';
        else
            existing[0] = '\0';
        if (missing[0] != '\0') {
            size_t length = strlen(tail);

            if (length + 1 + strlen(missing) >= sizeof(tail))
                return error_errno(err, ENAMETOOLONG, "%.64s...", path);
            tail[length] = '/';
            strcpy(tail + length + 1, missing);
        }
        memcpy(missing, tail, sizeof(missing));
    }
    if (fd < 0)
        return error_errno(err, -fd, "%s", path);
    result = make_missing(&fd, missing, mode);
    if (result < 0)
        return error_errno(err, -result, "make directory %s", path);
    return take_fd(&fd);
}

/* The target of the symlink `path` inside the root. Returns 0 if it is none, also if nothing is
 * there. */
static ssize_t read_link_in_root(int root_fd, const char *path, char target[PATH_MAX])
{
    cleanup_close int fd = path_open_in_root(root_fd, path, O_PATH | O_NOFOLLOW, 0);
    ssize_t length;

    if (fd == -ENOENT || fd == -ENOTDIR)
        return 0;
    if (fd < 0)
        return fd;
    length = readlinkat(fd, "", target, PATH_MAX - 1);
    if (length < 0)
        return errno == ENOENT || errno == EINVAL ? 0 : -errno;
    target[length] = '\0';
    return length;
}

/* Appends one name to a path that is resolved, or takes its last off for "..". */
static int step(char resolved[PATH_MAX], const char *name, size_t length)
{
    size_t end = strlen(resolved);

    if (length == 0 || (length == 1 && name[0] == '.'))
        return 0;
    if (length == 2 && strncmp(name, "..", 2) == 0) {
        char *slash = strrchr(resolved, '/');

        if (slash != NULL)
            *slash = '\0';
        return 0;
    }
    if (end + 1 + length >= PATH_MAX)
        return -ENAMETOOLONG;
    resolved[end] = '/';
    memcpy(resolved + end + 1, name, length);
    resolved[end + 1 + length] = '\0';
    return 0;
}

int path_resolve_in_root(int root_fd, const char *path, char resolved[PATH_MAX])
{
    enum { LINKS_MAX = 40 }; /* as the kernel's MAXSYMLINKS */
    char rest[PATH_MAX];
    int link_count = 0;

    if (strlen(path) >= sizeof(rest))
        return -ENAMETOOLONG;
    strcpy(rest, path);
    resolved[0] = '\0';
    while (rest[0] != '\0') {
        size_t length = strcspn(rest, "/");
        size_t before = strlen(resolved);
        const char *tail = rest + length + (rest[length] == '/');
        char target[PATH_MAX];
        char joined[PATH_MAX];
        ssize_t target_length;
        int result = step(resolved, rest, length);

        if (result < 0)
            return result;
        target_length =
            strlen(resolved) > before ? read_link_in_root(root_fd, resolved, target) : 0;
        if (target_length < 0)
            return (int)target_length;
        if (target_length > 0) {
            if (++link_count > LINKS_MAX)
                return -ELOOP;
            resolved[target[0] == '/' ? 0 : before] = '\0';
        } else {
            target[0] = '\0';
        }
        if (snprintf(joined, sizeof(joined), "%s%s%s", target, target_length > 0 ? "/" : "",
                     tail) >= (int)sizeof(joined))
            return -ENAMETOOLONG;
        strcpy(rest, joined);
    }
    if (resolved[0] == '\0')
        strcpy(resolved, "/");
    return 0;
}

int path_open_parent(int directory_fd, dev_t device, ino_t inode)
{
    int fd = openat(directory_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat status;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) == 0 && status.st_dev == device && status.st_ino == inode)
        return fd;
    close(fd);
    return -EBUSY;
}

DIR *path_list(int directory_fd, const char *name)
{
    cleanup_close int fd = openat(directory_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (dir != NULL)
        take_fd(&fd);
    return dir;
}

int path_move_unique(int directory_fd, const char *name, int into_fd, const char *new_name,
                     struct error *err)
{
    for (unsigned int i = 0;; i++) {
        char candidate[NAME_MAX + 1];

        snprintf(candidate, sizeof(candidate), i == 0 ? "%.240s" : "%.240s.%u", new_name, i);
        if (renameat2(directory_fd, name, into_fd, candidate, RENAME_NOREPLACE) == 0)
            return 0;
        if (errno != EEXIST)
            return error_errno(err, errno, "move %s", name);
    }
}

int path_make_host_directory(const char *path, mode_t mode, struct error *err)
{
    char partial[PATH_MAX];
    size_t length = strlen(path);
    int fd;

    if (length >= sizeof(partial) || length == 0)
        return error_errno(err, length == 0 ? EINVAL : ENAMETOOLONG, "directory \"%.64s\"", path);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    for (size_t end = 1; end <= length; end++) {
        if (path[end] != '/' && path[end] != '\0')
            continue;
        memcpy(partial, path, end);
        partial[end] = '\0';
        /* mkdir(2) applies the umask of the caller; chmod(2) sets the mode that was asked for. */
        if (mkdir(partial, 0700) == 0 ? chmod(partial, mode) < 0 : errno != EEXIST)
            return error_errno(err, errno, "make directory %s", partial);
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? error_errno(err, errno, "open directory %s", path) : fd;
}
