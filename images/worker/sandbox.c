/* Confinement of what reads archives from outside. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/confine.h"
#include "worker.h"

/* What making files of any kind with any owner needs. CAP_SYS_ADMIN is for trusted.* attributes;
 * the system call filter takes away the rest of what it allows. */
static const cap_value_t kept_capabilities[] = {
    CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_MKNOD, CAP_SETFCAP, CAP_SYS_ADMIN,
};

/* What unpacking needs once everything is open. */
static const int layer_calls[] = {
    SCMP_SYS(read),          SCMP_SYS(write),      SCMP_SYS(pwrite64),       SCMP_SYS(pread64),
    SCMP_SYS(close),         SCMP_SYS(lseek),      SCMP_SYS(openat),         SCMP_SYS(openat2),
    SCMP_SYS(fstat),         SCMP_SYS(newfstatat), SCMP_SYS(statx),          SCMP_SYS(ftruncate),
    SCMP_SYS(fchown),        SCMP_SYS(fchownat),   SCMP_SYS(fchmod),         SCMP_SYS(fchmodat),
    SCMP_SYS(mkdirat),       SCMP_SYS(unlinkat),   SCMP_SYS(symlinkat),      SCMP_SYS(linkat),
    SCMP_SYS(mknodat),       SCMP_SYS(renameat),   SCMP_SYS(utimensat),      SCMP_SYS(setxattr),
    SCMP_SYS(lsetxattr),     SCMP_SYS(fsetxattr),  SCMP_SYS(getdents64),     SCMP_SYS(fchdir),
    SCMP_SYS(fcntl),         SCMP_SYS(brk),        SCMP_SYS(mmap),           SCMP_SYS(munmap),
    SCMP_SYS(mremap),        SCMP_SYS(mprotect),   SCMP_SYS(madvise),        SCMP_SYS(futex),
    SCMP_SYS(getrandom),     SCMP_SYS(exit),       SCMP_SYS(exit_group),     SCMP_SYS(rt_sigreturn),
    SCMP_SYS(clock_gettime), SCMP_SYS(getpid),     SCMP_SYS(rt_sigprocmask), SCMP_SYS(gettid),
    SCMP_SYS(tgkill),        SCMP_SYS(sysinfo), /* by qsort(3), of large arrays */
};

/* What reading an image's files needs. */
static const int reader_calls[] = {
    SCMP_SYS(read),       SCMP_SYS(write),      SCMP_SYS(pread64),      SCMP_SYS(close),
    SCMP_SYS(lseek),      SCMP_SYS(openat),     SCMP_SYS(fstat),        SCMP_SYS(newfstatat),
    SCMP_SYS(getdents64), SCMP_SYS(readlink),   SCMP_SYS(readlinkat),   SCMP_SYS(access),
    SCMP_SYS(faccessat),  SCMP_SYS(geteuid),    SCMP_SYS(getcwd),       SCMP_SYS(fcntl),
    SCMP_SYS(brk),        SCMP_SYS(mmap),       SCMP_SYS(munmap),       SCMP_SYS(mremap),
    SCMP_SYS(mprotect),   SCMP_SYS(madvise),    SCMP_SYS(futex),        SCMP_SYS(getrandom),
    SCMP_SYS(exit),       SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(clock_gettime),
    SCMP_SYS(getpid),     SCMP_SYS(gettid),     SCMP_SYS(tgkill),       SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(fchdir),     SCMP_SYS(llistxattr), SCMP_SYS(lgetxattr),    SCMP_SYS(fstatfs),
    SCMP_SYS(sysinfo), /* by qsort(3), of large arrays */
};

int sandbox_enter_worker(struct error *err)
{
    static const struct confine_limit no_core = {RLIMIT_CORE, 0};

    if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
        return error_errno(err, errno, "unshare");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return error_errno(err, errno, "make mounts private");
    umask(0);
    if (confine_set_limits(&no_core, 1, err) < 0)
        return -err->errnum;
    return confine_seal(err);
}

static int load_filter(const int *calls, size_t count, struct error *err)
{
    return confine_filter(calls, count, SCMP_ACT_KILL_PROCESS, NULL, err);
}

static int enter_root(int directory_fd, struct error *err)
{
    if (fchdir(directory_fd) < 0 || chroot(".") < 0 || chdir("/") < 0)
        return error_errno(err, errno, "enter the directory");
    return 0;
}

int sandbox_filter_layer(struct error *err)
{
    return load_filter(layer_calls, ARRAY_SIZE(layer_calls), err);
}

int sandbox_enter_layer(int directory_fd, struct error *err)
{
    int result = enter_root(directory_fd, err);

    return result < 0
               ? result
               : confine_drop_capabilities(kept_capabilities, ARRAY_SIZE(kept_capabilities), err);
}

int sandbox_enter_reader(int directory_fd, struct error *err)
{
    static const cap_value_t kept[] = {CAP_DAC_READ_SEARCH};
    int result = enter_root(directory_fd, err);

    if (result == 0)
        result = confine_drop_capabilities(kept, ARRAY_SIZE(kept), err);
    return result < 0 ? result : load_filter(reader_calls, ARRAY_SIZE(reader_calls), err);
}

int sandbox_enter_copier(int directory_fd, struct error *err)
{
    /* CAP_FOWNER allows O_NOATIME on files of other owners: reading changes no access times. */
    static const cap_value_t kept[] = {CAP_DAC_READ_SEARCH, CAP_FOWNER};
    int result = enter_root(directory_fd, err);

    if (result == 0)
        result = confine_drop_capabilities(kept, ARRAY_SIZE(kept), err);
    return result < 0 ? result : load_filter(reader_calls, ARRAY_SIZE(reader_calls), err);
}
