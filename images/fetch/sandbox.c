/* Confinement of what speaks to registries: nobody, with nothing to write to. */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>

#include "base/cleanup.h"
#include "base/confine.h"
#include "fetch.h"

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

/* Allows threads, in which names are resolved, but no processes. A filter cannot see the flags of
 * clone3(2), so that call fails with ENOSYS and the C library falls back to clone(2). */
static int add_threads(void *filter)
{
    int result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));

    return result < 0 ? result
                      : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

int sandbox_enter_fetch(struct error *err)
{
    static const struct confine_limit limits[] = {
        {RLIMIT_CORE, 0}, {RLIMIT_NOFILE, FILES_MAX}, {RLIMIT_AS, MEMORY_MAX}, {RLIMIT_FSIZE, 0}};

    if (confine_to_nobody(limits, ARRAY_SIZE(limits), err) < 0)
        return -err->errnum;
    return confine_filter(calls, ARRAY_SIZE(calls), SCMP_ACT_ERRNO(EPERM), add_threads, err);
}
