/* One mount: mount_one() of plan.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "copy_up.h"
#include "mount_order.h"

int mount_attach_tree(int tree_fd, int target_fd, struct error *err)
{
    if (move_mount(tree_fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
        0)
        return error_errno(err, errno, "attach");
    return 0;
}

static int set_attributes(int tree_fd, const struct mount_options *options, struct error *err)
{
    struct mount_attr once = {.attr_set = options->set, .attr_clr = options->clear};
    struct mount_attr tree = {.attr_set = options->recursive_set,
                              .attr_clr = options->recursive_clear};
    struct mount_attr propagation = {.propagation = options->propagation};

    if ((once.attr_set != 0 || once.attr_clr != 0) &&
        mount_setattr(tree_fd, "", AT_EMPTY_PATH, &once, sizeof(once)) < 0)
        return error_errno(err, errno, "set mount attributes");
    if ((tree.attr_set != 0 || tree.attr_clr != 0) &&
        mount_setattr(tree_fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &tree, sizeof(tree)) < 0)
        return error_errno(err, errno, "set mount attributes of the tree");
    if (propagation.propagation != 0 &&
        mount_setattr(tree_fd, "",
                      AT_EMPTY_PATH | (options->is_propagation_recursive ? AT_RECURSIVE : 0),
                      &propagation, sizeof(propagation)) < 0)
        return error_errno(err, errno, "set mount propagation");
    return 0;
}

/* What a filesystem has to say about a refused option or superblock is read from its context. */
static int filesystem_error(struct error *err, int fs_fd, const char *what)
{
    char message[256];
    int saved = errno;
    ssize_t length = read(fs_fd, message, sizeof(message) - 1);

    if (length <= 2)
        return error_errno(err, saved, "%s", what);
    message[length] = '\0';
    message[strcspn(message, "\n")] = '\0';
    /* "e " marks an error, "w " a warning */
    return error_errno(err, saved, "%s: %s", what, message + 2);
}

/* True for filesystem types that take one label for all files as a mount option. procfs and sysfs
 * are labelled by policy. */
static bool takes_label(const char *type)
{
    static const char *const others[] = {"proc", "sysfs", "mqueue", "cgroup", "cgroup2"};

    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        if (strcmp(type, others[i]) == 0)
            return false;
    }
    return true;
}

static int configure_options(int fs_fd, const struct mount_plan *mount, struct error *err)
{
    const struct string_list *data = &mount->options.data;

    for (size_t i = 0; i < data->count; i++) {
        char option[256];
        char *value;

        if (strlen(data->items[i]) >= sizeof(option))
            return error_errno(err, ENAMETOOLONG, "option %.32s...", data->items[i]);
        strcpy(option, data->items[i]);
        value = strchr(option, '=');
        if (value != NULL)
            *value++ = '\0';
        if (fsconfig(fs_fd, value != NULL ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, option, value,
                     0) < 0)
            return filesystem_error(err, fs_fd, data->items[i]);
    }
    return 0;
}

static int configure_filesystem(int fs_fd, const char *type, const struct mount_plan *mount,
                                struct error *err)
{
    const char *source = mount->mount->source;
    int result;

    if (fsconfig(fs_fd, FSCONFIG_SET_STRING, "source", source != NULL ? source : "none", 0) < 0)
        return filesystem_error(err, fs_fd, "source");
    result = configure_options(fs_fd, mount, err);
    if (result < 0)
        return result;
    if (mount->label != NULL && takes_label(type) &&
        fsconfig(fs_fd, FSCONFIG_SET_STRING, "context", mount->label, 0) < 0)
        return filesystem_error(err, fs_fd, "linux.mountLabel");
    /* Only the mount becomes read-only (MOUNT_ATTR_RDONLY in fsmount(2)), not the superblock. */
    if (fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return filesystem_error(err, fs_fd, "create");
    return 0;
}

bool mount_is_readonly_late(const struct mount_plan *mount)
{
    return !mount->options.is_bind && !mount->options.is_remount && mount->mount->type != NULL &&
           strcmp(mount->mount->type, "tmpfs") == 0 && mount->mount->destination != NULL &&
           (mount->options.set & MOUNT_ATTR_RDONLY) != 0;
}

/* A new superblock as a detached mount. */
int mount_make_filesystem(const char *type, const struct mount_plan *mount, struct error *err)
{
    cleanup_close int fs_fd = fsopen(type, FSOPEN_CLOEXEC);
    unsigned int attributes = (unsigned int)mount->options.set;
    int result;
    int fd;

    if (fs_fd < 0)
        return error_errno(err, errno, "filesystem type %s", type);
    result = configure_filesystem(fs_fd, type, mount, err);
    if (result < 0)
        return result;
    /* Copying up needs to write first, and so do mounts and devices below a tmpfs. */
    if (mount->options.has_copy_up || mount_is_readonly_late(mount))
        attributes &= ~(unsigned int)MOUNT_ATTR_RDONLY;
    fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, attributes);
    return fd < 0 ? filesystem_error(err, fs_fd, "mount") : fd;
}

/* A cgroup2 mount starts at the root of our cgroup namespace: without a namespace of its own the
 * container sees the whole hierarchy. Where the kernel refuses a new cgroup2 superblock (user
 * namespaces without a cgroup one) the mount of the host is bound instead. */
static int make_cgroup_mount(const struct mount_plan *mount, struct error *err)
{
    struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};
    struct mount_plan cgroup2 = *mount;
    int fd;

    cgroup2.options.data.count = 0;
    fd = mount_make_filesystem("cgroup2", &cgroup2, err);
    if (fd != -EPERM && fd != -EBUSY)
        return fd;
    fd = open_tree(AT_FDCWD, "/sys/fs/cgroup", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (fd < 0)
        return error_errno(err, errno, "bind /sys/fs/cgroup");
    /* This is the host's hierarchy, and whatever the options say not to be written to. */
    if (mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &readonly, sizeof(readonly)) < 0) {
        error_errno(err, errno, "make /sys/fs/cgroup read-only");
        fd_close(&fd);
        return -EPERM;
    }
    return fd;
}

static bool is_cgroup_type(const char *type)
{
    return strcmp(type, "cgroup") == 0 || strcmp(type, "cgroup2") == 0;
}

/* procfs and sysfs go where they are said to go and nowhere a link in the image points to: other
 * code trusts those places. */
static int open_strict_target(int root_fd, const struct mount_plan *mount, struct error *err)
{
    const char *destination = mount->mount->destination;
    int fd =
        path_open_beneath(root_fd, destination + strspn(destination, "/"), O_PATH | O_DIRECTORY, 0);

    return fd == -ELOOP ? error_set(err, ERROR_INVALID, ELOOP,
                                    "a symbolic link is in the way of %s", mount->mount->type)
                        : fd;
}

static int open_existing_target(int root_fd, const struct mount_plan *mount, struct error *err)
{
    const char *type = mount->mount->type != NULL ? mount->mount->type : "";
    int fd = -ENOENT;

    if (strcmp(type, "proc") == 0 || strcmp(type, "sysfs") == 0)
        fd = open_strict_target(root_fd, mount, err);
    if (fd < 0 && fd != -ELOOP)
        fd = path_open_in_root(root_fd, mount->mount->destination, O_PATH, 0);
    return fd >= 0 || fd == -ENOENT ? fd : error_errno(err, -fd, "target");
}

static int make_target(int root_fd, const char *destination, bool is_directory, struct error *err)
{
    char storage[PATH_MAX];
    const char *directory;
    const char *name;
    cleanup_close int parent_fd = -1;
    cleanup_close int file_fd = -1;
    int fd;

    if (is_directory)
        return path_make_directories(root_fd, destination, 0755, err);
    if (path_split(destination, storage, &directory, &name) < 0)
        return error_errno(err, ENAMETOOLONG, "target");
    parent_fd = path_make_directories(root_fd, directory, 0755, err);
    if (parent_fd < 0)
        return parent_fd;
    file_fd = openat(parent_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (file_fd < 0 && errno != EEXIST)
        return error_errno(err, errno, "make the target");
    fd = path_open_in_root(root_fd, destination, O_PATH, 0);
    return fd < 0 ? error_errno(err, -fd, "target") : fd;
}

/* An image may have /etc/resolv.conf as a symlink to what is not there yet: what it leads to inside
 * the root is made. */
static int make_target_by_links(int root_fd, const char *destination, bool is_directory,
                                struct error *err)
{
    char resolved[PATH_MAX];
    int fd = make_target(root_fd, destination, is_directory, err);
    int result;

    if (fd != -ENOENT && fd != -ENOTDIR && fd != -ELOOP && fd != -EEXIST && fd != -EINVAL)
        return fd;
    result = path_resolve_in_root(root_fd, destination, resolved);
    if (result < 0)
        return error_errno(err, -result, "target");
    return make_target(root_fd, resolved, is_directory, err);
}

bool mount_tree_is_directory(int tree_fd)
{
    struct stat status;

    return tree_fd < 0 || fstat(tree_fd, &status) < 0 || S_ISDIR(status.st_mode);
}

static bool is_mount_root(int fd)
{
    struct statx status;

    return statx(fd, "", AT_EMPTY_PATH, 0, &status) == 0 &&
           (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

/* Changes the options of a filesystem that is mounted. */
static int reconfigure(int target_fd, const struct mount_plan *mount, struct error *err)
{
    cleanup_close int fs_fd = fspick(target_fd, "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC);
    int result;

    if (fs_fd < 0)
        return error_errno(err, errno, "remount");
    result = configure_options(fs_fd, mount, err);
    if (result == 0 && fsconfig(fs_fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
        result = filesystem_error(err, fs_fd, "remount");
    return result;
}

/* "remount" changes what is mounted at the target already: with "bind" the mount alone, without the
 * filesystem as well (mount(2) MS_REMOUNT). */
static int remount(int target_fd, const struct mount_plan *mount, struct error *err)
{
    int result = 0;

    if (!is_mount_root(target_fd))
        return error_set(err, ERROR_INVALID, EINVAL, "remount: nothing is mounted there");
    if (!mount->options.is_bind && mount->options.data.count > 0)
        result = reconfigure(target_fd, mount, err);
    return result < 0 ? result : set_attributes(target_fd, &mount->options, err);
}

static int make_tree(const struct mount_plan *mount, struct error *err)
{
    const char *type = mount->mount->type;
    int tree_fd;

    if (mount->options.is_bind) {
        tree_fd = fcntl(mount->tree_fd, F_DUPFD_CLOEXEC, 0);
        return tree_fd < 0 ? error_errno(err, errno, "dup") : tree_fd;
    }
    if (type == NULL || type[0] == '\0')
        return error_set(err, ERROR_INVALID, EINVAL, "a type is required");
    return is_cgroup_type(type) ? make_cgroup_mount(mount, err)
                                : mount_make_filesystem(type, mount, err);
}

/* An mqueue filesystem exists before it is mounted, so that its root is labelled afterwards. */
static int label_mqueue(int tree_fd, const struct mount_plan *mount, struct error *err)
{
    char path[PATH_FD_SIZE];

    if (mount->label == NULL || mount->mount->type == NULL ||
        strcmp(mount->mount->type, "mqueue") != 0)
        return 0;
    if (setxattr(path_of_fd(path, tree_fd), "security.selinux", mount->label,
                 strlen(mount->label) + 1, 0) < 0)
        return error_errno(err, errno, "linux.mountLabel");
    return 0;
}

static bool says_mode(const struct mount_options *options)
{
    for (size_t i = 0; i < options->data.count; i++) {
        if (strncmp(options->data.items[i], "mode=", strlen("mode=")) == 0)
            return true;
    }
    return false;
}

/* Without "mode=" a tmpfs would be 1777 (tmpfs(5)) also where the image has a directory that not
 * everybody may write to. */
static int keep_mode(int tree_fd, int target_fd, const struct mount_plan *mount, struct error *err)
{
    char path[PATH_FD_SIZE];
    struct stat status;

    if (mount->options.is_bind || mount->options.has_copy_up || mount->mount->type == NULL ||
        strcmp(mount->mount->type, "tmpfs") != 0 || says_mode(&mount->options))
        return 0;
    if (fstat(target_fd, &status) < 0 ||
        chmod(path_of_fd(path, tree_fd), status.st_mode & ALLPERMS) < 0)
        return error_errno(err, errno, "the directory's mode");
    return 0;
}

/* What is mounted gets what it needs before it can be seen, then its attributes. */
static int prepare_tree(int tree_fd, int target_fd, const struct mount_plan *mount, bool is_new,
                        struct error *err)
{
    struct mount_options remaining = mount->options;
    int result = label_mqueue(tree_fd, mount, err);

    /* A volume keeps its mode where the image has nothing. */
    if (result == 0 && mount->options.has_copy_up && !(is_new && mount->options.is_bind))
        result = copy_up(target_fd, tree_fd, err);
    if (result == 0 && !is_new)
        result = keep_mode(tree_fd, target_fd, mount, err);
    if (result < 0)
        return result;
    /* fsmount has set a new filesystem's own attributes already. */
    if (!mount->options.is_bind && !mount->options.has_copy_up)
        remaining.set = remaining.clear = 0;
    if (mount_is_readonly_late(mount))
        remaining.set &= ~(uint64_t)MOUNT_ATTR_RDONLY;
    return set_attributes(tree_fd, &remaining, err);
}

int mount_one(int root_fd, const struct mount_plan *mount, int *late_fd, struct error *err)
{
    cleanup_close int tree_fd = -1;
    cleanup_close int target_fd = -1;
    bool is_new = false;
    int result;

    if (!mount->options.is_remount) {
        tree_fd = make_tree(mount, err);
        if (tree_fd < 0)
            return tree_fd;
    }
    target_fd = open_existing_target(root_fd, mount, err);
    if (target_fd == -ENOENT && mount->options.is_remount)
        return error_errno(err, ENOENT, "remount");
    if (target_fd == -ENOENT) {
        is_new = true;
        target_fd = make_target_by_links(root_fd, mount->mount->destination,
                                         mount_tree_is_directory(tree_fd), err);
    }
    if (target_fd < 0)
        return target_fd;
    if (mount->options.is_remount)
        return remount(target_fd, mount, err);
    result = prepare_tree(tree_fd, target_fd, mount, is_new, err);
    if (result == 0)
        result = mount_attach_tree(tree_fd, target_fd, err);
    if (result == 0 && mount_is_readonly_late(mount))
        *late_fd = take_fd(&tree_fd);
    return result;
}

/* A device works the same on a read-only mount, but its owner, mode and times cannot be changed
 * there. They are the host's, and root of a container without a user namespace is root to them. */
int mount_attach_host_node(int tree_fd, int target_fd, struct error *err)
{
    struct mount_attr guarded = {.attr_set =
                                     MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC};

    if (mount_setattr(tree_fd, "", AT_EMPTY_PATH, &guarded, sizeof(guarded)) < 0)
        return error_errno(err, errno, "guard the host's node");
    return mount_attach_tree(tree_fd, target_fd, err);
}
