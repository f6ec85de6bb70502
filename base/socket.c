/* Unix sockets: see socket.h. */
#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cleanup.h"

/* sun_path is short; through the directory's descriptor only the name has to fit. */
static int make_address(int directory_fd, const char *name, struct sockaddr_un *address)
{
    int length;

    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    if (directory_fd == AT_FDCWD)
        length = snprintf(address->sun_path, sizeof(address->sun_path), "%s", name);
    else
        length = snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%s",
                          directory_fd, name);
    return length < (int)sizeof(address->sun_path) ? 0 : -ENAMETOOLONG;
}

int socket_listen(int directory_fd, const char *name, int type, mode_t mode, struct error *err)
{
    struct sockaddr_un address;
    struct stat status;
    cleanup_close int fd = -1;
    mode_t saved_mask;
    int result = make_address(directory_fd, name, &address);

    if (result < 0)
        return error_errno(err, -result, "socket %s", name);
    if (fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        if (!S_ISSOCK(status.st_mode))
            return error_set(err, ERROR_CONFLICT, EEXIST,
                             "socket %s: something that is not a socket is there", name);
        unlinkat(directory_fd, name, 0);
    }
    fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_errno(err, errno, "socket %s", name);
    saved_mask = umask(0777 & ~mode);
    result = bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
    umask(saved_mask);
    if (result == 0 && listen(fd, 1024) < 0)
        result = -errno;
    if (result < 0)
        return error_errno(err, -result, "listen on %s", name);
    return take_fd(&fd);
}

int socket_connect(int directory_fd, const char *name, int type, struct error *err)
{
    struct sockaddr_un address;
    cleanup_close int fd = -1;
    int result = make_address(directory_fd, name, &address);

    if (result < 0)
        return error_errno(err, -result, "socket %s", name);
    fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_errno(err, errno, "socket %s", name);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return error_errno(err, errno, "connect to %s", name);
    return take_fd(&fd);
}

static ssize_t send_message(int fd, const void *bytes, size_t length, const int *fds,
                            size_t fd_count, int flags)
{
    union {
        char bytes[CMSG_SPACE(SOCKET_MAX_FDS * sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec vector = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    ssize_t sent;

    if (fd_count > SOCKET_MAX_FDS)
        return -EINVAL;
    if (fd_count > 0) {
        struct cmsghdr *header;

        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
    }
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL | flags);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

ssize_t socket_send(int fd, const void *bytes, size_t length, const int *fds, size_t fd_count)
{
    return send_message(fd, bytes, length, fds, fd_count, 0);
}

ssize_t socket_try_send(int fd, const void *bytes, size_t length, const int *fds, size_t fd_count)
{
    return send_message(fd, bytes, length, fds, fd_count, MSG_DONTWAIT);
}

int socket_unread(int fd)
{
    int unread = 0;

    return ioctl(fd, SIOCOUTQ, &unread) < 0 ? -errno : unread;
}

int socket_peer_pidfd(int fd)
{
    struct pollfd event = {.fd = fd};
    struct ucred peer;
    socklen_t length = sizeof(peer);
    cleanup_close int pidfd = -1;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
        return -errno;
    pidfd = pidfd_open(peer.pid, 0);
    if (pidfd < 0)
        return -errno;
    /* It had the number when it listened, and has it as long as its end is open. */
    return poll(&event, 1, 0) == 0 ? take_fd(&pidfd) : -ESRCH;
}

/* Moves received descriptors to the caller's array; those without room are closed. */
static bool collect_fds(struct msghdr *message, int *fds, size_t room, size_t *count)
{
    bool fits = true;

    *count = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
         header = CMSG_NXTHDR(message, header)) {
        size_t received;

        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        received = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < received; i++) {
            int one;

            memcpy(&one, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
            if (*count < room) {
                fds[(*count)++] = one;
            } else {
                close(one);
                fits = false;
            }
        }
    }
    return fits;
}

ssize_t socket_receive(int fd, void *bytes, size_t size, int *fds, size_t *fd_count)
{
    union {
        char bytes[CMSG_SPACE(SOCKET_MAX_FDS * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec vector = {.iov_base = bytes, .iov_len = size};
    struct msghdr message = {
        .msg_iov = &vector,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    size_t received = 0;
    ssize_t count;
    bool fits;

    do
        count = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return -errno;
    fits = collect_fds(&message, fds, fd_count != NULL ? *fd_count : 0, &received);
    if (!fits || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        for (size_t i = 0; i < received; i++)
            close(fds[i]);
        received = 0;
        count = -EMSGSIZE;
    }
    if (fd_count != NULL)
        *fd_count = received;
    return count;
}
