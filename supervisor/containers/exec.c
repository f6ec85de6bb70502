/* Execs: see exec.h. They are in memory alone: davitd does not know those of an earlier davitd. */
#include "exec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "all_parts.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/identifier.h"
#include "bundle/capabilities.h"
#include "internal.h"
#include "supervisor/monitor/streams.h"

#define SHORT_ID_LENGTH 12
#define EXECS_PER_CONTAINER_MAX 4096
#define EXECS_BYTES_MAX (64 << 20) /* of all containers' */
/* How many ended execs of a container can still be inspected, and for how long. */
#define ENDED_PER_CONTAINER_MAX 256
#define ENDED_KEPT_US (300 * UINT64_C(1000000))

static void exec_event(struct exec *exec, const char *action, const char *exit_code)
{
    cleanup_buffer struct buffer verb = {0};
    struct string_pair pairs[2] = {{"execID", exec->id}, {"exitCode", exit_code}};
    struct string_map extra = {pairs, exit_code != NULL ? 2 : 1};

    buffer_append_string(&verb, action);
    if (exit_code == NULL) {
        buffer_append_string(&verb, ":");
        for (size_t i = 0; i < exec->config.cmd.count; i++)
            buffer_printf(&verb, " %s", exec->config.cmd.items[i]);
    }
    container_event(exec->container, buffer_text(&verb), &extra);
}

static void exec_note_end(struct exec *exec, int32_t exit_code)
{
    char text[16];

    exec->is_running = false;
    exec->has_exit_code = true;
    exec->exit_code = exit_code;
    exec->pid = 0;
    exec->ended_us = clock_monotonic_us();
    snprintf(text, sizeof(text), "%d", (int)exit_code);
    exec_event(exec, "exec_die", text);
}

static void free_exec(struct containers *containers, struct exec *exec)
{
    const struct error gone = {.errnum = ESRCH,
                               .code = ERROR_CONFLICT,
                               .message = "the exec has ended before its program ran"};

    completions_end(&exec->start, &gone);
    containers->exec_bytes -= arena_bytes(&exec->arena);
    arena_release(&exec->arena);
    free(exec);
}

/* Frees ended execs that are too old or too many; the newest come first in the list. Returns how
 * many of the container's are left. */
static size_t forget_old(struct containers *containers, const struct managed_container *container)
{
    struct exec **link = &containers->execs;
    uint64_t now_us = clock_monotonic_us();
    size_t ended = 0;
    size_t count = 0;

    while (*link != NULL) {
        struct exec *exec = *link;
        bool is_of_it = strcmp(exec->container_id, container->definition->id) == 0;

        ended += is_of_it && exec->ended_us != 0;
        if (exec->ended_us != 0 && ((is_of_it && ended > ENDED_PER_CONTAINER_MAX) ||
                                    now_us - exec->ended_us > ENDED_KEPT_US)) {
            *link = exec->next;
            free_exec(containers, exec);
            continue;
        }
        count += is_of_it;
        link = &exec->next;
    }
    return count;
}

static int check_container(const struct managed_container *container, struct error *err)
{
    if (container->status != CONTAINER_RUNNING)
        return error_set(err, ERROR_CONFLICT, ESRCH, "Container %s is not running",
                         container->definition->id);
    if (container->is_paused)
        return error_set(err, ERROR_CONFLICT, EBUSY,
                         "Container %s is paused, unpause the container before exec",
                         container->definition->id);
    return 0;
}

int exec_create(struct managed_container *container, const struct actor *actor, struct arena *arena,
                const struct exec_config *config, struct exec **created, struct error *err)
{
    struct containers *containers = container->containers;
    struct exec *exec;

    if (check_container(container, err) < 0 || parts_admit(container, actor, ACTION_EXEC, err) < 0)
        return -err->errnum;
    if (forget_old(containers, container) >= EXECS_PER_CONTAINER_MAX)
        return error_set(err, ERROR_CONFLICT, EBUSY,
                         "too many execs in this container that run or were never started");
    if (config->cmd.count == 0)
        return error_set(err, ERROR_INVALID, EINVAL, "No exec command specified");
    if (containers->exec_bytes + arena_bytes(arena) > EXECS_BYTES_MAX)
        return error_set(err, ERROR_BUSY, EBUSY,
                         "execs hold %d MiB together, and no more: those that were never started "
                         "go with their container",
                         EXECS_BYTES_MAX >> 20);
    exec = memory_new_one(struct exec);
    containers->exec_bytes += arena_bytes(arena);
    exec->arena = *arena;
    *arena = (struct arena){0};
    exec->config = *config;
    identifier_make(exec->id);
    strcpy(exec->container_id, container->definition->id);
    exec->container = container;
    exec->token = ++containers->next_token;
    exec->next = containers->execs;
    containers->execs = exec;
    exec_event(exec, "exec_create", NULL);
    *created = exec;
    return 0;
}

int exec_find(const struct containers *containers, const char *id, struct exec **found,
              struct error *err)
{
    size_t length = strlen(id);

    *found = NULL;
    for (struct exec *exec = containers->execs; exec != NULL; exec = exec->next) {
        if (length >= SHORT_ID_LENGTH && strncmp(exec->id, id, length) == 0)
            *found = exec;
    }
    return *found != NULL
               ? 0
               : error_set(err, ERROR_NOT_FOUND, ENOENT, "No such exec instance: %.80s", id);
}

static int add_capabilities(struct arena *arena, struct oci_process *process, struct error *err)
{
    static const char *all = "ALL";
    const struct string_list add = {&all, 1};
    struct oci_capabilities *set = arena_new(arena, 1, sizeof(*set));
    int result = capabilities_resolve(arena, &add, &(struct string_list){0}, &set->bounding, err);

    set->effective = set->bounding;
    set->permitted = set->bounding;
    process->capabilities = set;
    return result;
}

/* Writes the container's own process, changed as the exec says. */
static int make_process(struct managed_container *container, const struct exec_config *from,
                        struct json_writer *writer, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    struct oci_config config = {0};
    struct string_list env;
    int result = container_read_config(container, &arena, &config, err);

    if (result < 0)
        return result;
    if (config.process == NULL)
        return error_set(err, ERROR_CORRUPT, EINVAL, "config.json has no process");
    config.process->args = from->cmd;
    config.process->has_terminal = from->has_terminal;
    config.process->console_size = NULL;
    env_merge(&arena, &config.process->env, &from->env, &env);
    config.process->env = env;
    if (from->has_terminal && env_get(&env, "TERM") == NULL)
        string_list_append(&arena, &config.process->env, "TERM=xterm");
    if (from->working_dir != NULL && from->working_dir[0] != '\0')
        config.process->cwd = from->working_dir;
    if (from->is_privileged) {
        config.process->apparmor_profile = APPARMOR_UNCONFINED;
        result = add_capabilities(&arena, config.process, err);
    }
    if (result < 0)
        return result;
    if (config.process->cwd[0] != '/')
        return error_set(err, ERROR_INVALID, EINVAL, "Cwd must be an absolute path");
    json_encode(writer, &oci_process_type, config.process);
    return 0;
}

struct json_writer *exec_make_request(struct managed_container *container,
                                      const struct exec_config *config, bool is_attached,
                                      struct error *err)
{
    struct json_writer *writer = json_writer_new(false);
    bool has_user = config->user != NULL && config->user[0] != '\0';
    int result;

    json_object_open(writer);
    json_member_boolean(writer, "stdin", is_attached && config->attaches_stdin);
    json_member_boolean(writer, "stdout", is_attached && config->attaches_stdout);
    json_member_boolean(writer, "stderr", is_attached && config->attaches_stderr);
    json_member_string(writer, "user",
                       has_user ? config->user : container->definition->config.user);
    json_member_strings(writer, "env", &config->env);
    json_key(writer, "process");
    result = make_process(container, config, writer, err);
    if (result < 0) {
        json_writer_free(writer);
        return NULL;
    }
    json_object_close(writer);
    return writer;
}

/* Sends the request and, behind its NUL, input that was read with the client's HTTP request: that
 * comes before what is still in the socket. */
static int send_start(struct exec *exec, const char *text, const struct buffer *input, int fd,
                      struct error *err)
{
    cleanup_buffer struct buffer message = {0};
    int result;

    buffer_append(&message, text, strlen(text) + 1);
    buffer_append(&message, buffer_text(input), input->length);
    result = container_send(exec->container,
                            &(struct monitor_message){.type = MONITOR_EXEC, .token = exec->token},
                            message.data, message.length, fd, err);

    if (result == 0) {
        exec->has_started = true;
        exec->is_running = true;
        exec_event(exec, "exec_start", NULL);
    }
    return result;
}

/* Tells a client whose connection is a stream already why its exec failed. Does not wait for it. */
static void report_on_stream(const struct exec *exec, int fd, const struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    cleanup_buffer struct buffer frame = {0};
    unsigned char header[STREAM_FRAME_HEADER];

    buffer_printf(&text, "%s\r\n", err->message);
    stream_frame_header(header, 1, text.length);
    if (!exec->config.has_terminal)
        buffer_append(&frame, header, sizeof(header));
    buffer_append(&frame, text.data, text.length);
    send(fd, frame.data, frame.length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int check_start(const struct exec *exec, struct error *err)
{
    if (exec->has_started)
        return error_set(err, ERROR_CONFLICT, EALREADY, "exec has already run");
    if (exec->container == NULL || exec->container->status != CONTAINER_RUNNING)
        return error_set(err, ERROR_CONFLICT, ESRCH, "Container is not running");
    return 0;
}

int exec_start(struct exec *exec, struct completion *completion, struct error *err)
{
    struct json_writer *writer;
    int result = check_start(exec, err);

    if (result < 0)
        return result;
    writer = exec_make_request(exec->container, &exec->config, false, err);
    if (writer == NULL)
        return -err->errnum;
    result = send_start(exec, json_writer_text(writer), &(struct buffer){0}, -1, err);
    if (result == 0)
        completion_add(&exec->start, completion);
    json_writer_free(writer);
    return result;
}

void exec_stop_waiting(struct exec *exec, const struct completion *completion)
{
    completion_remove(&exec->start, completion);
}

struct json_writer *exec_prepare_attached(struct exec *exec, struct error *err)
{
    if (check_start(exec, err) < 0)
        return NULL;
    return exec_make_request(exec->container, &exec->config, true, err);
}

void exec_start_attached(struct exec *exec, struct json_writer *prepared, int fd,
                         const struct buffer *input)
{
    struct error err = {0};

    if (send_start(exec, json_writer_text(prepared), input, fd, &err) < 0) {
        if (fd >= 0)
            report_on_stream(exec, fd, &err);
        exec->has_started = true;
        exec_note_end(exec, 126);
    }
    json_writer_free(prepared);
}

int exec_resize(struct exec *exec, int rows, int columns, struct error *err)
{
    if (exec->container == NULL || !exec->is_running)
        return error_set(err, ERROR_CONFLICT, ESRCH, "exec is not running");
    return container_resize(exec->container, exec->token, rows, columns, err);
}

static bool handle_message(struct managed_container *container,
                           const struct monitor_message *message)
{
    struct exec *exec = container->containers->execs;
    struct error err = {0};

    while (exec != NULL && (exec->token != message->token || exec->container != container))
        exec = exec->next;
    if (exec == NULL)
        return false;
    switch (message->type) {
    case MONITOR_EXEC_STARTED:
        exec->pid = message->value;
        completions_end(&exec->start, NULL);
        break;
    case MONITOR_EXEC_FAILED:
        monitor_message_error(message, &err);
        exec_note_end(exec, message->value);
        completions_end(&exec->start, &err);
        break;
    default:
        exec_note_end(exec, message->value);
        completions_end(&exec->start, NULL);
        break;
    }
    return true;
}

/* The container has ended: what was running in it has too. Ended execs can still be inspected while
 * the container exists. */
static void forget_execs(struct managed_container *container)
{
    const struct error ended = {.errnum = ESRCH,
                                .code = ERROR_CONFLICT,
                                .message = "the container has ended before the program ran"};
    struct exec **link = &container->containers->execs;

    while (*link != NULL) {
        struct exec *exec = *link;

        if (strcmp(exec->container_id, container->definition->id) != 0) {
            link = &exec->next;
            continue;
        }
        if (exec->is_running)
            exec_note_end(exec, 137);
        completions_end(&exec->start, &ended);
        if (container->status != CONTAINER_REMOVING) {
            exec->container = NULL;
            /* One that was never started cannot be any more. */
            if (exec->ended_us == 0)
                exec->ended_us = clock_monotonic_us();
            link = &exec->next;
            continue;
        }
        *link = exec->next;
        free_exec(container->containers, exec);
    }
}

static void execs_removed(struct managed_container *container, bool removes_volumes)
{
    (void)removes_volumes;
    forget_execs(container);
}

const struct container_part exec_part = {
    .name = "execs",
    .removed = execs_removed,
    .ended = forget_execs,
    .message = handle_message,
};
