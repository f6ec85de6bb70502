/* C4: see mount_order.h. */
#include "mount_order.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"

static bool is_of_type(const struct mount_plan *mount, const char *const *types)
{
    if (mount->options.is_bind || mount->options.is_remount || mount->mount->type == NULL)
        return false;
    while (*types != NULL && strcmp(mount->mount->type, *types) != 0)
        types++;
    return *types != NULL;
}

/* Filesystem types that are not listed here may show the network namespace of the process that
 * mounts them; sysfs does. */
static bool shows_network(const struct mount_plan *mount)
{
    static const char *const others[] = {"tmpfs",  "proc",    "devpts",  "mqueue",
                                         "cgroup", "cgroup2", "overlay", NULL};

    return !mount->options.is_bind && !mount->options.is_remount && !is_of_type(mount, others);
}

/* Absolute, with every name standing for itself: then comparing paths compares places. (A name that
 * begins with a dot is taken for "." or "..", which costs time only.) */
static bool is_plain(const char *path)
{
    size_t length = strlen(path);

    return length > 1 && path[0] == '/' && path[length - 1] != '/' && strstr(path, "//") == NULL &&
           strstr(path, "/.") == NULL;
}

static bool leads_through(const char *path, const char *directory)
{
    size_t length = strlen(directory);

    return strncmp(path, directory, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static bool is_below_waiting(const struct mount_order *order, const char *path)
{
    for (size_t i = 0; i < order->waiting_count; i++) {
        if (leads_through(path, order->waiting[i]->mount->destination))
            return true;
    }
    return false;
}

static bool is_above_waiting(const struct mount_order *order, const char *path)
{
    for (size_t i = 0; i < order->waiting_count; i++) {
        if (leads_through(order->waiting[i]->mount->destination, path))
            return true;
    }
    return false;
}

/* The descriptor of a path that can go ahead, -ENOENT if nothing is there yet (what is made there
 * later is made of directories, not of links), another error if the path has to come after what
 * waits. */
static int open_ahead(const struct mount_order *order, const char *path)
{
    if (!is_plain(path) || is_below_waiting(order, path) || is_above_waiting(order, path))
        return -EBUSY;
    return path_open_beneath(order->root_fd, path + 1, O_PATH, 0);
}

static bool can_go_ahead(const struct mount_order *order, const char *path)
{
    cleanup_close int fd = open_ahead(order, path);

    return fd >= 0 || fd == -ENOENT;
}

/* Later mounts are compared with a waiting one by its path, so no symlink of the image may lead
 * that path elsewhere: sysfs waits if its target is free of symlinks, a cgroup mount only below a
 * sysfs that waits. */
static bool can_wait(const struct mount_order *order, const struct mount_plan *mount)
{
    static const char *const sysfs[] = {"sysfs", NULL};
    static const char *const cgroup[] = {"cgroup", "cgroup2", NULL};
    const char *path = mount->mount->destination;

    if (!order->network.is_pending || order->waiting_count == MOUNTS_WAITING_MAX)
        return false;
    if (is_of_type(mount, cgroup))
        return is_plain(path) && is_below_waiting(order, path);
    return is_of_type(mount, sysfs) && can_go_ahead(order, path);
}

static int make_mount(struct mount_order *order, const struct mount_plan *mount, struct error *err)
{
    int late_fd = -1;
    int result = mount_one(order->root_fd, mount, &late_fd, err);

    if (late_fd >= 0)
        order->readonly_late[order->readonly_late_count++] = late_fd;
    return result < 0 ? error_prefix(err, "mount %s", mount->mount->destination) : 0;
}

int mount_order_make_readonly(struct mount_order *order, struct error *err)
{
    struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};

    for (; order->readonly_late_count > 0; order->readonly_late_count--) {
        int fd = order->readonly_late[order->readonly_late_count - 1];

        if (mount_setattr(fd, "", AT_EMPTY_PATH, &readonly, sizeof(readonly)) < 0)
            return error_errno(err, errno, "make a tmpfs read-only");
        close(fd);
    }
    return 0;
}

int mount_order_add(struct mount_order *order, const struct mount_plan *mount, struct error *err)
{
    int result;

    if (can_wait(order, mount)) {
        order->waiting[order->waiting_count++] = mount;
        return 0;
    }
    result = shows_network(mount) ? mount_order_mount_waiting(order, err)
                                  : mount_order_settle(order, mount->mount->destination, err);
    return result < 0 ? result : make_mount(order, mount, err);
}

int mount_order_settle(struct mount_order *order, const char *path, struct error *err)
{
    if (order->waiting_count == 0 || can_go_ahead(order, path))
        return 0;
    return mount_order_mount_waiting(order, err);
}

int mount_order_open(struct mount_order *order, const char *path, int *fd, struct error *err)
{
    int result = 0;

    *fd = order->waiting_count > 0 ? open_ahead(order, path) : -EBUSY;
    if (*fd >= 0 || *fd == -ENOENT)
        return 0;
    if (order->waiting_count > 0)
        result = mount_order_mount_waiting(order, err);
    if (result == 0)
        *fd = path_open_in_root(order->root_fd, path, O_PATH, 0);
    return result;
}

int mount_order_mount_waiting(struct mount_order *order, struct error *err)
{
    int result = network_enter(&order->network, err);

    for (size_t i = 0; result == 0 && i < order->waiting_count; i++)
        result = make_mount(order, order->waiting[i], err);
    order->waiting_count = 0;
    return result;
}
