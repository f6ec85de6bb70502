/* The monitor of one container: see monitor.h. */
#include "monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/send_queue.h"
#include "base/socket.h"
#include "bundle/bundle.h"
#include "cgroups/cgroups.h"
#include "images/images.h"
#include "probe_connect.h"
#include "protocol.h"
#include "runtime/runtime.h"
#include "streams.h"

#define CGROUP_REMOVE_TIMEOUT_MS 5000
#define SECCOMP_MAX_BYTES (1 << 20)
#define EXECS_MAX 256
/* Who runs in the container may stop a process that enters it, and keep the first one busy. */
#define EXEC_START_MS 30000
#define START_STEP_S 900 /* copying an image's files to a volume is one step */
#define DEATH_MS 10000   /* of what was killed; the rest sleeps in the kernel and is left behind */
#define GOODBYE_MS 2000  /* for davitd to read how it ended; the file says it as well */
#define SAID_MAX_BYTES (1 << 20)

/* The container's first process (token 0) or an exec. */
struct task {
    uint64_t token;
    struct container process;
    struct streams streams;
    uint64_t launch_until_us; /* it is not the program that is meant yet; 0: it is */
    bool has_ended;
    bool was_refused;    /* it never ran, which davitd has been told */
    struct winsize size; /* that its terminal is to have, which may not be there yet */
    int status;
    struct task *next;
};

struct monitor {
    struct spawn_monitor fds;
    struct arena arena;
    struct monitor_config settings;
    struct oci_config config;
    struct cgroup_hierarchy hierarchy;
    struct cgroup cgroup;
    struct seccomp_program seccomp;
    struct log_writer log;
    int listen_fd;
    int control_fd;         /* to the davitd of the moment; -1: none */
    struct send_queue said; /* that it has not read */
    int stop_fd;            /* SIGTERM: whoever stops all of us means the container */
    uint64_t kill_us;       /* when it is killed, if it has not ended; 0: nobody wants that */
    int shm_mounts_fd; /* another container's mount namespace, whose /dev/shm this one shares */
    int64_t started_ns;
    struct task init;
    struct task *execs;
    size_t exec_count;
    uint64_t dead_us; /* when all that was killed with the first process should be dead, or 0 */
    char message[sizeof(struct monitor_message) + MONITOR_TEXT_MAX];
    struct monitor_message *long_message; /* in its place, if its text is longer; or NULL */
};

/* ---- talking to davitd ---- */

static void disconnect(struct monitor *monitor)
{
    send_queue_release(&monitor->said);
    fd_close(&monitor->control_fd);
}

/* davitd may be gone or stopped at any moment; that is its problem, not the container's. `fd` -1:
 * none. */
static void tell_with_fd(struct monitor *monitor, const struct monitor_message *header,
                         const char *text, int fd)
{
    cleanup_buffer struct buffer message = {0};
    struct monitor_message copy = *header;

    if (monitor->control_fd < 0)
        return;
    copy.version = MONITOR_PROTOCOL_VERSION;
    copy.text_length = text != NULL ? (uint32_t)strlen(text) : 0;
    buffer_append(&message, &copy, sizeof(copy));
    if (text != NULL)
        buffer_append_string(&message, text);
    if (send_queue_send(&monitor->said, monitor->control_fd, message.data, message.length, &fd,
                        fd >= 0 ? 1 : 0, SAID_MAX_BYTES) < 0)
        disconnect(monitor);
}

static void flush_said(struct monitor *monitor)
{
    int result = send_queue_flush(&monitor->said, monitor->control_fd);

    if (result < 0 && result != -EAGAIN)
        disconnect(monitor);
}

/* Before this process ends, and what is left unsaid with it. */
static void say_goodbye(struct monitor *monitor)
{
    struct pollfd event = {.fd = monitor->control_fd, .events = POLLOUT};

    while (!send_queue_is_empty(&monitor->said) && poll(&event, 1, GOODBYE_MS) > 0)
        flush_said(monitor);
}

static void tell(struct monitor *monitor, const struct monitor_message *header, const char *text)
{
    tell_with_fd(monitor, header, text, -1);
}

static void tell_failure(struct monitor *monitor, uint32_t type, uint64_t token,
                         const struct error *err)
{
    int status = err->code == ERROR_COMMAND_NOT_FOUND ? 127
                 : err->code == ERROR_NOT_EXECUTABLE  ? 126
                                                      : 128;
    const struct monitor_message message = {
        .type = type, .token = token, .value = status, .value2 = (int32_t)err->code};

    tell(monitor, &message, err->message);
}

/* ---- setting up ---- */

static int read_json(struct monitor *monitor, const char *name, const struct json_struct *type,
                     void *object, struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    int result = file_read(monitor->fds.container_fd, name, 4 << 20, &text, err);

    if (result == 0)
        result =
            json_decode_text(&monitor->arena, buffer_text(&text), text.length, type, object, err);
    return result < 0 ? error_prefix(err, "%s", name) : 0;
}

static int load_seccomp(struct monitor *monitor, struct error *err)
{
    cleanup_buffer struct buffer program = {0};
    int result;

    if (monitor->settings.seccomp_file == NULL)
        return 0;
    result = file_read(monitor->fds.seccomp_fd, monitor->settings.seccomp_file, SECCOMP_MAX_BYTES,
                       &program, err);
    if (result < 0)
        return error_prefix(err, "seccomp filter");
    if (program.length == 0 || program.length % sizeof(struct sock_filter) != 0)
        return error_set(err, ERROR_CORRUPT, EINVAL, "seccomp filter %s is damaged",
                         monitor->settings.seccomp_file);
    monitor->seccomp.length = program.length / sizeof(struct sock_filter);
    monitor->seccomp.instructions = take_pointer(&program.data);
    return 0;
}

/* What an earlier run has left in the cgroup was killed and may still be about to die. */
static int empty_cgroup(struct monitor *monitor, struct error *err)
{
    cleanup_free struct cgroup *cgroup = memory_new_one(struct cgroup);
    int result;

    cgroup->fd = -1;
    result = cgroup_open(&monitor->hierarchy, monitor->settings.cgroup_path, cgroup, err);
    if (result == 0)
        result = cgroup_kill(cgroup, err);
    if (result == 0)
        result = cgroup_await_empty(cgroup, CGROUP_REMOVE_TIMEOUT_MS, err);
    cgroup_close(cgroup);
    return result < 0 ? error_prefix(err, "processes of an earlier run") : 0;
}

static int make_cgroup(struct monitor *monitor, struct error *err)
{
    const char *path = monitor->settings.cgroup_path;
    const struct oci_resources *resources = monitor->config.linux->resources;
    int result;

    if (path == NULL)
        return 0;
    result = cgroup_hierarchy_open(&monitor->hierarchy, err);
    if (result < 0)
        return result;
    result =
        resources_make_cgroup(&monitor->hierarchy, path, resources, true, &monitor->cgroup, err);
    if (result != -EEXIST)
        return result;
    result = empty_cgroup(monitor, err);
    if (result == 0)
        result = resources_make_cgroup(&monitor->hierarchy, path, resources, false,
                                       &monitor->cgroup, err);
    return result;
}

static int resolve_user(struct monitor *monitor, int rootfs_fd, struct error *err)
{
    struct oci_process *process = monitor->config.process;
    const char *spec = string_map_get(&monitor->config.annotations, BUNDLE_ANNOTATION_USER);
    struct string_list home_list = {0};
    struct string_list merged;
    const char *entry;
    const char *home;
    int result = user_resolve(&monitor->arena, rootfs_fd, spec, &process->user, &home, err);

    if (result == 0)
        result =
            user_add_groups(&monitor->arena, rootfs_fd,
                            string_map_get(&monitor->config.annotations, BUNDLE_ANNOTATION_GROUPS),
                            &process->user, err);
    if (result < 0 || env_get(&process->env, "HOME") != NULL)
        return result;
    entry = arena_printf(&monitor->arena, "HOME=%s", home);
    home_list.items = &entry;
    home_list.count = 1;
    env_merge(&monitor->arena, &process->env, &home_list, &merged);
    process->env = merged;
    return 0;
}

/* Pipes for a process without a terminal. The process's ends go to `stdio`, ours to the streams. */
static int make_pipes(struct streams *streams, bool has_input, int stdio[3], struct error *err)
{
    int input[2] = {-1, -1};
    int output[2];

    if (has_input) {
        if (pipe2(input, O_CLOEXEC) < 0)
            return error_errno(err, errno, "pipe");
        fcntl(input[1], F_SETFL, O_NONBLOCK);
        stdio[0] = input[0];
        streams->input_fd = input[1];
    } else {
        stdio[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    for (int i = 0; i < 2; i++) {
        if (pipe2(output, O_CLOEXEC) < 0)
            return error_errno(err, errno, "pipe");
        fcntl(output[0], F_SETFL, O_NONBLOCK);
        streams->output_fd[i] = output[0];
        stdio[1 + i] = output[1];
    }
    return 0;
}

static void close_stdio(int stdio[3])
{
    for (int i = 0; i < 3; i++)
        fd_close(&stdio[i]);
}

/* The terminal's master is both ends. */
static void use_terminal(struct task *task, int console_fd)
{
    struct streams *streams = &task->streams;

    fcntl(console_fd, F_SETFL, O_NONBLOCK);
    if (task->size.ws_row != 0 || task->size.ws_col != 0)
        ioctl(console_fd, TIOCSWINSZ, &task->size);
    streams->is_terminal = true;
    streams->input_fd = console_fd;
    streams->output_fd[0] = console_fd;
}

static const struct monitor_message *receive_message(struct monitor *monitor, int *fd);
static void handle_message(struct monitor *monitor, const struct monitor_message *message, int *fd);

static bool await_davitd(const struct monitor *monitor)
{
    struct pollfd event = {.fd = monitor->control_fd, .events = POLLIN};

    return poll(&event, 1, START_STEP_S * 1000) > 0;
}

/* davitd gives the container its place in a network. */
static int await_network(void *context, pid_t pid, int netns_fd, struct error *err)
{
    struct monitor *monitor = context;

    tell_with_fd(monitor, &(struct monitor_message){.type = MONITOR_NETWORK, .value = pid}, NULL,
                 netns_fd);
    while (monitor->control_fd >= 0 && await_davitd(monitor)) {
        cleanup_close int fd = -1;
        const struct monitor_message *message = receive_message(monitor, &fd);

        if (message == NULL)
            break;
        if (message->type == MONITOR_NETWORK_READY) {
            if (message->value < 0)
                monitor_message_error(message, err);
            return message->value;
        }
        handle_message(monitor, message, &fd);
    }
    return error_set(err, ERROR_INTERNAL, EPIPE,
                     "davitd went away, or did not answer, while it attached the network");
}

/* What the container has before it starts; -1 each: it has none. */
struct launch_fds {
    int rootfs;
    int mappings;
    int shm;
};

static int launch(struct monitor *monitor, const struct launch_fds *fds, struct error *err)
{
    struct task *task = &monitor->init;
    int stdio[3] = {-1, -1, -1};
    const struct container_options options = {
        .id = monitor->settings.id,
        .bundle_path = "/",
        .bundle_fd = monitor->fds.container_fd,
        .config = &monitor->config,
        .rootfs_fd = fds->rootfs,
        .mappings_fd = fds->mappings,
        .shm_fd = fds->shm,
        .cgroup = monitor->cgroup.fd >= 0 ? &monitor->cgroup : NULL,
        .stdio = {-1, -1, -1},
        .console_socket_fd = -1,
        .start_socket_fd = -1,
        .step_timeout_s = START_STEP_S,
        .seccomp = monitor->seccomp.instructions != NULL ? &monitor->seccomp : NULL,
        .on_network = monitor->settings.has_network ? await_network : NULL,
        .context = monitor,
    };
    struct container_options with_stdio = options;
    int result = 0;

    task->streams.log = &monitor->log;
    task->streams.closes_input_with_client = monitor->settings.is_stdin_once;
    if (!monitor->config.process->has_terminal)
        result = make_pipes(&task->streams, monitor->settings.has_open_stdin, stdio, err);
    memcpy(with_stdio.stdio, stdio, sizeof(stdio));
    if (result == 0)
        result = container_launch(&with_stdio, &task->process, err);
    close_stdio(stdio);
    if (result == 0 && task->process.console_fd >= 0)
        use_terminal(task, take_fd(&task->process.console_fd));
    return result;
}

/* A namespace with the container's mappings, which it joins or that is made for this moment; -1 if
 * it has none. */
static int open_mappings(const struct oci_config *config, int *fd, struct error *err)
{
    const struct oci_linux *linux_part = config->linux;
    const struct oci_namespace *user = oci_config_namespace(config, OCI_NAMESPACE_USER);

    if (linux_part->uid_mappings.count == 0)
        return 0;
    if (user == NULL || user->path == NULL)
        *fd = id_mappings_open(linux_part->uid_mappings.items, linux_part->uid_mappings.count,
                               linux_part->gid_mappings.items, linux_part->gid_mappings.count, err);
    else if ((*fd = open(user->path, O_RDONLY | O_CLOEXEC)) < 0)
        error_errno(err, errno, "open %s", user->path);
    return *fd < 0 ? -err->errnum : 0;
}

static int mount_root(const struct monitor *monitor, int mappings_fd, struct error *err)
{
    const struct oci_linux *linux_part = monitor->config.linux;
    struct overlay_root root = {.layers_fd = monitor->fds.layers_fd,
                                .layers = monitor->settings.layers,
                                .container_fd = monitor->fds.container_fd,
                                .project = monitor->settings.project};
    struct overlay_ids ids;

    if (mappings_fd < 0)
        return overlay_mount(&root, err);
    ids = (struct overlay_ids){mappings_fd, linux_part->uid_mappings.items[0].host_id,
                               linux_part->gid_mappings.items[0].host_id};
    root.ids = &ids;
    return overlay_mount(&root, err);
}

static int mount_all(const struct monitor *monitor, struct launch_fds *fds, struct error *err)
{
    int result = open_mappings(&monitor->config, &fds->mappings, err);

    if (result == 0) {
        fds->rootfs = mount_root(monitor, fds->mappings, err);
        result = fds->rootfs < 0 ? fds->rootfs : 0;
    }
    if (result == 0 && monitor->shm_mounts_fd >= 0) {
        fds->shm = mount_copy_from(monitor->shm_mounts_fd, "/dev/shm", err);
        result = fds->shm < 0 ? fds->shm : 0;
    }
    return result;
}

static int start(struct monitor *monitor, struct error *err)
{
    struct launch_fds fds = {-1, -1, -1};
    int result = load_seccomp(monitor, err);

    if (result == 0)
        result = make_cgroup(monitor, err);
    if (result == 0)
        result = log_writer_open(&monitor->log, monitor->fds.container_fd, monitor->settings.id,
                                 &monitor->settings.log, err);
    if (result == 0)
        result = mount_all(monitor, &fds, err);
    if (result == 0)
        result = resolve_user(monitor, fds.rootfs, err);
    if (result == 0)
        result = launch(monitor, &fds, err);
    fd_close(&fds.rootfs);
    fd_close(&fds.mappings);
    fd_close(&fds.shm);
    fd_close(&monitor->shm_mounts_fd);
    monitor->started_ns = clock_now_ns();
    return result;
}

static void remove_cgroup(struct monitor *monitor)
{
    if (monitor->cgroup.fd < 0)
        return;
    cgroup_kill(&monitor->cgroup, NULL);
    cgroup_remove(&monitor->hierarchy, &monitor->cgroup, CGROUP_REMOVE_TIMEOUT_MS, NULL);
}

static void tell_started(struct monitor *monitor)
{
    const struct monitor_message message = {
        .type = MONITOR_STARTED,
        .value = monitor->init.process.pid,
        .time_ns = monitor->started_ns,
    };

    tell(monitor, &message, NULL);
}

/* ---- execs ---- */

static struct task *find_task(struct monitor *monitor, uint64_t token)
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
    return oci_process_decode(arena, exec->process, process, err);
}

static struct container_identity identity_of(const struct monitor *monitor)
{
    return (struct container_identity){monitor->settings.id, "/", &monitor->config,
                                       monitor->init.process.pid};
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
    };
    int result = 0;

    if (!process->has_terminal)
        result = make_pipes(&task->streams, exec->has_stdin, stdio, err);
    memcpy(options.stdio, stdio, sizeof(stdio));
    if (result == 0)
        result = container_exec_begin(&options, &task->process, err);
    close_stdio(stdio);
    if (result == 0)
        task->launch_until_us = clock_monotonic_us() + (uint64_t)EXEC_START_MS * 1000;
    return result;
}

static void free_task(struct task *task)
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

    tell_failure(monitor, MONITOR_EXEC_FAILED, task->token, err);
    task->launch_until_us = 0;
    task->was_refused = true;
    if (task->process.pidfd >= 0)
        pidfd_send_signal(task->process.pidfd, SIGKILL, NULL, 0);
    else
        task->has_ended = true;
    streams_report(&task->streams, line);
    streams_end(&task->streams);
}

static void start_exec(struct monitor *monitor, const struct monitor_message *message, int fd)
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

/* Something has come from a process that is about to become its program. */
static void follow_exec(struct monitor *monitor, struct task *task)
{
    const struct container_identity identity = identity_of(monitor);
    struct error err = {0};
    int result = container_exec_follow(&task->process, &identity, &err);

    if (task->process.console_fd >= 0)
        use_terminal(task, take_fd(&task->process.console_fd));
    if (result == 0)
        return;
    if (result < 0) {
        refuse_exec(monitor, task, &err);
        return;
    }
    task->launch_until_us = 0;
    fd_close(&task->process.control_fd);
    tell(monitor,
         &(struct monitor_message){
             .type = MONITOR_EXEC_STARTED, .token = task->token, .value = task->process.pid},
         NULL);
}

static void refuse_late_execs(struct monitor *monitor)
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

/* A process of the monitor's own that ends like an exec. */
static void start_probe(struct monitor *monitor, const struct monitor_message *message, int fd)
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
        tell_failure(monitor, MONITOR_EXEC_FAILED, task->token, &err);
        free_task(task);
        return;
    }
    task->next = monitor->execs;
    monitor->execs = task;
    monitor->exec_count++;
}

/* ---- requests of davitd ---- */

static void signal_exec(struct monitor *monitor, const struct monitor_message *message)
{
    const struct task *task = message->token != 0 ? find_task(monitor, message->token) : NULL;

    if (task != NULL && task->process.pidfd >= 0)
        pidfd_send_signal(task->process.pidfd, message->value, NULL, 0);
}

static void resize(struct monitor *monitor, const struct monitor_message *message)
{
    struct task *task = find_task(monitor, message->token);

    if (task == NULL)
        return;
    task->size = (struct winsize){.ws_row = (unsigned short)message->value,
                                  .ws_col = (unsigned short)message->value2};
    if (task->streams.is_terminal && task->streams.input_fd >= 0)
        ioctl(task->streams.input_fd, TIOCSWINSZ, &task->size);
}

/* The descriptor is the monitor's as long as that lives. */
static void join(struct monitor *monitor, int32_t type, int fd)
{
    for (size_t i = 0; monitor->config.linux != NULL && i < monitor->config.linux->namespaces.count;
         i++) {
        struct oci_namespace *one = &monitor->config.linux->namespaces.items[i];

        if (one->type == type)
            one->path = arena_printf(&monitor->arena, "/proc/self/fd/%d", fd);
    }
}

static void handle_message(struct monitor *monitor, const struct monitor_message *message, int *fd)
{
    switch (message->type) {
    case MONITOR_ATTACH:
        if (*fd >= 0)
            streams_attach(&monitor->init.streams, take_fd(fd), message->flags, message->text,
                           message->text_length);
        break;
    case MONITOR_SIGNAL:
        if (monitor->init.process.pidfd >= 0)
            pidfd_send_signal(monitor->init.process.pidfd, message->value, NULL, 0);
        break;
    case MONITOR_RESIZE:
        resize(monitor, message);
        break;
    case MONITOR_EXEC:
        start_exec(monitor, message, take_fd(fd));
        break;
    case MONITOR_EXEC_SIGNAL:
        signal_exec(monitor, message);
        break;
    case MONITOR_PROBE:
        start_probe(monitor, message, *fd);
        break;
    case MONITOR_JOIN:
        join(monitor, message->value, take_fd(fd));
        break;
    case MONITOR_SHM:
        fd_close(&monitor->shm_mounts_fd);
        monitor->shm_mounts_fd = take_fd(fd);
        break;
    default:
        break;
    }
}

/* A text that is longer than a message comes in memory of its own. NULL: it cannot be had. */
static const struct monitor_message *read_long_text(struct monitor *monitor, int fd)
{
    const struct monitor_message *header = (const struct monitor_message *)(void *)monitor->message;
    cleanup_buffer struct buffer text = {0};
    struct monitor_message *message;

    if (fd < 0 || file_read_fd(fd, MONITOR_LONG_TEXT_MAX, &text) < 0)
        return NULL;
    message = memory_new(1, sizeof(*message) + text.length);
    *message = *header;
    message->text_length = (uint32_t)text.length;
    memcpy(message->text, buffer_text(&text), text.length);
    monitor->long_message = message;
    return message;
}

/* Receives one message, which is good until the next one comes. NULL: davitd is gone. */
static const struct monitor_message *receive_message(struct monitor *monitor, int *fd)
{
    const struct monitor_message *message =
        (const struct monitor_message *)(void *)monitor->message;
    int fds[2] = {-1, -1};
    size_t fd_count = ARRAY_SIZE(fds);
    ssize_t count;

    free(monitor->long_message);
    monitor->long_message = NULL;
    count = socket_receive(monitor->control_fd, monitor->message, sizeof(monitor->message), fds,
                           &fd_count);
    if (count < (ssize_t)sizeof(*message) ||
        message->text_length > (size_t)count - sizeof(*message)) {
        message = NULL;
    } else if ((message->flags & MONITOR_TEXT_FD) != 0) {
        size_t last = fd_count > 0 ? fd_count - 1 : 0;

        message = read_long_text(monitor, fds[last]);
        fd_close(&fds[last]);
    }
    *fd = take_fd(&fds[0]);
    fd_close(&fds[1]);
    if (message == NULL) {
        fd_close(fd);
        disconnect(monitor);
    }
    return message;
}

static void handle_control(struct monitor *monitor)
{
    cleanup_close int fd = -1;
    const struct monitor_message *message = receive_message(monitor, &fd);

    if (message != NULL)
        handle_message(monitor, message, &fd);
}

/* A new davitd takes the place of the old one. */
static void accept_daemon(struct monitor *monitor)
{
    int fd = accept4(monitor->listen_fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return;
    disconnect(monitor);
    monitor->control_fd = fd;
    tell_started(monitor);
}

/* ---- the end of processes ---- */

static void reap(struct task *task)
{
    if (!task->has_ended && container_wait(&task->process, &task->status, NULL) == 0)
        task->has_ended = true;
    if (task->has_ended && !task->streams.is_ending)
        streams_end(&task->streams);
}

/* The status is told before the client's stream ends, so that whoever has seen the end can ask for
 * it. */
static void finish_execs(struct monitor *monitor)
{
    struct task **link = &monitor->execs;

    while (*link != NULL) {
        struct task *task = *link;

        if (!task->has_ended || !streams_are_done(&task->streams)) {
            link = &task->next;
            continue;
        }
        if (!task->was_refused)
            tell(monitor,
                 &(struct monitor_message){
                     .type = MONITOR_EXEC_EXITED, .token = task->token, .value = task->status},
                 NULL);
        *link = task->next;
        monitor->exec_count--;
        free_task(task);
    }
}

/* Without a pid namespace of its own the container's other processes do not end with its first;
 * probes are in none of its namespaces but one. */
static void end_container(struct monitor *monitor)
{
    cgroup_kill(&monitor->cgroup, NULL);
    for (struct task *task = monitor->execs; task != NULL; task = task->next) {
        if (!task->has_ended)
            pidfd_send_signal(task->process.pidfd, SIGKILL, NULL, 0);
    }
    reap(&monitor->init);
    monitor->dead_us = clock_monotonic_us() + (uint64_t)DEATH_MS * 1000;
}

/* Whether nothing is left to be waited for: no stream has anything more, and every process is dead
 * or is one that does not die. */
static bool is_over(const struct monitor *monitor)
{
    if (!monitor->init.has_ended || !streams_are_done(&monitor->init.streams))
        return false;
    for (const struct task *task = monitor->execs; task != NULL; task = task->next) {
        if (task->has_ended || clock_monotonic_us() < monitor->dead_us)
            return false;
    }
    return true;
}

/* As davitd would stop it, which may not be there. */
static void stop_container(struct monitor *monitor)
{
    struct signalfd_siginfo info;
    int signal_number =
        monitor->settings.stop_signal != 0 ? monitor->settings.stop_signal : SIGTERM;

    if (read(monitor->stop_fd, &info, sizeof(info)) != sizeof(info) || monitor->init.has_ended)
        return;
    pidfd_send_signal(monitor->init.process.pidfd, signal_number, NULL, 0);
    if (monitor->kill_us == 0 && monitor->settings.stop_timeout_s >= 0)
        monitor->kill_us =
            clock_monotonic_us() + (uint64_t)monitor->settings.stop_timeout_s * 1000000;
}

static void kill_if_due(struct monitor *monitor)
{
    if (monitor->kill_us == 0 || monitor->init.has_ended || clock_monotonic_us() < monitor->kill_us)
        return;
    monitor->kill_us = 0;
    pidfd_send_signal(monitor->init.process.pidfd, SIGKILL, NULL, 0);
}

/* The caller frees it. */
static struct json_writer *make_exit_record(const struct monitor *monitor)
{
    const struct monitor_exit record = {
        .status = monitor->init.status,
        .is_oom_killed = cgroup_oom_kill_count(&monitor->cgroup) > 0,
        .started_ns = monitor->started_ns,
        .finished_ns = clock_now_ns(),
    };
    struct json_writer *writer = json_writer_new(false);

    json_encode(writer, &monitor_exit_type, &record);
    return writer;
}

/* In a file for a davitd that is not there, and in the message. */
static void tell_exit(struct monitor *monitor)
{
    struct json_writer *record = make_exit_record(monitor);
    const char *text = json_writer_text(record);

    monitor_exit_write(monitor->fds.container_fd, text);
    remove_cgroup(monitor);
    tell(monitor, &(struct monitor_message){.type = MONITOR_EXITED, .value = monitor->init.status},
         text);
    json_writer_free(record);
}

/* ---- the loop ---- */

#define FIXED_EVENTS 5 /* ahead of those of the streams */
#define TASK_EVENTS 2  /* of an exec, likewise: its end, and its way to the program */

static size_t count_events(const struct monitor *monitor)
{
    size_t count = FIXED_EVENTS + streams_event_count(&monitor->init.streams);

    for (const struct task *task = monitor->execs; task != NULL; task = task->next)
        count += TASK_EVENTS + streams_event_count(&task->streams);
    return count;
}

static void wake_within(int *timeout_ms, int other_ms)
{
    if (other_ms >= 0 && (*timeout_ms < 0 || other_ms < *timeout_ms))
        *timeout_ms = other_ms;
}

/* `deadline_us` 0: there is none. */
static void wake_at(int *timeout_ms, uint64_t deadline_us)
{
    uint64_t now_us = clock_monotonic_us();
    uint64_t left_ms = deadline_us > now_us ? (deadline_us - now_us) / 1000 + 1 : 0;

    if (deadline_us != 0)
        wake_within(timeout_ms, left_ms < INT_MAX ? (int)left_ms : INT_MAX);
}

static int next_timeout(const struct monitor *monitor)
{
    int timeout_ms = streams_timeout(&monitor->init.streams);

    for (const struct task *task = monitor->execs; task != NULL; task = task->next) {
        wake_within(&timeout_ms, streams_timeout(&task->streams));
        wake_at(&timeout_ms, task->launch_until_us);
    }
    if (!monitor->init.has_ended)
        wake_at(&timeout_ms, monitor->kill_us);
    else if (clock_monotonic_us() < monitor->dead_us)
        wake_at(&timeout_ms, monitor->dead_us);
    return timeout_ms;
}

/* Waits once and handles what came. The FIXED_EVENTS are followed by the init's streams and
 * then, for every exec, its process and its streams. */
static void turn(struct monitor *monitor)
{
    size_t count = count_events(monitor);
    cleanup_free struct pollfd *events = memory_new(count, sizeof(*events));
    const struct writer_process *queue = &monitor->log.queue;
    size_t position = FIXED_EVENTS;

    events[0] = (struct pollfd){
        .fd = monitor->control_fd,
        .events = (short)(send_queue_is_empty(&monitor->said) ? POLLIN : POLLIN | POLLOUT)};
    events[1] = (struct pollfd){.fd = monitor->listen_fd, .events = POLLIN};
    events[2] = (struct pollfd){.fd = monitor->init.has_ended ? -1 : monitor->init.process.pidfd,
                                .events = POLLIN};
    events[3] = (struct pollfd){.fd = queue->lines.length > 0 ? queue->fd : -1, .events = POLLOUT};
    events[4] = (struct pollfd){.fd = monitor->stop_fd, .events = POLLIN};
    position += streams_prepare(&monitor->init.streams, events + position);
    for (const struct task *task = monitor->execs; task != NULL; task = task->next) {
        events[position++] =
            (struct pollfd){.fd = task->has_ended ? -1 : task->process.pidfd, .events = POLLIN};
        events[position++] = (struct pollfd){
            .fd = task->launch_until_us != 0 ? task->process.control_fd : -1, .events = POLLIN};
        position += streams_prepare(&task->streams, events + position);
    }
    if (poll(events, count, next_timeout(monitor)) < 0)
        return;
    kill_if_due(monitor);
    if (events[4].revents != 0)
        stop_container(monitor);
    if (events[3].revents != 0)
        writer_process_flush(&monitor->log.queue);
    position = FIXED_EVENTS + streams_event_count(&monitor->init.streams);
    for (struct task *task = monitor->execs; task != NULL; task = task->next) {
        size_t used = TASK_EVENTS + streams_event_count(&task->streams);

        streams_handle(&task->streams, events + position + TASK_EVENTS);
        if (events[position + 1].revents != 0)
            follow_exec(monitor, task);
        if (events[position].revents != 0)
            reap(task);
        position += used;
    }
    refuse_late_execs(monitor);
    streams_handle(&monitor->init.streams, events + FIXED_EVENTS);
    if (events[2].revents != 0)
        end_container(monitor);
    /* After the events have been used: it may add tasks and clients. */
    if ((events[0].revents & POLLOUT) != 0)
        flush_said(monitor);
    if ((events[0].revents & ~POLLOUT) != 0 && monitor->control_fd >= 0)
        handle_control(monitor);
    if (events[1].revents != 0)
        accept_daemon(monitor);
    finish_execs(monitor);
}

/* Keeps five descriptors of ours and nothing else that the spawner had. */
static void settle(struct monitor *monitor, const struct spawn_monitor *spawn)
{
    enum { FIRST = 64 };
    int *const fds[] = {&monitor->fds.container_fd, &monitor->fds.run_fd, &monitor->fds.layers_fd,
                        &monitor->fds.seccomp_fd, &monitor->fds.control_fd};
    sigset_t stop;
    int null_fd;

    monitor->fds = *spawn;
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        *fds[i] = fcntl(*fds[i], F_DUPFD_CLOEXEC, FIRST);
    syscall(SYS_close_range, 0, FIRST - 1, 0);
    syscall(SYS_close_range, FIRST + ARRAY_SIZE(fds), ~0u, 0);
    null_fd = open("/dev/null", O_RDWR);
    dup2(null_fd, STDOUT_FILENO);
    dup2(null_fd, STDERR_FILENO);
    monitor->control_fd = monitor->fds.control_fd;
    setsid();
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    monitor->stop_fd = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
    umask(022);
    if (chdir("/") < 0)
        _exit(1);
}

/* A davitd that has given the start up closes its end; what it said before comes all the same, to a
 * monitor that is late because the spawner was stopped. */
static void leave_if_given_up(const struct monitor *monitor)
{
    struct pollfd event = {.fd = monitor->control_fd};

    if (poll(&event, 1, 0) > 0)
        _exit(0);
}

/* Takes connections until davitd says go; without davitd there is nothing to go for. */
static void wait_for_start(struct monitor *monitor)
{
    for (;;) {
        cleanup_close int fd = -1;
        const struct monitor_message *message = receive_message(monitor, &fd);

        if (message == NULL)
            _exit(0);
        if (message->type == MONITOR_START) {
            leave_if_given_up(monitor);
            return;
        }
        handle_message(monitor, message, &fd);
    }
}

static int prepare(struct monitor *monitor, struct error *err)
{
    int result = read_json(monitor, "monitor.json", &monitor_config_type, &monitor->settings, err);

    if (result == 0)
        result = oci_config_read(&monitor->arena, monitor->fds.container_fd, &monitor->config, err);
    if (result == 0) {
        monitor->listen_fd =
            socket_listen(monitor->fds.run_fd, MONITOR_SOCKET, SOCK_SEQPACKET, 0600, err);
        result = monitor->listen_fd < 0 ? monitor->listen_fd : 0;
    }
    return result;
}

static _Noreturn void fail(struct monitor *monitor, const struct error *err)
{
    remove_cgroup(monitor);
    tell_failure(monitor, MONITOR_START_FAILED, 0, err);
    say_goodbye(monitor);
    streams_release(&monitor->init.streams);
    _exit(1);
}

_Noreturn void monitor_run(const struct spawn_monitor *spawn)
{
    struct monitor *monitor = memory_new_one(struct monitor);
    struct error err = {0};

    monitor->hierarchy = (struct cgroup_hierarchy)CGROUP_HIERARCHY_NONE;
    monitor->cgroup.fd = -1;
    monitor->log.fd = -1;
    monitor->listen_fd = -1;
    monitor->shm_mounts_fd = -1;
    monitor->init.process = (struct container)CONTAINER_NONE;
    streams_init(&monitor->init.streams);
    settle(monitor, spawn);
    if (prepare(monitor, &err) < 0) {
        wait_for_start(monitor);
        fail(monitor, &err);
    }
    wait_for_start(monitor);
    if (start(monitor, &err) < 0)
        fail(monitor, &err);
    /* The file has told of the run before this one until now. */
    monitor_exit_write(monitor->fds.container_fd, "");
    tell_started(monitor);
    while (!is_over(monitor))
        turn(monitor);
    log_writer_finish(&monitor->log);
    tell_exit(monitor);
    say_goodbye(monitor);
    streams_release(&monitor->init.streams);
    _exit(0);
}
