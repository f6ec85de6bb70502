/* What comes from a connection, and what goes: see connection.h. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "base/buffer.h"
#include "connection.h"

#define READ_BYTES 65536
#define BODY_READ_BYTES (256 << 10) /* of a body that streams */

static void connection_process(struct connection *connection);

static int on_request_timeout(sd_event_source *source, uint64_t usec, void *context)
{
    struct connection *connection = context;
    static const char answer[] = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n"
                                 "Connection: close\r\n\r\n";

    (void)source;
    (void)usec;
    (void)!send(connection->fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    connection_free(connection);
    return 0;
}

static void arm_timer(struct connection *connection, bool is_needed)
{
    if (!is_needed) {
        connection->timer = sd_event_source_disable_unref(connection->timer);
    } else if (connection->timer == NULL) {
        sd_event_add_time_relative(connection->server->loop, &connection->timer, CLOCK_MONOTONIC,
                                   (uint64_t)SERVER_REQUEST_TIMEOUT_S * 1000000, 100000,
                                   on_request_timeout, connection);
    }
}

/* Parses the target and asks whether the body streams to the handler. False: it is no valid
 * path. */
static bool decide_body(struct connection *connection)
{
    struct request *request = &connection->request;

    connection->is_body_decided = true;
    request->connection = connection;
    request->message = http_parser_message(connection->parser);
    request->method = request->message->method;
    if (!request_parse_target(request))
        return false;
    connection->body_streams =
        connection->server->streams_body(connection->server->context, request);
    return true;
}

static void get_actor(struct request *request)
{
    struct ucred peer = {.uid = (uid_t)-1, .gid = (gid_t)-1};
    socklen_t length = sizeof(peer);

    getsockopt(request->connection->fd, SOL_SOCKET, SO_PEERCRED, &peer, &length);
    request->actor = (struct actor){.uid = peer.uid, .gid = peer.gid, .tenant = ""};
}

static void dispatch(struct connection *connection)
{
    struct request *request = &connection->request;

    connection->has_request = true;
    connection->closes_after_response = !request->message->keeps_alive;
    get_actor(request);
    request->body = buffer_text(&connection->body);
    request->body_length = connection->body.length;
    arm_timer(connection, false);
    connection->server->handler(connection->server->context, request);
}

int connection_on_body(void *context, const char *bytes, size_t length)
{
    struct connection *connection = context;
    struct request *request = &connection->request;

    if (!connection->is_body_decided) {
        if (!decide_body(connection))
            return -EBADMSG;
        if (connection->body_streams)
            dispatch(connection);
    }
    if (connection->is_lost)
        return -EPIPE;
    if (connection->body_streams) {
        /* A handler that has refused already takes no more. */
        if (!connection->has_request || request->on_body == NULL)
            return -EPIPE;
        return request->on_body(request, bytes, length);
    }
    if (connection->body.length + length > SERVER_BODY_MAX)
        return -EFBIG;
    buffer_append(&connection->body, bytes, length);
    return connection_account(connection) ? 0 : -ENOBUFS;
}

/* Bytes that are no request get one answer and the end of the connection. A handler that takes the
 * body sees its client go. */
static void refuse(struct connection *connection, const struct error *err)
{
    struct request *request = &connection->request;

    /* Half an answer cannot be taken back. */
    if (connection->has_request && connection->is_chunked) {
        connection->is_lost = true;
        return;
    }
    connection_end_request(connection);
    /* What has come of it is of no use any more. */
    http_parser_next(connection->parser);
    request->connection = connection;
    request->message = http_parser_message(connection->parser);
    request->method = "GET";
    connection->has_request = true;
    connection->closes_after_response = true;
    connection->is_draining = true;
    respond_error(request, err);
}

static void finish_message(struct connection *connection)
{
    struct error err = {0};

    if (!connection->is_body_decided && !decide_body(connection)) {
        error_set(&err, ERROR_INVALID, EINVAL, "the request's target is not a valid path");
        refuse(connection, &err);
        return;
    }
    if (connection->body_streams && connection->has_request) {
        if (connection->request.on_body != NULL)
            connection->request.on_body(&connection->request, NULL, 0);
    } else {
        dispatch(connection);
        if (connection->body_streams && connection->has_request &&
            connection->request.on_body != NULL)
            connection->request.on_body(&connection->request, NULL, 0);
    }
}

/* Feeds what has been read, one request after the other. */
static void parse(struct connection *connection)
{
    while (connection->in.length > 0 && !connection->is_lost && !connection->is_draining &&
           !connection->is_body_paused) {
        const struct http_message *message = http_parser_message(connection->parser);
        struct error err = {0};
        size_t used = 0;
        int result;

        /* The next request waits until this one is answered. */
        if (message->is_complete)
            return;
        result = http_parser_feed(connection->parser, connection->in.data, connection->in.length,
                                  &used, &err);
        buffer_consume(&connection->in, used);
        if (result == 0 && !connection_account(connection))
            result = error_errno(&err, ENOBUFS, "the request's head");
        if (result < 0) {
            if (connection->is_lost || connection->is_draining)
                return;
            if (connection->body.length > 0 && err.errnum == EFBIG)
                error_set(&err, ERROR_TOO_LARGE, EFBIG,
                          "the request's body is larger than %d bytes", SERVER_BODY_MAX);
            if (err.errnum == ENOBUFS)
                error_set(&err, ERROR_BUSY, ENOBUFS,
                          "too many requests are on their way; try again");
            refuse(connection, &err);
            return;
        }
        if (message->is_complete)
            finish_message(connection);
    }
}

/* Closing with bytes unread would make the client's next write fail before it reads the answer. */
static void drain(struct connection *connection)
{
    connection->is_lost = false;
    buffer_release(&connection->in);
    connection_write(connection);
    if (connection->out.length == 0)
        shutdown(connection->fd, SHUT_WR);
    if (connection->is_input_over || connection->is_lost) {
        connection_free(connection);
        return;
    }
    arm_timer(connection, true);
    connection_watch(connection, EPOLLIN | (connection->out.length > 0 ? EPOLLOUT : 0));
}

static void connection_process(struct connection *connection)
{
    if (connection->is_draining) {
        drain(connection);
        return;
    }
    connection->is_parsing = true;
    parse(connection);
    connection->is_parsing = false;
    if (connection->is_draining) {
        drain(connection);
        return;
    }
    connection_write(connection);
    if (connection->closes_after_response && !connection->has_request &&
        connection->out.length == 0)
        connection->is_lost = true;
    /* Nothing more can come and nothing is left to say. */
    if (connection->is_input_over && !connection->has_request && connection->out.length == 0)
        connection->is_lost = true;
    if (connection->is_lost) {
        connection_free(connection);
        return;
    }
    arm_timer(connection,
              !connection->has_request && (connection->in.length > 0 ||
                                           http_parser_message(connection->parser)->has_headers));
    if (connection->in.length == 0)
        buffer_release(&connection->in);
    connection_update_interest(connection);
}

int connection_on_turn(sd_event_source *source, void *context)
{
    struct connection *connection = context;

    (void)source;
    connection->turn = sd_event_source_disable_unref(connection->turn);
    connection_process(connection);
    return 0;
}

static void read_in(struct connection *connection)
{
    size_t size = connection->body_streams ? BODY_READ_BYTES : READ_BYTES;
    char *end = buffer_reserve(&connection->in, size);
    ssize_t count = recv(connection->fd, end, size, MSG_DONTWAIT);

    if (count > 0)
        connection->in.length += (size_t)count;
    else if (count == 0)
        connection->is_input_over = true;
    else if (errno != EAGAIN && errno != EINTR)
        connection->is_lost = true;
}

/* Tells the handler that output has drained. True if it was told: the connection may be gone
 * then. */
static bool connection_tell_drained(struct connection *connection)
{
    struct request *request = &connection->request;

    if (!connection->is_full || connection->out.length >= SERVER_OUTPUT_MAX / 2)
        return false;
    connection->is_full = false;
    if (!connection->has_request || connection->is_lost || request->on_drain == NULL)
        return false;
    request->on_drain(request);
    return true;
}

void connection_handle(struct connection *connection, uint32_t events)
{
    connection_unlink(connection);
    connection_link(connection);
    if ((events & EPOLLIN) != 0)
        read_in(connection);
    /* A client that hangs up while it waits is not waiting any more. One that only has no more to
     * say is, unless half of what it had to say is missing. */
    if ((events & (EPOLLERR | EPOLLHUP)) != 0)
        connection->is_lost = true;
    if (connection->is_input_over && connection->has_request &&
        !http_parser_message(connection->parser)->is_complete)
        connection->is_lost = true;
    if ((events & EPOLLOUT) != 0)
        connection_write(connection);
    if (!connection_tell_drained(connection))
        connection_process(connection);
}
