/* P1: everything that can be decided or opened before clone. */
#include "plan.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "bundle/bundle.h"
#include "bundle/selinux.h"
#include "host_filesystem.h"
#include "mount_mappings.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

/* Properties that this version does not carry out are refused before anything is made. */
static int refuse_unsupported(const struct oci_config *config, struct error *err)
{
    const struct oci_linux *linux_part = config->linux;
    const struct oci_process *process = config->process;
    const struct {
        bool is_set;
        const char *name;
    } checks[] = {
        {linux_part->mount_label != NULL && linux_part->mount_label[0] != '\0' &&
             !selinux_is_enabled(),
         "linux.mountLabel (SELinux is not enabled on this host)"},
        {process->selinux_label != NULL && process->selinux_label[0] != '\0' &&
             !selinux_is_enabled(),
         "process.selinuxLabel (SELinux is not enabled on this host)"},
        {process->apparmor_profile != NULL && process->apparmor_profile[0] != '\0' &&
             strcmp(process->apparmor_profile, APPARMOR_UNCONFINED) != 0 && !apparmor_is_enabled(),
         "process.apparmorProfile (AppArmor is not enabled on this host)"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
        if (checks[i].is_set)
            return error_set(err, ERROR_UNSUPPORTED, ENOTSUP, "%s: not supported", checks[i].name);
    }
    return 0;
}

static int plan_namespaces(struct plan *plan, struct error *err)
{
    const struct oci_linux *linux_part = plan->config->linux;

    plan->joins.items = arena_new(&plan->arena, OCI_NAMESPACE_COUNT, sizeof(struct join_plan));
    for (size_t i = 0; i < linux_part->namespaces.count; i++) {
        const struct oci_namespace *namespace = &linux_part->namespaces.items[i];
        int fd;

        if (namespace->path == NULL || namespace->path[0] == '\0') {
            plan->new_namespaces |= NAMESPACE_BIT(namespace->type);
            continue;
        }
        fd = open(namespace->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
            return error_errno(err, errno, "linux.namespaces: %s namespace %s",
                               oci_namespace_names[namespace->type], namespace->path);
        plan->joins.items[plan->joins.count++] = (struct join_plan){namespace->type, fd};
        if (!path_is_on_filesystem(fd, NSFS_MAGIC))
            return error_set(err, ERROR_INVALID, EINVAL, "linux.namespaces: %s is not a namespace",
                             namespace->path);
    }
    if (!plan_makes_namespace(plan, OCI_NAMESPACE_MOUNT))
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "linux.namespaces: a container needs a mount namespace of its own");
    if (plan_makes_namespace(plan, OCI_NAMESPACE_USER) &&
        (linux_part->uid_mappings.count == 0 || linux_part->gid_mappings.count == 0))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "linux.namespaces: a new user namespace needs uidMappings and "
                         "gidMappings");
    return 0;
}

/* Opens a user namespace with the mappings of the container, which most mapped mounts have: it is
 * made only once. */
static int open_mappings(struct plan *plan, struct error *err)
{
    const struct oci_linux *linux_part = plan->config->linux;

    if (plan->options->mappings_fd >= 0)
        return plan->options->mappings_fd;
    if (plan->mappings_fd < 0)
        plan->mappings_fd =
            id_mappings_open(linux_part->uid_mappings.items, linux_part->uid_mappings.count,
                             linux_part->gid_mappings.items, linux_part->gid_mappings.count, err);
    return plan->mappings_fd;
}

static int map_tree(struct plan *plan, const struct mount_plan *mount, struct error *err)
{
    struct oci_mount own = *mount->mount;
    int parsed = mount->options.mappings == NULL
                     ? 0
                     : mount_mappings_parse(&plan->arena, mount->options.mappings,
                                            plan->config->linux, &own, err);
    bool has_own = own.uid_mappings.count > 0;
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP};
    unsigned int flags = AT_EMPTY_PATH;
    cleanup_close int own_fd = -1;
    int mappings_fd;

    if (parsed < 0)
        return parsed;
    if (!has_own && plan->config->linux->uid_mappings.count == 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "idmap: neither the mount nor the container has id mappings");
    if (has_own)
        own_fd = id_mappings_open(own.uid_mappings.items, own.uid_mappings.count,
                                  own.gid_mappings.items, own.gid_mappings.count, err);
    mappings_fd = has_own ? own_fd : open_mappings(plan, err);
    if (mappings_fd < 0)
        return mappings_fd;
    attributes.userns_fd = (uint64_t)mappings_fd;
    if (mount->options.idmap == MOUNT_IDMAP_RECURSIVE)
        flags |= AT_RECURSIVE;
    if (mount_setattr(mount->tree_fd, "", flags, &attributes, sizeof(attributes)) < 0)
        return error_errno(err, errno, "map the ids of the mount");
    return 0;
}

static int open_source(int bundle_fd, const struct mount_plan *mount, unsigned int flags,
                       struct error *err)
{
    const char *source = mount->mount->source;
    const char *subpath = mount->options.subpath;
    cleanup_close int source_fd = -1;
    cleanup_close int part_fd = -1;
    int fd;

    if (subpath == NULL) {
        fd = open_tree(bundle_fd, source, flags);
        return fd < 0 ? error_errno(err, errno, "source %s", source) : fd;
    }
    source_fd = openat(bundle_fd, source, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (source_fd < 0)
        return error_errno(err, errno, "source %s", source);
    /* Who can write to the source may have put links there: they lead nowhere else. */
    part_fd = path_open_in_root(source_fd, subpath, O_PATH, 0);
    if (part_fd < 0)
        return error_errno(err, -part_fd, "%s in %s", subpath, source);
    fd = open_tree(part_fd, "", flags | AT_EMPTY_PATH);
    return fd < 0 ? error_errno(err, errno, "%s in %s", subpath, source) : fd;
}

/* A detached copy of the source. A copy of a shared mount would stay its peer and carry the
 * container's mounts out to the host, so it is private unless asked for otherwise. */
static int open_bind_source(struct plan *plan, struct mount_plan *mount, struct error *err)
{
    const struct mount_options *options = &mount->options;
    const char *source = mount->mount->source;
    struct mount_attr private = {.propagation = MS_PRIVATE};
    unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
    int result = 0;

    if (source == NULL || source[0] == '\0')
        return error_set(err, ERROR_INVALID, EINVAL, "a bind mount needs a source");
    if (options->is_recursive_bind)
        flags |= AT_RECURSIVE;
    if (plan->options->shm_fd >= 0 && strcmp(source, BUNDLE_SHARED_SHM) == 0) {
        mount->tree_fd = fcntl(plan->options->shm_fd, F_DUPFD_CLOEXEC, 0);
        return mount->tree_fd < 0 ? error_errno(err, errno, "dup") : 0;
    }
    mount->tree_fd = options->filesystem != NULL
                         ? host_filesystem_make(mount, err)
                         : open_source(plan->options->bundle_fd, mount, flags, err);
    if (mount->tree_fd < 0)
        return mount->tree_fd;
    if (options->propagation == 0 && mount_setattr(mount->tree_fd, "", AT_EMPTY_PATH | AT_RECURSIVE,
                                                   &private, sizeof(private)) < 0)
        return error_errno(err, errno, "make the mount private");
    if (options->idmap != MOUNT_IDMAP_NONE)
        result = map_tree(plan, mount, err);
    return result;
}

static int plan_mounts(struct plan *plan, struct error *err)
{
    size_t count = plan->config->mounts.count;

    plan->mounts.items = arena_new(&plan->arena, count, sizeof(struct mount_plan));
    plan->readonly_late = arena_new(&plan->arena, count, sizeof(int));
    for (size_t i = 0; i < count; i++) {
        struct mount_plan *mount = &plan->mounts.items[plan->mounts.count++];
        int result;

        mount->mount = &plan->config->mounts.items[i];
        mount->tree_fd = -1;
        mount->label = plan_mount_label(plan->config);
        result = mount_options_parse(&plan->arena, mount->mount, &mount->options, err);
        if (result == 0 && mount->options.is_bind && !mount->options.is_remount) {
            result = open_bind_source(plan, mount, err);
            if (result < 0)
                error_prefix(err, "mount %s", mount->mount->destination);
        }
        if (result < 0)
            return result;
    }
    return 0;
}

static int plan_root(struct plan *plan, struct error *err)
{
    const struct container_options *options = plan->options;
    struct mount_attr private = {.propagation = MS_PRIVATE};
    const char *path;

    if (options->rootfs_fd >= 0) {
        plan->rootfs_fd = fcntl(options->rootfs_fd, F_DUPFD_CLOEXEC, 0);
        return plan->rootfs_fd < 0 ? error_errno(err, errno, "root filesystem") : 0;
    }
    if (plan->config->root == NULL)
        return error_set(err, ERROR_INVALID, EINVAL, "root: required, but missing");
    path = plan->config->root->path;
    plan->rootfs_fd =
        open_tree(options->bundle_fd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (plan->rootfs_fd < 0)
        return error_errno(err, errno, "root.path %s", path);
    if (!plan_root_receives_mounts(plan->config) &&
        mount_setattr(plan->rootfs_fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &private,
                      sizeof(private)) < 0)
        return error_errno(err, errno, "root.path %s: make it private", path);
    return 0;
}

bool plan_root_receives_mounts(const struct oci_config *config)
{
    int propagation = config->linux->rootfs_propagation;

    return propagation == OCI_PROPAGATION_SHARED || propagation == OCI_PROPAGATION_RSHARED ||
           propagation == OCI_PROPAGATION_SLAVE || propagation == OCI_PROPAGATION_RSLAVE;
}

const char *plan_mount_label(const struct oci_config *config)
{
    const char *label = config->linux->mount_label;

    return label != NULL && label[0] != '\0' ? label : NULL;
}

bool plan_wants_reaper(const struct oci_config *config)
{
    const char *value = string_map_get(&config->annotations, BUNDLE_ANNOTATION_INIT);

    return value != NULL && strcmp(value, "true") == 0;
}

int plan_prepare(const struct container_options *options, struct plan *plan, struct error *err)
{
    int result;

    *plan = (struct plan){.options = options,
                          .config = options->config,
                          .rootfs_fd = -1,
                          .mappings_fd = -1,
                          .hook_output = {-1, -1}};
    if (options->config->process == NULL)
        return error_set(err, ERROR_INVALID, EINVAL, "process: required to create a container");
    result = refuse_unsupported(options->config, err);
    if (result == 0)
        result = plan_namespaces(plan, err);
    if (result == 0)
        result = process_plan_prepare(options->config->process, options->config, options->seccomp,
                                      &plan->process, err);
    if (result == 0)
        result = plan_root(plan, err);
    if (result == 0)
        result = plan_mounts(plan, err);
    if (result == 0 && options->keeps_hook_output && options->config->hooks != NULL)
        result = hooks_open_output(options->config, plan->hook_output, err);
    if (result == 0 && plan->process.seccomp.has_listener && plan_wants_reaper(options->config))
        result = error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                           "linux.seccomp: SCMP_ACT_NOTIFY together with the annotation "
                           "io.davit.init: not supported");
    plan->process.preserved_fd_count = options->preserved_fd_count;
    plan->has_user_namespace = oci_config_namespace(options->config, OCI_NAMESPACE_USER) != NULL;
    plan->process.is_limited_by_parent = plan->has_user_namespace;
    plan->joins_before_clone = plan->has_user_namespace && plan->joins.count > 0;
    /* A user namespace has to own its network namespace, so that one is made inside of it. */
    plan->has_network_apart =
        plan_makes_namespace(plan, OCI_NAMESPACE_NETWORK) && !plan->has_user_namespace;
    if (result == 0 && plan->has_user_namespace)
        result = nodes_make(plan, err);
    return result;
}

void plan_release(struct plan *plan)
{
    for (size_t i = 0; i < plan->mounts.count; i++)
        fd_close(&plan->mounts.items[i].tree_fd);
    for (size_t i = 0; i < plan->joins.count; i++)
        fd_close(&plan->joins.items[i].fd);
    for (size_t i = 0; plan->node_fds != NULL && i < plan->config->linux->devices.count; i++)
        fd_close(&plan->node_fds[i]);
    fd_close(&plan->hook_output[0]);
    fd_close(&plan->hook_output[1]);
    fd_close(&plan->rootfs_fd);
    fd_close(&plan->mappings_fd);
    process_plan_release(&plan->process);
    arena_release(&plan->arena);
}
