/* Joining namespaces and mapping ids: namespaces(7), user_namespaces(7). */
#include "plan.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/network_namespace.h"
#include "base/path.h"
#include "base/socket.h"
#include "sender.h"

static int join_type(const struct join_plan *joins, size_t count, int type, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (joins[i].type == type && setns(joins[i].fd, (int)namespace_clone_flag(type)) < 0)
            return error_errno(err, errno, "join the %s namespace", oci_namespace_names[type]);
    }
    return 0;
}

int namespaces_join(const struct join_plan *joins, size_t count, struct error *err)
{
    /* The user namespace first: it gives the privilege for those it owns. The mount namespace
     * last: it takes the host's files out of reach. The pid namespace is the parent's affair, as
     * it takes effect on children only. */
    static const int order[] = {
        OCI_NAMESPACE_USER, OCI_NAMESPACE_NETWORK, OCI_NAMESPACE_IPC,   OCI_NAMESPACE_UTS,
        OCI_NAMESPACE_TIME, OCI_NAMESPACE_CGROUP,  OCI_NAMESPACE_MOUNT,
    };

    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        int result = join_type(joins, count, order[i], err);

        if (result < 0)
            return result;
    }
    return 0;
}

static void format_map(const struct oci_id_mapping *mappings, size_t count, struct buffer *text)
{
    for (size_t i = 0; i < count; i++)
        buffer_printf(text, "%u %u %u\n", mappings[i].container_id, mappings[i].host_id,
                      mappings[i].size);
}

static int write_map(pid_t pid, const char *file, const struct oci_id_mapping *mappings,
                     size_t count, struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    char path[64];
    int result;

    format_map(mappings, count, &text);
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    /* The kernel takes the whole map in one write or not at all. */
    result = file_write_value(AT_FDCWD, path, buffer_text(&text));
    return result < 0 ? error_errno(err, -result, "write %s", path) : 0;
}

int id_mappings_write(pid_t pid, const struct oci_id_mapping *uids, size_t uid_count,
                      const struct oci_id_mapping *gids, size_t gid_count, struct error *err)
{
    int result = write_map(pid, "uid_map", uids, uid_count, err);

    return result < 0 ? result : write_map(pid, "gid_map", gids, gid_count, err);
}

/* A process that is in new namespaces and does nothing, for as long as the caller lives at most. */
static pid_t clone_idle(uint64_t flags, struct error *err)
{
    struct clone_args arguments = {.flags = flags, .exit_signal = SIGCHLD};
    pid_t parent = getpid();
    pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));

    if (pid != 0)
        return pid < 0 ? error_errno(err, errno, "make namespaces") : pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (getppid() == parent)
        pause();
    _exit(0);
}

static void end_idle(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static int open_process_file(pid_t pid, const char *file, int flags, struct error *err)
{
    char path[64];
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    fd = open(path, flags | O_CLOEXEC);
    return fd < 0 ? error_errno(err, errno, "open %s", path) : fd;
}

int id_mappings_open(const struct oci_id_mapping *uids, size_t uid_count,
                     const struct oci_id_mapping *gids, size_t gid_count, struct error *err)
{
    pid_t pid = clone_idle(CLONE_NEWUSER, err);
    int fd;

    if (pid < 0)
        return pid;
    fd = id_mappings_write(pid, uids, uid_count, gids, gid_count, err);
    if (fd == 0)
        fd = open_process_file(pid, "ns/user", O_RDONLY, err);
    end_idle(pid);
    return fd;
}

static int raise_loopback(void *context, struct error *err)
{
    (void)context;
    return network_raise_loopback(err);
}

static int open_ready_namespaces(pid_t pid, bool has_user, struct ready_namespaces *ready,
                                 struct error *err)
{
    ready->fds[READY_NETWORK] = open_process_file(pid, "ns/net", O_RDONLY, err);
    if (ready->fds[READY_NETWORK] < 0)
        return ready->fds[READY_NETWORK];
    if (has_user) {
        ready->fds[READY_USER] = open_process_file(pid, "ns/user", O_RDONLY, err);
        ready->fds[READY_UID_MAP] = open_process_file(pid, "uid_map", O_WRONLY, err);
        ready->fds[READY_GID_MAP] = open_process_file(pid, "gid_map", O_WRONLY, err);
        if (ready->fds[READY_USER] < 0 || ready->fds[READY_UID_MAP] < 0 ||
            ready->fds[READY_GID_MAP] < 0)
            return -err->errnum;
    }
    return network_namespace_run(ready->fds[READY_NETWORK], raise_loopback, NULL, err);
}

int ready_namespaces_make(bool has_user, struct ready_namespaces *ready, struct error *err)
{
    pid_t pid = clone_idle(CLONE_NEWNET | (has_user ? CLONE_NEWUSER : 0), err);
    int result;

    *ready = (struct ready_namespaces)READY_NAMESPACES_NONE;
    if (pid < 0)
        return pid;
    result = open_ready_namespaces(pid, has_user, ready, err);
    end_idle(pid);
    if (result < 0)
        ready_namespaces_release(ready);
    return result;
}

int ready_namespaces_map(const struct ready_namespaces *ready, const struct oci_id_mapping *mapping,
                         struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    int result;

    format_map(mapping, 1, &text);
    result = file_write_fd(ready->fds[READY_UID_MAP], text.data, text.length);
    if (result == 0)
        result = file_write_fd(ready->fds[READY_GID_MAP], text.data, text.length);
    return result < 0 ? error_errno(err, -result, "map the ids of a namespace") : 0;
}

void ready_namespaces_release(struct ready_namespaces *ready)
{
    for (size_t i = 0; i < READY_COUNT; i++)
        fd_close(&ready->fds[i]);
}

bool mount_maps_ids(int fd, int userns_fd, bool is_recursive)
{
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns_fd};
    unsigned int flags = AT_EMPTY_PATH | (is_recursive ? AT_RECURSIVE : 0);
    cleanup_close int tree_fd = open_tree(fd, "", flags | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

    return tree_fd >= 0 && mount_setattr(tree_fd, "", flags, &attributes, sizeof(attributes)) == 0;
}

static int copy_here(const char *path)
{
    cleanup_close int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    cleanup_close int fd =
        root_fd < 0 ? -1 : path_open_beneath(root_fd, path + 1, O_PATH | O_DIRECTORY, 0);

    return fd < 0 ? -1 : open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

struct mount_place {
    int mounts_fd; /* the mount namespace */
    const char *path;
};

/* Runs in a process of its own, because entering a mount namespace changes root and working
 * directory. */
static void copy_and_send(const void *context, int channel_fd)
{
    const struct mount_place *place = context;
    int fd = setns(place->mounts_fd, CLONE_NEWNS) < 0 ? -1 : copy_here(place->path);
    int number = fd < 0 ? errno : 0;

    socket_send(channel_fd, &number, sizeof(number), &fd, fd >= 0 ? 1 : 0);
}

int mount_copy_from(int mounts_fd, const char *path, struct error *err)
{
    const struct mount_place place = {mounts_fd, path};
    struct sender sender;
    size_t fd_count = 1;
    int number = EIO;
    int fd = -1;
    int result = sender_start(copy_and_send, &place, &sender, err);

    if (result < 0)
        return result;
    if (socket_receive(sender.channel_fd, &number, sizeof(number), &fd, &fd_count) <= 0)
        fd_count = 0;
    sender_end(&sender, 0);
    return fd_count == 1 ? fd
                         : error_errno(err, number != 0 ? number : EIO, "the other's %s", path);
}

unsigned int namespace_clone_flag(int type)
{
    static const unsigned int clone_flags[OCI_NAMESPACE_COUNT] = {
        [OCI_NAMESPACE_PID] = CLONE_NEWPID,       [OCI_NAMESPACE_NETWORK] = CLONE_NEWNET,
        [OCI_NAMESPACE_MOUNT] = CLONE_NEWNS,      [OCI_NAMESPACE_IPC] = CLONE_NEWIPC,
        [OCI_NAMESPACE_UTS] = CLONE_NEWUTS,       [OCI_NAMESPACE_USER] = CLONE_NEWUSER,
        [OCI_NAMESPACE_CGROUP] = CLONE_NEWCGROUP, [OCI_NAMESPACE_TIME] = CLONE_NEWTIME,
    };

    return clone_flags[type];
}
