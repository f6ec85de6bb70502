/*
 * HTTP/1.1 messages over http_parser, the only place that knows it: requests for the server,
 * responses for the client. Bodies are handed on as they come; everything else is collected, within
 * the bounds below.
 */
#ifndef DAVIT_BASE_HTTP_H
#define DAVIT_BASE_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "error.h"
#include "memory.h"

#define HTTP_HEADERS_MAX 100
#define HTTP_TARGET_MAX (70 << 10) /* dockerode repeats request bodies in the query */

struct http_header {
    const char *name;
    const char *value;
};

struct http_message {
    bool is_request;
    const char *method; /* requests */
    const char *target; /* requests: path and query as sent */
    int status;         /* responses */
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
    size_t head_bytes; /* that the parser keeps of it so far */
    bool is_upgrade;   /* the connection changes its protocol after this message */
    bool keeps_alive;
    bool has_headers; /* everything above is there */
    bool is_complete; /* so is the body */
};

struct http_parser_state;

/* A parser for one message after the other. `on_body` gets body bytes as they arrive; a negative
 * result stops the parser with that error. */
struct http_parser_state *
http_parser_new(bool is_request, int (*on_body)(void *context, const char *bytes, size_t length),
                void *context);
void http_parser_free(struct http_parser_state *parser);

/* Feeds bytes and stops at the end of the message; *used is how many belonged to it. Returns 0 or a
 * negative errno with ERROR_INVALID (the bytes are not HTTP) or ERROR_TOO_LARGE. Length 0 is the
 * end of the stream. The message's headers are complete before the first call of on_body. */
int http_parser_feed(struct http_parser_state *parser, const char *bytes, size_t length,
                     size_t *used, struct error *err);

/* The message being read; valid until http_parser_next(). */
const struct http_message *http_parser_message(const struct http_parser_state *parser);

/* Forgets a complete message, ready for the next. */
void http_parser_next(struct http_parser_state *parser);

/* A header by its name, without regard to case, or NULL. */
const char *http_header_get(const struct http_message *message, const char *name);

/* The reason phrase of a status: "OK", "Not Found", ... */
const char *http_status_text(int status);

/* Decodes %XX (and "+" in queries) in place. Returns false for broken escapes and %00. */
bool http_decode(char *text, bool is_query);

/* Appends text with everything but unreserved characters escaped. */
void http_encode(struct buffer *out, const char *text);

#endif
