/* Talking to davitd: HTTP over its unix socket, one connection an exchange. */
#ifndef DAVIT_CLI_CLIENT_H
#define DAVIT_CLI_CLIENT_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/http.h"
#include "base/json.h"

#define CLIENT_DEFAULT_HOST "unix:///run/davit/davit.sock"

struct client {
    const char *host; /* "unix://PATH" */
};

/* A request that has been sent and whose response is being read. */
struct exchange {
    int fd;
    bool has_no_body; /* an answer to HEAD */
    struct http_parser_state *parser;
    struct buffer body;     /* what has come and was not taken by `on_body` */
    struct buffer leftover; /* bytes after the end of the response: of a hijacked stream */
    int (*on_body)(void *context, const char *bytes, size_t length);
    void *context;
};

/* Sends a request. `body` (JSON) may be NULL; `body_fd` (-1: none) is sent chunked to its end. With
 * `is_upgrade` the server is asked to turn the connection into a stream. */
struct client_request {
    const char *method;
    const char *path; /* encoded, with its query */
    const char *body;
    int body_fd;
    bool is_upgrade;
    const char *registry_auth; /* for X-Registry-Auth; NULL: none */
};

int client_send(const struct client *client, const struct client_request *request,
                struct exchange *exchange, struct error *err);

/* Reads until the headers are there. A status of 400 and above becomes an error with the server's
 * message; *status tells it. */
int exchange_read_headers(struct exchange *exchange, int *status, struct error *err);

/* Reads to the end of the response. */
int exchange_read_body(struct exchange *exchange, struct error *err);
void exchange_close(struct exchange *exchange);

/* Sends a request and reads its response to the end; the caller closes the exchange.
 * *status as of exchange_read_headers(); NULL if nobody asks. */
int client_exchange(const struct client *client, const struct client_request *request,
                    struct exchange *exchange, int *status, struct error *err);

/* Sends a request and reads its response to the end. Appends the response's body to `response` (or
 * NULL), which the caller owns. */
int client_call(const struct client *client, const char *method, const char *path, const char *body,
                int *status, struct buffer *response, struct error *err);

/* The same, with the response parsed in the arena. */
int client_call_json(const struct client *client, const char *method, const char *path,
                     const char *body, struct arena *arena, const struct json **json,
                     struct error *err);

/* The same of any request. */
int client_request_json(const struct client *client, const struct client_request *request,
                        struct arena *arena, const struct json **json, struct error *err);

/* "/containers/NAME/verb" with the name encoded; free() it. */
char *client_path(const char *prefix, const char *name, const char *suffix);

#endif
