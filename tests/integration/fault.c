/*
 * A library to preload: calls that would write to a disk fail.
 *
 * FAULT is "NAME:N:ERRNO": the Nth call of that function fails, counted over the process and all
 * its children; "NAME:N:kill" is SIGKILL in its place. FAULT_MARK is a file that gets a byte when
 * it happens.
 *
 * FAULT_CONTROL is a file with a struct control that whoever tests changes while the programs run:
 * of all calls that change something below FAULT_BELOW the Nth fails, or all from the Nth on.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define MARK_FD 700 /* beyond those that the worker's children close */

enum { OFF, ONCE, FROM };

struct control {
    atomic_int mode;
    atomic_int number;
    atomic_int error;
    atomic_int count;
    atomic_int hits;
};

static struct control *control;
static const char *below;
static atomic_int *count;
static char wanted[32];
static int number;
static int error; /* 0: kill */

__attribute__((constructor)) static void prepare(void)
{
    const char *fault = getenv("FAULT");
    char kind[16] = "";
    int fd;

    if (getenv("FAULT_CONTROL") != NULL) {
        fd = open(getenv("FAULT_CONTROL"), O_RDWR | O_CLOEXEC);
        control = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        below = strdup(getenv("FAULT_BELOW"));
        close(fd);
    }
    if (fault == NULL)
        return;
    fd = open(getenv("FAULT_MARK"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, MARK_FD);
    fcntl(MARK_FD, F_SETFD, FD_CLOEXEC);
    close(fd);
    count = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (sscanf(fault, "%31[^:]:%d:%15s", wanted, &number, kind) != 3)
        abort();
    error = atoi(kind);
}

static int fails(const char *name)
{
    if (count == NULL || strcmp(name, wanted) != 0 || atomic_fetch_add(count, 1) + 1 != number)
        return 0;
    syscall(SYS_write, MARK_FD, "x", 1);
    if (error == 0)
        syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGKILL);
    errno = error;
    return 1;
}

/* Whether the file, or directory, is one of those that fail. */
static int is_below(int fd, const char *path)
{
    char link[64];
    char target[4096] = "";

    if (path != NULL && path[0] == '/')
        return strncmp(path, below, strlen(below)) == 0;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    return readlink(link, target, sizeof(target) - 1) > 0 &&
           strncmp(target, below, strlen(below)) == 0;
}

enum change { WRITE, SYNC, RENAME, MAKE };

/* On a full disk what is there can be written over, synced and renamed. `end` is where a write
 * ends. */
static int has_room(enum change change, int fd, const char *path, off_t end)
{
    struct stat status;

    if (change == MAKE)
        return fstatat(fd, path, &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (control->error != ENOSPC && control->error != EDQUOT)
        return 0;
    return change != WRITE || (fstat(fd, &status) == 0 && end <= status.st_size);
}

static int disk_fails(enum change change, int fd, const char *path, off_t end)
{
    int saved = errno;
    int number;
    int result = 0;

    if (control != NULL && control->mode != OFF && is_below(fd, path) &&
        !has_room(change, fd, path, end)) {
        number = atomic_fetch_add(&control->count, 1) + 1;
        result = control->mode == FROM ? number >= control->number : number == control->number;
    }
    errno = saved;
    if (result) {
        atomic_fetch_add(&control->hits, 1);
        errno = control->error;
    }
    return result;
}

/* Where a write to the file's position ends; 0 for what is no file. */
static off_t end_of_write(int fd, size_t size)
{
    struct stat status;
    int saved = errno;
    off_t position = -1;

    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        position = (fcntl(fd, F_GETFL) & O_APPEND) != 0 ? status.st_size : lseek(fd, 0, SEEK_CUR);
    errno = saved;
    return position < 0 ? 0 : position + (off_t)size;
}

#define WRAP_IF(type, name, parameters, arguments, is_failing)           \
    type name parameters;                                                \
    type name parameters                                                 \
    {                                                                    \
        static type(*next) parameters;                                   \
        if (next == NULL)                                                \
            *(void **)&next = dlsym(RTLD_NEXT, #name);                   \
        return fails(#name) || (is_failing) ? (type)-1 : next arguments; \
    }
#define WRAP(type, name, parameters, arguments) WRAP_IF(type, name, parameters, arguments, 0)

WRAP_IF(ssize_t, write, (int fd, const void *bytes, size_t size), (fd, bytes, size),
        disk_fails(WRITE, fd, NULL, end_of_write(fd, size)))
WRAP_IF(ssize_t, writev, (int fd, const struct iovec *parts, int parts_count),
        (fd, parts, parts_count), disk_fails(WRITE, fd, NULL, end_of_write(fd, 1)))
WRAP_IF(ssize_t, pwrite, (int fd, const void *bytes, size_t size, off_t offset),
        (fd, bytes, size, offset), disk_fails(WRITE, fd, NULL, offset + (off_t)size))
WRAP_IF(ssize_t, pwrite64, (int fd, const void *bytes, size_t size, off_t offset),
        (fd, bytes, size, offset), disk_fails(WRITE, fd, NULL, offset + (off_t)size))
WRAP(ssize_t, read, (int fd, void *bytes, size_t size), (fd, bytes, size))
WRAP_IF(int, fsync, (int fd), (fd), disk_fails(SYNC, fd, NULL, 0))
WRAP_IF(int, fdatasync, (int fd), (fd), disk_fails(SYNC, fd, NULL, 0))
WRAP(int, syncfs, (int fd), (fd))
WRAP(int, ftruncate, (int fd, off_t size), (fd, size))
WRAP_IF(int, renameat, (int from, const char *old, int to, const char *new), (from, old, to, new),
        disk_fails(RENAME, to, new, 0))
WRAP_IF(int, renameat2, (int from, const char *old, int to, const char *new, unsigned int flags),
        (from, old, to, new, flags), disk_fails(RENAME, to, new, 0))
WRAP_IF(int, unlinkat, (int fd, const char *name, int flags), (fd, name, flags),
        disk_fails(RENAME, fd, name, 0))
WRAP_IF(int, mkdirat, (int fd, const char *name, mode_t mode), (fd, name, mode),
        disk_fails(MAKE, fd, name, 0))
WRAP(int, fchownat, (int fd, const char *name, uid_t uid, gid_t gid, int flags),
     (fd, name, uid, gid, flags))
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(int, symlinkat, (const char *target, int fd, const char *name), (target, fd, name))
WRAP(int, linkat, (int from, const char *old, int to, const char *new, int flags),
     (from, old, to, new, flags))
WRAP(int, mknodat, (int fd, const char *name, mode_t mode, dev_t device), (fd, name, mode, device))
WRAP(int, utimensat, (int fd, const char *name, const struct timespec times[2], int flags),
     (fd, name, times, flags))
WRAP(int, futimens, (int fd, const struct timespec times[2]), (fd, times))
WRAP(int, fsetxattr, (int fd, const char *name, const void *value, size_t size, int flags),
     (fd, name, value, size, flags))
WRAP(int, pipe2, (int fds[2], int flags), (fds, flags))
WRAP(pid_t, fork, (void), ())
WRAP(int, memfd_create, (const char *name, unsigned int flags), (name, flags))

int openat(int fd, const char *path, int flags, ...);
int openat(int fd, const char *path, int flags, ...)
{
    static int (*next)(int, const char *, int, ...);
    va_list list;
    mode_t mode;

    va_start(list, flags);
    mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(list, mode_t) : 0;
    va_end(list);
    if (next == NULL)
        *(void **)&next = dlsym(RTLD_NEXT, "openat");
    if (fails("openat") || ((flags & O_CREAT) != 0 && disk_fails(MAKE, fd, path, 0)))
        return -1;
    return next(fd, path, flags, mode);
}
