/* Messages for a syslog daemon: see log_syslog.h. */
#include "log_syslog.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "base/number.h"

#define SEVERITY_INFO 6 /* RFC 5424, 6.2.1 */
#define SEVERITY_ERROR 3
#define PORT_DEFAULT 514

static const char *const facilities[] = {
    "kern",   "user",   "mail",     "daemon", "auth",   "syslog",   "lpr",     "news",
    "uucp",   "cron",   "authpriv", "ftp",    "ntp",    "security", "console", "solaris-cron",
    "local0", "local1", "local2",   "local3", "local4", "local5",   "local6",  "local7"};

int log_syslog_facility(const char *name)
{
    int64_t number;

    for (size_t i = 0; i < ARRAY_SIZE(facilities); i++) {
        if (strcmp(facilities[i], name) == 0)
            return (int)i;
    }
    return number_parse(name, 0, (int64_t)ARRAY_SIZE(facilities) - 1, &number) ? (int)number : -1;
}

/* Where a message goes. */
struct place {
    socklen_t length;
    union {
        struct sockaddr any;
        struct sockaddr_un local;
        struct sockaddr_in ip4;
        struct sockaddr_in6 ip6;
    } address;
};

static int parse_local(const char *path, struct place *place, struct error *err)
{
    size_t length = strlen(path);

    if (path[0] != '/' || length >= sizeof(place->address.local.sun_path))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "\"%.128s\": the path of a socket of this host is expected", path);
    place->address.local.sun_family = AF_UNIX;
    memcpy(place->address.local.sun_path, path, length + 1);
    place->length = sizeof(place->address.local);
    return 0;
}

/* "127.0.0.1:514", "[::1]:514", either without a port. */
static int parse_host(const char *text, struct place *place, struct error *err)
{
    bool is_bracketed = text[0] == '[';
    size_t length = strcspn(text + is_bracketed, is_bracketed ? "]" : ":");
    cleanup_free char *host = memory_printf("%.*s", (int)length, text + is_bracketed);
    const char *rest = text + is_bracketed + length;
    int64_t port = PORT_DEFAULT;

    rest += is_bracketed && *rest == ']' ? 1 : 0;
    if ((*rest == ':' && !number_parse(rest + 1, 1, UINT16_MAX, &port)) ||
        (*rest != ':' && *rest != '\0'))
        return error_set(err, ERROR_INVALID, EINVAL, "\"%.64s\": ADDRESS:PORT is expected", text);
    if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
                  &place->address.ip4.sin_addr) == 1) {
        place->address.ip4.sin_family = AF_INET;
        place->address.ip4.sin_port = htons((uint16_t)port);
        place->length = sizeof(place->address.ip4);
        return 0;
    }
    if (inet_pton(AF_INET6, host, &place->address.ip6.sin6_addr) != 1)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "\"%.64s\": an address is expected; names are not looked up when a "
                         "container starts",
                         host);
    place->address.ip6.sin6_family = AF_INET6;
    place->address.ip6.sin6_port = htons((uint16_t)port);
    place->length = sizeof(place->address.ip6);
    return 0;
}

static int parse_address(const char *text, struct place *place, struct error *err)
{
    *place = (struct place){0};
    if (text == NULL)
        return parse_local(LOG_SYSLOG_SOCKET, place, err);
    if (strncmp(text, "unix://", 7) == 0)
        return parse_local(text + 7, place, err);
    if (strncmp(text, "unixgram://", 11) == 0)
        return parse_local(text + 11, place, err);
    if (strncmp(text, "udp://", 6) == 0)
        return parse_host(text + 6, place, err);
    if (strncmp(text, "tcp", 3) == 0)
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "\"%.64s\": connections are not made for each container: the host's "
                         "daemon relays, by TLS as well; unixgram://PATH and udp://ADDRESS:PORT "
                         "are taken",
                         text);
    return error_set(err, ERROR_INVALID, EINVAL,
                     "\"%.64s\": unixgram://PATH or udp://ADDRESS:PORT is expected", text);
}

int log_syslog_check_address(const char *address, struct error *err)
{
    struct place place;

    return parse_address(address, &place, err);
}

static void connect_to(struct log_syslog *log)
{
    struct place place;

    if (parse_address(log->options->address, &place, NULL) < 0)
        return;
    log->fd = socket(place.address.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (log->fd >= 0 && connect(log->fd, &place.address.any, place.length) < 0)
        fd_close(&log->fd);
}

void log_syslog_open(struct log_syslog *log, const struct syslog_options *options, const char *tag)
{
    *log = (struct log_syslog){.fd = -1, .options = options, .tag = tag != NULL ? tag : ""};
    gethostname(log->host, sizeof(log->host) - 1);
    connect_to(log);
}

static void write_head(const struct log_syslog *log, int severity, struct buffer *message)
{
    int priority = log->options->facility * 8 + severity;
    struct timespec now;
    struct tm parts;
    char time[64];

    clock_gettime(CLOCK_REALTIME, &now);
    if (log->options->format <= SYSLOG_RFC3164) {
        strftime(time, sizeof(time), "%b %e %H:%M:%S", localtime_r(&now.tv_sec, &parts));
        buffer_printf(message, "<%d>%s %s%s%s[%d]: ", priority, time,
                      log->options->format == SYSLOG_RFC3164 ? log->host : "",
                      log->options->format == SYSLOG_RFC3164 ? " " : "", log->tag, (int)getpid());
        return;
    }
    strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%S", gmtime_r(&now.tv_sec, &parts));
    buffer_printf(message, "<%d>1 %s", priority, time);
    if (log->options->format == SYSLOG_RFC5424_MICRO)
        buffer_printf(message, ".%06ld", now.tv_nsec / 1000);
    buffer_printf(message, "Z %s %s %d %s - ", log->host, log->tag, (int)getpid(), log->tag);
}

void log_syslog_send(struct log_syslog *log, int stream, const char *line, size_t length)
{
    cleanup_buffer struct buffer message = {0};

    while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
        length--;
    write_head(log, stream == 1 ? SEVERITY_INFO : SEVERITY_ERROR, &message);
    buffer_append(&message, line, length);
    if (log->fd >= 0 && send(log->fd, message.data, message.length, MSG_NOSIGNAL) >= 0)
        return;
    if (log->fd >= 0 && (errno == EAGAIN || errno == EMSGSIZE || errno == ENOBUFS))
        return;
    /* The daemon has been started again, or not yet. */
    fd_close(&log->fd);
    connect_to(log);
    if (log->fd >= 0)
        send(log->fd, message.data, message.length, MSG_NOSIGNAL);
}

void log_syslog_close(struct log_syslog *log)
{
    fd_close(&log->fd);
}
