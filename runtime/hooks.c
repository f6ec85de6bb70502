/* Hooks: runtime-spec config.md "POSIX-platform Hooks", runtime.md "Lifecycle". */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "runtime.h"

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

static _Noreturn void execute_hook(const struct oci_hook *hook, int stdin_fd,
                                   char *const *arguments, char *const *environment)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (dup2(stdin_fd, STDIN_FILENO) >= 0)
        execve(hook->path, arguments, environment);
    _exit(errno == ENOENT ? 127 : 126);
}

static int await_end(const struct oci_hook *hook, pid_t pid, struct error *err)
{
    cleanup_close int pidfd = pidfd_open(pid, 0);
    struct pollfd event = {.fd = pidfd, .events = POLLIN};
    int ready;

    do
        ready = poll(&event, 1, (int)(hook->timeout.value * 1000));
    while (ready < 0 && errno == EINTR);
    if (ready != 0)
        return 0;
    pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
    waitpid(pid, NULL, 0);
    return error_set(err, ERROR_INTERNAL, ETIMEDOUT, "hook %s: no end after %lld s", hook->path,
                     (long long)hook->timeout.value);
}

/* startContainer hooks run after the seccomp filter of the container is loaded, which may forbid
 * calls. So pidfd_open(2) and poll(2) are made only for a hook with a timeout. */
static int wait_for_hook(const struct oci_hook *hook, pid_t pid, struct error *err)
{
    int result = hook->timeout.is_set ? await_end(hook, pid, err) : 0;
    int status = 0;

    if (result < 0)
        return result;
    if (waitpid(pid, &status, 0) < 0)
        return error_errno(err, errno, "hook %s", hook->path);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFEXITED(status))
        return error_set(err, ERROR_INTERNAL, ECANCELED, "hook %s: exit status %d", hook->path,
                         WEXITSTATUS(status));
    return error_set(err, ERROR_INTERNAL, ECANCELED, "hook %s: killed by signal %d", hook->path,
                     WTERMSIG(status));
}

/* The state is small enough for a pipe's buffer, so writing it cannot block on a hook that does not
 * read. */
static int run_hook(const struct oci_hook *hook, const char *state, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    char **arguments = copy_terminated(&arena, &hook->args, hook->path);
    char **environment = copy_terminated(&arena, &hook->env, NULL);
    int fds[2];
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) < 0)
        return error_errno(err, errno, "hook %s", hook->path);
    fcntl(fds[1], F_SETFL, O_NONBLOCK);
    pid = fork();
    if (pid == 0)
        execute_hook(hook, fds[0], arguments, environment);
    close(fds[0]);
    if (pid > 0)
        file_write_fd(fds[1], state, strlen(state));
    close(fds[1]);
    return pid < 0 ? error_errno(err, errno, "hook %s", hook->path) : wait_for_hook(hook, pid, err);
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
              struct error *err)
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
        int one = run_hook(&list->items[i], state, &hook_error);

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
