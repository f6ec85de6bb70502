/* Confinement of what speaks to registries: nobody, with nothing to write to. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fetch.h"

#define NOBODY 65534
#define FILES_MAX 512
#define MEMORY_MAX (UINT64_C(1) << 30)

/* What libcurl, OpenSSL, the C library's resolver and its threads ask for, and no more: nothing
 * that runs programs, makes files, or looks at other processes. */
static const int calls[] = {
    SCMP_SYS(read),         SCMP_SYS(write),          SCMP_SYS(readv),
    SCMP_SYS(writev),       SCMP_SYS(pread64),        SCMP_SYS(close),
    SCMP_SYS(openat),       SCMP_SYS(open),           SCMP_SYS(fstat),
    SCMP_SYS(stat),         SCMP_SYS(lstat),          SCMP_SYS(newfstatat),
    SCMP_SYS(statx),        SCMP_SYS(access),         SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),   SCMP_SYS(readlink),       SCMP_SYS(readlinkat),
    SCMP_SYS(getdents64),   SCMP_SYS(lseek),          SCMP_SYS(fcntl),
    SCMP_SYS(ioctl),        SCMP_SYS(mmap),           SCMP_SYS(munmap),
    SCMP_SYS(mremap),       SCMP_SYS(mprotect),       SCMP_SYS(madvise),
    SCMP_SYS(brk),          SCMP_SYS(futex),          SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),         SCMP_SYS(poll),           SCMP_SYS(ppoll),
    SCMP_SYS(select),       SCMP_SYS(pselect6),       SCMP_SYS(pipe2),
    SCMP_SYS(eventfd2),     SCMP_SYS(socket),         SCMP_SYS(socketpair),
    SCMP_SYS(connect),      SCMP_SYS(bind),           SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),  SCMP_SYS(getsockopt),     SCMP_SYS(setsockopt),
    SCMP_SYS(sendto),       SCMP_SYS(sendmsg),        SCMP_SYS(sendmmsg),
    SCMP_SYS(recvfrom),     SCMP_SYS(recvmsg),        SCMP_SYS(recvmmsg),
    SCMP_SYS(shutdown),     SCMP_SYS(clock_gettime),  SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),    SCMP_SYS(gettimeofday),   SCMP_SYS(getrandom),
    SCMP_SYS(getpid),       SCMP_SYS(gettid),         SCMP_SYS(getuid),
    SCMP_SYS(geteuid),      SCMP_SYS(getgid),         SCMP_SYS(getegid),
    SCMP_SYS(uname),        SCMP_SYS(sysinfo),        SCMP_SYS(sched_yield),
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),  SCMP_SYS(tgkill),         SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),         SCMP_SYS(exit_group),     SCMP_SYS(sched_getaffinity),
    SCMP_SYS(prlimit64),
};

static int load_filter(struct error *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int result = 0;

    if (filter == NULL)
        return error_set(err, ERROR_INTERNAL, ENOMEM, "seccomp_init");
    for (size_t i = 0; result == 0 && i < ARRAY_SIZE(calls); i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
    /* Threads, for the resolver; clone3's flags cannot be looked at, and the C library falls back.
     */
    if (result == 0)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    if (result == 0)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (result == 0)
        result = seccomp_load(filter);
    seccomp_release(filter);
    return result < 0 ? error_errno(err, -result, "confine the fetch worker") : 0;
}

static int set_limits(struct error *err)
{
    static const struct {
        int resource;
        rlim_t limit;
    } limits[] = {
        {RLIMIT_CORE, 0}, {RLIMIT_NOFILE, FILES_MAX}, {RLIMIT_AS, MEMORY_MAX}, {RLIMIT_FSIZE, 0}};

    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        struct rlimit limit = {limits[i].limit, limits[i].limit};

        if (setrlimit(limits[i].resource, &limit) < 0)
            return error_errno(err, errno, "setrlimit");
    }
    return 0;
}

static int become_nobody(struct error *err)
{
    cap_t none = cap_init();
    int result = 0;

    for (cap_value_t value = 0; CAP_IS_SUPPORTED(value); value++)
        cap_drop_bound(value);
    if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) < 0 || cap_set_proc(none) < 0)
        result = error_errno(err, errno, "become nobody");
    cap_free(none);
    return result;
}

int sandbox_enter_fetch(struct error *err)
{
    struct mount_attr readonly = {.attr_set =
                                      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
                                  .propagation = MS_PRIVATE};
    int result;

    if (unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
        return error_errno(err, errno, "unshare");
    if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &readonly, sizeof(readonly)) < 0)
        return error_errno(err, errno, "make the host's files read-only");
    if (chdir("/") < 0)
        return error_errno(err, errno, "/");
    result = set_limits(err);
    if (result == 0)
        result = become_nobody(err);
    if (result < 0)
        return result;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
        return error_errno(err, errno, "prctl");
    return load_filter(err);
}
