/* Streams between a process, its log and its clients: see streams.h. */
#include "streams.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/socket.h"
#include "protocol.h"

#define READ_BYTES 32768
#define INPUT_MAX 65536
/* What a pipe can hold when its process ends: any more was written by other processes later. */
#define PIPE_MAX (1 << 20)

void stream_frame_header(unsigned char header[STREAM_FRAME_HEADER], int stream, size_t length)
{
    memset(header, 0, STREAM_FRAME_HEADER);
    header[0] = (unsigned char)stream;
    for (int i = 0; i < 4; i++)
        header[4 + i] = (unsigned char)(length >> (24 - 8 * i));
}

void streams_init(struct streams *streams)
{
    *streams = (struct streams){.input_fd = -1, .output_fd = {-1, -1}};
}

static void client_release(struct stream_client *client)
{
    /* Other descriptors of this connection may exist in davitd for a moment longer; the peer
     * shall see the end now. */
    shutdown(client->fd, SHUT_RDWR);
    fd_close(&client->fd);
    buffer_release(&client->out);
}

void streams_release(struct streams *streams)
{
    for (size_t i = 0; i < streams->client_count; i++)
        client_release(&streams->clients[i]);
    free(streams->clients);
    streams->clients = NULL;
    streams->client_count = 0;
    if (streams->input_fd != streams->output_fd[0])
        fd_close(&streams->input_fd);
    fd_close(&streams->output_fd[0]);
    fd_close(&streams->output_fd[1]);
    buffer_release(&streams->input);
}

static void close_input(struct streams *streams)
{
    streams->has_closed_input = true;
    if (streams->input.length > 0 || streams->is_terminal)
        return;
    fd_close(&streams->input_fd);
}

static void write_input(struct streams *streams)
{
    /* Before the process has started its input waits here. */
    while (streams->input.length > 0 && streams->input_fd >= 0) {
        ssize_t count = write(streams->input_fd, streams->input.data, streams->input.length);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            return;
        if (count < 0) {
            /* The process closed its standard input: nobody will read the rest. */
            streams->input.length = 0;
            break;
        }
        buffer_consume(&streams->input, (size_t)count);
    }
    if (streams->has_closed_input)
        close_input(streams);
}

/* Clients that read the head of the answer through a buffer and the stream past it (Docker's Python
 * SDK, and what is built on it) lose what comes in one packet with the head. */
static bool client_check_head(struct stream_client *client)
{
    if (client->head_until_us == 0)
        return false;
    if (socket_unread(client->fd) > 0 && clock_monotonic_us() < client->head_until_us)
        return true;
    client->head_until_us = 0;
    return false;
}

static void client_flush(struct stream_client *client)
{
    if (client_check_head(client))
        return;
    while (client->out.length > 0) {
        ssize_t count =
            send(client->fd, client->out.data, client->out.length, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            if (errno != EAGAIN)
                client->is_gone = true;
            return;
        }
        buffer_consume(&client->out, (size_t)count);
        client->progress_us = clock_monotonic_us();
    }
    client->progress_us = clock_monotonic_us();
}

void streams_attach(struct streams *streams, int fd, unsigned int flags, const char *leftover,
                    size_t leftover_length)
{
    struct stream_client *client;

    if (streams->client_count == STREAMS_CLIENTS_MAX) {
        close(fd);
        return;
    }
    streams->clients =
        memory_resize(streams->clients, streams->client_count + 1, sizeof(*streams->clients));
    client = &streams->clients[streams->client_count++];
    *client = (struct stream_client){
        .fd = fd,
        .flags = flags,
        .is_input_open = (flags & MONITOR_STDIN) != 0,
        .progress_us = clock_monotonic_us(),
        .head_until_us = clock_monotonic_us() + (uint64_t)STREAMS_HEAD_MS * 1000,
    };
    if ((flags & MONITOR_STDIN) != 0 && leftover_length > 0) {
        buffer_append(&streams->input, leftover, leftover_length);
        write_input(streams);
    }
}

static bool is_backlogged(const struct streams *streams)
{
    for (size_t i = 0; i < streams->client_count; i++) {
        if (streams->clients[i].out.length >= STREAMS_BACKLOG_MAX)
            return true;
    }
    return false;
}

static void append_frame(struct stream_client *client, int stream, const char *bytes, size_t length)
{
    unsigned char header[STREAM_FRAME_HEADER];

    stream_frame_header(header, stream, length);
    if (client->out.length == 0)
        client->progress_us = clock_monotonic_us();
    if ((client->flags & MONITOR_RAW) == 0)
        buffer_append(&client->out, header, sizeof(header));
    buffer_append(&client->out, bytes, length);
}

static void distribute(struct streams *streams, int stream, const char *bytes, size_t length)
{
    unsigned int wanted = stream == 1 ? MONITOR_STDOUT : MONITOR_STDERR;

    if (streams->log != NULL)
        log_writer_append(streams->log, stream, bytes, length);
    for (size_t i = 0; i < streams->client_count; i++) {
        struct stream_client *client = &streams->clients[i];

        if ((client->flags & wanted) != 0 && !client->is_gone) {
            append_frame(client, stream, bytes, length);
            client_flush(client);
        }
    }
}

/* Returns false when there is nothing more to read for now. */
static bool read_output(struct streams *streams, int index)
{
    char bytes[READ_BYTES];
    ssize_t count = 0;

    if (streams->ending_length < 2 * PIPE_MAX)
        count = read(streams->output_fd[index], bytes, sizeof(bytes));
    if (count > 0) {
        if (streams->is_ending)
            streams->ending_length += (size_t)count;
        distribute(streams, index + 1, bytes, (size_t)count);
        return true;
    }
    if (count < 0 && errno == EINTR)
        return true;
    if (count < 0 && errno == EAGAIN && !streams->is_ending)
        return false;
    /* End of a pipe, or EIO of a terminal whose last user is gone. */
    if (streams->output_fd[index] == streams->input_fd)
        streams->input_fd = -1;
    fd_close(&streams->output_fd[index]);
    return false;
}

static void read_client(struct streams *streams, struct stream_client *client)
{
    char bytes[READ_BYTES];
    ssize_t count = recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count > 0) {
        buffer_append(&streams->input, bytes, (size_t)count);
        write_input(streams);
        return;
    }
    client->is_input_open = false;
    if (count < 0)
        client->is_gone = true;
    /* A half-close is no disconnect: output goes on. */
    else if (streams->closes_input_with_client)
        close_input(streams);
}

size_t streams_event_count(const struct streams *streams)
{
    return 3 + streams->client_count;
}

size_t streams_prepare(const struct streams *streams, struct pollfd *events)
{
    bool may_read = !is_backlogged(streams);

    events[0] = (struct pollfd){.fd = streams->input.length > 0 ? streams->input_fd : -1,
                                .events = POLLOUT};
    for (int i = 0; i < 2; i++)
        events[1 + i] =
            (struct pollfd){.fd = may_read ? streams->output_fd[i] : -1, .events = POLLIN};
    for (size_t i = 0; i < streams->client_count; i++) {
        const struct stream_client *client = &streams->clients[i];
        short wanted = 0;

        if (client->is_input_open && streams->input.length < INPUT_MAX)
            wanted |= POLLIN;
        if (client->out.length > 0 && client->head_until_us == 0)
            wanted |= POLLOUT;
        events[3 + i] = (struct pollfd){.fd = client->fd, .events = wanted};
    }
    return streams_event_count(streams);
}

/* Whether others wait for this client: the process for room, or everybody for the end. */
static bool holds_up(const struct streams *streams, const struct stream_client *client)
{
    return client->out.length >= STREAMS_BACKLOG_MAX ||
           (streams->is_ending && client->out.length > 0);
}

static void drop_lost_clients(struct streams *streams)
{
    uint64_t now = clock_monotonic_us();
    size_t kept = 0;

    for (size_t i = 0; i < streams->client_count; i++) {
        struct stream_client *client = &streams->clients[i];

        if (holds_up(streams, client) &&
            now - client->progress_us > (uint64_t)STREAMS_STALL_MS * 1000)
            client->is_gone = true;
        if (client->is_gone)
            client_release(client);
        else
            streams->clients[kept++] = *client;
    }
    streams->client_count = kept;
}

static void drain(struct streams *streams)
{
    for (int i = 0; i < 2; i++) {
        while (streams->output_fd[i] >= 0 && !is_backlogged(streams) && read_output(streams, i))
            continue;
    }
}

void streams_handle(struct streams *streams, const struct pollfd *events)
{
    /* Clients may not be added or removed before the array has been used up. */
    size_t count = streams->client_count;

    if (events[0].revents != 0)
        write_input(streams);
    for (size_t i = 0; i < count; i++) {
        struct stream_client *client = &streams->clients[i];

        if ((events[3 + i].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
            client->is_gone = true;
        if ((events[3 + i].revents & POLLIN) != 0 && client->is_input_open)
            read_client(streams, client);
        if ((events[3 + i].revents & POLLOUT) != 0 ||
            (client->head_until_us != 0 && client->out.length > 0))
            client_flush(client);
    }
    for (int i = 0; i < 2; i++) {
        if (events[1 + i].revents != 0 && streams->output_fd[i] >= 0)
            read_output(streams, i);
    }
    drop_lost_clients(streams);
    if (streams->is_ending)
        drain(streams);
}

void streams_end(struct streams *streams)
{
    streams->is_ending = true;
    drain(streams);
}

bool streams_are_done(const struct streams *streams)
{
    if (streams->output_fd[0] >= 0 || streams->output_fd[1] >= 0)
        return false;
    for (size_t i = 0; i < streams->client_count; i++) {
        if (streams->clients[i].out.length > 0)
            return false;
    }
    return true;
}

void streams_report(struct streams *streams, const char *message)
{
    for (size_t i = 0; i < streams->client_count; i++) {
        struct stream_client *client = &streams->clients[i];

        append_frame(client, 1, message, strlen(message));
        client_flush(client);
    }
}

int streams_timeout(const struct streams *streams)
{
    uint64_t now = clock_monotonic_us();
    int timeout_ms = -1;

    for (size_t i = 0; i < streams->client_count; i++) {
        const struct stream_client *client = &streams->clients[i];
        int64_t left;

        if (client->head_until_us != 0 && client->out.length > 0)
            return 1; /* the kernel tells how much is unread, but not when it changes */
        if (!holds_up(streams, client))
            continue;
        left = STREAMS_STALL_MS - (int64_t)(now - client->progress_us) / 1000;
        if (left < 0)
            left = 0;
        if (timeout_ms < 0 || left < timeout_ms)
            timeout_ms = (int)left + 1;
    }
    return timeout_ms;
}
