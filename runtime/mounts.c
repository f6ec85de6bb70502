/*
 * C4, C6 and C7: the container's mounts. A target is resolved once, by the kernel and inside the
 * root (openat2 RESOLVE_IN_ROOT), and mounted onto by descriptor: whatever is renamed or linked in
 * between, a mount cannot land outside.
 */
#include "base/cleanup.h"
#include "base/path.h"
#include "copy_up.h"
#include "mount_order.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static unsigned long propagation_flag(const struct plan *plan)
{
    return plan_root_receives_mounts(plan->config) ? MS_SLAVE : MS_PRIVATE;
}

/* Back to the true root of our mount namespace, out of any chroot. */
static int enter_namespace_root(struct error *err)
{
    cleanup_close int pidfd = pidfd_open(getpid(), 0);

    if (pidfd < 0 || setns(pidfd, CLONE_NEWNS) < 0)
        return error_errno(err, errno, "enter the root of the mount namespace");
    return 0;
}

static uint64_t mount_id(int directory_fd, const char *path)
{
    struct statx status = {0};

    statx(directory_fd, path, AT_EMPTY_PATH, STATX_MNT_ID, &status);
    return status.stx_mnt_id;
}

/* Finds out whether we were started in a chroot. There pivot_root(2) would exchange the mount of
 * the chroot only and leave the host's root in the container's namespace, one setns(2) away for its
 * root user. */
static int find_chroot(int slash_fd, bool *is_chrooted, struct error *err)
{
    int result = enter_namespace_root(err);

    if (result < 0)
        return result;
    *is_chrooted = mount_id(AT_FDCWD, "/") != mount_id(slash_fd, "");
    if (*is_chrooted && (fchdir(slash_fd) < 0 || chroot(".") < 0))
        return error_errno(err, errno, "chroot");
    return 0;
}

/* Makes the directory that the program starts in, if it is missing. */
static int make_working_directory(const struct plan *plan, struct mount_order *order,
                                  struct error *err)
{
    const char *cwd = plan->config->process->cwd;
    cleanup_close int fd = -1;
    int result;

    if (cwd == NULL || strcmp(cwd, "/") == 0)
        return 0;
    result = mount_order_settle(order, cwd, err);
    if (result < 0)
        return result;
    fd = path_make_directories(order->root_fd, cwd, 0755, err);
    if (fd < 0 && fd != -EROFS && fd != -EACCES)
        return error_prefix(err, "process.cwd");
    return 0;
}

int mounts_make(const struct plan *plan, struct mount_order *order, bool *is_chrooted,
                struct error *err)
{
    struct mount_attr isolated = {.propagation = propagation_flag(plan)};
    cleanup_close int root_fd = fcntl(plan->rootfs_fd, F_DUPFD_CLOEXEC, 0);
    cleanup_close int slash_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int result;

    if (root_fd < 0 || slash_fd < 0)
        return error_errno(err, errno, "root filesystem");
    result = find_chroot(slash_fd, is_chrooted, err);
    if (result < 0)
        return result;
    /* Nothing mounted from here on may show on the host. */
    if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &isolated, sizeof(isolated)) < 0)
        return error_errno(err, errno, "isolate the mount namespace");
    /* The new root hangs over "/", which we do not see: our root stays the old directory, so the
     * host's paths keep working until pivot_root. createContainer hooks have to find it where the
     * bundle says, so that with such hooks it goes there until mounts_pivot(). */
    if (mount_attach_tree(root_fd, order->place_fd >= 0 ? order->place_fd : slash_fd, err) < 0)
        return error_prefix(err, "root filesystem");
    /* A root that receives mounts of the host becomes a slave: pivot_root(2) refuses a shared
     * one. */
    if (plan_root_receives_mounts(plan->config) &&
        mount_setattr(root_fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &isolated, sizeof(isolated)) < 0)
        return error_errno(err, errno, "linux.rootfsPropagation");
    order->root_fd = root_fd;
    for (size_t i = 0; result == 0 && i < plan->mounts.count; i++)
        result = mount_order_add(order, &plan->mounts.items[i], err);
    if (result == 0)
        result = make_working_directory(plan, order, err);
    if (result < 0)
        return result;
    return take_fd(&root_fd);
}

/* What masks a path must be the null device itself and not a file or link put in its place. The
 * host's is opened, in our mount namespace, where "/" is still the host's root. */
static int open_null_device(struct error *err)
{
    cleanup_close int fd = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0)
        return error_errno(err, errno, "/dev/null");
    if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(1, 3))
        return error_set(err, ERROR_INTERNAL, ENODEV, "/dev/null is not the null device");
    return take_fd(&fd);
}

/* What hides: the null device for a file, and for directories one empty read-only tmpfs, made when
 * the first needs it and copied from there. */
struct masks {
    int null_fd;
    int empty_fd;
    const char *label;
};

static int open_empty_directory(struct masks *masks, struct error *err)
{
    static const struct oci_mount empty = {.type = "tmpfs", .source = "tmpfs"};
    struct mount_plan tmpfs = {
        .mount = &empty, .options.set = MOUNT_ATTR_RDONLY, .label = masks->label};

    if (masks->empty_fd >= 0)
        return open_tree(masks->empty_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    masks->empty_fd = mount_make_filesystem("tmpfs", &tmpfs, err);
    return masks->empty_fd < 0 ? masks->empty_fd : fcntl(masks->empty_fd, F_DUPFD_CLOEXEC, 0);
}

static int mask_path(struct masks *masks, int target_fd, struct error *err)
{
    bool is_directory = mount_tree_is_directory(target_fd);
    cleanup_close int tree_fd =
        is_directory
            ? open_empty_directory(masks, err)
            : open_tree(masks->null_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

    if (tree_fd < 0)
        return error_errno(err, errno, is_directory ? "empty directory" : "/dev/null");
    return is_directory ? mount_attach_tree(tree_fd, target_fd, err)
                        : mount_attach_host_node(tree_fd, target_fd, err);
}

static int make_path_readonly(int target_fd, struct error *err)
{
    struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};
    cleanup_close int tree_fd = open_tree(
        target_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

    if (tree_fd < 0)
        return error_errno(err, errno, "copy the mount");
    if (mount_setattr(tree_fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &readonly, sizeof(readonly)) < 0)
        return error_errno(err, errno, "make the mount read-only");
    return mount_attach_tree(tree_fd, target_fd, err);
}

static int apply_to_path(struct mount_order *order, const char *path, struct masks *masks,
                         struct error *err)
{
    const char *what = masks != NULL ? "masked" : "read-only";
    cleanup_close int target_fd = -1;
    int result;

    if (path[0] == '\0')
        return 0;
    result = mount_order_open(order, path, &target_fd, err);
    if (result < 0)
        return result;
    /* Kernels differ in what they have; what is not there needs no hiding. */
    if (target_fd == -ENOENT || target_fd == -ENOTDIR)
        return 0;
    if (target_fd < 0)
        return error_errno(err, -target_fd, "%s path %s", what, path);
    result = masks != NULL ? mask_path(masks, target_fd, err) : make_path_readonly(target_fd, err);
    return result < 0 ? error_prefix(err, "%s path %s", what, path) : 0;
}

int mounts_mask_paths(const struct plan *plan, struct mount_order *order, struct error *err)
{
    const struct string_list *masked = &plan->config->linux->masked_paths;
    const struct string_list *readonly = &plan->config->linux->readonly_paths;
    cleanup_close int null_fd = masked->count > 0 ? open_null_device(err) : -1;
    struct masks masks = {
        .null_fd = null_fd, .empty_fd = -1, .label = plan_mount_label(plan->config)};
    int result = 0;

    if (masked->count > 0 && null_fd < 0)
        return null_fd;
    for (size_t i = 0; result == 0 && i < readonly->count; i++)
        result = apply_to_path(order, readonly->items[i], NULL, err);
    for (size_t i = 0; result == 0 && i < masked->count; i++)
        result = apply_to_path(order, masked->items[i], &masks, err);
    fd_close(&masks.empty_fd);
    return result;
}

/* The root is private already, or a slave if it receives mounts of the host (mounts_make()): only
 * other propagations, and recursive ones, are set here. */
static int set_root_propagation(const struct plan *plan, struct error *err)
{
    int propagation = plan->config->linux->rootfs_propagation;
    unsigned int flags = 0;
    struct mount_attr attributes = {0};

    switch (propagation) {
    case OCI_PROPAGATION_RSHARED:
        flags = AT_RECURSIVE;
        attributes.propagation = MS_SHARED;
        break;
    case OCI_PROPAGATION_SHARED:
        attributes.propagation = MS_SHARED;
        break;
    case OCI_PROPAGATION_RUNBINDABLE:
        flags = AT_RECURSIVE;
        attributes.propagation = MS_UNBINDABLE;
        break;
    case OCI_PROPAGATION_UNBINDABLE:
        attributes.propagation = MS_UNBINDABLE;
        break;
    case OCI_PROPAGATION_RPRIVATE:
        flags = AT_RECURSIVE;
        attributes.propagation = MS_PRIVATE;
        break;
    case OCI_PROPAGATION_RSLAVE:
        flags = AT_RECURSIVE;
        attributes.propagation = MS_SLAVE;
        break;
    default:
        return 0;
    }
    if (mount_setattr(AT_FDCWD, "/", flags, &attributes, sizeof(attributes)) < 0)
        return error_errno(err, errno, "linux.rootfsPropagation");
    return 0;
}

/* pivot_root(2) cannot replace the initramfs. The new root is mounted over "/" already, so that a
 * process which enters the namespace from outside comes out in it as well. */
static int enter_without_pivot(const struct plan *plan, int root_fd, struct error *err)
{
    if (fchdir(root_fd) < 0 || chroot(".") < 0 || chdir("/") < 0)
        return error_errno(err, errno, "enter the root filesystem");
    return set_root_propagation(plan, err);
}

/* From where hooks found it to over "/". */
static int move_root(int root_fd, struct error *err)
{
    cleanup_close int slash_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (slash_fd < 0)
        return error_errno(err, errno, "/");
    return mount_attach_tree(root_fd, slash_fd, err);
}

int mounts_pivot(const struct plan *plan, int root_fd, bool is_chrooted, bool has_place,
                 struct error *err)
{
    struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};

    if (has_place && move_root(root_fd, err) < 0)
        return error_prefix(err, "root filesystem");

    if (plan->config->root != NULL && plan->config->root->is_readonly &&
        mount_setattr(root_fd, "", AT_EMPTY_PATH, &readonly, sizeof(readonly)) < 0)
        return error_errno(err, errno, "make the root filesystem read-only");
    if (is_chrooted && enter_namespace_root(err) < 0)
        return -EIO;
    if (plan->options->has_no_pivot)
        return enter_without_pivot(plan, root_fd, err);
    /* pivot_root(2), "pivot_root(".", ".")": the old root is stacked over the new one and taken
     * away again, with no directory needed for it. */
    if (fchdir(root_fd) < 0)
        return error_errno(err, errno, "enter the root filesystem");
    if (syscall(SYS_pivot_root, ".", ".") < 0)
        return error_errno(err, errno, "pivot_root");
    if (umount2(".", MNT_DETACH) < 0)
        return error_errno(err, errno, "detach the host's root");
    if (chdir("/") < 0)
        return error_errno(err, errno, "enter the new root");
    return set_root_propagation(plan, err);
}
