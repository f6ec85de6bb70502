/* system dial-stdio: davitd's socket as standard input and output, for `davit --host ssh://` on
 * another host. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli.h"
#include "host.h"
#include "options.h"

#define PIECE_BYTES (64 << 10)

/* Copies what is there. 0 at the end, or where nobody takes it any more. */
static ssize_t copy(int from_fd, int to_fd)
{
    char bytes[PIECE_BYTES];
    ssize_t count;

    do
        count = read(from_fd, bytes, sizeof(bytes));
    while (count < 0 && errno == EINTR);
    if (count <= 0 || file_write_fd(to_fd, bytes, (size_t)count) < 0)
        return 0;
    return count;
}

int cli_system_dial_stdio(struct cli *cli, int argc, char **argv)
{
    struct pollfd events[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.events = POLLIN}};
    cleanup_close int fd = -1;
    int result = options_read_none(cli, argc, argv, "");

    if (result < 0)
        return result;
    if (strncmp(cli->client.host, "ssh://", 6) == 0)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "dial-stdio: \"%.128s\" is no socket of this host", cli->client.host);
    fd = host_connect(cli->client.host, &cli->err);
    if (fd < 0)
        return fd;
    events[1].fd = fd;
    for (;;) {
        if (poll(events, 2, -1) < 0) {
            if (errno != EINTR)
                return error_errno(&cli->err, errno, "poll");
            continue;
        }
        if (events[1].revents != 0 && copy(fd, STDOUT_FILENO) == 0)
            return 0;
        if (events[0].fd >= 0 && events[0].revents != 0 && copy(STDIN_FILENO, fd) == 0) {
            shutdown(fd, SHUT_WR);
            events[0].fd = -1;
        }
    }
}
