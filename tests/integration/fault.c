/*
 * A library to preload: the Nth call of a function, counted over the process and all its children,
 * fails. FAULT is "NAME:N:ERRNO", or "NAME:N:kill" for SIGKILL in its place; FAULT_MARK is a file
 * that gets a byte when it happens.
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
#include <unistd.h>

#define MARK_FD 700 /* beyond those that the worker's children close */

static atomic_int *count;
static char wanted[32];
static int number;
static int error; /* 0: kill */

__attribute__((constructor)) static void prepare(void)
{
    const char *fault = getenv("FAULT");
    char kind[16] = "";
    int fd = open(getenv("FAULT_MARK"), O_WRONLY | O_CREAT | O_APPEND, 0600);

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

#define WRAP(type, name, parameters, arguments)          \
    type name parameters;                                \
    type name parameters                                 \
    {                                                    \
        static type(*next) parameters;                   \
        if (next == NULL)                                \
            *(void **)&next = dlsym(RTLD_NEXT, #name);   \
        return fails(#name) ? (type)-1 : next arguments; \
    }

WRAP(ssize_t, write, (int fd, const void *bytes, size_t size), (fd, bytes, size))
WRAP(ssize_t, pwrite, (int fd, const void *bytes, size_t size, off_t offset),
     (fd, bytes, size, offset))
WRAP(ssize_t, pwrite64, (int fd, const void *bytes, size_t size, off_t offset),
     (fd, bytes, size, offset))
WRAP(ssize_t, read, (int fd, void *bytes, size_t size), (fd, bytes, size))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, syncfs, (int fd), (fd))
WRAP(int, ftruncate, (int fd, off_t size), (fd, size))
WRAP(int, renameat, (int from, const char *old, int to, const char *new), (from, old, to, new))
WRAP(int, mkdirat, (int fd, const char *name, mode_t mode), (fd, name, mode))
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
    return fails("openat") ? -1 : next(fd, path, flags, mode);
}
