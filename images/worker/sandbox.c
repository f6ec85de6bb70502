/* Confinement of what reads archives from outside. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "worker.h"

/* Writing any kind of file with any owner, and trusted.* attributes, which is what SYS_ADMIN is
 * for; the system call filter takes the rest of that one away. */
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
    SCMP_SYS(tgkill),
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
    SCMP_SYS(fchdir),     SCMP_SYS(llistxattr), SCMP_SYS(lgetxattr),
};

static int drop_capabilities(const cap_value_t *kept, size_t count, struct error *err)
{
    cap_t capabilities = cap_init();
    int result = 0;

    cap_set_flag(capabilities, CAP_PERMITTED, (int)count, kept, CAP_SET);
    cap_set_flag(capabilities, CAP_EFFECTIVE, (int)count, kept, CAP_SET);
    for (cap_value_t value = 0; CAP_IS_SUPPORTED(value); value++)
        cap_drop_bound(value);
    if (cap_set_proc(capabilities) < 0)
        result = error_errno(err, errno, "drop capabilities");
    cap_free(capabilities);
    return result;
}

int sandbox_enter_worker(struct error *err)
{
    const struct rlimit no_core = {0, 0};

    if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
        return error_errno(err, errno, "unshare");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return error_errno(err, errno, "make mounts private");
    setrlimit(RLIMIT_CORE, &no_core);
    umask(0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
        return error_errno(err, errno, "prctl");
    return 0;
}

static int load_filter(const int *calls, size_t count, struct error *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int result;

    if (filter == NULL)
        return error_set(err, ERROR_INTERNAL, ENOMEM, "seccomp_init");
    /* For the thread that reads ahead as well. */
    result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    for (size_t i = 0; result == 0 && i < count; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
    if (result == 0)
        result = seccomp_load(filter);
    seccomp_release(filter);
    return result < 0 ? error_errno(err, -result, "confine the process") : 0;
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

    return result < 0 ? result
                      : drop_capabilities(kept_capabilities, ARRAY_SIZE(kept_capabilities), err);
}

int sandbox_enter_reader(int directory_fd, struct error *err)
{
    static const cap_value_t kept[] = {CAP_DAC_READ_SEARCH};
    int result = enter_root(directory_fd, err);

    if (result == 0)
        result = drop_capabilities(kept, ARRAY_SIZE(kept), err);
    return result < 0 ? result : load_filter(reader_calls, ARRAY_SIZE(reader_calls), err);
}

int sandbox_enter_copier(int directory_fd, struct error *err)
{
    /* FOWNER: a file of anybody's is read without changing its access time. */
    static const cap_value_t kept[] = {CAP_DAC_READ_SEARCH, CAP_FOWNER};
    int result = enter_root(directory_fd, err);

    if (result == 0)
        result = drop_capabilities(kept, ARRAY_SIZE(kept), err);
    return result < 0 ? result : load_filter(reader_calls, ARRAY_SIZE(reader_calls), err);
}
