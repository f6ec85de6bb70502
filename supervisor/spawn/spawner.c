/* The spawner: see spawner.h. */
#include "spawner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/build.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/socket.h"
#include "network/conntrack_job.h"
#include "process_list.h"
#include "runtime/runtime.h"
#include "supervisor/monitor/monitor.h"
#include "supervisor/monitor/protocol.h"

/* What a request asks for: a worker, by its number, or one of these. */
#define REQUEST_MONITOR (-1)
#define REQUEST_SWEEP (-2)
#define REQUEST_NAMESPACES (-3) /* without a user namespace */
#define REQUEST_USER_NAMESPACES (-4)
#define REQUEST_PROCESS_LIST (-5)
#define REQUEST_CONNTRACK (-6)
#define MONITOR_FDS 6
#define MONITOR_CONTROL_FD 4 /* of them */
#define SWEEP_PAUSE_MAX_S 16 /* half a minute in all */

struct spawn_request {
    int what;
    uint32_t count; /* of namespaces */
    struct process_columns columns;
};

/* Workers are programs of their own. The descriptors of a request become, in order, these
 * descriptors of the worker; -1: the working directory. */
static const struct worker {
    const char *program;
    const char *command; /* NULL: none */
    size_t fd_count;
    int fds[WORKER_FDS_MAX];
    bool speaks_to_network;
} workers[WORKER_COUNT] = {
    [WORKER_LOAD] = {"davit-image", "load", 4, {-1, STDIN_FILENO, STDOUT_FILENO, 3}, false},
    [WORKER_PULL] = {"davit-image", "pull", 4, {-1, STDIN_FILENO, STDOUT_FILENO, 3}, false},
    [WORKER_PUSH] = {"davit-image", "push", 4, {-1, STDIN_FILENO, STDOUT_FILENO, 3}, false},
    [WORKER_INQUIRE] = {"davit-image", "inquire", 4, {-1, STDIN_FILENO, STDOUT_FILENO, 3}, false},
    [WORKER_SAVE] = {"davit-image", "save", 4, {-1, STDIN_FILENO, STDOUT_FILENO, 3}, false},
    [WORKER_IMPORT] = {"davit-image", "import", 4, {-1, STDIN_FILENO, STDOUT_FILENO, 3}, false},
    [WORKER_COMMIT] = {"davit-image", "commit", 3, {-1, STDIN_FILENO, STDOUT_FILENO}, false},
    [WORKER_DIFF] = {"davit-image", "diff", 4, {-1, STDIN_FILENO, STDOUT_FILENO, 3}, false},
    [WORKER_EXPORT] = {"davit-image", "export", 4, {-1, STDIN_FILENO, STDOUT_FILENO, 3}, false},
    [WORKER_SBOM] = {"davit-image", "sbom", 4, {-1, STDIN_FILENO, STDOUT_FILENO, 3}, false},
    [WORKER_USAGE] = {"davit-image", "usage", 3, {-1, STDIN_FILENO, STDOUT_FILENO}, false},
    [WORKER_STAT_PATH] =
        {"davit-image", "stat-path", 5, {-1, STDIN_FILENO, STDOUT_FILENO, 3, 4}, false},
    [WORKER_COPY_OUT] =
        {"davit-image", "copy-out", 5, {-1, STDIN_FILENO, STDOUT_FILENO, 3, 4}, false},
    [WORKER_COPY_IN] =
        {"davit-image", "copy-in", 5, {-1, STDIN_FILENO, STDOUT_FILENO, 3, 4}, false},
    [WORKER_FETCH] = {"davit-fetch", NULL, 1, {STDIN_FILENO}, true},
    [WORKER_RESOLVER] = {"davit-resolver", NULL, 1, {STDIN_FILENO}, false},
    [WORKER_CNI] = {"davit-cni", NULL, 3, {STDIN_FILENO, STDOUT_FILENO, 3}, false},
};

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

/* Adds the variables of davitd's environment that say how to reach the network. */
static size_t network_environment(char **environment, size_t count)
{
    static const char *const names[] = {"https_proxy", "HTTPS_PROXY",   "http_proxy",
                                        "all_proxy",   "ALL_PROXY",     "no_proxy",
                                        "NO_PROXY",    "SSL_CERT_FILE", "SSL_CERT_DIR"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *value = getenv(names[i]);

        if (value != NULL)
            environment[count++] = memory_printf("%s=%s", names[i], value);
    }
    return count;
}

/* The descriptors may stand in each other's places: all are moved away first. */
static bool place_descriptors(const struct worker *worker, const int *fds)
{
    int moved[WORKER_FDS_MAX];

    for (size_t i = 0; i < worker->fd_count; i++) {
        moved[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 16);
        if (moved[i] < 0)
            return false;
    }
    for (size_t i = 0; i < worker->fd_count; i++) {
        int result = worker->fds[i] < 0 ? fchdir(moved[i]) : dup2(moved[i], worker->fds[i]);

        if (result < 0)
            return false;
    }
    return true;
}

/* davitd's main has said where its helpers are; see davitd.c. */
static _Noreturn void run_worker(const struct worker *worker, const int *fds)
{
    const char *directory = getenv("DAVIT_LIBEXEC");
    char *path =
        memory_printf("%s/%s", directory != NULL ? directory : davit_libexecdir, worker->program);
    char *environment[16] = {(char[]){"PATH=/usr/bin:/bin"}};
    char *const arguments[] = {memory_strdup(worker->program),
                               worker->command != NULL ? memory_strdup(worker->command) : NULL,
                               NULL};
    sigset_t none;

    if (worker->speaks_to_network)
        network_environment(environment, 1);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (!place_descriptors(worker, fds))
        _exit(126);
    execve(path, arguments, environment);
    if (worker->fd_count > 2)
        dprintf(STDOUT_FILENO, "{\"error\":\"cannot run %s: %s\",\"code\":\"internal\"}\n", path,
                strerror(errno));
    _exit(127);
}

/* Opens the directory anew, to read from its first entry: the position of davitd's descriptor is
 * shared. Returns false if something could not be removed. */
static bool remove_entries(int directory_fd)
{
    DIR *dir = path_list(directory_fd, ".");
    struct dirent *entry;
    bool is_empty = dir != NULL;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            is_empty = path_remove_tree(directory_fd, entry->d_name, NULL) == 0 && is_empty;
    }
    if (dir != NULL)
        closedir(dir);
    return is_empty;
}

/* Removes all that is in the directory; two sweepers may do so at once. What a process that dies
 * slowly still writes into is tried again; after that, at the next sweep. */
static _Noreturn void sweep(int directory_fd)
{
    unsigned int pause_s = 1;

    while (!remove_entries(directory_fd) && pause_s <= SWEEP_PAUSE_MAX_S) {
        sleep(pause_s);
        pause_s *= 2;
    }
    _exit(0);
}

static _Noreturn void make_namespaces(int channel_fd, bool has_user, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct ready_namespaces ready;
        struct error err = {0};
        ssize_t sent;

        if (ready_namespaces_make(has_user, &ready, &err) < 0)
            _exit(1);
        sent = socket_send(channel_fd, "", 1, ready.fds, has_user ? READY_COUNT : 1);
        ready_namespaces_release(&ready);
        if (sent < 0)
            _exit(1);
    }
    _exit(0);
}

/* In the child. */
static _Noreturn void become(const struct spawn_request *order, const int *fds, size_t fd_count)
{
    int request = order->what;

    signal(SIGCHLD, SIG_DFL);
    if (request == REQUEST_MONITOR && fd_count == MONITOR_FDS) {
        set_title(MONITOR_TITLE);
        monitor_run(&(struct spawn_monitor){fds[0], fds[1], fds[2], fds[3], fds[4], fds[5]});
    }
    if (request == REQUEST_SWEEP && fd_count == 1) {
        set_title("davit-sweeper");
        sweep(fds[0]);
    }
    if (request == REQUEST_PROCESS_LIST && fd_count == 2) {
        set_title("davit-top");
        process_list_run(&order->columns, fds[0], fds[1]);
    }
    if (request == REQUEST_CONNTRACK && fd_count == 2) {
        set_title("davit-conntrack");
        conntrack_job_run(fds[0], fds[1]);
    }
    if ((request == REQUEST_NAMESPACES || request == REQUEST_USER_NAMESPACES) && fd_count == 1) {
        set_title("davit-namespaces");
        make_namespaces(fds[0], request == REQUEST_USER_NAMESPACES, order->count);
    }
    if (request >= 0 && request < WORKER_COUNT && fd_count == workers[request].fd_count)
        run_worker(&workers[request], fds);
    _exit(1);
}

/* As fork(2), in a process without threads, with a descriptor of the child in *pidfd. */
static pid_t fork_with_pidfd(int *pidfd)
{
    struct clone_args arguments = {
        .flags = CLONE_PIDFD, .pidfd = (uintptr_t)pidfd, .exit_signal = SIGCHLD};

    return (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
}

/* davitd can end a monitor that does not answer, whatever it does. */
static void announce_monitor(int control_fd, int pidfd)
{
    const struct monitor_message message = {.version = MONITOR_PROTOCOL_VERSION,
                                            .type = MONITOR_SPAWNED};

    socket_try_send(control_fd, &message, sizeof(message), &pidfd, 1);
}

static void spawner_serve_request(int request_fd)
{
    struct spawn_request request;
    int fds[MONITOR_FDS] = {-1, -1, -1, -1, -1, -1};
    size_t fd_count = MONITOR_FDS;
    ssize_t count = socket_receive(request_fd, &request, sizeof(request), fds, &fd_count);
    cleanup_close int pidfd = -1;
    pid_t pid = -1;

    if (count == 0)
        _exit(0);
    if (count == (ssize_t)sizeof(request))
        pid = fork_with_pidfd(&pidfd);
    if (pid == 0) {
        close(request_fd);
        become(&request, fds, fd_count);
    }
    if (pid > 0 && request.what == REQUEST_MONITOR && fd_count == MONITOR_FDS)
        announce_monitor(fds[MONITOR_CONTROL_FD], pidfd);
    for (size_t i = 0; i < fd_count; i++)
        close(fds[i]);
}

int spawner_start(char **argv, struct spawner *spawner, struct error *err)
{
    int pair[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, errno, "socketpair");
    pid = fork();
    if (pid < 0)
        return error_errno(err, errno, "fork the spawner");
    if (pid == 0) {
        close(pair[0]);
        find_title(argv);
        set_title("davit-spawner");
        prctl(PR_SET_DUMPABLE, 0);
        /* Its own session: a terminal's or a group's signals are davitd's business. */
        setsid();
        /* Monitors and workers report for themselves: nobody waits for them. */
        signal(SIGCHLD, SIG_IGN);
        for (;;)
            spawner_serve_request(pair[1]);
    }
    close(pair[1]);
    *spawner = (struct spawner){.fd = pair[0], .pid = pid};
    return 0;
}

static int spawner_send_request(struct spawner *spawner, const struct spawn_request *request,
                                const int *fds, size_t count, struct error *err)
{
    return outbox_send(&spawner->outbox, spawner->loop, spawner->fd, request, sizeof(*request), fds,
                       count, "the spawner", err);
}

int spawner_request_monitor(struct spawner *spawner, const struct spawn_monitor *monitor,
                            struct error *err)
{
    const int fds[MONITOR_FDS] = {monitor->container_fd, monitor->run_fd,     monitor->layers_fd,
                                  monitor->seccomp_fd,   monitor->control_fd, monitor->walls_fd};

    return spawner_send_request(spawner, &(struct spawn_request){.what = REQUEST_MONITOR}, fds,
                                MONITOR_FDS, err);
}

int spawner_request_namespaces(struct spawner *spawner, int channel_fd, bool has_user,
                               uint32_t count, struct error *err)
{
    const struct spawn_request request = {
        .what = has_user ? REQUEST_USER_NAMESPACES : REQUEST_NAMESPACES, .count = count};

    return spawner_send_request(spawner, &request, &channel_fd, 1, err);
}

int spawner_request_sweep(struct spawner *spawner, int directory_fd, struct error *err)
{
    return spawner_send_request(spawner, &(struct spawn_request){.what = REQUEST_SWEEP},
                                &directory_fd, 1, err);
}

int spawner_request_process_list(struct spawner *spawner, const struct process_columns *columns,
                                 int cgroup_fd, int output_fd, struct error *err)
{
    return spawner_send_request(
        spawner, &(struct spawn_request){.what = REQUEST_PROCESS_LIST, .columns = *columns},
        (const int[]){cgroup_fd, output_fd}, 2, err);
}

int spawner_request_conntrack(struct spawner *spawner, int job_fd, int report_fd, struct error *err)
{
    return spawner_send_request(spawner, &(struct spawn_request){.what = REQUEST_CONNTRACK},
                                (const int[]){job_fd, report_fd}, 2, err);
}

int spawner_request_worker(struct spawner *spawner, enum spawner_worker worker, const int *fds,
                           size_t count, struct error *err)
{
    return spawner_send_request(spawner, &(struct spawn_request){.what = (int)worker}, fds, count,
                                err);
}

int spawner_open_report(int *write_fd, struct error *err)
{
    int pair[2];

    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    *write_fd = pair[1];
    return pair[0];
}

int spawner_open_job(const struct json_struct *type, const void *job, size_t max_bytes,
                     struct error *err)
{
    struct json_writer *writer = json_writer_new(false);
    const char *text;
    size_t length;
    int result;

    json_encode(writer, type, job);
    text = json_writer_text(writer);
    length = strlen(text);
    if (length > max_bytes) {
        result = error_set(err, ERROR_TOO_LARGE, EFBIG,
                           "what the worker is to know of the request is more than %zu bytes",
                           max_bytes);
    } else {
        result = file_in_memory("job", text, length);
        if (result < 0)
            error_errno(err, -result, "the job");
    }
    json_writer_free(writer);
    return result;
}
