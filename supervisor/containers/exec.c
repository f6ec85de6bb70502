/* Execs: see exec.h. They live as long as their container runs, or davitd does. */
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "bundle/capabilities.h"
#include "supervisor/api/api.h"
#include "supervisor/monitor/streams.h"

#define EXECS_PER_CONTAINER_MAX 4096
/* Of those that have ended so many can still be asked about, and not for longer than this. */
#define ENDED_PER_CONTAINER_MAX 256
#define ENDED_KEPT_US (300 * UINT64_C(1000000))

struct exec {
    struct exec *next;
    struct managed_container *container; /* NULL when that has ended */
    char id[IDENTIFIER_SIZE];
    char container_id[IDENTIFIER_SIZE];
    uint64_t token;
    struct arena arena;
    struct exec_config config;
    bool has_started;
    bool is_running;
    bool has_exit_code;
    int32_t exit_code;
    int32_t pid;
    uint64_t ended_us;     /* monotonic; 0: it has not */
    struct request *start; /* a detached start that waits for its outcome */
};

static const struct json_field config_fields[] = {
    JSON_FIELD(struct exec_config, cmd, "Cmd", JSON_KIND_STRINGS, .flags = JSON_REQUIRED),
    JSON_FIELD(struct exec_config, env, "Env", JSON_KIND_STRINGS),
    JSON_FIELD(struct exec_config, user, "User", JSON_KIND_STRING),
    JSON_FIELD(struct exec_config, working_dir, "WorkingDir", JSON_KIND_STRING),
    JSON_FIELD(struct exec_config, has_terminal, "Tty", JSON_KIND_BOOL),
    JSON_FIELD(struct exec_config, attaches_stdin, "AttachStdin", JSON_KIND_BOOL),
    JSON_FIELD(struct exec_config, attaches_stdout, "AttachStdout", JSON_KIND_BOOL),
    JSON_FIELD(struct exec_config, attaches_stderr, "AttachStderr", JSON_KIND_BOOL),
    {.name = "Detach", .kind = JSON_KIND_IGNORED},      /* said again at the start */
    {.name = "ConsoleSize", .kind = JSON_KIND_IGNORED}, /* comes with resize as well */
    {.name = "Container", .kind = JSON_KIND_IGNORED},   /* the path has it */
    {.name = "DetachKeys", .kind = JSON_KIND_IGNORED},  /* clients watch for them themselves */
    JSON_FIELD(struct exec_config, is_privileged, "Privileged", JSON_KIND_BOOL),
};
static const struct json_struct config_type = JSON_CLOSED_STRUCT(struct exec_config, config_fields);

static struct exec *find(struct daemon *daemon, const char *id)
{
    struct exec *found = NULL;
    size_t length = strlen(id);

    for (struct exec *exec = daemon->execs; exec != NULL; exec = exec->next) {
        if (length >= 12 && strncmp(exec->id, id, length) == 0)
            found = exec;
    }
    return found;
}

static struct exec *find_or_refuse(struct daemon *daemon, const char *id, struct request *request)
{
    struct exec *exec = find(daemon, id);

    if (exec == NULL) {
        cleanup_free char *message = memory_printf("No such exec instance: %.80s", id);

        respond_failure(request, 404, message);
    }
    return exec;
}

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

static void finish(struct exec *exec, int32_t exit_code)
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

static void answer_start(struct exec *exec, const struct error *err)
{
    struct request *request = exec->start;

    if (request == NULL)
        return;
    exec->start = NULL;
    request->on_close = NULL;
    if (err != NULL)
        respond_error(request, err);
    else
        respond_empty(request, 200);
}

static void free_exec(struct exec *exec)
{
    const struct error gone = {.errnum = ESRCH,
                               .code = ERROR_CONFLICT,
                               .message = "the exec has ended before its program ran"};

    answer_start(exec, &gone);
    arena_release(&exec->arena);
    free(exec);
}

/* The newest come first. Returns how many of the container's are left. */
static size_t forget_old(struct daemon *daemon, const struct managed_container *container)
{
    struct exec **link = &daemon->execs;
    uint64_t now_us = clock_monotonic_us();
    size_t ended = 0;
    size_t count = 0;

    while (*link != NULL) {
        struct exec *exec = *link;
        bool is_of_it = strcmp(exec->container_id, container->definition.id) == 0;

        ended += is_of_it && exec->ended_us != 0;
        if (exec->ended_us != 0 && ((is_of_it && ended > ENDED_PER_CONTAINER_MAX) ||
                                    now_us - exec->ended_us > ENDED_KEPT_US)) {
            *link = exec->next;
            free_exec(exec);
            continue;
        }
        count += is_of_it;
        link = &exec->next;
    }
    return count;
}

void exec_create(struct managed_container *container, struct request *request)
{
    struct daemon *daemon = container->daemon;
    struct exec *exec;
    struct error err = {0};
    const char *text;
    char answer[128];

    if (container->status != CONTAINER_RUNNING) {
        error_set(&err, ERROR_CONFLICT, ESRCH, "Container %s is not running",
                  container->definition.id);
        respond_error(request, &err);
        return;
    }
    if (container->is_paused) {
        error_set(&err, ERROR_CONFLICT, EBUSY,
                  "Container %s is paused, unpause the container before exec",
                  container->definition.id);
        respond_error(request, &err);
        return;
    }
    if (forget_old(daemon, container) >= EXECS_PER_CONTAINER_MAX) {
        respond_failure(request, 409,
                        "too many execs in this container that run or were never started");
        return;
    }
    exec = memory_new_one(struct exec);
    text = arena_strndup(&exec->arena, request->body, request->body_length);
    if (json_decode_text(&exec->arena, text, request->body_length, &config_type, &exec->config,
                         &err) < 0 ||
        (exec->config.cmd.count == 0 &&
         error_set(&err, ERROR_INVALID, EINVAL, "No exec command specified") < 0)) {
        respond_error(request, &err);
        free_exec(exec);
        return;
    }
    identifier_make(exec->id);
    strcpy(exec->container_id, container->definition.id);
    exec->container = container;
    exec->token = ++daemon->next_token;
    exec->next = daemon->execs;
    daemon->execs = exec;
    exec_event(exec, "exec_create", NULL);
    snprintf(answer, sizeof(answer), "{\"Id\":\"%s\"}", exec->id);
    respond_json(request, 201, answer);
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

/* The process: the container's own, with what the exec says instead. */
static int make_process(const struct managed_container *container, const struct exec_config *from,
                        struct json_writer *writer, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    cleanup_close int directory_fd = container_open_directory(container);
    struct oci_config config = {0};
    struct string_list env;
    int result = directory_fd < 0 ? error_errno(err, -directory_fd, "container directory")
                                  : oci_config_read(&arena, directory_fd, &config, err);

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
    if (from->is_privileged)
        result = add_capabilities(&arena, config.process, err);
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
    json_member_string(writer, "user", has_user ? config->user : container->definition.config.user);
    json_key(writer, "process");
    result = make_process(container, config, writer, err);
    if (result < 0) {
        json_writer_free(writer);
        return NULL;
    }
    json_object_close(writer);
    return writer;
}

static void on_start_client_gone(struct request *request)
{
    ((struct exec *)request->context)->start = NULL;
}

/* The request and, behind its NUL, input that came in one packet with it: that goes ahead of what
 * is still in the socket. */
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

/* What a client that has its stream already gets to know of a failure. It reads, or it does not. */
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

static void start_attached(struct exec *exec, struct json_writer *writer, struct request *request)
{
    cleanup_buffer struct buffer leftover = {0};
    struct error err = {0};
    int fd = request_hijack(request,
                            exec->config.has_terminal ? "application/vnd.docker.raw-stream"
                                                      : "application/vnd.docker.multiplexed-stream",
                            &leftover);

    if (send_start(exec, json_writer_text(writer), &leftover, fd, &err) < 0) {
        if (fd >= 0)
            report_on_stream(exec, fd, &err);
        exec->has_started = true;
        finish(exec, 126);
    }
    fd_close(&fd);
}

void exec_start(struct daemon *daemon, const char *id, struct request *request)
{
    cleanup_arena struct arena arena = {0};
    struct exec *exec = find_or_refuse(daemon, id, request);
    const struct json *body = NULL;
    const struct json *detach;
    struct json_writer *writer;
    struct error err = {0};
    bool is_detached;

    if (exec == NULL)
        return;
    if (request->body_length > 0 && json_parse(&arena, request->body, request->body_length,
                                               &json_default_limits, &body, &err) < 0) {
        respond_error(request, &err);
        return;
    }
    if (exec->has_started || exec->container == NULL ||
        exec->container->status != CONTAINER_RUNNING) {
        respond_failure(request, 409,
                        exec->has_started ? "exec has already run" : "Container is not running");
        return;
    }
    detach = json_get(body, "Detach");
    is_detached = detach != NULL && detach->type == JSON_BOOLEAN && detach->boolean;
    writer = exec_make_request(exec->container, &exec->config, !is_detached, &err);
    if (writer == NULL) {
        respond_error(request, &err);
        return;
    }
    if (is_detached) {
        request->context = exec;
        request->on_close = on_start_client_gone;
        exec->start = request;
        if (send_start(exec, json_writer_text(writer), &(struct buffer){0}, -1, &err) < 0)
            respond_error(request, &err);
    } else {
        start_attached(exec, writer, request);
    }
    json_writer_free(writer);
}

static void write_inspect(const struct exec *exec, struct json_writer *writer)
{
    json_object_open(writer);
    json_member_string(writer, "ID", exec->id);
    json_member_boolean(writer, "Running", exec->is_running);
    json_key(writer, "ExitCode");
    if (exec->has_exit_code)
        json_integer(writer, exec->exit_code);
    else
        json_null(writer);
    json_key(writer, "ProcessConfig");
    json_object_open(writer);
    json_member_boolean(writer, "tty", exec->config.has_terminal);
    json_member_string(writer, "entrypoint", exec->config.cmd.items[0]);
    json_key(writer, "arguments");
    json_array_open(writer);
    for (size_t i = 1; i < exec->config.cmd.count; i++)
        json_string(writer, exec->config.cmd.items[i]);
    json_array_close(writer);
    json_member_boolean(writer, "privileged", exec->config.is_privileged);
    json_member_string(writer, "user", exec->config.user);
    json_object_close(writer);
    json_member_boolean(writer, "OpenStdin", exec->config.attaches_stdin);
    json_member_boolean(writer, "OpenStderr", exec->config.attaches_stderr);
    json_member_boolean(writer, "OpenStdout", exec->config.attaches_stdout);
    json_member_boolean(writer, "CanRemove", false);
    json_member_string(writer, "ContainerID", exec->container_id);
    json_member_string(writer, "DetachKeys", "");
    json_member_integer(writer, "Pid", exec->pid);
    json_object_close(writer);
}

void exec_inspect(struct daemon *daemon, const char *id, struct request *request)
{
    struct exec *exec = find_or_refuse(daemon, id, request);
    struct json_writer *writer;

    if (exec == NULL)
        return;
    writer = json_writer_new(false);
    write_inspect(exec, writer);
    respond_written(request, 200, writer);
}

void exec_resize(struct daemon *daemon, const char *id, struct request *request)
{
    struct exec *exec = find_or_refuse(daemon, id, request);
    struct terminal_size size = {0};
    struct error err = {0};

    if (exec == NULL)
        return;
    if (exec->container == NULL || !exec->is_running)
        respond_failure(request, 409, "exec is not running");
    else if (api_read_terminal_size(request, &size, &err) < 0 ||
             container_resize(exec->container, exec->token, size.rows, size.columns, &err) < 0)
        respond_error(request, &err);
    else
        respond_empty(request, 200);
}

void exec_handle_message(struct managed_container *container, const struct monitor_message *message)
{
    struct exec *exec = container->daemon->execs;
    struct error err = {0};

    while (exec != NULL && (exec->token != message->token || exec->container != container))
        exec = exec->next;
    if (exec == NULL)
        return;
    switch (message->type) {
    case MONITOR_EXEC_STARTED:
        exec->pid = message->value;
        answer_start(exec, NULL);
        break;
    case MONITOR_EXEC_FAILED:
        monitor_message_error(message, &err);
        finish(exec, message->value);
        answer_start(exec, &err);
        break;
    default:
        finish(exec, message->value);
        answer_start(exec, NULL);
        break;
    }
}

/* The container has ended: what was running in it has too. Ended execs can still be inspected while
 * the container exists. */
void execs_forget(struct managed_container *container)
{
    const struct error ended = {.errnum = ESRCH,
                                .code = ERROR_CONFLICT,
                                .message = "the container has ended before the program ran"};
    struct exec **link = &container->daemon->execs;

    while (*link != NULL) {
        struct exec *exec = *link;

        if (strcmp(exec->container_id, container->definition.id) != 0) {
            link = &exec->next;
            continue;
        }
        if (exec->is_running)
            finish(exec, 137);
        answer_start(exec, &ended);
        if (container->status != CONTAINER_REMOVING) {
            exec->container = NULL;
            link = &exec->next;
            continue;
        }
        *link = exec->next;
        free_exec(exec);
    }
}
