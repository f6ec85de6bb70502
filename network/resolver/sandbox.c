/* Confinement of what reads containers' questions and strangers' answers. */
#include <seccomp.h>

#include "base/cleanup.h"
#include "base/confine.h"
#include "resolver.h"

static const int calls[] = {
    SCMP_SYS(read),          SCMP_SYS(write),
    SCMP_SYS(close),         SCMP_SYS(fcntl),
    SCMP_SYS(mmap),          SCMP_SYS(munmap),
    SCMP_SYS(mremap),        SCMP_SYS(mprotect),
    SCMP_SYS(madvise),       SCMP_SYS(brk),
    SCMP_SYS(futex),         SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_ctl),     SCMP_SYS(epoll_pwait),
    SCMP_SYS(socket),        SCMP_SYS(connect),
    SCMP_SYS(accept4),       SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),       SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),       SCMP_SYS(getrandom),
    SCMP_SYS(getpid),        SCMP_SYS(gettid),
    SCMP_SYS(clock_gettime), SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),  SCMP_SYS(tgkill),
    SCMP_SYS(exit),          SCMP_SYS(exit_group),
};

int sandbox_enter_resolver(struct error *err)
{
    static const struct confine_limit limits[] = {{RLIMIT_CORE, 0}, {RLIMIT_FSIZE, 0}};

    if (confine_to_nobody(limits, ARRAY_SIZE(limits), err) < 0)
        return -err->errnum;
    return confine_filter(calls, ARRAY_SIZE(calls), SCMP_ACT_KILL_PROCESS, NULL, err);
}
