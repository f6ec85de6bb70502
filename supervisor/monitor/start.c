/* Setting a container up: see state.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/socket.h"
#include "bundle/bundle.h"
#include "bundle/cdi.h"
#include "bundle/selinux.h"
#include "cgroups/cgroups.h"
#include "images/images.h"
#include "protocol.h"
#include "runtime/runtime.h"
#include "state.h"
#include "streams.h"

#define CGROUP_REMOVE_TIMEOUT_MS 5000
#define SECCOMP_MAX_BYTES (1 << 20)
#define START_STEP_S 900 /* copying an image's files to a volume is one step */

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

/* Waits for processes that an earlier run has left in the cgroup: they may still be dying. */
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

static bool await_davitd(const struct monitor *monitor)
{
    struct pollfd event = {.fd = monitor->control_fd, .events = POLLIN};

    return poll(&event, 1, START_STEP_S * 1000) > 0;
}

/* Asks davitd to attach the container to its networks, and waits for the answer. */
static int await_network(void *context, pid_t pid, int netns_fd, struct error *err)
{
    struct monitor *monitor = context;

    monitor_tell_with_fd(monitor, &(struct monitor_message){.type = MONITOR_NETWORK, .value = pid},
                         NULL, netns_fd);
    while (monitor->control_fd >= 0 && await_davitd(monitor)) {
        cleanup_close int fd = -1;
        const struct monitor_message *message = monitor_receive(monitor, &fd);

        if (message == NULL)
            break;
        if (message->type == MONITOR_NETWORK_READY) {
            if (message->value < 0)
                monitor_message_error(message, err);
            return message->value;
        }
        orders_follow(monitor, message, &fd);
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

static int monitor_launch_init(struct monitor *monitor, const struct launch_fds *fds,
                               struct error *err)
{
    struct task *task = &monitor->init;
    int stdio[3] = {-1, -1, -1};
    const struct container_options options = {
        .id = monitor->settings.id,
        .bundle_path = monitor->bundle_path != NULL ? monitor->bundle_path : "/",
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
        result = stdio_make_pipes(&task->streams, monitor->settings.has_open_stdin, stdio, err);
    memcpy(with_stdio.stdio, stdio, sizeof(stdio));
    monitor->was_launched = true;
    if (result == 0)
        result = container_launch(&with_stdio, &task->process, err);
    stdio_close(stdio);
    if (result == 0 && task->process.console_fd >= 0)
        stdio_use_terminal(task, take_fd(&task->process.console_fd));
    return result;
}

/* Opens a user namespace with the container's id mappings: the one that it joins, or a temporary
 * one. Leaves *fd at -1 if the container has no mappings. */
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
                                .project = monitor->settings.project,
                                .label = linux_part->mount_label};
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

/* Gives what comes from the host the context of the container, or that of all containers. */
static int label_mounts(struct monitor *monitor, struct error *err)
{
    const char *label = monitor->config.linux->mount_label;
    const char *shared;
    int result = 0;

    if (label == NULL)
        return 0;
    shared = selinux_shared(&monitor->arena, label);
    for (size_t i = 0; result == 0 && i < monitor->config.mounts.count; i++) {
        const struct oci_mount *mount = &monitor->config.mounts.items[i];

        if (string_list_has(&mount->options, "z"))
            result = selinux_label_tree(monitor->fds.container_fd, mount->source, shared, err);
        else if (string_list_has(&mount->options, "Z"))
            result = selinux_label_tree(monitor->fds.container_fd, mount->source, label, err);
        if (result < 0)
            error_prefix(err, "mount %s", mount->destination);
    }
    return result;
}

/* A host that has got the profile since the last start confines the container from now on. */
static void choose_apparmor(struct monitor *monitor)
{
    const char *profile = monitor->settings.default_apparmor;

    if (profile != NULL && apparmor_has_profile(profile))
        monitor->config.process->apparmor_profile = profile;
}

/* What devices of vendors add to the configuration: their files may have changed since it was made.
 */
static int add_devices(struct monitor *monitor, struct error *err)
{
    struct string_list before = monitor->config.process->env;
    const struct string_list *after = &monitor->config.process->env;
    int result;

    if (monitor->settings.devices == NULL)
        return 0;
    result = cdi_apply(&monitor->arena, monitor->settings.devices, &monitor->config, err);
    for (size_t i = 0; result == 0 && i < after->count; i++) {
        if (!string_list_has(&before, after->items[i]))
            string_list_append(&monitor->arena, &monitor->device_env, after->items[i]);
    }
    return result;
}

int monitor_start(struct monitor *monitor, struct error *err)
{
    struct launch_fds fds = {-1, -1, -1};
    int result = load_seccomp(monitor, err);

    if (result == 0)
        result = add_devices(monitor, err);
    choose_apparmor(monitor);
    if (result == 0)
        result = label_mounts(monitor, err);
    if (result == 0)
        result = make_cgroup(monitor, err);
    if (result == 0)
        result = log_writer_open(&monitor->log, monitor->fds.container_fd, monitor->settings.id,
                                 &monitor->settings.log, err);
    if (result == 0)
        result = mount_all(monitor, &fds, err);
    if (result == 0)
        result = resolve_user(monitor, fds.rootfs, err);
    cdi_own_devices(&monitor->config);
    if (result == 0)
        result = monitor_make_bundle(monitor, err);
    if (result == 0)
        result = monitor_launch_init(monitor, &fds, err);
    monitor->started_ns = clock_now_ns();
    if (result == 0)
        result = monitor_run_poststart_hooks(monitor, err);
    fd_close(&fds.rootfs);
    fd_close(&fds.mappings);
    fd_close(&fds.shm);
    fd_close(&monitor->shm_mounts_fd);
    return result;
}

void monitor_remove_cgroup(struct monitor *monitor)
{
    if (monitor->cgroup.fd < 0)
        return;
    cgroup_kill(&monitor->cgroup, NULL);
    cgroup_remove(&monitor->hierarchy, &monitor->cgroup, CGROUP_REMOVE_TIMEOUT_MS, NULL);
}

void monitor_tell_started(struct monitor *monitor)
{
    const struct monitor_message message = {
        .type = MONITOR_STARTED,
        .value = monitor->init.process.pid,
        .time_ns = monitor->started_ns,
    };

    monitor_tell(monitor, &message, NULL);
}

int monitor_prepare(struct monitor *monitor, struct error *err)
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
