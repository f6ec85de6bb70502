/* Joining namespaces and mapping ids: namespaces(7), user_namespaces(7). */
#include "plan.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"

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

static int write_map(pid_t pid, const char *file, const struct oci_id_mapping *mappings,
                     size_t count, struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    char path[64];
    int result;

    for (size_t i = 0; i < count; i++)
        buffer_printf(&text, "%u %u %u\n", mappings[i].container_id, mappings[i].host_id,
                      mappings[i].size);
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

int id_mappings_open(const struct oci_id_mapping *uids, size_t uid_count,
                     const struct oci_id_mapping *gids, size_t gid_count, struct error *err)
{
    int pidfd = -1;
    struct clone_args arguments = {
        .flags = CLONE_NEWUSER | CLONE_PIDFD,
        .pidfd = (uintptr_t)&pidfd,
        .exit_signal = SIGCHLD,
    };
    char path[64];
    int fd = -1;
    int result;
    pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));

    if (pid < 0)
        return error_errno(err, errno, "make a user namespace for id mappings");
    if (pid == 0) {
        for (;;)
            pause();
    }
    result = id_mappings_write(pid, uids, uid_count, gids, gid_count, err);
    if (result == 0) {
        snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            result = error_errno(err, errno, "open %s", path);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    fd_close(&pidfd);
    return result < 0 ? result : fd;
}

bool mount_maps_ids(int fd, int userns_fd, bool is_recursive)
{
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns_fd};
    unsigned int flags = AT_EMPTY_PATH | (is_recursive ? AT_RECURSIVE : 0);
    cleanup_close int tree_fd = open_tree(fd, "", flags | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

    return tree_fd >= 0 && mount_setattr(tree_fd, "", flags, &attributes, sizeof(attributes)) == 0;
}
