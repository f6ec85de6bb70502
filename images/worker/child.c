/* Processes of the worker that do one thing and tell how it went: see worker.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "worker.h"

#define KEPT_FD 100

/* The lock on ingest/, held by the worker and all its children: see store_sweep_ingest(). */
static int busy_fd = -1;

int process_hold_store(int store_fd, struct error *err)
{
    busy_fd = openat(store_fd, "ingest", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (busy_fd < 0 || flock(busy_fd, LOCK_SH) < 0)
        return error_errno(err, errno, "hold the store");
    return 0;
}

void process_keep_only(int *const fds[], size_t count)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    dup2(null_fd, STDIN_FILENO);
    dup2(null_fd, STDOUT_FILENO);
    for (size_t i = 0; i < count; i++)
        *fds[i] = fcntl(*fds[i], F_DUPFD_CLOEXEC, KEPT_FD);
    if (busy_fd >= 0)
        busy_fd = fcntl(busy_fd, F_DUPFD_CLOEXEC, KEPT_FD);
    close_range(STDERR_FILENO + 1, KEPT_FD - 1, 0);
}

pid_t child_fork(struct child *child, int *const fds[], size_t count, struct error *err)
{
    int *kept[CHILD_FDS_MAX + 1];
    int pair[2];

    *child = (struct child){.pid = -1, .outcome_fd = -1};
    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    child->pid = fork();
    if (child->pid == 0) {
        child->outcome_fd = pair[1];
        memcpy(kept, fds, count * sizeof(*kept));
        kept[count] = &child->outcome_fd;
        process_keep_only(kept, count + 1);
        return 0;
    }
    close(pair[1]);
    child->outcome_fd = pair[0];
    if (child->pid < 0) {
        fd_close(&child->outcome_fd);
        return error_errno(err, errno, "fork");
    }
    return child->pid;
}

void child_exit(const struct child *child, const struct child_outcome *outcome)
{
    (void)!write(child->outcome_fd, outcome, sizeof(*outcome));
    _exit(0);
}

int child_await(struct child *child, struct child_outcome *outcome, struct error *err)
{
    ssize_t count = read(child->outcome_fd, outcome, sizeof(*outcome));
    int status = 0;

    waitpid(child->pid, &status, 0);
    child->pid = -1;
    fd_close(&child->outcome_fd);
    if (count != (ssize_t)sizeof(*outcome))
        return error_set(err, ERROR_CORRUPT, ECHILD,
                         "the process at work on it died of signal %d: the content made it do "
                         "something it must not",
                         WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    outcome->error.message[sizeof(outcome->error.message) - 1] = '\0';
    outcome->digest[DIGEST_SIZE - 1] = '\0';
    if (outcome->error.errnum != 0 && err != NULL)
        *err = outcome->error;
    return -outcome->error.errnum;
}

void child_kill(struct child *child)
{
    if (child->pid > 0) {
        kill(child->pid, SIGKILL);
        waitpid(child->pid, NULL, 0);
    }
    child->pid = -1;
    fd_close(&child->outcome_fd);
}
