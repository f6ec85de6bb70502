/* HTTP over davitd's socket: see client.h. */
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/build.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "host.h"

#define CHUNK_BYTES (256 << 10)

static int on_body(void *context, const char *bytes, size_t length)
{
    struct exchange *exchange = context;

    if (exchange->on_body != NULL && http_parser_message(exchange->parser)->status < 400)
        return exchange->on_body(exchange->context, bytes, length);
    buffer_append(&exchange->body, bytes, length);
    return 0;
}

/* A failed write is no error: a server that has heard enough answers and closes the connection. Its
 * answer is read then. */
static int send_chunks(int fd, int body_fd, struct error *err)
{
    char bytes[CHUNK_BYTES];
    char size[16];
    ssize_t count;

    while ((count = read(body_fd, bytes, sizeof(bytes))) > 0) {
        int length = snprintf(size, sizeof(size), "%zx\r\n", (size_t)count);

        if (file_write_fd(fd, size, (size_t)length) < 0 ||
            file_write_fd(fd, bytes, (size_t)count) < 0 || file_write_fd(fd, "\r\n", 2) < 0)
            return 0;
    }
    if (count < 0)
        return error_errno(err, errno, "read the input");
    file_write_fd(fd, "0\r\n\r\n", 5);
    return 0;
}

int client_send(const struct client *client, const struct client_request *request,
                struct exchange *exchange, struct error *err)
{
    cleanup_buffer struct buffer head = {0};
    size_t length = request->body != NULL ? strlen(request->body) : 0;
    int result;

    exchange->fd = host_connect(client->host, err);
    if (exchange->fd < 0)
        return exchange->fd;
    exchange->has_no_body = strcmp(request->method, "HEAD") == 0;
    exchange->parser = http_parser_new(false, on_body, exchange);
    buffer_printf(&head, "%s %s HTTP/1.1\r\nHost: davit\r\nUser-Agent: %s\r\n", request->method,
                  request->path, davit_product);
    if (request->registry_auth != NULL)
        buffer_printf(&head, "X-Registry-Auth: %s\r\n", request->registry_auth);
    if (request->is_upgrade)
        buffer_append_string(&head, "Connection: Upgrade\r\nUpgrade: tcp\r\n");
    if (request->body != NULL)
        buffer_append_string(&head, "Content-Type: application/json\r\n");
    if (request->body_fd >= 0)
        buffer_append_string(&head, "Content-Type: application/x-tar\r\n"
                                    "Transfer-Encoding: chunked\r\n\r\n");
    else
        buffer_printf(&head, "Content-Length: %zu\r\n\r\n", length);
    buffer_append(&head, request->body, length);
    result = file_write_fd(exchange->fd, head.data, head.length);
    if (result < 0)
        return error_errno(err, -result, "send the request");
    return request->body_fd >= 0 ? send_chunks(exchange->fd, request->body_fd, err) : 0;
}

static int closed_early(struct error *err)
{
    return error_set(err, ERROR_INTERNAL, ECONNRESET,
                     "davitd closed the connection in the middle of its answer");
}

/* Reads once. Returns 0 at the end of the connection. */
static int read_more(struct exchange *exchange, struct error *err)
{
    char bytes[CHUNK_BYTES];
    ssize_t count;
    size_t used = 0;
    int result;

    do
        count = recv(exchange->fd, bytes, sizeof(bytes), 0);
    while (count < 0 && errno == EINTR);
    if (count < 0 && errno != ECONNRESET)
        return error_errno(err, errno, "read davitd's answer");
    if (count < 0)
        count = 0;
    result = http_parser_feed(exchange->parser, bytes, (size_t)count, &used, err);
    if (result < 0 && count == 0)
        return closed_early(err);
    if (result < 0)
        return result;
    buffer_append(&exchange->leftover, bytes + used, (size_t)count - used);
    return count > 0 ? 1 : 0;
}

static int server_error(struct exchange *exchange, int status, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    const struct json *json = NULL;
    const char *message = NULL;
    enum error_code code;

    exchange_read_body(exchange, NULL);
    if (json_parse(&arena, buffer_text(&exchange->body), exchange->body.length,
                   &json_default_limits, &json, NULL) == 0)
        message = json_get_string(json, "message");
    code = error_code_by_name(json_get_string(json, "code"));
    return error_set(err, code, EPROTO, "%s", message != NULL ? message : http_status_text(status));
}

int exchange_read_headers(struct exchange *exchange, int *status, struct error *err)
{
    const struct http_message *message = http_parser_message(exchange->parser);

    while (!message->has_headers) {
        int result = read_more(exchange, err);

        if (result < 0)
            return result;
        if (result == 0 && !message->has_headers)
            return error_set(err, ERROR_INTERNAL, ECONNRESET,
                             "davitd closed the connection without an answer");
    }
    *status = message->status;
    return *status >= 400 ? server_error(exchange, *status, err) : 0;
}

int exchange_read_body(struct exchange *exchange, struct error *err)
{
    const struct http_message *message = http_parser_message(exchange->parser);

    while (!exchange->has_no_body && !message->is_complete) {
        int result = read_more(exchange, err);

        if (result < 0)
            return result;
        if (result == 0 && !message->is_complete)
            return closed_early(err);
    }
    return 0;
}

void exchange_close(struct exchange *exchange)
{
    fd_close(&exchange->fd);
    http_parser_free(exchange->parser);
    exchange->parser = NULL;
    buffer_release(&exchange->body);
    buffer_release(&exchange->leftover);
}

int client_exchange(const struct client *client, const struct client_request *request,
                    struct exchange *exchange, int *status, struct error *err)
{
    int ignored;
    int result = client_send(client, request, exchange, err);

    if (result == 0)
        result = exchange_read_headers(exchange, status != NULL ? status : &ignored, err);
    return result < 0 ? result : exchange_read_body(exchange, err);
}

int client_call(const struct client *client, const char *method, const char *path, const char *body,
                int *status, struct buffer *response, struct error *err)
{
    const struct client_request request = {
        .method = method, .path = path, .body = body, .body_fd = -1};
    struct exchange exchange = {.fd = -1};
    int result = client_exchange(client, &request, &exchange, status, err);

    if (result == 0 && response != NULL)
        buffer_append(response, buffer_text(&exchange.body), exchange.body.length);
    exchange_close(&exchange);
    return result;
}

int client_request_json(const struct client *client, const struct client_request *request,
                        struct arena *arena, const struct json **json, struct error *err)
{
    struct json_limits limits = json_default_limits;
    struct exchange exchange = {.fd = -1};
    int result = client_exchange(client, request, &exchange, NULL, err);

    limits.max_bytes = 64 << 20;
    limits.max_values = 4000000;
    if (result == 0)
        result = json_parse(arena, buffer_text(&exchange.body), exchange.body.length, &limits, json,
                            err);
    exchange_close(&exchange);
    return result;
}

int client_call_json(const struct client *client, const char *method, const char *path,
                     const char *body, struct arena *arena, const struct json **json,
                     struct error *err)
{
    const struct client_request request = {
        .method = method, .path = path, .body = body, .body_fd = -1};

    return client_request_json(client, &request, arena, json, err);
}

char *client_path(const char *prefix, const char *name, const char *suffix)
{
    struct buffer path = {0};

    buffer_append_string(&path, prefix);
    http_encode(&path, name);
    buffer_append_string(&path, suffix);
    return path.data;
}
