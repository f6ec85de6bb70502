/* Pipes and terminals of processes: see state.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "protocol.h"
#include "runtime/runtime.h"
#include "state.h"
#include "streams.h"

int stdio_make_pipes(struct streams *streams, bool has_input, int stdio[3], struct error *err)
{
    int input[2] = {-1, -1};
    int output[2];

    if (has_input) {
        if (pipe2(input, O_CLOEXEC) < 0)
            return error_errno(err, errno, "pipe");
        fcntl(input[1], F_SETFL, O_NONBLOCK);
        stdio[0] = input[0];
        streams->input_fd = input[1];
    } else {
        stdio[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    for (int i = 0; i < 2; i++) {
        if (pipe2(output, O_CLOEXEC) < 0)
            return error_errno(err, errno, "pipe");
        fcntl(output[0], F_SETFL, O_NONBLOCK);
        streams->output_fd[i] = output[0];
        stdio[1 + i] = output[1];
    }
    return 0;
}

void stdio_close(int stdio[3])
{
    for (int i = 0; i < 3; i++)
        fd_close(&stdio[i]);
}

void stdio_use_terminal(struct task *task, int console_fd)
{
    struct streams *streams = &task->streams;

    fcntl(console_fd, F_SETFL, O_NONBLOCK);
    if (task->size.ws_row != 0 || task->size.ws_col != 0)
        ioctl(console_fd, TIOCSWINSZ, &task->size);
    streams->is_terminal = true;
    streams->input_fd = console_fd;
    streams->output_fd[0] = console_fd;
}
