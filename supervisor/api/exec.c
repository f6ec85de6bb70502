/* Execs: create, start, inspect, resize. */
#include <stdlib.h>

#include "api.h"
#include "base/cleanup.h"
#include "supervisor/containers/exec.h"

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

static void serve_container_exec(struct api *api, struct request *request,
                                 const struct route_match *match)
{
    cleanup_arena struct arena arena = {0};
    struct managed_container *container;
    struct exec_config config = {0};
    struct exec *exec = NULL;
    struct json_writer *writer;
    struct error err = {0};
    const char *text = arena_strndup(&arena, request->body, request->body_length);
    int result =
        container_find(api->containers, request->actor.tenant, match->name, &container, &err);

    if (result == 0)
        result = json_decode_text(&arena, text, request->body_length, &config_type, &config, &err);
    if (result == 0)
        result = exec_create(container, &request->actor, &arena, &config, &exec, &err);
    if (result < 0) {
        respond_error(request, &err);
        return;
    }
    writer = json_writer_new(false);
    json_object_open(writer);
    json_member_string(writer, "Id", exec->id);
    json_object_close(writer);
    respond_written(request, 201, writer);
}

struct exec_wait {
    struct completion completion;
    struct request *request;
    struct exec *exec;
};

static void on_client_gone(struct request *request)
{
    struct exec_wait *wait = request->context;

    exec_stop_waiting(wait->exec, &wait->completion);
    free(wait);
}

static void on_started(struct completion *completion, const struct error *err)
{
    struct exec_wait *wait = (struct exec_wait *)(void *)completion;
    struct request *request = wait->request;

    request_forget(request);
    free(wait);
    if (err != NULL)
        respond_error(request, err);
    else
        respond_empty(request, 200);
}

static void start_detached(struct exec *exec, struct request *request)
{
    struct exec_wait *wait = memory_new_one(struct exec_wait);
    struct error err = {0};

    *wait = (struct exec_wait){.completion.done = on_started, .request = request, .exec = exec};
    request->context = wait;
    request->on_close = on_client_gone;
    if (exec_start(exec, &wait->completion, &err) == 0)
        return;
    request_forget(request);
    free(wait);
    respond_error(request, &err);
}

static void start_attached(struct exec *exec, struct request *request)
{
    cleanup_buffer struct buffer leftover = {0};
    struct error err = {0};
    struct json_writer *prepared = exec_prepare_attached(exec, &err);
    int fd;

    if (prepared == NULL) {
        respond_error(request, &err);
        return;
    }
    fd = request_hijack(request,
                        exec->config.has_terminal ? "application/vnd.docker.raw-stream"
                                                  : "application/vnd.docker.multiplexed-stream",
                        &leftover);
    exec_start_attached(exec, prepared, fd, &leftover);
    fd_close(&fd);
}

static void serve_exec_start(struct api *api, struct request *request,
                             const struct route_match *match)
{
    cleanup_arena struct arena arena = {0};
    const struct json *body = NULL;
    const struct json *detach;
    struct exec *exec = NULL;
    struct error err = {0};
    int result = exec_find(api->containers, match->name, &exec, &err);

    if (result == 0 && request->body_length > 0)
        result = json_parse(&arena, request->body, request->body_length, &json_default_limits,
                            &body, &err);
    if (result < 0) {
        respond_error(request, &err);
        return;
    }
    detach = json_get(body, "Detach");
    if (detach != NULL && detach->type == JSON_BOOLEAN && detach->boolean)
        start_detached(exec, request);
    else
        start_attached(exec, request);
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

static void serve_exec_inspect(struct api *api, struct request *request,
                               const struct route_match *match)
{
    struct exec *exec = NULL;
    struct json_writer *writer;
    struct error err = {0};

    if (exec_find(api->containers, match->name, &exec, &err) < 0) {
        respond_error(request, &err);
        return;
    }
    writer = json_writer_new(false);
    write_inspect(exec, writer);
    respond_written(request, 200, writer);
}

static void serve_exec_resize(struct api *api, struct request *request,
                              const struct route_match *match)
{
    struct terminal_size size = {0};
    struct exec *exec = NULL;
    struct error err = {0};
    int result = exec_find(api->containers, match->name, &exec, &err);

    if (result == 0)
        result = api_read_terminal_size(request, &size, &err);
    if (result == 0)
        result = exec_resize(exec, size.rows, size.columns, &err);
    if (result < 0)
        respond_error(request, &err);
    else
        respond_empty(request, 200);
}

const struct route exec_routes[] = {
    {"POST", "/containers/{id}/exec", serve_container_exec, PERMISSION_OPERATE, NULL},
    {"POST", "/exec/{id}/start", serve_exec_start, PERMISSION_OPERATE, NULL},
    {"GET", "/exec/{id}/json", serve_exec_inspect, PERMISSION_READ, NULL},
    {"POST", "/exec/{id}/resize", serve_exec_resize, PERMISSION_OPERATE, NULL},
    {.method = NULL},
};
