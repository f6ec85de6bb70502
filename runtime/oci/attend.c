/* A foreground process of davit-oci, and small things its commands share. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/number.h"
#include "base/path.h"
#include "base/socket.h"
#include "base/terminal.h"
#include "oci.h"

#define RELAY_BYTES 16384

static void copy_window_size(int console_fd)
{
    struct winsize size;

    if (console_fd >= 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
        ioctl(console_fd, TIOCSWINSZ, &size);
}

/* Returns false when there is nothing more to read. */
static bool relay(int from, int to)
{
    char bytes[RELAY_BYTES];
    ssize_t count = read(from, bytes, sizeof(bytes));
    int written;

    if (count < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    if (count <= 0)
        return false;
    written = file_write_fd(to, bytes, (size_t)count);
    if (written < 0)
        log_warning("output is lost: %s", strerror(-written));
    return written == 0;
}

/* Moves what the pipe takes. Returns false at the end of the file, or when nobody reads any more.
 */
static bool feed(int file, int pipe)
{
    ssize_t count = splice(file, NULL, pipe, NULL, RELAY_BYTES, SPLICE_F_NONBLOCK);

    return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

static void pass_signal(const struct container *container, int signal_fd)
{
    struct signalfd_siginfo info;

    if (read(signal_fd, &info, sizeof(info)) != sizeof(info))
        return;
    if (info.ssi_signo == SIGWINCH)
        copy_window_size(container->console_fd);
    else if (info.ssi_signo != SIGCHLD)
        pidfd_send_signal(container->pidfd, (int)info.ssi_signo, NULL, 0);
}

static void relay_until_ended(struct container *container, struct oci_relays *relays, int signal_fd)
{
    enum { SIGNALS, PROCESS, CONSOLE, INPUT, FILE_INPUT, OUTPUTS, COUNT = OUTPUTS + 2 };
    struct pollfd events[COUNT] = {
        [SIGNALS] = {.fd = signal_fd, .events = POLLIN},
        [PROCESS] = {.fd = container->pidfd, .events = POLLIN},
        [CONSOLE] = {.fd = container->console_fd, .events = POLLIN},
        [INPUT] = {.fd = container->console_fd >= 0 ? STDIN_FILENO : -1, .events = POLLIN},
        [FILE_INPUT] = {.fd = relays->input, .events = POLLOUT},
        [OUTPUTS] = {.fd = relays->pipes[0], .events = POLLIN},
        [OUTPUTS + 1] = {.fd = relays->pipes[1], .events = POLLIN},
    };
    bool has_ended = false;

    /* After the end the terminal and the pipes may still hold output. */
    while (!has_ended || events[CONSOLE].fd >= 0 || events[OUTPUTS].fd >= 0 ||
           events[OUTPUTS + 1].fd >= 0) {
        if (poll(events, COUNT, has_ended ? 0 : -1) <= 0 && has_ended)
            break;
        if ((events[SIGNALS].revents & POLLIN) != 0)
            pass_signal(container, signal_fd);
        if (events[CONSOLE].revents != 0 && !relay(container->console_fd, STDOUT_FILENO))
            events[CONSOLE].fd = -1;
        for (int i = 0; i < 2; i++) {
            /* Where the file takes no more the program is told so: nobody reads its pipe. */
            if (events[OUTPUTS + i].revents != 0 && !relay(relays->pipes[i], STDOUT_FILENO + i)) {
                events[OUTPUTS + i].fd = -1;
                fd_close(&relays->pipes[i]);
            }
        }
        if (events[FILE_INPUT].revents != 0 && !feed(STDIN_FILENO, relays->input)) {
            events[FILE_INPUT].fd = -1;
            fd_close(&relays->input);
        }
        if (events[INPUT].revents != 0 && !relay(STDIN_FILENO, container->console_fd))
            events[INPUT].fd = -1;
        if (events[PROCESS].revents != 0) {
            has_ended = true;
            events[PROCESS].fd = -1;
            events[INPUT].fd = -1;
            events[FILE_INPUT].fd = -1;
        }
    }
}

int oci_attend(struct container *container, struct oci_relays *relays, struct error *err)
{
    struct terminal terminal = {0};
    cleanup_close int signal_fd = -1;
    sigset_t all;
    int status = -1;
    int result;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    signal_fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signal_fd < 0)
        return error_errno(err, errno, "signalfd");
    if (container->console_fd >= 0) {
        terminal_make_raw(&terminal);
        copy_window_size(container->console_fd);
    }
    relay_until_ended(container, relays, signal_fd);
    fd_close(&relays->input);
    fd_close(&relays->pipes[0]);
    fd_close(&relays->pipes[1]);
    terminal_restore(&terminal);
    result = container_wait(container, &status, err);
    return result < 0 ? result : status;
}

int oci_write_pid_file(const char *path, pid_t pid, struct error *err)
{
    char text[16];
    int length = snprintf(text, sizeof(text), "%d", (int)pid);
    char storage[PATH_MAX];
    const char *directory;
    const char *name;
    cleanup_close int directory_fd = -1;
    int result;

    if (path_split(path, storage, &directory, &name) < 0)
        return error_errno(err, ENAMETOOLONG, "--pid-file");
    if (directory[0] == '\0')
        directory = path[0] == '/' ? "/" : ".";
    directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory_fd < 0)
        return error_errno(err, errno, "--pid-file %s", path);
    if (file_is_special(directory_fd, name))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "--pid-file %s: is no regular file, in whose place one could be put",
                         path);
    result = file_replace(directory_fd, name, text, (size_t)length, 0644, false, err);
    return result < 0 ? error_prefix(err, "--pid-file %s", path) : 0;
}

int oci_connect_console(const char *path, int *fd, struct error *err)
{
    *fd = -1;
    if (path == NULL)
        return 0;
    *fd = socket_connect(AT_FDCWD, path, SOCK_STREAM, err);
    if (*fd < 0) {
        int result = *fd;

        *fd = -1;
        error_prefix(err, "--console-socket");
        return result;
    }
    return 0;
}

int oci_parse_number(const char *option, const char *text, long lowest, long highest, long *value,
                     struct error *err)
{
    int64_t number = 0;

    *value = 0;
    if (!number_parse(text, lowest, highest, &number))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "%s: \"%.64s\" is not a number from %ld to %ld", option, text, lowest,
                         highest);
    *value = (long)number;
    return 0;
}
