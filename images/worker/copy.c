/*
 * Files between a container and the outside, as tars (Docker's archive requests). The container's
 * tree is a stranger's: paths are resolved by the kernel inside its root, and before anything of it
 * is read this process makes that root its own and gives up all but a few privileges.
 *
 * A running container is looked at from inside its mount namespace (and its user namespace, as root
 * there), with everything that is mounted there. The root of a container that does not run is put
 * together here, in this process's mount namespace, from its layers and volumes.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/path.h"
#include "bundle/user.h"
#include "worker.h"

#define PIDFD 4 /* of the container's first process */

/* We are not in the container's cgroup, whose rules say which devices it may use. So no device that
 * it puts in our way can be opened at all, in a copy of its mount namespace. */
static int hide_devices(struct error *err)
{
    struct mount_attr isolated = {.propagation = MS_PRIVATE};
    struct mount_attr nodev = {.attr_set = MOUNT_ATTR_NODEV};

    if (unshare(CLONE_NEWNS) < 0 ||
        mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &isolated, sizeof(isolated)) < 0 ||
        mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &nodev, sizeof(nodev)) < 0)
        return error_errno(err, errno, "see the container's mounts without devices");
    return 0;
}

/* Enters the container's namespaces. Becomes root of its user namespace, if it has one, so that we
 * can change only what the container can. */
static int enter_running(const struct copy_job *job, struct error *err)
{
    int namespaces = CLONE_NEWNS | (job->has_user_namespace ? CLONE_NEWUSER : 0);
    int fd;

    if (setns(PIDFD, namespaces) < 0)
        return error_errno(err, errno, "enter the container");
    if (job->has_user_namespace &&
        (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
        return error_errno(err, errno, "become the container's root");
    if (hide_devices(err) < 0)
        return -EPERM;
    fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? error_errno(err, errno, "open the container's root") : fd;
}

static int restrict_mount(int mount_fd, uint64_t attributes, struct error *err)
{
    struct mount_attr restricted = {.attr_set = MOUNT_ATTR_NODEV | attributes};

    if (mount_setattr(mount_fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &restricted, sizeof(restricted)) <
        0)
        return error_errno(err, errno, "restrict a mount");
    return 0;
}

static int open_source(const struct copy_mount *mount, struct error *err)
{
    const unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH;
    cleanup_close int source_fd = open(mount->source, O_PATH | O_CLOEXEC);
    cleanup_close int part_fd = -1;
    int fd;

    if (source_fd < 0)
        return error_errno(err, errno, "%.256s", mount->source);
    if (mount->subpath != NULL && mount->subpath[0] != '\0') {
        part_fd = path_open_in_root(source_fd, mount->subpath, O_PATH, 0);
        if (part_fd < 0)
            return error_errno(err, -part_fd, "%.256s", mount->subpath);
    }
    fd = open_tree(part_fd >= 0 ? part_fd : source_fd, "", flags);
    return fd < 0 ? error_errno(err, errno, "%.256s", mount->source) : fd;
}

/* Makes the mount points in a tmpfs that becomes the layer below all others: in a view, which is
 * read-only, those that the image lacks could not be made. */
static int make_places(const struct copy_job *job, struct error *err)
{
    cleanup_close int context_fd = fsopen("tmpfs", FSOPEN_CLOEXEC);
    cleanup_close int mount_fd = -1;

    if (context_fd < 0 || fsconfig(context_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return error_errno(err, errno, "tmpfs");
    mount_fd = fsmount(context_fd, FSMOUNT_CLOEXEC, 0);
    if (mount_fd < 0)
        return error_errno(err, errno, "tmpfs");
    for (size_t i = 0; i < job->mounts.count; i++) {
        int fd = path_make_directories(mount_fd, job->mounts.items[i].destination, 0755, NULL);

        if (fd >= 0)
            close(fd);
    }
    return take_fd(&mount_fd);
}

static int add_mount(int root_fd, const struct copy_mount *mount, struct error *err)
{
    cleanup_close int source_fd = open_source(mount, err);
    cleanup_close int target_fd = -1;
    int result;

    if (source_fd < 0)
        return source_fd;
    target_fd = path_open_in_root(root_fd, mount->destination, O_PATH, 0);
    if (target_fd == -ENOENT)
        target_fd = path_make_directories(root_fd, mount->destination, 0755, NULL);
    if (target_fd < 0)
        return 0;
    result = restrict_mount(source_fd, mount->is_readonly ? MOUNT_ATTR_RDONLY : 0, err);
    if (result == 0 && move_mount(source_fd, "", target_fd, "",
                                  MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        result = error_errno(err, errno, "mount %.256s", mount->destination);
    return result;
}

/* Mounts the root of a container that does not run, in this process's mount namespace. */
static int mount_stopped_root(int store_fd, const struct copy_job *job, bool is_writable,
                              struct error *err)
{
    cleanup_close int container_fd = container_open(store_fd, job->container.id, err);
    cleanup_close int layers_fd = openat(store_fd, "layers", O_PATH | O_DIRECTORY | O_CLOEXEC);
    cleanup_close int place_fd =
        openat(store_fd, STORE_EMPTY_LAYER, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    const struct overlay_root root = {
        .layers_fd = layers_fd, .layers = job->container.layers, .container_fd = container_fd};
    cleanup_close int bottom_fd = -1;
    cleanup_close int mount_fd = -1;
    cleanup_close int root_fd = -1;
    int result;

    if (container_fd < 0 || layers_fd < 0 || place_fd < 0)
        return container_fd < 0 ? container_fd : error_errno(err, errno, "open the store");
    if (is_writable) {
        mount_fd = overlay_mount(&root, err);
    } else {
        bottom_fd = make_places(job, err);
        if (bottom_fd < 0)
            return bottom_fd;
        mount_fd =
            overlay_view_mount(store_fd, &job->container.layers, container_fd, bottom_fd, err);
    }
    if (mount_fd < 0)
        return mount_fd;
    if (restrict_mount(mount_fd, 0, err) < 0)
        return -EPERM;
    /* The kernel puts no mount on a detached one: attach it first. */
    if (move_mount(mount_fd, "", place_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
        0)
        return error_errno(err, errno, "mount the container's root");
    root_fd = openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0)
        return error_errno(err, errno, "open the container's root");
    result = 0;
    for (size_t i = 0; result == 0 && i < job->mounts.count; i++)
        result = add_mount(root_fd, &job->mounts.items[i], err);
    if (result == 0 && is_writable && job->is_root_readonly) {
        struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};

        if (mount_setattr(root_fd, "", AT_EMPTY_PATH, &readonly, sizeof(readonly)) < 0)
            result = error_errno(err, errno, "make the root read-only");
    }
    return result < 0 ? result : take_fd(&root_fd);
}

static int open_root(int store_fd, const struct copy_job *job, bool is_writable, struct error *err)
{
    return job->is_running ? enter_running(job, err)
                           : mount_stopped_root(store_fd, job, is_writable, err);
}

struct place {
    int directory_fd;
    char name[NAME_MAX + 1];  /* "." for a directory itself: "/", "/x/.", "/x/.." */
    char shown[NAME_MAX + 1]; /* what the tar calls it */
    struct stat status;
};

static int not_found(const struct copy_job *job, struct error *err)
{
    return error_set(err, ERROR_NOT_FOUND, ENOENT, "Could not find the file %.512s in container %s",
                     job->path, job->container.id);
}

/* A path that the kernel takes for none is the client's mistake. */
static int path_failure(const struct copy_job *job, int errnum, struct error *err)
{
    if (errnum == ENAMETOOLONG || errnum == ELOOP || errnum == EINVAL)
        return error_set(err, ERROR_INVALID, errnum, "%.512s: %s", job->path, strerror(errnum));
    return error_errno(err, errnum, "%.512s", job->path);
}

/* A link as the last name is not followed, unless the path ends in "/", "/." or "/..". */
static int find_place(int root_fd, const struct copy_job *job, struct place *place,
                      struct error *err)
{
    size_t length = strlen(job->path);
    bool wants_directory = length > 1 && job->path[length - 1] == '/';
    char storage[PATH_MAX];
    const char *directory;
    const char *name;

    if (path_split(job->path, storage, &directory, &name) < 0 || strlen(name) > NAME_MAX)
        return error_set(err, ERROR_INVALID, ENAMETOOLONG, "the path is too long");
    snprintf(place->shown, sizeof(place->shown), "%s", name[0] != '\0' ? name : "/");
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || wants_directory) {
        directory = job->path;
        name = ".";
    }
    snprintf(place->name, sizeof(place->name), "%s", name);
    place->directory_fd =
        path_open_in_root(root_fd, directory[0] != '\0' ? directory : "/", O_PATH | O_DIRECTORY, 0);
    if (place->directory_fd == -ENOENT || place->directory_fd == -ENOTDIR)
        return not_found(job, err);
    if (place->directory_fd < 0)
        return path_failure(job, -place->directory_fd, err);
    if (fstatat(place->directory_fd, place->name, &place->status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? not_found(job, err) : path_failure(job, errno, err);
    return 0;
}

/* The mode as Go's os.FileMode, which Docker's API uses. */
static uint32_t go_mode(mode_t mode)
{
    static const struct {
        mode_t type;
        uint32_t bits;
    } types[] = {{S_IFDIR, 1u << 31}, {S_IFLNK, 1u << 27},  {S_IFBLK, 1u << 26},
                 {S_IFIFO, 1u << 25}, {S_IFSOCK, 1u << 24}, {S_IFCHR, 1u << 26 | 1u << 21}};
    uint32_t result = mode & 0777;

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if ((mode & S_IFMT) == types[i].type)
            result |= types[i].bits;
    }
    return result | ((mode & S_ISUID) != 0 ? 1u << 23 : 0) |
           ((mode & S_ISGID) != 0 ? 1u << 22 : 0) | ((mode & S_ISVTX) != 0 ? 1u << 20 : 0);
}

static int report_place(int report_fd, const struct place *place, struct error *err)
{
    struct json_writer *writer = json_writer_new(false);
    struct image_report report = {.status = REPORT_PATH};
    char time[CLOCK_RFC3339_SIZE];
    char target[PATH_MAX] = "";
    ssize_t length;
    int result;

    if (S_ISLNK(place->status.st_mode)) {
        length = readlinkat(place->directory_fd, place->name, target, sizeof(target) - 1);
        target[length > 0 ? length : 0] = '\0';
    }
    clock_format_rfc3339(
        (int64_t)place->status.st_mtim.tv_sec * 1000000000 + place->status.st_mtim.tv_nsec, time);
    json_object_open(writer);
    json_member_string(writer, "name", place->shown);
    json_member_integer(writer, "size", place->status.st_size);
    json_member_unsigned(writer, "mode", go_mode(place->status.st_mode));
    json_member_string(writer, "mtime", time);
    json_member_string(writer, "linkTarget", target);
    json_object_close(writer);
    report.path_stat = json_writer_text(writer);
    result = report_write(report_fd, &report, err);
    json_writer_free(writer);
    return result;
}

/* Finds the path, then makes the container's root our own and gives up most privileges. */
static int find_place_confined(int store_fd, const struct copy_job *job, struct place *place,
                               struct error *err)
{
    cleanup_close int root_fd = open_root(store_fd, job, false, err);
    int result;

    place->directory_fd = -1;
    if (root_fd < 0)
        return root_fd;
    result = find_place(root_fd, job, place, err);
    return result < 0 ? result : sandbox_enter_copier(root_fd, err);
}

int job_run_stat_path(int store_fd, int report_fd, const struct copy_job *job, struct error *err)
{
    struct place place = {.directory_fd = -1};
    int result = find_place_confined(store_fd, job, &place, err);

    if (result == 0)
        result = report_place(report_fd, &place, err);
    fd_close(&place.directory_fd);
    return result;
}

int job_run_copy_out(int store_fd, int report_fd, int out_fd, const struct copy_job *job,
                     struct error *err)
{
    const struct tree_options options = {0};
    struct archive *archive;
    struct place place = {.directory_fd = -1};
    int result = find_place_confined(store_fd, job, &place, err);

    if (result == 0 && tree_is_of_kernel(place.directory_fd))
        result = error_set(err, ERROR_INVALID, EINVAL,
                           "%.512s is made by the kernel as it is read, and cannot be copied",
                           job->path);
    if (result == 0)
        result = report_place(report_fd, &place, err);
    if (result == 0) {
        archive = tar_create(out_fd, TAR_EXACT, err);
        result = archive == NULL
                     ? -EIO
                     : tar_finish(archive,
                                  tree_write_one(archive, place.directory_fd, place.name,
                                                 place.shown, &options, err),
                                  err);
    }
    fd_close(&place.directory_fd);
    return result;
}

static int check_target(int root_fd, const struct copy_job *job, struct error *err)
{
    cleanup_close int fd = path_open_in_root(root_fd, job->path, O_PATH | O_DIRECTORY, 0);
    struct statvfs status;

    if (fd == -ENOENT)
        return not_found(job, err);
    if (fd == -ENOTDIR)
        return error_set(err, ERROR_INVALID, ENOTDIR, "extraction point is not a directory");
    if (fd < 0)
        return path_failure(job, -fd, err);
    if (fstatvfs(fd, &status) < 0)
        return error_errno(err, errno, "%.512s", job->path);
    if ((status.f_flag & ST_RDONLY) != 0)
        return error_set(err, ERROR_DENIED, EROFS,
                         "container rootfs or the volume at %.512s is marked read-only", job->path);
    return 0;
}

static int find_owner(struct arena *arena, int root_fd, const struct copy_job *job,
                      struct extract_options *options, struct error *err)
{
    struct oci_user user = {0};
    const char *home;
    int result;

    if (job->user == NULL)
        return 0;
    result = user_resolve(arena, root_fd, job->user, &user, &home, err);
    options->has_owner = true;
    options->uid = user.uid;
    options->gid = user.gid;
    return result;
}

int job_run_copy_in(int store_fd, int in_fd, const struct copy_job *job,
                    const struct worker_limits *limits, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    cleanup_close int root_fd = open_root(store_fd, job, true, err);
    struct extract_options options = {.keeps_kind = job->keeps_kind};
    char *prefix = arena_strdup(&arena, job->path + strspn(job->path, "/"));
    int result;

    for (size_t length = strlen(prefix); length > 0 && prefix[length - 1] == '/';)
        prefix[--length] = '\0';
    options.prefix = prefix;
    if (root_fd < 0)
        return root_fd;
    result = check_target(root_fd, job, err);
    if (result == 0)
        result = find_owner(&arena, root_fd, job, &options, err);
    if (result == 0)
        result = sandbox_enter_layer(root_fd, err);
    if (result == 0)
        result = tree_extract(root_fd, in_fd, &options, limits, sandbox_filter_layer, err);
    return result;
}
