/* See host_filesystem.h. */
#include "host_filesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/socket.h"
#include "mount_order.h"
#include "sender.h"

#define CHANNEL_FD 3

/* What the process sends: an error, or none and a descriptor. */
struct outcome {
    int errnum;
    char message[sizeof(((struct error *)NULL)->message)];
};

/* The part of the filesystem. Before Linux 6.15 open_tree(2) takes nothing that is not mounted: it
 * is mounted where nobody else sees it. */
static int open_part(int tree_fd, const char *subpath, struct error *err)
{
    cleanup_close int slash_fd = -1;
    cleanup_close int part_fd = -1;
    int fd;

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return error_errno(err, errno, "mount namespace");
    slash_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (slash_fd < 0 || mount_attach_tree(tree_fd, slash_fd, err) < 0)
        return error_errno(err, errno, "attach");
    part_fd = path_open_in_root(tree_fd, subpath, O_PATH, 0);
    if (part_fd < 0)
        return error_errno(err, -part_fd, "%s", subpath);
    fd = open_tree(part_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    return fd < 0 ? error_errno(err, errno, "%s", subpath) : fd;
}

static int make(const struct mount_plan *mount, struct error *err)
{
    cleanup_close int tree_fd = mount_make_filesystem(mount->options.filesystem, mount, err);

    if (tree_fd < 0)
        return tree_fd;
    return mount->options.subpath != NULL ? open_part(tree_fd, mount->options.subpath, err)
                                          : take_fd(&tree_fd);
}

static void make_and_send(const void *context, int channel_fd)
{
    const struct mount_plan *mount = context;
    struct error err = {0};
    struct outcome outcome = {0};
    int fd;

    /* It may hang: nothing of its parent's is to be held open by it, and it goes with that. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (channel_fd != CHANNEL_FD)
        dup2(channel_fd, CHANNEL_FD);
    close_range(CHANNEL_FD + 1, ~0U, 0);
    fd = make(mount, &err);
    if (fd < 0) {
        outcome.errnum = err.errnum != 0 ? err.errnum : EIO;
        memcpy(outcome.message, err.message, sizeof(outcome.message));
    }
    socket_send(CHANNEL_FD, &outcome, sizeof(outcome), &fd, fd >= 0 ? 1 : 0);
}

static int receive(const struct mount_plan *mount, int channel_fd, struct error *err)
{
    struct pollfd event = {.fd = channel_fd, .events = POLLIN};
    struct outcome outcome = {0};
    size_t fd_count = 1;
    int fd = -1;
    int result;

    do
        result = poll(&event, 1, HOST_FILESYSTEM_TIMEOUT_MS);
    while (result < 0 && errno == EINTR);
    if (result <= 0)
        return error_set(err, ERROR_INTERNAL, ETIMEDOUT, "%s %s: no answer within %d s",
                         mount->options.filesystem, mount->mount->source,
                         HOST_FILESYSTEM_TIMEOUT_MS / 1000);
    if (socket_receive(channel_fd, &outcome, sizeof(outcome), &fd, &fd_count) !=
        (ssize_t)sizeof(outcome))
        return error_set(err, ERROR_INTERNAL, ECHILD, "%s %s: the process that mounts it died",
                         mount->options.filesystem, mount->mount->source);
    if (outcome.errnum != 0 || fd_count != 1)
        return error_set(err, ERROR_INVALID, outcome.errnum != 0 ? outcome.errnum : EIO,
                         "%s %s: %s", mount->options.filesystem, mount->mount->source,
                         outcome.message);
    return fd;
}

int host_filesystem_make(const struct mount_plan *mount, struct error *err)
{
    struct sender sender;
    int result = sender_start(make_and_send, mount, &sender, err);

    if (result < 0)
        return result;
    result = receive(mount, sender.channel_fd, err);
    /* One that hangs in the kernel is not waited for: it dies when the kernel lets it. */
    if (result < 0)
        kill(sender.pid, SIGKILL);
    sender_end(&sender, result == -ETIMEDOUT ? WNOHANG : 0);
    return result;
}
