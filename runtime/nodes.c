/* P1: device nodes for a user namespace, in which nobody may make any (user_namespaces(7)). */
#include "plan.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/socket.h"
#include "sender.h"

static bool is_for_us(const struct oci_device *device)
{
    return device->type[0] != 'p';
}

/* The node with its mode, and its owner as the container sees it. Ids without a mapping are
 * nobody's there in any case. */
static int make_node(const struct oci_linux *linux_part, const struct oci_device *device,
                     int directory_fd, const char *name)
{
    mode_t type = device->type[0] == 'b' ? S_IFBLK : S_IFCHR;
    mode_t mode = device->file_mode.is_set ? (mode_t)(device->file_mode.value & 0777) : 0666;
    uint32_t uid;
    uint32_t gid;
    int fd;

    oci_map_id(linux_part->uid_mappings.items, linux_part->uid_mappings.count, device->uid, &uid);
    oci_map_id(linux_part->gid_mappings.items, linux_part->gid_mappings.count, device->gid, &gid);
    if (mknodat(directory_fd, name, type | mode,
                makedev((unsigned int)device->major, (unsigned int)device->minor)) < 0 ||
        fchmodat(directory_fd, name, mode, 0) < 0 || fchownat(directory_fd, name, uid, gid, 0) < 0)
        return -errno;
    fd = open_tree(directory_fd, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* A tmpfs that nobody else sees, over the root of a mount namespace of our own: before Linux 6.15
 * open_tree(2) takes nothing that is not mounted. */
static int make_directory(const char *label)
{
    cleanup_close int fs_fd = fsopen("tmpfs", FSOPEN_CLOEXEC);
    cleanup_close int slash_fd = -1;
    cleanup_close int fd = -1;

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        fs_fd < 0 ||
        (label != NULL && label[0] != '\0' &&
         fsconfig(fs_fd, FSCONFIG_SET_STRING, "context", label, 0) < 0) ||
        fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    slash_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || slash_fd < 0 || mount_attach_tree(fd, slash_fd, NULL) < 0)
        return -errno;
    return take_fd(&fd);
}

/* Runs in a process of its own, for the mount namespace. Sends for each node its descriptor or an
 * errno, in their order. */
static void make_and_send(const void *context, int channel_fd)
{
    const struct oci_linux *linux_part = context;
    int directory_fd = make_directory(linux_part->mount_label);

    umask(0);
    for (size_t i = 0; i < linux_part->devices.count; i++) {
        const struct oci_device *device = &linux_part->devices.items[i];
        char name[24];
        int number;
        int fd;

        if (!is_for_us(device))
            continue;
        snprintf(name, sizeof(name), "%zu", i);
        fd = directory_fd < 0 ? directory_fd : make_node(linux_part, device, directory_fd, name);
        number = fd < 0 ? -fd : 0;
        if (socket_send(channel_fd, &number, sizeof(number), &fd, fd >= 0 ? 1 : 0) < 0)
            break;
        fd_close(&fd);
    }
}

static int receive_node(int channel_fd, const struct oci_device *device, int *fd, struct error *err)
{
    size_t fd_count = 1;
    int number = EIO;

    if (socket_receive(channel_fd, &number, sizeof(number), fd, &fd_count) <= 0 || fd_count != 1) {
        *fd = -1;
        return error_errno(err, number != 0 ? number : EIO, "device %s: make the node",
                           device->path);
    }
    return 0;
}

int nodes_make(struct plan *plan, struct error *err)
{
    const struct oci_linux *linux_part = plan->config->linux;
    struct sender sender;
    int result;

    if (linux_part->devices.count == 0)
        return 0;
    plan->node_fds = arena_new(&plan->arena, linux_part->devices.count, sizeof(int));
    for (size_t i = 0; i < linux_part->devices.count; i++)
        plan->node_fds[i] = -1;
    result = sender_start(make_and_send, linux_part, &sender, err);
    if (result < 0)
        return result;
    for (size_t i = 0; result == 0 && i < linux_part->devices.count; i++) {
        if (is_for_us(&linux_part->devices.items[i]))
            result = receive_node(sender.channel_fd, &linux_part->devices.items[i],
                                  &plan->node_fds[i], err);
    }
    sender_end(&sender, 0);
    return result;
}

int plan_find_node(const struct plan *plan, const struct oci_device *device)
{
    const struct oci_linux *linux_part = plan->config->linux;

    for (size_t i = 0; plan->node_fds != NULL && i < linux_part->devices.count; i++) {
        if (&linux_part->devices.items[i] == device)
            return plan->node_fds[i];
    }
    return -1;
}
