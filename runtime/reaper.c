/*
 * Process 1 for programs that do not expect to be it: forwards signals to the one child, reaps
 * whatever the container orphans, and exits with the child's status. No file is needed in the
 * image: it is this program, after all privileges are gone.
 */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "plan.h"

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
    /* Process 1 needs nothing: no descriptor, no capability, no name that tells of the host. */
    syscall(SYS_close_range, 0, ~0u, 0);
    cap_clear(plan->capabilities);
    prctl(PR_SET_NAME, "init");
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (cap_set_proc(plan->capabilities) < 0)
        _exit(1);
    reap(child, &all);
}
