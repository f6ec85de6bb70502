/* Answers, whole and in pieces: see server.h. */
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/build.h"
#include "base/cleanup.h"
#include "connection.h"
#include "version.h"

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
                  "Ostype: linux\r\nServer: %s (linux)\r\nDate: %s\r\n",
                  status, http_status_text(status), davit_product, date);
    if (content_type != NULL)
        buffer_printf(out, "Content-Type: %s\r\n", content_type);
    if (request->response_header != NULL)
        buffer_printf(out, "%s\r\n", request->response_header);
    if (connection->closes_after_response)
        buffer_append_string(out, "Connection: close\r\n");
}

/* The response is complete: on to the next request, or the end. */
static void finish_response(struct connection *connection)
{
    const struct http_message *message = http_parser_message(connection->parser);

    /* A body that was not read to its end would be taken for the next request. */
    if (!message->is_complete) {
        connection->closes_after_response = true;
        connection->is_draining = true;
    }
    connection_end_request(connection);
    http_parser_next(connection->parser);
    connection_write(connection);
    connection->is_body_decided = false;
    connection->is_body_paused = false;
    connection->is_chunked = false;
    connection->is_full = false;
    if (connection->closes_after_response && connection->out.length == 0 &&
        !connection->is_draining)
        connection->is_lost = true;
    connection_go_on_later(connection);
}

static void respond(struct request *request, int status, const char *content_type, const char *body)
{
    struct connection *connection = request->connection;
    size_t length = strlen(body);
    bool has_no_body = status == 204 || status == 304;

    /* It was answered already. */
    if (connection == NULL)
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

/* Docker's clients read the message, which is for people; programs of ours the code. */
static void write_failure(struct request *request, int status, enum error_code code,
                          const char *message)
{
    struct json_writer *writer = json_writer_new(false);

    json_object_open(writer);
    json_member_string(writer, "message", message);
    json_member_string(writer, "code", error_code_name(code));
    json_object_close(writer);
    respond_written(request, status, writer);
}

void respond_failure(struct request *request, int status, const char *message)
{
    enum error_code code = status == 404   ? ERROR_NOT_FOUND
                           : status == 501 ? ERROR_UNSUPPORTED
                           : status == 401 ? ERROR_DENIED
                                           : ERROR_INVALID;

    write_failure(request, status, code, message);
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
    case ERROR_IMAGE_NOT_FOUND:
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
    write_failure(request, status_of_error(err), err->code, err->message);
}

void stream_begin(struct request *request, const char *content_type)
{
    struct connection *connection = request->connection;

    connection->is_chunked = true;
    write_head(request, 200, content_type);
    buffer_append_string(&connection->out, "Transfer-Encoding: chunked\r\n\r\n");
    connection_write(connection);
    connection_update_interest(connection);
}

/* Writes the head that is followed by a raw stream: 101 if the client asked for an upgrade, or
 * 200. */
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
    connection_write(connection);
    connection_update_interest(connection);
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
        connection_write(connection);
        connection_update_interest(connection);
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
    connection_write(connection);
    buffer_append(leftover, buffer_text(&connection->in), connection->in.length);
    connection->in.length = 0;
    connection_unwatch(connection);
    fd = connection->is_lost || connection->out.length > 0 ? -1 : take_fd(&connection->fd);
    request->on_close = NULL;
    connection_end_request(connection);
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
    connection_update_interest(request->connection);
}

void request_resume_body(struct request *request)
{
    struct connection *connection = request->connection;

    connection->is_body_paused = false;
    connection_go_on_later(connection);
}
