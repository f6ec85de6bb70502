/* Running one plugin: CNI specification, section 2. See cni.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "cni.h"

#define TIMEOUT_MS 60000
#define OUTPUT_MAX (1 << 20)
#define ENVIRONMENT_COUNT 8

static const char *find_plugin(struct arena *arena, const char *type,
                               const struct string_list *directories, struct error *err)
{
    for (size_t i = 0; i < directories->count; i++) {
        const char *path = arena_printf(arena, "%s/%s", directories->items[i], type);

        if (access(path, X_OK) == 0)
            return path;
    }
    error_set(err, ERROR_NOT_FOUND, ENOENT, "no such plugin in %s (cni_plugin_directories)",
              string_list_join(arena, directories, ", "));
    return NULL;
}

static void make_environment(struct arena *arena, const struct plugin_call *call,
                             char *environment[ENVIRONMENT_COUNT])
{
    const char *path = string_list_join(arena, call->directories, ":");

    environment[0] = arena_strdup(arena, "PATH=/usr/sbin:/usr/bin:/sbin:/bin");
    environment[1] = arena_printf(arena, "CNI_COMMAND=%s", call->command);
    environment[2] = arena_printf(arena, "CNI_CONTAINERID=%s", call->container);
    environment[3] = arena_printf(arena, "CNI_NETNS=%s", call->netns);
    environment[4] = arena_printf(arena, "CNI_IFNAME=%s", call->interface);
    environment[5] = arena_printf(arena, "CNI_ARGS=%s", call->arguments);
    environment[6] = arena_printf(arena, "CNI_PATH=%s", path);
    environment[7] = NULL;
}

/* Waits until the plugin ends and kills it after TIMEOUT_MS. Returns its exit status as a shell
 * sees it, or a negative errno. */
static int wait_for(pid_t pid, struct error *err)
{
    cleanup_close int pidfd = pidfd_open(pid, 0);
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    int count = pidfd < 0 ? -1 : poll(&ended, 1, TIMEOUT_MS);
    int status = -1;

    if (count <= 0)
        kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    if (count <= 0)
        return error_set(err, ERROR_INTERNAL, ETIMEDOUT, "it did not end within %d s",
                         TIMEOUT_MS / 1000);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int spawn_and_wait(const char *path, char *const *environment, int input_fd, int output_fd,
                          int messages_fd, struct error *err)
{
    char *const arguments[] = {(char[]){"cni-plugin"}, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t usual;
    pid_t pid;
    int result;

    /* We ignore SIGPIPE; plugins may count on its default action. */
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input_fd, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output_fd, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, messages_fd, STDERR_FILENO);
    result = posix_spawn(&pid, path, &actions, &attributes, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return result != 0 ? error_errno(err, result, "run %s", path) : wait_for(pid, err);
}

static void read_back(int fd, struct buffer *text)
{
    ssize_t length = pread(fd, buffer_reserve(text, OUTPUT_MAX), OUTPUT_MAX, 0);

    text->length += length > 0 ? (size_t)length : 0;
    buffer_reserve(text, 1)[0] = '\0';
}

/* Makes an error of what a failed plugin printed: an object with "msg" and "details", or any text
 * on standard error. */
static int explain(const struct json *output, int messages_fd, int status, struct error *err)
{
    const char *message = json_get_string(output, "msg");
    const char *details = json_get_string(output, "details");
    cleanup_buffer struct buffer text = {0};

    if (message != NULL)
        return error_set(err, ERROR_INTERNAL, EIO, "%.600s%s%.300s", message,
                         details != NULL && details[0] != '\0' ? ": " : "",
                         details != NULL ? details : "");
    read_back(messages_fd, &text);
    return error_set(err, ERROR_INTERNAL, EIO, "exit status %d %.600s", status, buffer_text(&text));
}

int plugin_run(struct arena *arena, const char *type, const char *configuration,
               const struct plugin_call *call, const struct json **output, struct error *err)
{
    const char *path = find_plugin(arena, type, call->directories, err);
    cleanup_close int input_fd = file_in_memory("cni-input", configuration, strlen(configuration));
    cleanup_close int output_fd = memfd_create("cni-output", MFD_CLOEXEC);
    cleanup_close int messages_fd = memfd_create("cni-messages", MFD_CLOEXEC);
    cleanup_buffer struct buffer text = {0};
    char *environment[ENVIRONMENT_COUNT];
    int status;

    *output = NULL;
    if (path == NULL)
        return -err->errnum;
    if (input_fd < 0 || output_fd < 0 || messages_fd < 0)
        return error_errno(err, EIO, "input of a plugin");
    make_environment(arena, call, environment);
    status = spawn_and_wait(path, environment, input_fd, output_fd, messages_fd, err);
    if (status < 0)
        return status;
    read_back(output_fd, &text);
    if (text.length > 0 &&
        json_parse(arena, text.data, text.length, &json_default_limits, output, err) < 0 &&
        status == 0)
        return error_prefix(err, "its output");
    return status != 0 ? explain(*output, messages_fd, status, err) : 0;
}
