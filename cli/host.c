/* See host.h. */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/socket.h"
#include "client.h"

#define UNIX_SCHEME "unix://"
#define SSH_SCHEME "ssh://"
#define ARGUMENTS_MAX 16
#define PATH_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-+@"

struct ssh_host {
    const char *user; /* NULL: ssh's own choice */
    const char *name;
    const char *port; /* NULL: the same */
    const char *path; /* of the socket there; NULL: the usual one */
};

static bool begins(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

static int parse_ssh(struct arena *arena, const char *host, struct ssh_host *ssh, struct error *err)
{
    const char *rest = host + strlen(SSH_SCHEME);
    size_t length = strcspn(rest, "/");
    char *authority = arena_strndup(arena, rest, length);
    char *at = strrchr(authority, '@');
    char *colon = strrchr(authority, ':');
    int64_t port;

    *ssh = (struct ssh_host){.name = authority};
    if (rest[length] == '/' && rest[length + 1] != '\0')
        ssh->path = arena_strdup(arena, rest + length);
    if (colon != NULL && (at == NULL || colon > at) && authority[strlen(authority) - 1] != ']') {
        *colon = '\0';
        ssh->port = colon + 1;
    }
    if (at != NULL) {
        *at = '\0';
        ssh->user = authority;
        ssh->name = at + 1;
    }
    /* ssh knows addresses of IPv6 without brackets. */
    if (ssh->name[0] == '[' && ssh->name[strlen(ssh->name) - 1] == ']')
        ssh->name = arena_strndup(arena, ssh->name + 1, strlen(ssh->name) - 2);
    if (ssh->user != NULL && strchr(ssh->user, ':') != NULL)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "ssh://: a password is not to be in a host, where all users see it");
    /* The shell of the other host reads it. */
    if (ssh->path != NULL && ssh->path[strspn(ssh->path, PATH_CHARACTERS)] != '\0')
        return error_set(err, ERROR_INVALID, EINVAL,
                         "host \"%.128s\": its path may have letters, digits and /._-+@ alone",
                         host);
    if (ssh->name[0] == '\0' || ssh->name[0] == '-' ||
        (ssh->user != NULL && (ssh->user[0] == '\0' || ssh->user[0] == '-')) ||
        (ssh->port != NULL && !number_parse(ssh->port, 1, UINT16_MAX, &port)))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "host \"%.128s\": ssh://[USER@]HOST[:PORT][/PATH] is expected", host);
    return 0;
}

int host_check(const char *host, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    struct ssh_host ssh;

    if (begins(host, UNIX_SCHEME) || host[0] == '/')
        return 0;
    if (begins(host, SSH_SCHEME))
        return parse_ssh(&arena, host, &ssh, err);
    return error_set(err, ERROR_INVALID, EINVAL,
                     "host \"%.128s\": unix://PATH or ssh://[USER@]HOST is expected; davitd has no "
                     "port of the network",
                     host);
}

static _Noreturn void run_ssh(const struct ssh_host *ssh, int fd)
{
    const char *arguments[ARGUMENTS_MAX] = {"ssh", "-T"};
    size_t count = 2;

    if (ssh->user != NULL) {
        arguments[count++] = "-l";
        arguments[count++] = ssh->user;
    }
    if (ssh->port != NULL) {
        arguments[count++] = "-p";
        arguments[count++] = ssh->port;
    }
    arguments[count++] = "--";
    arguments[count++] = ssh->name;
    arguments[count++] = "davit";
    /* Always a socket: the far end's own context could lead back here. */
    arguments[count++] = "--host";
    arguments[count++] =
        ssh->path != NULL ? memory_printf(UNIX_SCHEME "%s", ssh->path) : CLIENT_DEFAULT_HOST;
    arguments[count++] = "system";
    arguments[count++] = "dial-stdio";
    if (dup2(fd, STDIN_FILENO) >= 0 && dup2(fd, STDOUT_FILENO) >= 0)
        execvp(arguments[0], (char *const *)(const void *)arguments);
    dprintf(STDERR_FILENO, "davit: ssh: %s\n", strerror(errno));
    _exit(127);
}

static int connect_by_ssh(const char *host, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    cleanup_close int near_fd = -1;
    cleanup_close int far_fd = -1;
    struct ssh_host ssh;
    int pair[2];
    pid_t pid;
    int result = parse_ssh(&arena, host, &ssh, err);

    if (result < 0)
        return result;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, errno, "socketpair");
    near_fd = pair[0];
    far_fd = pair[1];
    pid = fork();
    if (pid < 0)
        return error_errno(err, errno, "fork");
    if (pid == 0)
        run_ssh(&ssh, far_fd);
    return take_fd(&near_fd);
}

int host_connect(const char *host, struct error *err)
{
    int fd;
    int result = host_check(host, err);

    if (result < 0)
        return result;
    if (begins(host, SSH_SCHEME))
        return connect_by_ssh(host, err);
    fd = socket_connect(AT_FDCWD, begins(host, UNIX_SCHEME) ? host + strlen(UNIX_SCHEME) : host,
                        SOCK_STREAM, err);
    if (fd < 0)
        return error_set(err, ERROR_INTERNAL, -fd,
                         "cannot connect to davitd at %s: %s; is it running (systemctl start "
                         "davit.socket), and is --host or DAVIT_HOST right?",
                         host, strerror(-fd));
    return fd;
}
