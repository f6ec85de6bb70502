/* See sender.h. */
#include "sender.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

int sender_start(void (*run)(const void *context, int channel_fd), const void *context,
                 struct sender *sender, struct error *err)
{
    cleanup_close int near_fd = -1;
    cleanup_close int far_fd = -1;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, errno, "socketpair");
    near_fd = pair[0];
    far_fd = pair[1];
    sender->pid = fork();
    if (sender->pid < 0)
        return error_errno(err, errno, "fork");
    if (sender->pid == 0) {
        run(context, far_fd);
        _exit(0);
    }
    sender->channel_fd = take_fd(&near_fd);
    return 0;
}

void sender_end(struct sender *sender, int flags)
{
    fd_close(&sender->channel_fd);
    waitpid(sender->pid, NULL, flags);
}
