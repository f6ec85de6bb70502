/* Hooks: runtime-spec config.md "POSIX-platform Hooks", runtime.md "Lifecycle". */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "runtime.h"

/* How much of what a hook writes is kept for the error, if it fails. */
#define OUTPUT_KEPT 512

static char **copy_terminated(struct arena *arena, const struct string_list *list,
                              const char *first)
{
    char **strings = arena_new(arena, list->count + 2, sizeof(*strings));

    for (size_t i = 0; i < list->count; i++)
        strings[i] = arena_strdup(arena, list->items[i]);
    if (list->count == 0 && first != NULL)
        strings[0] = arena_strdup(arena, first);
    return strings;
}

/* A hook that is under way. */
struct running_hook {
    const struct oci_hook *hook;
    pid_t pid;
    int output_fd; /* what it writes, -1 if that goes elsewhere */
    char output[OUTPUT_KEPT];
    size_t output_length;
};

/* The null device is the container's for startContainer hooks. Without one they have no output. */
static void connect_output(const struct hook_surroundings *surroundings, int pipe_fd)
{
    int null_fd = surroundings->is_confined ? open("/dev/null", O_WRONLY | O_NOCTTY) : -1;

    for (int i = 0; i < 2; i++) {
        int given = surroundings->output != NULL ? surroundings->output[i] : -1;
        int fd = given >= 0 ? given : surroundings->is_confined ? null_fd : pipe_fd;

        if (fd < 0 || dup2(fd, STDOUT_FILENO + i) < 0)
            close(STDOUT_FILENO + i);
    }
    if (null_fd > STDERR_FILENO)
        close(null_fd);
}

static _Noreturn void execute_hook(const struct oci_hook *hook,
                                   const struct hook_surroundings *surroundings, pid_t parent,
                                   int stdin_fd, int pipe_fd, char *const *arguments,
                                   char *const *environment)
{
    sigset_t none;
    int status;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    /* A hook that hangs goes when the start that waits for it is given up. */
    if (!surroundings->is_confined) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(126);
    }
    connect_output(surroundings, pipe_fd);
    if (dup2(stdin_fd, STDIN_FILENO) >= 0 &&
        (surroundings->directory_fd < 0 || fchdir(surroundings->directory_fd) == 0))
        execve(hook->path, arguments, environment);
    status = errno == ENOENT ? 127 : 126;
    /* To where a hook would say it. */
    dprintf(STDERR_FILENO, "cannot be run: %s\n", strerror(errno));
    _exit(status);
}

/* Keeps the end of what there is to read. Returns false when there will be no more. */
static bool keep_output(struct running_hook *running)
{
    char bytes[OUTPUT_KEPT];
    ssize_t length = read(running->output_fd, bytes, sizeof(bytes));
    size_t excess;

    if (length <= 0)
        return length < 0 && (errno == EAGAIN || errno == EINTR);
    excess = running->output_length + (size_t)length > OUTPUT_KEPT
                 ? running->output_length + (size_t)length - OUTPUT_KEPT
                 : 0;
    running->output_length -= excess;
    memmove(running->output, running->output + excess, running->output_length);
    memcpy(running->output + running->output_length, bytes, (size_t)length);
    running->output_length += (size_t)length;
    return true;
}

/* The last line that the hook wrote, with ": " before it, or "". What is no text is for no terminal
 * and no log. */
static void format_output(const struct running_hook *running, char line[OUTPUT_KEPT + 3])
{
    size_t end = running->output_length;
    size_t start;
    size_t length = 0;

    while (end > 0 && (unsigned char)running->output[end - 1] <= ' ')
        end--;
    for (start = end; start > 0 && running->output[start - 1] != '\n'; start--)
        continue;
    if (start < end) {
        line[length++] = ':';
        line[length++] = ' ';
    }
    for (size_t i = start; i < end; i++) {
        unsigned char c = (unsigned char)running->output[i];

        line[length++] = c < ' ' || c == 0x7f ? '?' : (char)c;
    }
    line[length] = '\0';
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Reads what the hook writes until it ends. A process that it has left behind may go on writing:
 * that is nobody's any more. */
static int follow_hook(struct running_hook *running, struct error *err)
{
    const struct oci_hook *hook = running->hook;
    cleanup_close int pidfd = pidfd_open(running->pid, 0);
    int64_t deadline = hook->timeout.is_set ? now_ms() + hook->timeout.value * 1000 : INT64_MAX;

    for (;;) {
        struct pollfd events[] = {{.fd = pidfd, .events = POLLIN},
                                  {.fd = running->output_fd, .events = POLLIN}};
        int64_t left = hook->timeout.is_set ? deadline - now_ms() : 0;
        int ready = poll(events, 2,
                         !hook->timeout.is_set ? -1
                         : left > INT_MAX      ? INT_MAX
                         : left < 0            ? 0
                                               : (int)left);

        if (ready > 0 && events[1].revents != 0 && !keep_output(running))
            fd_close(&running->output_fd);
        if (ready > 0 && events[0].revents != 0)
            break;
        if (hook->timeout.is_set && now_ms() >= deadline) {
            pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
            kill(-running->pid,
                 SIGKILL); /* what it has started: not reaped yet, so it is its group */
            waitpid(running->pid, NULL, 0);
            return error_set(err, ERROR_INTERNAL, ETIMEDOUT, "hook %s: no end after %lld s",
                             hook->path, (long long)hook->timeout.value);
        }
    }
    while (running->output_fd >= 0 &&
           poll(&(struct pollfd){running->output_fd, POLLIN, 0}, 1, 0) > 0) {
        if (!keep_output(running))
            fd_close(&running->output_fd);
    }
    return 0;
}

/* startContainer hooks run after the seccomp filter of the container is loaded, which may forbid
 * calls. So pidfd_open(2) and poll(2) are made there only for a hook with a timeout. */
static int wait_for_hook(struct running_hook *running, bool is_confined, struct error *err)
{
    const struct oci_hook *hook = running->hook;
    int result = !is_confined || hook->timeout.is_set ? follow_hook(running, err) : 0;
    char output[OUTPUT_KEPT + 3];
    int status = 0;

    if (result < 0)
        return result;
    if (waitpid(running->pid, &status, 0) < 0)
        return error_errno(err, errno, "hook %s", hook->path);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    format_output(running, output);
    if (WIFEXITED(status))
        return error_set(err, ERROR_INTERNAL, ECANCELED, "hook %s: exit status %d%s", hook->path,
                         WEXITSTATUS(status), output);
    return error_set(err, ERROR_INTERNAL, ECANCELED, "hook %s: killed by signal %d%s", hook->path,
                     WTERMSIG(status), output);
}

static char *const *environment_of(struct arena *arena, const struct oci_hook *hook,
                                   const struct hook_surroundings *surroundings)
{
    if (hook->env.items != NULL)
        return copy_terminated(arena, &hook->env, NULL);
    return surroundings->environment != NULL ? surroundings->environment : environ;
}

/* A file in memory takes a state of any length, and nobody waits for a hook that does not read. The
 * filter of the container may forbid one: startContainer hooks get what a pipe holds. */
static int open_state(const char *state, bool is_confined)
{
    int fds[2];

    if (!is_confined)
        return file_in_memory("state", state, strlen(state));
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    fcntl(fds[1], F_SETFL, O_NONBLOCK);
    file_write_fd(fds[1], state, strlen(state));
    close(fds[1]);
    return fds[0];
}

static int run_hook(const struct oci_hook *hook, const char *state,
                    const struct hook_surroundings *surroundings, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    char **arguments = copy_terminated(&arena, &hook->args, hook->path);
    char *const *environment = environment_of(&arena, hook, surroundings);
    struct running_hook running = {.hook = hook, .output_fd = -1};
    pid_t parent = surroundings->is_confined ? 0 : getpid();
    cleanup_close int state_fd = open_state(state, surroundings->is_confined);
    int output_fds[2] = {-1, -1};
    int result;

    if (state_fd < 0)
        return error_errno(err, -state_fd, "hook %s", hook->path);
    if (!surroundings->is_confined && pipe2(output_fds, O_CLOEXEC) == 0)
        fcntl(output_fds[0], F_SETFL, O_NONBLOCK);
    running.output_fd = output_fds[0];
    running.pid = fork();
    if (running.pid == 0)
        execute_hook(hook, surroundings, parent, state_fd, output_fds[1], arguments, environment);
    result = running.pid < 0 ? error_errno(err, errno, "hook %s", hook->path) : 0;
    fd_close(&output_fds[1]);
    if (result == 0)
        result = wait_for_hook(&running, surroundings->is_confined, err);
    fd_close(&running.output_fd);
    return result;
}

static int open_output(const struct oci_config *config, const char *annotation, int *fd,
                       struct error *err)
{
    const char *path = string_map_get(&config->annotations, annotation);

    *fd = -1;
    if (path == NULL || path[0] == '\0')
        return 0;
    *fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0600);
    return *fd < 0 ? error_errno(err, errno, "%s %s", annotation, path) : 0;
}

int hooks_open_output(const struct oci_config *config, int output[2], struct error *err)
{
    int result = open_output(config, "run.oci.hooks.stdout", &output[0], err);

    output[1] = -1;
    if (result == 0)
        result = open_output(config, "run.oci.hooks.stderr", &output[1], err);
    if (result < 0)
        fd_close(&output[0]);
    return result;
}

static const oci_hook_list *hooks_of_kind(const struct oci_hooks *hooks, enum hook_kind kind)
{
    switch (kind) {
    case HOOK_PRESTART:
        return &hooks->prestart;
    case HOOK_CREATE_RUNTIME:
        return &hooks->create_runtime;
    case HOOK_CREATE_CONTAINER:
        return &hooks->create_container;
    case HOOK_START_CONTAINER:
        return &hooks->start_container;
    case HOOK_POSTSTART:
        return &hooks->poststart;
    case HOOK_POSTSTOP:
        return &hooks->poststop;
    }
    return &hooks->prestart;
}

int hooks_run(const struct oci_config *config, enum hook_kind kind, const char *state,
              const struct hook_surroundings *surroundings, struct error *err)
{
    const oci_hook_list *list;
    struct sigaction ignored = {.sa_handler = SIG_IGN};
    struct sigaction previous;
    int result = 0;

    if (config->hooks == NULL)
        return 0;
    list = hooks_of_kind(config->hooks, kind);
    sigaction(SIGPIPE, &ignored, &previous);
    /* runtime-spec runtime.md "Lifecycle": a failing poststop hook does not stop the others. */
    for (size_t i = 0; i < list->count && (result == 0 || kind == HOOK_POSTSTOP); i++) {
        struct error hook_error;
        int one = run_hook(&list->items[i], state, surroundings, &hook_error);

        if (one < 0 && result == 0 && err != NULL)
            *err = hook_error;
        result = result < 0 ? result : one;
    }
    sigaction(SIGPIPE, &previous, NULL);
    return result;
}

void container_state_write(struct json_writer *writer, const char *id, const char *status,
                           pid_t pid, const char *bundle_path, const struct oci_config *config)
{
    json_object_open(writer);
    json_member_string(writer, "ociVersion", config->oci_version);
    json_member_string(writer, "id", id);
    json_member_string(writer, "status", status);
    if (pid > 0)
        json_member_integer(writer, "pid", pid);
    json_member_string(writer, "bundle", bundle_path);
    if (config->annotations.count > 0)
        json_member_map(writer, "annotations", &config->annotations);
    json_object_close(writer);
}

struct json_writer *container_state_json(const char *id, const char *status, pid_t pid,
                                         const char *bundle_path, const struct oci_config *config)
{
    struct json_writer *writer = json_writer_new(false);

    container_state_write(writer, id, status, pid, bundle_path, config);
    return writer;
}
