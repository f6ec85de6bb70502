/* The spawner: see spawner.h. */
#include "spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/socket.h"
#include "monitor.h"

enum request_type {
    REQUEST_MONITOR,
    REQUEST_WORKER,
};

#define MONITOR_FDS 5
#define WORKER_FDS 3

/* The process's argument area, which ps shows: davitd's arguments are not those of its children. */
static char *title;
static size_t title_size;

/* The kernel lays the arguments out one after the other, so they are one area to write over. */
static void find_title(char **argv)
{
    title = argv[0];
    for (int i = 0; argv[i] != NULL; i++)
        title_size = (size_t)(argv[i] + strlen(argv[i]) - title);
}

static void set_title(const char *name)
{
    size_t length = strlen(name);

    prctl(PR_SET_NAME, name);
    memset(title, 0, title_size);
    memcpy(title, name, length < title_size ? length : title_size);
}

/* davitd's main has said where its helpers are; see davitd.c. */
static const char *worker_path(char path[PATH_MAX])
{
    const char *directory = getenv("DAVIT_LIBEXEC");

    snprintf(path, PATH_MAX, "%s/davit-image", directory != NULL ? directory : DAVIT_LIBEXECDIR);
    return path;
}

static _Noreturn void run_worker(const char *program, const int fds[WORKER_FDS])
{
    char *const environment[] = {(char[]){"PATH=/usr/bin:/bin"}, NULL};
    char *const arguments[] = {(char[]){"davit-image"}, (char[]){"load"}, NULL};
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (fchdir(fds[0]) < 0 || dup2(fds[1], STDIN_FILENO) < 0 || dup2(fds[2], STDOUT_FILENO) < 0)
        _exit(126);
    execve(program, arguments, environment);
    dprintf(STDOUT_FILENO,
            "{\"error\":\"cannot run the image worker %s: %s\",\"code\":\"internal\"}\n", program,
            strerror(errno));
    _exit(127);
}

static void serve(int request_fd, const char *worker)
{
    enum request_type type;
    int fds[MONITOR_FDS] = {-1, -1, -1, -1, -1};
    size_t fd_count = MONITOR_FDS;
    ssize_t count = socket_receive(request_fd, &type, sizeof(type), fds, &fd_count);
    pid_t pid = -1;

    if (count == 0)
        _exit(0);
    if (count == (ssize_t)sizeof(type))
        pid = fork();
    if (pid == 0) {
        close(request_fd);
        signal(SIGCHLD, SIG_DFL);
        if (type == REQUEST_MONITOR && fd_count == MONITOR_FDS) {
            set_title("davit-monitor");
            monitor_run(&(struct spawn_monitor){fds[0], fds[1], fds[2], fds[3], fds[4]});
        }
        if (type == REQUEST_WORKER && fd_count == WORKER_FDS)
            run_worker(worker, fds);
        _exit(1);
    }
    for (size_t i = 0; i < fd_count; i++)
        close(fds[i]);
}

int spawner_start(char **argv, pid_t *spawner_pid, struct error *err)
{
    int pair[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, errno, "socketpair");
    pid = fork();
    if (pid < 0)
        return error_errno(err, errno, "fork the spawner");
    if (pid == 0) {
        char worker[PATH_MAX];

        close(pair[0]);
        find_title(argv);
        set_title("davit-spawner");
        prctl(PR_SET_DUMPABLE, 0);
        /* Its own session: a terminal's or a group's signals are davitd's business. */
        setsid();
        /* Monitors and workers report for themselves: nobody waits for them. */
        signal(SIGCHLD, SIG_IGN);
        for (;;)
            serve(pair[1], worker_path(worker));
    }
    close(pair[1]);
    *spawner_pid = pid;
    return pair[0];
}

static int request(int spawner_fd, enum request_type type, const int *fds, size_t count,
                   struct error *err)
{
    ssize_t sent = socket_send(spawner_fd, &type, sizeof(type), fds, count);

    return sent < 0 ? error_errno(err, (int)-sent, "ask the spawner") : 0;
}

int spawner_request_monitor(int spawner_fd, const struct spawn_monitor *monitor, struct error *err)
{
    const int fds[MONITOR_FDS] = {monitor->container_fd, monitor->run_fd, monitor->layers_fd,
                                  monitor->seccomp_fd, monitor->control_fd};

    return request(spawner_fd, REQUEST_MONITOR, fds, MONITOR_FDS, err);
}

int spawner_request_worker(int spawner_fd, int store_fd, int input_fd, int output_fd,
                           struct error *err)
{
    const int fds[WORKER_FDS] = {store_fd, input_fd, output_fd};

    return request(spawner_fd, REQUEST_WORKER, fds, WORKER_FDS, err);
}
