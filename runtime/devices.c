/* C4: /dev of the container: runtime-spec config-linux.md "Devices", "Default Devices",
 * "Dev symbolic links". */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "mount_order.h"

static const struct oci_device default_devices[] = {
    {.path = "/dev/null", .type = "c", .major = 1, .minor = 3},
    {.path = "/dev/zero", .type = "c", .major = 1, .minor = 5},
    {.path = "/dev/full", .type = "c", .major = 1, .minor = 7},
    {.path = "/dev/random", .type = "c", .major = 1, .minor = 8},
    {.path = "/dev/urandom", .type = "c", .major = 1, .minor = 9},
    {.path = "/dev/tty", .type = "c", .major = 5, .minor = 0},
};

static const struct {
    const char *target;
    const char *name;
} links[] = {
    {"/proc/self/fd", "fd"},
    {"/proc/self/fd/0", "stdin"},
    {"/proc/self/fd/1", "stdout"},
    {"/proc/self/fd/2", "stderr"},
};

/* A /dev that the configuration binds from elsewhere is its owner's business. */
static bool has_own_dev(const struct plan *plan)
{
    for (size_t i = plan->mounts.count; i > 0; i--) {
        const struct mount_plan *mount = &plan->mounts.items[i - 1];

        if (strcmp(mount->mount->destination, "/dev") == 0 ||
            strcmp(mount->mount->destination, "/dev/") == 0)
            return !mount->options.is_bind;
    }
    return true;
}

static mode_t node_type(const struct oci_device *device)
{
    switch (device->type[0]) {
    case 'b':
        return S_IFBLK;
    case 'p':
        return S_IFIFO;
    default:
        return S_IFCHR;
    }
}

static bool is_node_of(int fd, const struct oci_device *device)
{
    struct stat status;

    return fstat(fd, &status) == 0 && (status.st_mode & S_IFMT) == node_type(device) &&
           status.st_rdev == makedev((unsigned int)device->major, (unsigned int)device->minor);
}

/* In a user namespace no node can be made. The parent's node is bound if it had to make one, or
 * else that of the host, which is the same device at the same path. */
static int bind_node(const struct plan *plan, const struct oci_device *device, int parent_fd,
                     const char *name, struct error *err)
{
    int made_fd = plan_find_node(plan, device);
    cleanup_close int tree_fd =
        made_fd >= 0 ? fcntl(made_fd, F_DUPFD_CLOEXEC, 0)
                     : open_tree(AT_FDCWD, device->path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    cleanup_close int file_fd = -1;
    struct stat status;

    if (tree_fd < 0)
        return error_errno(err, errno, "the host's %s", device->path);
    if (!is_node_of(tree_fd, device))
        return error_set(err, ERROR_INVALID, EINVAL, "the host's %s is not device %lld:%lld",
                         device->path, (long long)device->major, (long long)device->minor);
    /* What the image has there is not opened, whatever it is: it is covered. */
    if (mknodat(parent_fd, name, S_IFREG | 0644, 0) < 0 && errno != EEXIST)
        return error_errno(err, errno, "make the target");
    file_fd = openat(parent_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (file_fd < 0 || fstat(file_fd, &status) < 0)
        return error_errno(err, errno, "the target");
    if (S_ISLNK(status.st_mode) || S_ISDIR(status.st_mode))
        return error_set(err, ERROR_CONFLICT, EEXIST, "a link or directory is there");
    return made_fd >= 0 ? mount_attach_tree(tree_fd, file_fd, err)
                        : mount_attach_host_node(tree_fd, file_fd, err);
}

/* Gives the node its owner. Compares the type, because whoever shares the directory may have put
 * something else there. */
static int give_node(const struct oci_device *device, int parent_fd, const char *name,
                     struct error *err)
{
    cleanup_close int fd = openat(parent_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0)
        return error_errno(err, errno, "set the owner");
    if ((status.st_mode & S_IFMT) != node_type(device))
        return error_set(err, ERROR_CONFLICT, EBUSY, "something else was put there");
    if (fchownat(fd, "", device->uid, device->gid, AT_EMPTY_PATH) < 0)
        return error_errno(err, errno, "set the owner");
    return 0;
}

static int make_node(const struct plan *plan, const struct oci_device *device, int parent_fd,
                     const char *name, struct error *err)
{
    mode_t mode = device->file_mode.is_set ? (mode_t)(device->file_mode.value & 0777) : 0666;
    dev_t number = makedev((unsigned int)device->major, (unsigned int)device->minor);
    struct stat status;

    if (plan->has_user_namespace && node_type(device) != S_IFIFO)
        return bind_node(plan, device, parent_fd, name, err);
    if (mknodat(parent_fd, name, node_type(device) | mode, number) < 0) {
        /* The same device may be there already, from the image or a mount; nothing else may. */
        if (errno != EEXIST || fstatat(parent_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
            return error_errno(err, errno, "make the node");
        if ((status.st_mode & S_IFMT) != node_type(device) || status.st_rdev != number)
            return error_set(err, ERROR_CONFLICT, EEXIST, "something else is there already");
        return 0;
    }
    return device->uid != 0 || device->gid != 0 ? give_node(device, parent_fd, name, err) : 0;
}

static int make_device(const struct plan *plan, struct mount_order *order,
                       const struct oci_device *device, struct error *err)
{
    char storage[PATH_MAX];
    const char *directory;
    const char *name;
    cleanup_close int parent_fd = -1;
    int result;

    if (path_split(device->path, storage, &directory, &name) < 0 || name[0] == '\0')
        return error_errno(err, EINVAL, "device %s", device->path);
    result = mount_order_settle(order, device->path, err);
    if (result < 0)
        return result;
    parent_fd = path_make_directories(order->root_fd, directory, 0755, err);
    result = parent_fd < 0 ? parent_fd : make_node(plan, device, parent_fd, name, err);
    if (result < 0)
        error_prefix(err, "device %s", device->path);
    return result;
}

/* A device that the configuration has at the place of a default one takes that place. */
static bool is_configured(const struct plan *plan, const char *path)
{
    const struct oci_linux *linux_part = plan->config->linux;

    for (size_t i = 0; i < linux_part->devices.count; i++) {
        if (strcmp(linux_part->devices.items[i].path, path) == 0)
            return true;
    }
    return false;
}

/* What the image or an engine's list of the host's devices has there would be another devpts's or
 * nothing: runtime-spec config-linux.md "Default Devices" wants the link. */
static int make_ptmx_link(int dev_fd, struct error *err)
{
    struct stat status;

    if (fstatat(dev_fd, "ptmx", &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(status.st_mode) &&
        unlinkat(dev_fd, "ptmx", 0) < 0)
        return error_errno(err, errno, "replace /dev/ptmx");
    if (symlinkat("pts/ptmx", dev_fd, "ptmx") < 0 && errno != EEXIST)
        return error_errno(err, errno, "/dev/ptmx");
    return 0;
}

static int make_default_devices(const struct plan *plan, struct mount_order *order,
                                struct error *err)
{
    cleanup_close int dev_fd = -1;
    int settled = mount_order_settle(order, "/dev", err);

    if (settled < 0)
        return settled;
    dev_fd = path_make_directories(order->root_fd, "/dev", 0755, err);
    if (dev_fd < 0)
        return dev_fd;
    for (size_t i = 0; i < ARRAY_SIZE(default_devices); i++) {
        const struct oci_device *device = &default_devices[i];
        int result;

        if (is_configured(plan, device->path))
            continue;
        result = make_node(plan, device, dev_fd, device->path + strlen("/dev/"), err);

        if (result < 0) {
            error_prefix(err, "device %s", device->path);
            return result;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
        if (symlinkat(links[i].target, dev_fd, links[i].name) < 0 && errno != EEXIST)
            return error_errno(err, errno, "/dev/%s", links[i].name);
    }
    return make_ptmx_link(dev_fd, err);
}

int devices_make(const struct plan *plan, struct mount_order *order, struct error *err)
{
    bool is_ours = has_own_dev(plan);
    int result = 0;

    for (size_t i = 0; result == 0 && i < plan->config->linux->devices.count; i++) {
        const struct oci_device *device = &plan->config->linux->devices.items[i];

        /* Engines list it among the host's devices; a link takes its place. */
        if (!is_ours || strcmp(device->path, "/dev/ptmx") != 0)
            result = make_device(plan, order, device, err);
    }
    if (result == 0 && is_ours)
        result = make_default_devices(plan, order, err);
    return result;
}
