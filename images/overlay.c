/* Root filesystems from layers: overlayfs (kernel: Documentation/filesystems/overlayfs.rst). */
#include <errno.h>
#include <fcntl.h>
#include <linux/securebits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/socket.h"
#include "images.h"

/* fsconfig(2) takes strings of up to 255 bytes. */
#define OPTION_MAX 255

/*
 * Directories are given as descriptors: the working directory is /proc/self/fd and a layer is
 * called "7". That keeps options short (a chain id has 64 digits), leaves no path to race, and
 * shows nothing of the host in the container's /proc/mounts.
 */
struct layer_fds {
    int fds[OVERLAY_LAYERS_MAX + 2]; /* a view adds a bottom and a top */
    size_t count;
};

static void layer_fds_release(struct layer_fds *layers)
{
    for (size_t i = 0; i < layers->count; i++)
        fd_close(&layers->fds[i]);
}

static int open_layers(int layers_fd, const struct string_list *names, struct layer_fds *layers,
                       struct error *err)
{
    if (names->count > OVERLAY_LAYERS_MAX)
        return error_set(err, ERROR_UNSUPPORTED, E2BIG,
                         "the image has %zu layers; at most %d can be stacked", names->count,
                         OVERLAY_LAYERS_MAX);
    for (size_t i = 0; i < names->count; i++) {
        int fd = openat(layers_fd, names->items[i], O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
            return error_errno(err, errno, "layer %s", names->items[i]);
        layers->fds[layers->count++] = fd;
    }
    return 0;
}

static int set_string(int fs_fd, const char *key, const char *value, struct error *err)
{
    if (fsconfig(fs_fd, FSCONFIG_SET_STRING, key, value, 0) < 0)
        return error_errno(err, errno, "overlayfs %s", key);
    return 0;
}

/* Linux 6.5 and later: one layer a call, from the top down. */
static int add_layers_one_by_one(int fs_fd, const struct layer_fds *layers, struct error *err)
{
    int result = 0;

    for (size_t i = layers->count; result == 0 && i > 0; i--) {
        char name[16];

        snprintf(name, sizeof(name), "%d", layers->fds[i - 1]);
        result = set_string(fs_fd, "lowerdir+", name, err);
    }
    return result;
}

static int add_layers_at_once(int fs_fd, const struct layer_fds *layers, struct error *err)
{
    cleanup_buffer struct buffer lower = {0};

    for (size_t i = layers->count; i > 0; i--)
        buffer_printf(&lower, "%s%d", lower.length > 0 ? ":" : "", layers->fds[i - 1]);
    if (lower.length > OPTION_MAX)
        return error_set(
            err, ERROR_UNSUPPORTED, E2BIG,
            "the image has %zu layers: more than this kernel can be told of (Linux 6.5 "
            "and later can)",
            layers->count);
    return set_string(fs_fd, "lowerdir", buffer_text(&lower), err);
}

/* Makes the superblock. With `one_by_one` kernels before 6.5 fail with EINVAL, but only at
 * FSCONFIG_CMD_CREATE: they take options of any name until then. */
static int configure(int fs_fd, const struct layer_fds *layers, int upper_fd, int work_fd,
                     bool one_by_one, struct error *err)
{
    char name[16];
    int result = one_by_one ? add_layers_one_by_one(fs_fd, layers, err)
                            : add_layers_at_once(fs_fd, layers, err);

    snprintf(name, sizeof(name), "%d", upper_fd);
    if (result == 0 && upper_fd >= 0)
        result = set_string(fs_fd, "upperdir", name, err);
    snprintf(name, sizeof(name), "%d", work_fd);
    if (result == 0 && upper_fd >= 0)
        result = set_string(fs_fd, "workdir", name, err);
    /* Without redirects and metacopy the upper directory does not refer to the layers below, so
     * that an image can be made of it. */
    if (result == 0)
        result = set_string(fs_fd, "redirect_dir", upper_fd >= 0 ? "off" : "nofollow", err);
    if (result == 0)
        result = set_string(fs_fd, "metacopy", "off", err);
    if (result == 0)
        result = set_string(fs_fd, "source", "overlay", err);
    if (result == 0 && fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        result = error_errno(err, errno, "overlayfs");
    return result;
}

/* Returns the filesystem's context, ready for fsmount. */
static int make_superblock(const struct layer_fds *layers, int upper_fd, int work_fd,
                           const char *label, bool one_by_one, struct error *err)
{
    cleanup_close int fs_fd = fsopen("overlay", FSOPEN_CLOEXEC);
    int result;

    if (fs_fd < 0)
        return error_errno(err, errno, "overlayfs (is it in the kernel?)");
    if (label != NULL && fsconfig(fs_fd, FSCONFIG_SET_STRING, "context", label, 0) < 0)
        return error_errno(err, errno, "overlayfs: context %s", label);
    result = configure(fs_fd, layers, upper_fd, work_fd, one_by_one, err);
    return result < 0 ? result : take_fd(&fs_fd);
}

static int open_directory(int container_fd, const char *name, mode_t mode, struct error *err)
{
    int fd;

    if (mkdirat(container_fd, name, mode) < 0 && errno != EEXIST)
        return error_errno(err, errno, "make %s", name);
    fd = openat(container_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? error_errno(err, errno, "open %s", name) : fd;
}

/* The root directory's mode and owner are those of the topmost layer, which an empty upper
 * directory would hide. */
static int copy_root_attributes(const struct layer_fds *layers, int container_fd, struct error *err)
{
    struct stat status = {.st_mode = 0755};

    for (size_t i = layers->count; i > 0; i--) {
        if (fstat(layers->fds[i - 1], &status) == 0)
            break;
    }
    if (fchownat(container_fd, "upper", status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        fchmodat(container_fd, "upper", status.st_mode & 07777, 0) < 0)
        return error_errno(err, errno, "set the owner of the root directory");
    return 0;
}

/* Returns the descriptor of a detached mount, which is read-only if upper_fd is -1. */
static int mount_overlay(const struct layer_fds *layers, int upper_fd, int work_fd,
                         const char *label, struct error *err)
{
    unsigned int attributes = upper_fd < 0 ? MOUNT_ATTR_RDONLY : 0;
    cleanup_close int fs_fd = -1;
    int result;
    int fd;

    if (chdir("/proc/self/fd") < 0)
        return error_errno(err, errno, "/proc/self/fd");
    fs_fd = make_superblock(layers, upper_fd, work_fd, label, true, err);
    if (fs_fd == -EINVAL)
        fs_fd = make_superblock(layers, upper_fd, work_fd, label, false, err);
    result = fs_fd < 0 ? fs_fd : 0;
    if (chdir("/") < 0 && result == 0)
        result = error_errno(err, errno, "/");
    if (result < 0)
        return result;
    fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, attributes);
    return fd < 0 ? error_errno(err, errno, "overlayfs: fsmount") : fd;
}

/* What a container writes to. */
struct own_fds {
    int upper;
    int work;
};

static int open_own(int container_fd, struct own_fds *own, struct error *err)
{
    own->upper = open_directory(container_fd, "upper", 0755, err);
    own->work = own->upper < 0 ? -1 : open_directory(container_fd, "work", 0700, err);
    return own->upper < 0 || own->work < 0 ? -err->errnum : 0;
}

static void close_own(struct own_fds *own)
{
    fd_close(&own->upper);
    fd_close(&own->work);
}

/* Puts upper/ and work/ into one project: overlayfs moves files from one to the other, and the
 * filesystem refuses to move them between projects. */
static int assign_project(const struct overlay_root *root, struct error *err)
{
    static const char *const names[] = {"upper", "work"};
    int result = 0;

    for (size_t i = 0; result == 0 && i < ARRAY_SIZE(names); i++) {
        cleanup_close int fd =
            openat(root->container_fd, names[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        result = fd < 0 ? error_errno(err, errno, "open %s", names[i])
                        : quota_assign(fd, root->project, err);
    }
    return result;
}

/* Opens the container's directories; those that are new are made as the image and the quota want
 * them. */
static int prepare_own(const struct layer_fds *layers, const struct overlay_root *root,
                       struct own_fds *own, struct error *err)
{
    bool is_new = faccessat(root->container_fd, "upper", F_OK, AT_SYMLINK_NOFOLLOW) < 0;
    int result;

    if (is_new && faccessat(root->container_fd, "work", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return error_set(err, ERROR_CONFLICT, ENOENT,
                         "the container's files are lost: upper/ is missing in its directory. Put "
                         "it back, or remove work/ there as well, and it starts without them");
    result = open_own(root->container_fd, own, err);
    if (result == 0 && is_new)
        result = copy_root_attributes(layers, root->container_fd, err);
    if (result == 0 && is_new && root->project != 0)
        result = assign_project(root, err);
    return result;
}

/* Returns a detached copy of the directory's mount, in which ids are mapped. */
static int map_directory(int directory_fd, int userns_fd, struct error *err)
{
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns_fd};
    cleanup_close int fd =
        open_tree(directory_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

    if (fd < 0)
        return error_errno(err, errno, "copy the mount");
    if (mount_setattr(fd, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0)
        return error_errno(err, errno,
                           "map the ids of the image's files (the filesystem of davitd's root "
                           "directory has to support idmapped mounts)");
    return take_fd(&fd);
}

/* Before Linux 6.15 overlayfs takes layers only from mounts that are in the caller's mount
 * namespace, so the copy is attached, where nobody but us sees it. */
static int map_working_directory(int userns_fd, struct error *err)
{
    cleanup_close int fd = map_directory(AT_FDCWD, userns_fd, err);

    if (fd < 0)
        return fd;
    if (move_mount(fd, "", AT_FDCWD, ".", MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return error_errno(err, errno, "attach the mount");
    return take_fd(&fd);
}

/* overlayfs makes files of its own, in work/, as the user who mounts it, and that user's ids have
 * to be mapped. So we mount as root of the user namespace and keep our privileges. */
static int become_owner(const struct overlay_ids *ids, struct error *err)
{
    if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) < 0)
        return error_errno(err, errno, "keep the privileges");
    setfsgid(ids->root_gid);
    setfsuid(ids->root_uid);
    return 0;
}

/* Opens the layers, upper/ and work/ again through the mapped mounts, and mounts them. */
static int mount_again(int layers_fd, const struct overlay_root *root, int container_fd,
                       struct error *err)
{
    struct layer_fds layers = {.count = 0};
    struct own_fds own = {-1, -1};
    int result = open_layers(layers_fd, &root->layers, &layers, err);

    if (result == 0)
        result = open_own(container_fd, &own, err);
    if (result == 0)
        result = mount_overlay(&layers, own.upper, own.work, root->label, err);
    layer_fds_release(&layers);
    close_own(&own);
    return result;
}

/* Linux 6.15 and later take layers from detached mounts, so no process of its own is needed. */
static int mount_detached(const struct overlay_root *root, struct error *err)
{
    cleanup_close int layers_fd = map_directory(root->layers_fd, root->ids->userns_fd, err);
    cleanup_close int container_fd =
        layers_fd < 0 ? -1 : map_directory(root->container_fd, root->ids->userns_fd, err);
    int securebits = prctl(PR_GET_SECUREBITS);
    int result;

    if (container_fd < 0)
        return -err->errnum;
    result = become_owner(root->ids, err);
    if (result == 0)
        result = mount_again(layers_fd, root, container_fd, err);
    setfsgid(getegid());
    setfsuid(geteuid());
    prctl(PR_SET_SECUREBITS, securebits);
    return result;
}

/* Runs in a process of its own, since the mounts that unshare(2) copies keep those of the host
 * busy. The working directory moves into the new mount namespace; open descriptors stay in the old
 * one. */
static int mount_mapped(const struct overlay_root *root, struct error *err)
{
    cleanup_close int mapped_layers_fd = -1;
    cleanup_close int mapped_container_fd = -1;
    cleanup_close int inside_fd = -1;
    int result;

    if (fchdir(root->container_fd) < 0 || unshare(CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return error_errno(err, errno, "a mount namespace for the layers");
    inside_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    /* The layers lie beside the directory of all containers. */
    if (inside_fd < 0 || chdir("../../layers") < 0)
        return error_errno(err, errno, "enter the layers' directory");
    mapped_layers_fd = map_working_directory(root->ids->userns_fd, err);
    if (mapped_layers_fd < 0)
        return mapped_layers_fd;
    if (fchdir(inside_fd) < 0)
        return error_errno(err, errno, "enter the container's directory");
    mapped_container_fd = map_working_directory(root->ids->userns_fd, err);
    if (mapped_container_fd < 0)
        return mapped_container_fd;
    result = become_owner(root->ids, err);
    return result < 0 ? result : mount_again(mapped_layers_fd, root, mapped_container_fd, err);
}

struct mapped_outcome {
    struct error error;
    bool has_mount;
};

static int await_mapped(int socket_fd, pid_t pid, struct error *err)
{
    struct mapped_outcome outcome = {0};
    size_t fd_count = 1;
    int fd = -1;
    ssize_t count = socket_receive(socket_fd, &outcome, sizeof(outcome), &fd, &fd_count);

    waitpid(pid, NULL, 0);
    if (count == (ssize_t)sizeof(outcome) && outcome.has_mount && fd_count == 1)
        return fd;
    if (count != (ssize_t)sizeof(outcome))
        return error_set(err, ERROR_INTERNAL, ECHILD, "the process that maps the layers died");
    if (err != NULL)
        *err = outcome.error;
    return -outcome.error.errnum;
}

static int fork_mapped(const struct overlay_root *root, struct error *err)
{
    struct mapped_outcome outcome = {0};
    int pair[2];
    pid_t pid;
    int fd;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, errno, "socketpair");
    pid = fork();
    if (pid == 0) {
        fd = mount_mapped(root, &outcome.error);
        outcome.has_mount = fd >= 0;
        socket_send(pair[1], &outcome, sizeof(outcome), &fd, fd >= 0 ? 1 : 0);
        _exit(0);
    }
    close(pair[1]);
    fd = pid < 0 ? error_errno(err, errno, "fork") : await_mapped(pair[0], pid, err);
    close(pair[0]);
    return fd;
}

int overlay_mount(const struct overlay_root *root, struct error *err)
{
    struct layer_fds layers = {.count = 0};
    struct own_fds own = {-1, -1};
    int result = open_layers(root->layers_fd, &root->layers, &layers, err);

    if (result == 0)
        result = prepare_own(&layers, root, &own, err);
    if (result == 0 && root->ids == NULL)
        result = mount_overlay(&layers, own.upper, own.work, root->label, err);
    else if (result == 0)
        result = mount_detached(root, err);
    if (result == -EINVAL && root->ids != NULL)
        result = fork_mapped(root, err);
    layer_fds_release(&layers);
    close_own(&own);
    return result;
}

static int open_view_layers(int store_fd, const struct string_list *names, int container_fd,
                            struct layer_fds *layers, struct error *err)
{
    cleanup_close int layers_fd = openat(store_fd, "layers", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int result;
    int fd;

    if (layers_fd < 0)
        return error_errno(err, errno, "open layers");
    result = open_layers(layers_fd, names, layers, err);
    if (result < 0 || container_fd < 0)
        return result;
    fd = openat(container_fd, "upper", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0)
        layers->fds[layers->count++] = fd;
    /* A container without upper/ has never been started. */
    return fd < 0 && errno != ENOENT ? error_errno(err, errno, "open upper") : 0;
}

/* Keeps a stranger's device nodes from being opened through the view. Closes mount_fd on failure.
 */
static int forbid_devices(int mount_fd, struct error *err)
{
    struct mount_attr nodev = {.attr_set = MOUNT_ATTR_NODEV};

    if (mount_setattr(mount_fd, "", AT_EMPTY_PATH, &nodev, sizeof(nodev)) == 0)
        return mount_fd;
    error_errno(err, errno, "mount the view without devices");
    close(mount_fd);
    return -EPERM;
}

int overlay_view_mount(int store_fd, const struct string_list *names, int container_fd,
                       int bottom_fd, struct error *err)
{
    struct layer_fds layers = {.count = 0};
    int result;
    int fd = bottom_fd >= 0 ? fcntl(bottom_fd, F_DUPFD_CLOEXEC, 0)
                            : openat(store_fd, STORE_EMPTY_LAYER,
                                     O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return error_errno(err, errno, STORE_EMPTY_LAYER);
    /* Without an upper directory overlayfs wants two layers at least. */
    layers.fds[layers.count++] = fd;
    result = open_view_layers(store_fd, names, container_fd, &layers, err);
    if (result == 0)
        result = mount_overlay(&layers, -1, -1, NULL, err);
    layer_fds_release(&layers);
    return result < 0 ? result : forbid_devices(result, err);
}

int overlay_view(int store_fd, const struct string_list *names, int container_fd, struct error *err)
{
    cleanup_close int mount_fd = overlay_view_mount(store_fd, names, container_fd, -1, err);
    int fd;

    if (mount_fd < 0)
        return mount_fd;
    fd = openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? error_errno(err, errno, "open the view") : fd;
}
