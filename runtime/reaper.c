/*
 * Process 1 for programs that do not expect to be it: forwards signals to the one child, reaps
 * whatever the container orphans, and exits with the child's status. No file is needed in the
 * image: it is this program, after all privileges are gone.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit_arch.h"
#include "base/cleanup.h"
#include "plan.h"

#define ALLOW(name)                                        \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* All that reap() calls. The container's own filter need not allow these, and would allow much
 * that process 1 never does. */
static const struct sock_filter reaper_filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_AUDIT_ARCH, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    ALLOW(rt_sigtimedwait),
    ALLOW(wait4),
    ALLOW(kill),
    ALLOW(exit_group),
    ALLOW(restart_syscall),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
};

/* Process 1 needs nothing: no descriptor, no capability, no name that tells of the host. */
static int give_up_everything(cap_t capabilities)
{
    const struct sock_fprog program = {
        .len = ARRAY_SIZE(reaper_filter),
        .filter = (struct sock_filter *)(uintptr_t)reaper_filter,
    };

    syscall(SYS_close_range, 0, ~0u, 0);
    umask(022);
    prctl(PR_SET_NAME, "init");
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability++)
        prctl(PR_CAPBSET_DROP, capability);
    cap_clear(capabilities);
    if (cap_set_proc(capabilities) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
        return errno == ENOSYS || errno == EINVAL ? 0 : -errno; /* a kernel without filters */
    return 0;
}

static _Noreturn void reap(pid_t child, const sigset_t *all)
{
    for (;;) {
        siginfo_t info;
        int status;
        pid_t pid;
        int signal_number = sigwaitinfo(all, &info);

        if (signal_number > 0 && signal_number != SIGCHLD)
            kill(child, signal_number);
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
            if (pid == child)
                _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        }
    }
}

/* The program's failure to start is seen by the parent over the same channel as without a reaper:
 * the child has it too and only its exec or its error record closes it. */
int reaper_run(const struct process_plan *plan, int control_fd, struct error *err)
{
    struct process_plan child_plan = *plan;
    sigset_t all;
    sigset_t none;
    pid_t child;

    sigfillset(&all);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &all, NULL);
    child = fork();
    if (child < 0)
        return error_errno(err, errno, "fork");
    if (child == 0) {
        /* A program that talks to its terminal must be in the foreground. Asking for it from the
         * background raises SIGTTOU, which is still blocked here. */
        setpgid(0, 0);
        tcsetpgrp(STDIN_FILENO, getpid());
        sigprocmask(SIG_SETMASK, &none, NULL);
        return process_confine_and_execute(&child_plan, control_fd, err);
    }
    if (give_up_everything(plan->capabilities) < 0)
        _exit(1);
    reap(child, &all);
}
