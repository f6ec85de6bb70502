/* Execs and probes: see state.h. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "bundle/bundle.h"
#include "cgroups/cgroups.h"
#include "probe_connect.h"
#include "protocol.h"
#include "runtime/runtime.h"
#include "state.h"
#include "streams.h"

#define EXECS_MAX 256
/* Processes of the container can stop one that enters it: an exec that starts later is refused. */
#define EXEC_START_MS 30000

struct task *monitor_find_task(struct monitor *monitor, uint64_t token)
{
    if (token == 0)
        return &monitor->init;
    for (struct task *task = monitor->execs; task != NULL; task = task->next) {
        if (task->token == token)
            return task;
    }
    return NULL;
}

/* Arguments and environment of any length that the kernel takes, however they are escaped. */
static const struct json_limits exec_limits = {
    .max_bytes = MONITOR_LONG_TEXT_MAX, .max_depth = 64, .max_values = 2000000};

static int decode_exec(struct monitor *monitor, const struct monitor_message *message,
                       struct arena *arena, struct monitor_exec *exec, struct oci_process *process,
                       struct error *err)
{
    size_t length = strnlen(message->text, message->text_length);
    const struct json *json;
    int result = json_parse(arena, message->text, length, &exec_limits, &json, err);

    if (result == 0)
        result = json_decode(arena, json, &monitor_exec_type, "", exec, err);
    if (result < 0)
        return result;
    if (monitor->exec_count >= EXECS_MAX)
        return error_set(err, ERROR_CONFLICT, EAGAIN, "too many processes: %d execs are running",
                         EXECS_MAX);
    result = oci_process_decode(arena, exec->process, process, err);
    if (process->apparmor_profile == NULL)
        process->apparmor_profile = monitor->config.process->apparmor_profile;
    if (result == 0 && monitor->device_env.count > 0) {
        struct string_list with_devices;

        env_merge(arena, &process->env, &monitor->device_env, &with_devices);
        env_merge(arena, &with_devices, &exec->env, &process->env);
    }
    return result;
}

static struct container_identity identity_of(const struct monitor *monitor)
{
    return (struct container_identity){monitor->settings.id,
                                       monitor->bundle_path != NULL ? monitor->bundle_path : "/",
                                       &monitor->config, monitor->init.process.pid};
}

static int launch_exec(struct monitor *monitor, struct task *task, const struct monitor_exec *exec,
                       const struct oci_process *process, struct error *err)
{
    int stdio[3] = {-1, -1, -1};
    const struct container_identity identity = identity_of(monitor);
    struct exec_options options = {
        .identity = &identity,
        .process = process,
        .init_pidfd = monitor->init.process.pidfd,
        .cgroup = monitor->cgroup.fd >= 0 ? &monitor->cgroup : NULL,
        .stdio = {-1, -1, -1},
        .console_socket_fd = -1,
        .seccomp = monitor->seccomp.instructions != NULL ? &monitor->seccomp : NULL,
        .user_spec = exec->user,
        .groups = string_map_get(&monitor->config.annotations, BUNDLE_ANNOTATION_GROUPS),
    };
    int result = 0;

    if (!process->has_terminal)
        result = stdio_make_pipes(&task->streams, exec->has_stdin, stdio, err);
    memcpy(options.stdio, stdio, sizeof(stdio));
    if (result == 0)
        result = container_exec_begin(&options, &task->process, err);
    stdio_close(stdio);
    if (result == 0)
        task->launch_until_us = clock_monotonic_us() + (uint64_t)EXEC_START_MS * 1000;
    return result;
}

void task_free(struct task *task)
{
    streams_release(&task->streams);
    container_release(&task->process);
    free(task);
}

static void attach_exec(struct task *task, const struct monitor_exec *exec,
                        const struct oci_process *process, const struct monitor_message *message,
                        int fd)
{
    size_t length = strnlen(message->text, message->text_length);
    size_t input_length = length < message->text_length ? message->text_length - length - 1 : 0;
    unsigned int flags =
        (exec->has_stdin ? MONITOR_STDIN : 0) | (exec->has_stdout ? MONITOR_STDOUT : 0) |
        (exec->has_stderr ? MONITOR_STDERR : 0) | (process->has_terminal ? MONITOR_RAW : 0);

    if (fd >= 0)
        streams_attach(&task->streams, fd, flags, message->text + length + 1, input_length);
}

/* The reason a program does not start goes to the client, as Docker's does: it has no other way to
 * learn of it once its connection is a stream. */
static void refuse_exec(struct monitor *monitor, struct task *task, const struct error *err)
{
    cleanup_free char *line = memory_printf("%s\r\n", err->message);

    monitor_tell_failure(monitor, MONITOR_EXEC_FAILED, task->token, err);
    task->launch_until_us = 0;
    task->was_refused = true;
    if (task->process.pidfd >= 0)
        pidfd_send_signal(task->process.pidfd, SIGKILL, NULL, 0);
    else
        task->has_ended = true;
    streams_report(&task->streams, line);
    streams_end(&task->streams);
}

void execs_start(struct monitor *monitor, const struct monitor_message *message, int fd)
{
    cleanup_arena struct arena arena = {0};
    struct monitor_exec exec = {0};
    struct oci_process process = {0};
    struct error err = {0};
    struct task *task = memory_new_one(struct task);
    int result = decode_exec(monitor, message, &arena, &exec, &process, &err);

    task->token = message->token;
    task->process = (struct container)CONTAINER_NONE;
    streams_init(&task->streams);
    task->streams.closes_input_with_client = true;
    attach_exec(task, &exec, &process, message, fd);
    if (result == 0)
        result = launch_exec(monitor, task, &exec, &process, &err);
    if (result < 0)
        refuse_exec(monitor, task, &err);
    task->next = monitor->execs;
    monitor->execs = task;
    monitor->exec_count++;
}

void execs_follow(struct monitor *monitor, struct task *task)
{
    const struct container_identity identity = identity_of(monitor);
    struct error err = {0};
    int result = container_exec_follow(&task->process, &identity, &err);

    if (task->process.console_fd >= 0)
        stdio_use_terminal(task, take_fd(&task->process.console_fd));
    if (result == 0)
        return;
    if (result < 0) {
        refuse_exec(monitor, task, &err);
        return;
    }
    task->launch_until_us = 0;
    fd_close(&task->process.control_fd);
    monitor_tell(monitor,
                 &(struct monitor_message){.type = MONITOR_EXEC_STARTED,
                                           .token = task->token,
                                           .value = task->process.pid},
                 NULL);
}

void execs_refuse_late(struct monitor *monitor)
{
    uint64_t now_us = clock_monotonic_us();

    for (struct task *task = monitor->execs; task != NULL; task = task->next) {
        struct error err = {0};

        if (task->launch_until_us == 0 || now_us < task->launch_until_us)
            continue;
        error_set(&err, ERROR_INTERNAL, ETIMEDOUT,
                  "the program was not started within %d s: something in the container stopped it",
                  EXEC_START_MS / 1000);
        refuse_exec(monitor, task, &err);
    }
}

void execs_start_probe(struct monitor *monitor, const struct monitor_message *message, int fd)
{
    cleanup_arena struct arena arena = {0};
    struct monitor_probe probe = {0};
    struct error err = {0};
    struct task *task = memory_new_one(struct task);
    int result = json_decode_text(&arena, message->text, message->text_length, &monitor_probe_type,
                                  &probe, &err);

    task->token = message->token;
    task->process = (struct container)CONTAINER_NONE;
    streams_init(&task->streams);
    if (result == 0 && monitor->exec_count >= EXECS_MAX)
        result = error_set(&err, ERROR_CONFLICT, EAGAIN, "too many processes");
    if (result == 0) {
        task->process.pid = probe_connect(&probe, monitor->init.process.pidfd, fd, &err);
        result = task->process.pid < 0 ? (int)task->process.pid : 0;
    }
    if (result == 0)
        task->process.pidfd = pidfd_open(task->process.pid, 0);
    if (result < 0 || task->process.pidfd < 0) {
        monitor_tell_failure(monitor, MONITOR_EXEC_FAILED, task->token, &err);
        task_free(task);
        return;
    }
    task->next = monitor->execs;
    monitor->execs = task;
    monitor->exec_count++;
}
