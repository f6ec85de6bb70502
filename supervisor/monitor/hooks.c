/*
 * Hooks of a container, which come with devices of vendors (bundle/cdi.h). The bundle that they are
 * told of is a directory of its own, <run>/bundles/ID: with the configuration as the devices have
 * changed it, and an empty directory where createContainer hooks see the root (runtime.h, C4). Root
 * of the container, whom these hooks run as, may read it by its group and change nothing: other
 * hooks read it as root of the host. See state.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/path.h"
#include "state.h"

#define BUNDLES "../../bundles" /* from <run>/containers/ID */
/* At the most, whatever they say: the monitor hears nobody while they run. */
#define HOOK_TIMEOUT_S 300
#define POSTSTOP_TIMEOUT_S 30

static void limit_time(const oci_hook_list *list, int64_t seconds)
{
    for (size_t i = 0; i < list->count; i++) {
        if (!list->items[i].timeout.is_set || list->items[i].timeout.value > seconds)
            list->items[i].timeout = (struct optional_int64){true, seconds};
    }
}

static void limit_times(struct oci_hooks *hooks)
{
    limit_time(&hooks->prestart, HOOK_TIMEOUT_S);
    limit_time(&hooks->create_runtime, HOOK_TIMEOUT_S);
    limit_time(&hooks->create_container, HOOK_TIMEOUT_S);
    limit_time(&hooks->start_container, HOOK_TIMEOUT_S);
    limit_time(&hooks->poststart, HOOK_TIMEOUT_S);
    limit_time(&hooks->poststop, POSTSTOP_TIMEOUT_S);
}

/* The path of a directory of ours. */
static int find_path(int fd, char path[PATH_MAX], struct error *err)
{
    char link[PATH_FD_SIZE];
    ssize_t length = readlink(path_of_fd(link, fd), path, PATH_MAX - 1);

    if (length < 0)
        return error_errno(err, errno, "find the bundle");
    path[length] = '\0';
    return 0;
}

/* In config.json paths lead from the container's directory; here they are for who stands elsewhere.
 */
static int make_sources_absolute(struct monitor *monitor, struct error *err)
{
    char directory[PATH_MAX];
    int result = find_path(monitor->fds.container_fd, directory, err);

    for (size_t i = 0; result == 0 && i < monitor->config.mounts.count; i++) {
        struct oci_mount *mount = &monitor->config.mounts.items[i];

        if (mount->source != NULL && mount->source[0] == '.')
            mount->source = arena_printf(&monitor->arena, "%s/%s", directory, mount->source);
    }
    return result;
}

static int fill_bundle(struct monitor *monitor, int bundle_fd, struct error *err)
{
    const struct oci_linux *linux_part = monitor->config.linux;
    const char *root = monitor->config.root->path;
    struct json_writer *writer = oci_config_encode(&monitor->config, false);
    const char *text = json_writer_text(writer);
    uint32_t gid;
    int result = file_replace(bundle_fd, "config.json", text, strlen(text), 0640, false, err);

    json_writer_free(writer);
    oci_map_id(linux_part->gid_mappings.items, linux_part->gid_mappings.count, 0, &gid);
    if (result == 0 && (mkdirat(bundle_fd, root, 0750) < 0 ||
                        fchownat(bundle_fd, root, 0, gid, AT_SYMLINK_NOFOLLOW) < 0 ||
                        fchownat(bundle_fd, "config.json", 0, gid, AT_SYMLINK_NOFOLLOW) < 0 ||
                        fchown(bundle_fd, 0, gid) < 0 || fchmod(bundle_fd, 0750) < 0))
        result = error_errno(err, errno, "make the bundle for hooks");
    return result;
}

static int open_bundles(const struct monitor *monitor)
{
    if (mkdirat(monitor->fds.run_fd, BUNDLES, 0711) < 0 && errno != EEXIST)
        return -1;
    return openat(monitor->fds.run_fd, BUNDLES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* These hooks are programs of the host within the namespaces of the container: where another
 * container's processes see them, and may trace, they would be a way to the host's files. */
static int refuse_watched_hooks(const struct oci_config *config, struct error *err)
{
    const struct oci_namespace *pids = oci_config_namespace(config, OCI_NAMESPACE_PID);

    if (config->hooks->create_container.count == 0 || pids == NULL || pids->path == NULL)
        return 0;
    return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                     "a device with createContainer hooks does not go with another container's "
                     "processes (PidMode): these could reach the host's files through the hooks");
}

int monitor_make_bundle(struct monitor *monitor, struct error *err)
{
    cleanup_close int bundles_fd = -1;
    cleanup_close int bundle_fd = -1;
    char path[PATH_MAX];
    int result;

    if (monitor->config.hooks == NULL)
        return 0;
    limit_times(monitor->config.hooks);
    result = refuse_watched_hooks(&monitor->config, err);
    if (result == 0)
        result = make_sources_absolute(monitor, err);
    if (result < 0)
        return result;
    bundles_fd = open_bundles(monitor);
    if (bundles_fd < 0)
        return error_errno(err, errno, "directory for bundles");
    result = path_remove_tree(bundles_fd, monitor->settings.id, err);
    if (result < 0)
        return error_prefix(err, "bundle of an earlier run");
    if (mkdirat(bundles_fd, monitor->settings.id, 0700) < 0)
        return error_errno(err, errno, "make the bundle for hooks");
    bundle_fd = openat(bundles_fd, monitor->settings.id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (bundle_fd < 0)
        return error_errno(err, errno, "bundle for hooks");
    result = find_path(bundle_fd, path, err);
    if (result == 0)
        result = fill_bundle(monitor, bundle_fd, err);
    if (result == 0)
        monitor->bundle_path = arena_strdup(&monitor->arena, path);
    return result;
}

static int run_hooks(const struct monitor *monitor, enum hook_kind kind, struct error *err)
{
    cleanup_close int bundle_fd = open(monitor->bundle_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    const struct hook_surroundings surroundings = {.directory_fd = bundle_fd};
    bool is_over = kind == HOOK_POSTSTOP;
    struct json_writer *state = container_state_json(
        monitor->settings.id, is_over ? "stopped" : "running",
        is_over ? 0 : monitor->init.process.pid, monitor->bundle_path, &monitor->config);
    int result = hooks_run(&monitor->config, kind, json_writer_text(state), &surroundings, err);

    json_writer_free(state);
    return result;
}

int monitor_run_poststart_hooks(struct monitor *monitor, struct error *err)
{
    return monitor->config.hooks == NULL ? 0 : run_hooks(monitor, HOOK_POSTSTART, err);
}

void monitor_run_poststop_hooks(struct monitor *monitor)
{
    cleanup_close int bundles_fd = -1;
    struct error err = {0};

    if (monitor->config.hooks == NULL || monitor->bundle_path == NULL)
        return;
    if (monitor->was_launched && run_hooks(monitor, HOOK_POSTSTOP, &err) < 0)
        monitor_tell(monitor, &(struct monitor_message){.type = MONITOR_WARNING}, err.message);
    bundles_fd = open_bundles(monitor);
    if (bundles_fd >= 0)
        path_remove_tree(bundles_fd, monitor->settings.id, NULL);
}
