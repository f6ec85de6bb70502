/* Pipes between a foreground process and the caller's files: see oci.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "oci.h"

static bool is_same_file(const struct stat *one, const struct stat *other)
{
    return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

static int open_input(struct oci_relays *relays, int stdio[3], struct error *err)
{
    struct stat status;
    int fds[2];

    if (fstat(STDIN_FILENO, &status) < 0 || !S_ISREG(status.st_mode))
        return 0;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    stdio[STDIN_FILENO] = fds[0];
    relays->input = fds[1];
    return 0;
}

int oci_open_relays(const struct oci_process *process, struct oci_relays *relays, int stdio[3],
                    struct error *err)
{
    struct stat status[2];
    int result = process->has_terminal ? 0 : open_input(relays, stdio, err);

    for (int i = 0; result == 0 && !process->has_terminal && i < 2; i++) {
        int fds[2];

        if (fstat(STDOUT_FILENO + i, &status[i]) < 0 || !S_ISREG(status[i].st_mode))
            continue;
        /* One pipe for one file keeps what comes in its order. */
        if (i == 1 && relays->pipes[0] >= 0 && is_same_file(&status[0], &status[1])) {
            stdio[STDERR_FILENO] = fcntl(stdio[STDOUT_FILENO], F_DUPFD_CLOEXEC, 0);
            return stdio[STDERR_FILENO] < 0 ? error_errno(err, errno, "dup") : 0;
        }
        if (pipe2(fds, O_CLOEXEC) < 0)
            return error_errno(err, errno, "pipe");
        relays->pipes[i] = fds[0];
        stdio[STDOUT_FILENO + i] = fds[1];
    }
    return result;
}

void oci_close_streams(int stdio[3])
{
    for (int i = 0; i < 3; i++)
        fd_close(&stdio[i]);
}
