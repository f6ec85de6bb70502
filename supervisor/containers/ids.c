/* Whose ids a container has: docs/decisions/user-namespaces.md. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include <sys/random.h>

#include "all_parts.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/number.h"
#include "internal.h"
#include "runtime/runtime.h"

/* Says what the host has and cannot be used for containers. */
static void find_security_modules(struct containers *containers)
{
    selinux_find_contexts(&containers->selinux_arena, &containers->selinux);
    if (containers->selinux.process == NULL && selinux_is_enabled())
        log_warning("SELinux does not confine containers: its policy has no contexts for them "
                    "(lxc_contexts(5))");
    if (apparmor_is_enabled() && !apparmor_has_profile(DEFAULT_APPARMOR_PROFILE))
        log_warning(
            "AppArmor does not confine containers: profile " DEFAULT_APPARMOR_PROFILE
            " is not loaded (apparmor_parser --replace /etc/apparmor.d/" DEFAULT_APPARMOR_PROFILE
            ")");
}

void containers_open(struct containers *containers)
{
    const struct oci_id_mapping mapping = {0, containers->settings.id_pool.first, ID_RANGE_SIZE};
    struct error err = {0};

    /* Monitors outlive davitd and still use the tokens of an earlier one: begin elsewhere. */
    if (getrandom(&containers->next_token, sizeof(containers->next_token), 0) !=
        sizeof(containers->next_token))
        abort();
    find_security_modules(containers);
    containers->next_token &= INT64_MAX; /* counting never wraps to 0, the first process */
    containers->userns_fd = id_mappings_open(&mapping, 1, &mapping, 1, &err);
    containers->maps_ids =
        containers->userns_fd >= 0 &&
        mount_maps_ids(containers->places->root_fd, containers->userns_fd, false);
    if (!containers->maps_ids)
        log_warning("containers have the host's ids: %s",
                    containers->userns_fd < 0 ? err.message
                                              : "the filesystem of --root cannot map them");
}

/* Opens the source or, while it is missing, the nearest directory above it. */
static int open_source(const char *source)
{
    cleanup_free char *path = memory_strdup(source);
    int fd = open(path, O_PATH | O_CLOEXEC);

    while (fd < 0 && errno == ENOENT && strrchr(path, '/') > path) {
        *strrchr(path, '/') = '\0';
        fd = open(path, O_PATH | O_CLOEXEC);
    }
    return fd;
}

/* Types whose ids can be mapped (mount_setattr(2)); those of networks cannot. */
static bool maps_ids_by_type(const char *type)
{
    static const char *const types[] = {"ext2", "ext3", "ext4",  "xfs",     "btrfs",
                                        "f2fs", "vfat", "erofs", "squashfs"};

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (strcmp(types[i], type) == 0)
            return true;
    }
    return false;
}

static bool maps_source(const struct containers *containers, const char *path, bool is_recursive)
{
    cleanup_close int fd = open_source(path);

    return fd < 0 || mount_maps_ids(fd, containers->userns_fd, is_recursive);
}

/* The first path of the host in the container whose ids cannot be mapped; NULL: all can. */
static const char *find_unmapped(const struct containers *containers, struct arena *arena,
                                 const struct definition *definition)
{
    const struct volume_source *sources =
        container_volume_sources(containers->volumes, arena, definition);

    if (!containers->maps_ids)
        return containers->places->root;
    for (size_t i = 0; i < definition->mount_points.count; i++) {
        const struct mount_point *mount = &definition->mount_points.items[i];
        const char *type = sources[i].filesystem;
        const char *path = strcmp(mount->type, "bind") == 0 ? mount->source : sources[i].path;
        cleanup_free char *own =
            sources[i].is_memory ? volume_path(containers->volumes, definition->tenant, mount->name)
                                 : NULL;

        if (own != NULL && !maps_source(containers, own, false))
            return arena_strdup(arena, own);
        if (path != NULL &&
            (type != NULL ? !maps_ids_by_type(type)
                          : !maps_source(containers, path, !mount->is_not_recursive)))
            return path;
    }
    return NULL;
}

/* The ids are the container's for as long as it exists: no two have the same. */
static int allocate(struct containers *containers, struct definition *definition, struct error *err)
{
    const struct id_pool *pool = &containers->settings.id_pool;
    cleanup_free bool *taken = memory_new(pool->count, sizeof(*taken));

    for (const struct managed_container *one = containers->list; one != NULL; one = one->next) {
        uint32_t range = (one->definition->id_range_first - pool->first) / ID_RANGE_SIZE;

        if (one->definition->id_range_first >= pool->first && range < pool->count)
            taken[range] = true;
    }
    for (uint32_t i = 0; i < pool->count; i++) {
        if (taken[i])
            continue;
        definition->id_range_first = pool->first + i * ID_RANGE_SIZE;
        return 0;
    }
    return error_set(err, ERROR_CONFLICT, EAGAIN,
                     "all %u ranges of ids are taken: remove containers, or enlarge id_pool in "
                     "davitd.json",
                     pool->count);
}

/* Privileges, devices and namespaces of the host can be used with the host's ids alone. */
static bool needs_host_ids(const struct docker_host_config *host)
{
    return host->is_privileged || host->devices.count > 0 || host->device_cgroup_rules.count > 0 ||
           mode_is_host(host->network_mode) || mode_path(host->network_mode) != NULL ||
           mode_is_host(host->pid_mode) || mode_is_host(host->ipc_mode) ||
           mode_is_host(host->uts_mode);
}

/* Numbers that no id of the container's own range stands for. Names are looked up when it starts.
 */
static int check_user(const char *user, struct error *err)
{
    const char *group = user != NULL ? strchr(user, ':') : NULL;
    uint64_t uid = 0;
    uint64_t gid = 0;

    if (user != NULL)
        number_take(&user, 10, UINT64_MAX, &uid);
    if (group != NULL)
        number_parse_unsigned(group + 1, UINT64_MAX, &gid);
    if ((uid >= ID_RANGE_SIZE && (*user == '\0' || *user == ':')) || gid >= ID_RANGE_SIZE)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "User: ids of a container with a user namespace are below %d; \"host\" as "
                         "HostConfig.UsernsMode has all",
                         ID_RANGE_SIZE);
    return 0;
}

static int assign_ids(struct managed_container *container, struct revision *draft,
                      const struct image *image, struct error *err)
{
    struct containers *containers = container->containers;
    struct docker_host_config *host = &draft->definition.host_config;
    bool is_asked_for = host->userns_mode != NULL && strcmp(host->userns_mode, "auto") == 0;
    bool is_chosen = host->userns_mode != NULL && host->userns_mode[0] != '\0';
    const char *unmapped;

    (void)image;
    if (!is_chosen && (containers->settings.gives_host_ids || needs_host_ids(host)))
        host->userns_mode = "host";
    if (mode_is_host(host->userns_mode) || container_joins_another(container))
        return 0;
    unmapped = find_unmapped(containers, &container->arena, container->definition);
    if (unmapped != NULL && (is_asked_for || containers->settings.refuses_unmapped))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "the filesystem of %s cannot map ids, which a container with ids of its "
                         "own needs; \"host\" as HostConfig.UsernsMode does without",
                         unmapped);
    host->userns_mode = unmapped != NULL ? "host" : "auto";
    if (unmapped != NULL)
        container->warning = arena_printf(&container->arena,
                                          "The container has the host's user and group ids: the "
                                          "filesystem of %s cannot map them",
                                          unmapped);
    if (unmapped != NULL)
        return 0;
    if (check_user(draft->definition.config.user, err) < 0)
        return -err->errnum;
    return allocate(containers, &draft->definition, err);
}

const struct container_part id_part = {.name = "ids", .define = assign_ids};
