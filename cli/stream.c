/* Attached streams: multiplexed frames or a terminal, signals, window size, detaching. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/terminal.h"
#include "stream.h"

#define RELAY_BYTES 32768
/* ctrl-p ctrl-q */
static const struct detach_keys default_detach_keys = {{0x10, 0x11}, 2};

/* A character, or ctrl- and one that the control key turns into another (ASCII's columns). */
static bool parse_key(const char *text, size_t length, char *key)
{
    char last = length > 0 ? text[length - 1] : '\0';

    if (length == 1 && last > ' ' && last < 127) {
        *key = last;
        return true;
    }
    if (length != 6 || strncmp(text, "ctrl-", 5) != 0 ||
        !((last >= 'a' && last <= 'z') || (last >= '@' && last <= '_')))
        return false;
    *key = (char)(last & 0x1f);
    return true;
}

/* "ctrl-x,y" */
static int read_detach_keys(const struct option_reader *reader, const char *text)
{
    struct detach_keys *keys = &reader->cli->detach_keys;
    const char *position = text;

    keys->count = 0;
    for (;;) {
        size_t length = strcspn(position, ",");

        if (keys->count == DETACH_KEYS_MAX ||
            !parse_key(position, length, &keys->keys[keys->count++]))
            return error_set(
                &reader->cli->err, ERROR_INVALID, EINVAL,
                "--detach-keys: \"%.64s\" is not a list of up to %d keys like ctrl-x,y", text,
                DETACH_KEYS_MAX);
        position += length;
        if (*position++ == '\0')
            return 0;
    }
}

const struct option_row stream_detach_rows[] = {
    {"detach-keys", 0, OPTION_READ, "KEYS", .read = read_detach_keys,
     .help = "what is typed to leave it alone, like ctrl-x,y"},
    {0},
};

int stream_check_terminal(struct cli *cli, bool has_terminal, bool is_interactive)
{
    if (has_terminal && is_interactive && !isatty(STDIN_FILENO))
        return error_set(&cli->err, ERROR_INVALID, ENOTTY, "the input device is not a TTY");
    return 0;
}

int stream_open(struct cli *cli, const char *path, const char *body, struct exchange *exchange)
{
    const struct client_request request = {
        .method = "POST", .path = path, .body = body, .body_fd = -1, .is_upgrade = true};
    int status;
    int result = client_send(&cli->client, &request, exchange, &cli->err);

    if (result == 0)
        result = exchange_read_headers(exchange, &status, &cli->err);
    if (result == 0 && status != 101)
        result = error_set(&cli->err, ERROR_INTERNAL, EPROTO,
                           "davitd did not upgrade the connection (status %d)", status);
    return result;
}

/* Frames of one stream that came together are written together. */
struct output {
    int fd;
    struct buffer bytes;
};

static int flush(struct output *output)
{
    int result = file_write_fd(output->fd, output->bytes.data, output->bytes.length);

    output->bytes.length = 0;
    return result;
}

static int add_output(struct output *output, int fd, const char *bytes, size_t length)
{
    int result = output->fd != fd && output->bytes.length > 0 ? flush(output) : 0;

    output->fd = fd;
    buffer_append(&output->bytes, bytes, length);
    return result;
}

int demultiplex(struct demultiplexer *state, const char *bytes, size_t length)
{
    struct output output = {.fd = STDOUT_FILENO};
    int result = 0;

    while (result == 0 && length > 0) {
        size_t part;

        if (state->payload_left == 0) {
            state->header[state->header_length++] = (unsigned char)*bytes++;
            length--;
            if (state->header_length < sizeof(state->header))
                continue;
            state->header_length = 0;
            state->payload_left = (size_t)state->header[4] << 24 | (size_t)state->header[5] << 16 |
                                  (size_t)state->header[6] << 8 | state->header[7];
            continue;
        }
        part = length < state->payload_left ? length : state->payload_left;
        result =
            add_output(&output, state->header[0] == 2 ? STDERR_FILENO : STDOUT_FILENO, bytes, part);
        bytes += part;
        length -= part;
        state->payload_left -= part;
    }
    if (result == 0 && output.bytes.length > 0)
        result = flush(&output);
    buffer_release(&output.bytes);
    return result;
}

/* A container that has just been asked to start cannot be resized yet: the size is sent again with
 * its first output. */
static void send_size(const struct stream_session *session)
{
    struct winsize size;
    cleanup_free char *path = NULL;
    struct error ignored;
    int status;

    if (session->resize_path == NULL || ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0)
        return;
    path = memory_printf("%s?h=%d&w=%d", session->resize_path, size.ws_row, size.ws_col);
    client_call(&session->cli->client, "POST", path, NULL, &status, NULL, &ignored);
}

#define INTERRUPTS_MAX 3

/* Returns 0, or a negative errno if the user has had enough. */
static int pass_signal(struct stream_session *session, int signal_fd)
{
    struct signalfd_siginfo info;
    cleanup_free char *path = NULL;
    struct error ignored;
    int status;

    if (read(signal_fd, &info, sizeof(info)) != sizeof(info))
        return 0;
    session->interrupts += info.ssi_signo == SIGINT || info.ssi_signo == SIGTERM;
    if (session->interrupts == INTERRUPTS_MAX)
        return error_set(&session->cli->err, ERROR_INVALID, EINTR,
                         "got %d SIGTERM/SIGINTs, and leaves the container as it is",
                         INTERRUPTS_MAX);
    if (info.ssi_signo == SIGWINCH) {
        send_size(session);
    } else if (session->kill_path != NULL) {
        path = memory_printf("%s?signal=%u", session->kill_path, info.ssi_signo);
        client_call(&session->cli->client, "POST", path, NULL, &status, NULL, &ignored);
    }
    return 0;
}

static int open_signals(const struct stream_session *session)
{
    static const int passed[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
    sigset_t mask;

    sigemptyset(&mask);
    if (session->has_terminal)
        sigaddset(&mask, SIGWINCH);
    for (size_t i = 0; session->kill_path != NULL && i < ARRAY_SIZE(passed); i++)
        sigaddset(&mask, passed[i]);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Looks for the keys in what was typed; *seen of them have come already. */
static bool advance_detach_keys(const struct detach_keys *keys, const char *bytes, size_t length,
                                size_t *seen)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != keys->keys[*seen])
            *seen = 0;
        if (bytes[i] == keys->keys[*seen] && ++*seen == keys->count)
            return true;
    }
    return false;
}

struct relay {
    struct stream_session *session;
    struct demultiplexer demultiplexer;
    size_t detach_keys_seen;
    bool has_sent_size;
};

static int write_output(struct relay *relay, const char *bytes, size_t length)
{
    if (!relay->session->has_terminal)
        return demultiplex(&relay->demultiplexer, bytes, length);
    if (!relay->has_sent_size) {
        relay->has_sent_size = true;
        send_size(relay->session);
    }
    return file_write_fd(STDOUT_FILENO, bytes, length);
}

/* Returns 1 to go on, 0 at the end. */
static int read_stream(struct relay *relay)
{
    char bytes[RELAY_BYTES];
    ssize_t count = recv(relay->session->fd, bytes, sizeof(bytes), 0);

    if (count < 0 && errno == EINTR)
        return 1;
    if (count <= 0)
        return 0;
    return write_output(relay, bytes, (size_t)count) < 0 ? 0 : 1;
}

enum input_result {
    INPUT_GOES_ON,
    INPUT_ENDED,
    INPUT_DETACHED,
};

static enum input_result read_input(struct relay *relay)
{
    const struct detach_keys *keys = &relay->session->cli->detach_keys;
    char bytes[RELAY_BYTES];
    ssize_t count = read(STDIN_FILENO, bytes, sizeof(bytes));

    if (count < 0 && errno == EINTR)
        return INPUT_GOES_ON;
    if (count <= 0) {
        shutdown(relay->session->fd, SHUT_WR);
        return INPUT_ENDED;
    }
    if (relay->session->has_terminal &&
        advance_detach_keys(keys->count > 0 ? keys : &default_detach_keys, bytes, (size_t)count,
                            &relay->detach_keys_seen))
        return INPUT_DETACHED;
    return file_write_fd(relay->session->fd, bytes, (size_t)count) < 0 ? INPUT_ENDED
                                                                       : INPUT_GOES_ON;
}

static int relay_all(struct relay *relay, int signal_fd)
{
    struct pollfd events[3] = {
        {.fd = relay->session->fd, .events = POLLIN},
        {.fd = relay->session->is_interactive ? STDIN_FILENO : -1, .events = POLLIN},
        {.fd = signal_fd, .events = POLLIN},
    };

    for (;;) {
        if (poll(events, ARRAY_SIZE(events), -1) < 0 && errno != EINTR)
            return -errno;
        if (events[0].revents != 0 && read_stream(relay) == 0)
            return 0;
        if (events[1].revents != 0) {
            enum input_result result = read_input(relay);

            if (result == INPUT_DETACHED)
                return 1;
            if (result == INPUT_ENDED)
                events[1].fd = -1;
        }
        if (events[2].revents != 0 && pass_signal(relay->session, signal_fd) < 0)
            return -EINTR;
    }
}

int stream_relay(struct stream_session *session, const struct buffer *leftover)
{
    struct relay relay = {.session = session};
    struct terminal terminal = {0};
    cleanup_close int signal_fd = open_signals(session);
    int result = 0;

    if (session->has_terminal && session->is_interactive)
        terminal_make_raw(&terminal);
    if (!session->is_interactive)
        shutdown(session->fd, SHUT_WR);
    if (leftover->length > 0)
        result = write_output(&relay, leftover->data, leftover->length);
    if (result == 0)
        result = relay_all(&relay, signal_fd);
    terminal_restore(&terminal);
    if (result == 1)
        fputs("\r\nread escape sequence\r\n", stderr);
    return result;
}
