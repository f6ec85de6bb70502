/* Connecting to a container from inside its network: see probe_connect.h. */
#include "probe_connect.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "network/address.h"

#define NOBODY 65534
#define ANSWER_MAX 4096 /* of which the status line is read */

/* The container's answer is not to be trusted: the process that reads it has no privileges. */
static int give_up_privileges(void)
{
    if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    return 0;
}

static socklen_t make_address(const struct monitor_probe *probe, struct sockaddr_storage *storage)
{
    struct address address;

    address_parse(probe->host != NULL ? probe->host : "127.0.0.1", &address);
    return address_for_socket(&address, (uint16_t)probe->port, storage);
}

/* SO_SNDTIMEO is for connect(2) as well. davitd has a timeout of its own and judges by that; this
 * one ends a process that davitd no longer waits for. */
static void set_timeout(int fd, int timeout_ms)
{
    struct timeval timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
}

/* "HTTP/1.1 200 OK" */
static int read_status(int fd, char answer[ANSWER_MAX])
{
    const char *position;
    size_t length = 0;
    uint64_t status;

    while (length < ANSWER_MAX - 1 && memchr(answer, '\n', length) == NULL) {
        ssize_t count = recv(fd, answer + length, ANSWER_MAX - 1 - length, 0);

        if (count < 0)
            return -errno;
        if (count == 0)
            break;
        length += (size_t)count;
    }
    answer[length] = '\0';
    answer[strcspn(answer, "\r\n")] = '\0';
    position = answer + strlen("HTTP/1.1 ");
    if (length < strlen("HTTP/1.1 200") || strncmp(answer, "HTTP/", 5) != 0 ||
        !isdigit((unsigned char)answer[5]) || answer[6] != '.' ||
        !isdigit((unsigned char)answer[7]) || answer[8] != ' ' ||
        !number_take(&position, 10, 999, &status))
        return -EPROTO;
    return (int)status;
}

static int probe_ask_http(const struct monitor_probe *probe, int fd, int output_fd)
{
    cleanup_free char *request =
        memory_printf("GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: davit-probe\r\n"
                      "Connection: close\r\n\r\n",
                      probe->path, probe->host != NULL ? probe->host : "localhost");
    char answer[ANSWER_MAX] = "";
    int status;

    if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) {
        dprintf(output_fd, "send: %s\n", strerror(errno));
        return 1;
    }
    status = read_status(fd, answer);
    if (status < 0) {
        dprintf(output_fd, "no answer in HTTP: %s\n", strerror(-status));
        return 1;
    }
    dprintf(output_fd, "%.200s\n", answer);
    return status >= 200 && status < 400 ? 0 : 1;
}

static int probe_run_in_child(const struct monitor_probe *probe, int pidfd, int output_fd)
{
    struct sockaddr_storage address;
    socklen_t length = make_address(probe, &address);
    cleanup_close int fd = -1;

    if (setns(pidfd, CLONE_NEWNET) < 0 || give_up_privileges() < 0) {
        dprintf(output_fd, "enter the container's network: %s\n", strerror(errno));
        return 1;
    }
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        dprintf(output_fd, "socket: %s\n", strerror(errno));
        return 1;
    }
    set_timeout(fd, probe->timeout_ms);
    if (connect(fd, (const struct sockaddr *)&address, length) < 0) {
        dprintf(output_fd, "connect to port %d: %s\n", (int)probe->port,
                errno == EINPROGRESS ? "timed out" : strerror(errno));
        return 1;
    }
    if (probe->path == NULL) {
        dprintf(output_fd, "connected to port %d\n", (int)probe->port);
        return 0;
    }
    return probe_ask_http(probe, fd, output_fd);
}

pid_t probe_connect(const struct monitor_probe *probe, int pidfd, int output_fd, struct error *err)
{
    pid_t pid = fork();

    if (pid < 0)
        return error_errno(err, errno, "fork");
    if (pid == 0) {
        /* Of the monitor's descriptors the child keeps these two alone. */
        int moved_fd = fcntl(output_fd, F_DUPFD, 8);

        if (dup2(pidfd, 3) < 0 || dup2(moved_fd, 4) < 0)
            _exit(1);
        syscall(SYS_close_range, 5, ~0u, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(probe_run_in_child(probe, 3, 4));
    }
    return pid;
}
