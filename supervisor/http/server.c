/* The HTTP server: see server.h. */
#include "server.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "version.h"

#define READ_BYTES 65536
#define TRIM_CONNECTIONS 256
#define BODY_READ_BYTES (256 << 10) /* of a body that streams */

struct server {
    sd_event *loop;
    sd_event_source *listener;
    int listen_fd;
    request_handler handler;
    request_streams_body streams_body;
    void *context;
    struct connection *connections; /* the one that was active last is the first */
    struct connection *last;
    size_t connection_count;
    size_t connections_max;
    size_t peak;       /* connections since memory was given back */
    size_t body_bytes; /* of requests that are not complete */
    int spare_fd;      /* closed to be able to refuse a connection */
};

struct connection {
    struct server *server;
    struct connection *previous;
    struct connection *next;
    int fd;
    sd_event_source *io;
    sd_event_source *timer; /* while a request is on its way */
    sd_event_source *turn;  /* goes on after a response; NULL: there is nothing to go on with */
    struct http_parser_state *parser;
    struct buffer in;
    struct buffer out;
    struct buffer body;
    struct request request;
    bool has_request; /* the handler has been called and the response is not complete */
    bool body_streams;
    bool is_body_decided;
    bool is_body_paused;
    bool is_chunked;
    bool closes_after_response;
    bool is_input_over;
    bool is_parsing; /* on the stack: do not free */
    bool is_lost;
    bool is_full;     /* until the stream's handler is told that there is room */
    bool is_draining; /* refused: what still comes is thrown away, so that the answer is read */
};

static void connection_free(struct connection *connection);
static void connection_process(struct connection *connection);
static void update_interest(struct connection *connection);

/* ---- requests ---- */

static void request_release(struct connection *connection)
{
    struct request *request = &connection->request;

    if (connection->has_request && request->on_close != NULL)
        request->on_close(request);
    connection->has_request = false;
    arena_release(&request->arena);
    memset(request, 0, sizeof(*request));
    connection->server->body_bytes -= connection->body.length;
    buffer_release(&connection->body);
}

const char *request_query(const struct request *request, const char *name)
{
    for (size_t i = 0; i < request->query_count; i++) {
        if (strcmp(request->query[i].name, name) == 0)
            return request->query[i].value;
    }
    return NULL;
}

bool request_query_bool(const struct request *request, const char *name)
{
    static const char *const false_words[] = {"", "0", "no", "false", "none"};
    const char *value = request_query(request, name);

    if (value == NULL)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(false_words); i++) {
        if (strcasecmp(value, false_words[i]) == 0)
            return false;
    }
    return true;
}

int request_query_integer(const struct request *request, const char *name, int64_t lowest,
                          int64_t highest, int64_t *value, struct error *err)
{
    const char *text = request_query(request, name);
    char *end;
    long long number;

    if (text == NULL || text[0] == '\0')
        return 0;
    errno = 0;
    number = strtoll(text, &end, 10);
    if (strspn(text, "-0123456789") != strlen(text) || *end != '\0' || errno != 0 ||
        number < lowest || number > highest)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "bad parameter: %s: \"%.40s\" is not a whole number from %lld to %lld",
                         name, text, (long long)lowest, (long long)highest);
    *value = number;
    return 0;
}

int request_query_time(const struct request *request, const char *name, int64_t *time_ns)
{
    const char *text = request_query(request, name);

    *time_ns = 0;
    return text == NULL || text[0] == '\0' ? 0 : clock_parse_time(text, time_ns);
}

/* "a=b&c" to decoded pairs. */
static bool parse_query(struct request *request, char *query)
{
    size_t count = 1;

    for (const char *c = query; *c != '\0'; c++)
        count += *c == '&';
    request->query = arena_new(&request->arena, count, sizeof(*request->query));
    for (char *pair = strsep(&query, "&"); pair != NULL; pair = strsep(&query, "&")) {
        char *value = strchr(pair, '=');

        if (value != NULL)
            *value++ = '\0';
        else
            value = pair + strlen(pair);
        if (!http_decode(pair, true) || !http_decode(value, true))
            return false;
        request->query[request->query_count++] = (struct query_parameter){pair, value};
    }
    return true;
}

/* "/v1.41/containers/json" is "/containers/json" of version 41. */
static char *strip_version(struct request *request, char *path)
{
    int major;
    int minor;
    int used = 0;

    request->version = -1;
    if (sscanf(path, "/v%d.%d%n", &major, &minor, &used) == 2 && used > 0 && path[used] == '/' &&
        major == 1) {
        request->version = minor;
        return path + used;
    }
    return path;
}

static bool parse_target(struct request *request)
{
    char *target = arena_strdup(&request->arena, request->message->target);
    char *query = strchr(target, '?');

    if (query != NULL)
        *query++ = '\0';
    if (target[0] != '/' || !http_decode(target, false))
        return false;
    request->path = strip_version(request, target);
    return query == NULL || parse_query(request, query);
}

/* ---- responses ---- */

static void write_out(struct connection *connection)
{
    struct buffer *out = &connection->out;

    while (out->length > 0 && !connection->is_lost) {
        ssize_t count = send(connection->fd, out->data, out->length, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno != EAGAIN)
            connection->is_lost = true;
        if (count < 0)
            break;
        buffer_consume(out, (size_t)count);
    }
    /* A connection that waits for its next request holds no memory. */
    if (out->length == 0)
        buffer_release(out);
}

static void write_head(struct request *request, int status, const char *content_type)
{
    struct connection *connection = request->connection;
    struct buffer *out = &connection->out;
    char date[64];
    time_t now = time(NULL);
    struct tm utc;

    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &utc));
    buffer_printf(out,
                  "HTTP/1.1 %d %s\r\nApi-Version: " API_VERSION "\r\nDocker-Experimental: false\r\n"
                  "Ostype: linux\r\nServer: davit/" DAVIT_VERSION " (linux)\r\nDate: %s\r\n",
                  status, http_status_text(status), date);
    if (content_type != NULL)
        buffer_printf(out, "Content-Type: %s\r\n", content_type);
    if (request->response_header != NULL)
        buffer_printf(out, "%s\r\n", request->response_header);
    if (connection->closes_after_response)
        buffer_append_string(out, "Connection: close\r\n");
}

static int on_turn(sd_event_source *source, void *context)
{
    struct connection *connection = context;

    (void)source;
    connection->turn = sd_event_source_disable_unref(connection->turn);
    connection_process(connection);
    return 0;
}

/* On to what has been read already, but not from inside whoever answers: the next request's handler
 * may do anything. Who parses goes on by itself. */
static void go_on_later(struct connection *connection)
{
    if (!connection->is_parsing && connection->turn == NULL)
        sd_event_add_defer(connection->server->loop, &connection->turn, on_turn, connection);
}

/* The response is complete: on to the next request, or the end. */
static void finish_response(struct connection *connection)
{
    const struct http_message *message = http_parser_message(connection->parser);

    /* A body that was not read to its end would be taken for the next request. */
    if (!message->is_complete)
        connection->closes_after_response = true;
    request_release(connection);
    write_out(connection);
    http_parser_next(connection->parser);
    connection->is_body_decided = false;
    connection->is_body_paused = false;
    connection->is_chunked = false;
    connection->is_full = false;
    if (connection->closes_after_response && connection->out.length == 0)
        connection->is_lost = true;
    go_on_later(connection);
}

static void respond(struct request *request, int status, const char *content_type, const char *body)
{
    struct connection *connection = request->connection;
    size_t length = strlen(body);
    bool has_no_body = status == 204 || status == 304;

    if (!connection->has_request)
        return;
    write_head(request, status, has_no_body ? NULL : content_type);
    if (!has_no_body)
        buffer_printf(&connection->out, "Content-Length: %zu\r\n", length);
    buffer_append_string(&connection->out, "\r\n");
    if (!has_no_body && strcmp(request->method, "HEAD") != 0)
        buffer_append(&connection->out, body, length);
    finish_response(connection);
}

void respond_json(struct request *request, int status, const char *json)
{
    respond(request, status, "application/json", json);
}

void respond_written(struct request *request, int status, struct json_writer *writer)
{
    respond_json(request, status, json_writer_text(writer));
    json_writer_free(writer);
}

void respond_text(struct request *request, int status, const char *text)
{
    respond(request, status, "text/plain; charset=utf-8", text);
}

void respond_empty(struct request *request, int status)
{
    respond(request, status, NULL, "");
}

void respond_failure(struct request *request, int status, const char *message)
{
    struct json_writer *writer = json_writer_new(false);

    json_object_open(writer);
    json_member_string(writer, "message", message);
    json_object_close(writer);
    respond_written(request, status, writer);
}

static int status_of_error(const struct error *err)
{
    switch (err->code) {
    case ERROR_INVALID:
    case ERROR_CORRUPT:
    case ERROR_COMMAND_NOT_FOUND:
    case ERROR_NOT_EXECUTABLE:
        return 400;
    case ERROR_DENIED:
        return 403;
    case ERROR_NOT_FOUND:
        return 404;
    case ERROR_CONFLICT:
        return 409;
    case ERROR_TOO_LARGE:
        return 413;
    case ERROR_UNSUPPORTED:
        return 501;
    case ERROR_BUSY:
        return 503;
    case ERROR_NOT_MODIFIED:
        return 304;
    default:
        return 500;
    }
}

void respond_error(struct request *request, const struct error *err)
{
    respond_failure(request, status_of_error(err), err->message);
}

void stream_begin(struct request *request, const char *content_type)
{
    struct connection *connection = request->connection;

    connection->is_chunked = true;
    write_head(request, 200, content_type);
    buffer_append_string(&connection->out, "Transfer-Encoding: chunked\r\n\r\n");
    write_out(connection);
    update_interest(connection);
}

/* What turns the connection into the container's streams, where the client asked for that. */
static void write_upgrade(struct connection *connection, const char *content_type)
{
    if (connection->request.message->is_upgrade)
        buffer_printf(&connection->out,
                      "HTTP/1.1 101 UPGRADED\r\nContent-Type: %s\r\nConnection: Upgrade\r\n"
                      "Upgrade: tcp\r\n\r\n",
                      content_type);
    else
        buffer_printf(&connection->out, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n\r\n",
                      content_type);
}

void stream_begin_raw(struct request *request, const char *content_type)
{
    struct connection *connection = request->connection;

    connection->closes_after_response = true;
    write_upgrade(connection, content_type);
    write_out(connection);
    update_interest(connection);
}

bool stream_write_message(struct request *request, const char *text, const char *end)
{
    cleanup_buffer struct buffer message = {0};

    buffer_append_string(&message, text);
    buffer_append_string(&message, end);
    return stream_write(request, buffer_text(&message), message.length);
}

bool stream_write(struct request *request, const void *bytes, size_t length)
{
    struct connection *connection = request->connection;

    if (connection->is_lost)
        return false;
    if (length > 0 && !connection->is_chunked) {
        buffer_append(&connection->out, bytes, length);
    } else if (length > 0) {
        buffer_printf(&connection->out, "%zx\r\n", length);
        buffer_append(&connection->out, bytes, length);
        buffer_append(&connection->out, "\r\n", 2);
    }
    if (!connection->is_parsing) {
        write_out(connection);
        update_interest(connection);
    }
    connection->is_full = connection->out.length >= SERVER_OUTPUT_MAX / 2;
    return connection->out.length < SERVER_OUTPUT_MAX;
}

void stream_end(struct request *request)
{
    if (request->connection->is_chunked)
        buffer_append_string(&request->connection->out, "0\r\n\r\n");
    finish_response(request->connection);
}

void stream_abort(struct request *request)
{
    struct connection *connection = request->connection;

    connection->is_lost = true;
    if (!connection->is_parsing)
        connection_free(connection);
}

size_t stream_backlog(const struct request *request)
{
    return request->connection->out.length;
}

int request_hijack(struct request *request, const char *content_type, struct buffer *leftover)
{
    struct connection *connection = request->connection;
    int fd;

    connection->out.length = 0;
    write_upgrade(connection, content_type);
    write_out(connection);
    buffer_append(leftover, buffer_text(&connection->in), connection->in.length);
    connection->in.length = 0;
    fd = connection->is_lost || connection->out.length > 0 ? -1 : take_fd(&connection->fd);
    connection->io = sd_event_source_disable_unref(connection->io);
    request->on_close = NULL;
    request_release(connection);
    connection->is_lost = true;
    if (fd >= 0)
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    if (!connection->is_parsing)
        connection_free(connection);
    return fd;
}

void request_forget(struct request *request)
{
    request->on_close = NULL;
    request->on_drain = NULL;
    request->on_body = NULL;
    request->context = NULL;
}

void request_pause_body(struct request *request)
{
    request->connection->is_body_paused = true;
    update_interest(request->connection);
}

void request_resume_body(struct request *request)
{
    struct connection *connection = request->connection;

    connection->is_body_paused = false;
    go_on_later(connection);
}

/* ---- connections ---- */

static void link_first(struct connection *connection)
{
    struct server *server = connection->server;

    connection->previous = NULL;
    connection->next = server->connections;
    if (server->connections != NULL)
        server->connections->previous = connection;
    else
        server->last = connection;
    server->connections = connection;
}

static void unlink_connection(struct connection *connection)
{
    struct server *server = connection->server;

    if (server->connections == connection)
        server->connections = connection->next;
    else
        connection->previous->next = connection->next;
    if (server->last == connection)
        server->last = connection->previous;
    else
        connection->next->previous = connection->previous;
}

/* What thousands of connections took is not kept for the next thousands. */
static void give_memory_back(struct server *server)
{
    if (server->peak < TRIM_CONNECTIONS || server->connection_count > server->peak / 4)
        return;
    malloc_trim(0);
    server->peak = server->connection_count;
}

static void connection_free(struct connection *connection)
{
    struct server *server = connection->server;

    unlink_connection(connection);
    server->connection_count--;
    request_release(connection);
    sd_event_source_disable_unref(connection->io);
    sd_event_source_disable_unref(connection->timer);
    sd_event_source_disable_unref(connection->turn);
    http_parser_free(connection->parser);
    buffer_release(&connection->in);
    buffer_release(&connection->out);
    buffer_release(&connection->body);
    fd_close(&connection->fd);
    free(connection);
    give_memory_back(server);
}

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

/* The path without version and query, for the decision how to take the body. */
static bool decide_body(struct connection *connection)
{
    struct request *request = &connection->request;

    connection->is_body_decided = true;
    request->connection = connection;
    request->message = http_parser_message(connection->parser);
    request->method = request->message->method;
    if (!parse_target(request))
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

/* Called by the parser, whose headers are complete by then. */
static int on_body(void *context, const char *bytes, size_t length)
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
    if (connection->server->body_bytes + length > SERVER_BODIES_MAX)
        return -ENOBUFS;
    connection->server->body_bytes += length;
    buffer_append(&connection->body, bytes, length);
    return 0;
}

/* Bytes that are no request get one answer and the end of the connection. */
static void refuse(struct connection *connection, const struct error *err)
{
    struct request *request = &connection->request;

    if (!connection->has_request) {
        request->connection = connection;
        request->message = http_parser_message(connection->parser);
        request->method = "GET";
        connection->has_request = true;
        connection->closes_after_response = true;
        respond_error(request, err);
    }
    connection->closes_after_response = true;
    connection->in.length = 0;
    connection->is_draining = true;
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
    while (connection->in.length > 0 && !connection->is_lost && !connection->is_body_paused) {
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
        if (result < 0) {
            if (connection->is_lost)
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

static void update_interest(struct connection *connection)
{
    const struct http_message *message;
    uint32_t events = EPOLLRDHUP;

    if (connection->io == NULL)
        return;
    message = http_parser_message(connection->parser);
    /* There may be room already by what was written since, which nobody has been told. */
    if (connection->out.length > 0 || connection->is_full)
        events |= EPOLLOUT;
    /* While a request is being answered its successor stays in the socket. */
    if (!connection->is_body_paused && !connection->is_input_over && !message->is_complete)
        events |= EPOLLIN;
    if (connection->is_input_over)
        events &= ~(uint32_t)EPOLLRDHUP;
    sd_event_source_set_io_events(connection->io, events);
}

/* Closing with bytes unread would make the client's next write fail before it reads the answer. */
static void drain(struct connection *connection)
{
    connection->is_lost = false;
    connection->in.length = 0;
    write_out(connection);
    if (connection->out.length == 0)
        shutdown(connection->fd, SHUT_WR);
    if (connection->is_input_over || connection->is_lost) {
        connection_free(connection);
        return;
    }
    arm_timer(connection, true);
    sd_event_source_set_io_events(connection->io,
                                  EPOLLIN | (connection->out.length > 0 ? EPOLLOUT : 0));
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
    write_out(connection);
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
    update_interest(connection);
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

/* True if the handler was told, which may have ended anything. */
static bool tell_of_room(struct connection *connection)
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

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context)
{
    struct connection *connection = context;

    (void)source;
    (void)fd;
    unlink_connection(connection);
    link_first(connection);
    if ((events & EPOLLIN) != 0)
        read_in(connection);
    /* A client that hangs up while it waits is not waiting any more. */
    if ((events & (EPOLLERR | EPOLLHUP)) != 0 ||
        ((events & EPOLLRDHUP) != 0 && connection->has_request))
        connection->is_lost = true;
    if (connection->is_input_over && connection->has_request)
        connection->is_lost = true;
    if ((events & EPOLLOUT) != 0)
        write_out(connection);
    if (!tell_of_room(connection))
        connection_process(connection);
    return 0;
}

/* Closes the connection that has been idle longest; false if all are at work. */
static bool evict(struct server *server)
{
    struct connection *victim = server->last;

    while (victim != NULL && (victim->has_request || victim->is_parsing || victim->turn != NULL))
        victim = victim->previous;
    if (victim == NULL)
        return false;
    assert(victim->server == server);
    connection_free(victim);
    return true;
}

static void turn_away(int fd)
{
    static const char answer[] =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
        "Content-Length: 34\r\nConnection: close\r\n\r\n{\"message\":\"too many connections\"}";

    (void)!send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

/* Without a descriptor for it a connection would stay in the queue and wake us for ever. Where an
 * idle one has made room it is accepted the next time round. */
static void make_room(struct server *server)
{
    int fd;

    if (evict(server))
        return;
    fd_close(&server->spare_fd);
    fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        turn_away(fd);
    server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int on_connect(sd_event_source *source, int listen_fd, uint32_t events, void *context)
{
    struct server *server = context;
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct connection *connection;

    (void)source;
    (void)events;
    if (fd < 0 && (errno == EMFILE || errno == ENFILE))
        make_room(server);
    if (fd < 0)
        return 0;
    if (server->connection_count >= server->connections_max && !evict(server)) {
        turn_away(fd);
        return 0;
    }
    connection = memory_new_one(struct connection);
    connection->server = server;
    connection->fd = fd;
    connection->parser = http_parser_new(true, on_body, connection);
    link_first(connection);
    server->connection_count++;
    if (server->connection_count > server->peak)
        server->peak = server->connection_count;
    if (sd_event_add_io(server->loop, &connection->io, fd, EPOLLIN | EPOLLRDHUP, on_io,
                        connection) < 0)
        connection_free(connection);
    return 0;
}

static size_t connections_max(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 2 > SERVER_CONNECTIONS_MAX)
        return SERVER_CONNECTIONS_MAX;
    return (size_t)limit.rlim_cur / 2;
}

int server_start(sd_event *loop, int listen_fd, request_handler handler,
                 request_streams_body streams_body, void *context, struct server **started,
                 struct error *err)
{
    struct server *server = memory_new_one(struct server);
    int result;

    server->loop = loop;
    server->listen_fd = listen_fd;
    server->handler = handler;
    server->streams_body = streams_body;
    server->context = context;
    server->connections_max = connections_max();
    server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    result = sd_event_add_io(loop, &server->listener, listen_fd, EPOLLIN, on_connect, server);
    if (result < 0) {
        free(server);
        return error_errno(err, -result, "listen");
    }
    *started = server;
    return 0;
}

void server_stop(struct server *server)
{
    if (server == NULL)
        return;
    for (struct connection *one = server->connections; one != NULL;) {
        struct connection *next = one->next;

        connection_free(one);
        one = next;
    }
    sd_event_source_disable_unref(server->listener);
    fd_close(&server->listen_fd);
    fd_close(&server->spare_fd);
    free(server);
}
