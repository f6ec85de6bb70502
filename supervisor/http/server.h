/*
 * The control socket's HTTP/1.1 server on sd-event: connections, requests, responses, streams, and
 * connections that stop being HTTP (attach). One thread. Everything that queues is bounded:
 * a request's head and body, a connection's output, the time a request may take to arrive, and the
 * number of connections.
 */
#ifndef DAVIT_SUPERVISOR_HTTP_SERVER_H
#define DAVIT_SUPERVISOR_HTTP_SERVER_H

#include <stdbool.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "base/actor.h"
#include "base/http.h"
#include "base/json.h"

/* The most connections, or half the descriptors that davitd may have if those are fewer. A new one
 * then takes the place of the one that was inactive longest and has no request at work. */
#define SERVER_CONNECTIONS_MAX 16384
#define SERVER_BODY_MAX (4 << 20)   /* of requests whose body is a document */
#define SERVER_INPUT_MAX (64 << 20) /* of all requests together, with their heads */
#define SERVER_OUTPUT_MAX (1 << 20) /* of a stream to a client that does not read */
/* Of all of them together: beyond it the connection goes whose client has not read for longest. */
#define SERVER_OUTPUTS_MAX (128 << 20)
#define SERVER_REQUEST_TIMEOUT_S 30 /* from a request's first byte to its last */

struct server;
struct connection;

struct query_parameter {
    const char *name;
    const char *value;
};

/* A request; alive until its response is complete. */
struct request {
    struct connection *connection;
    const struct http_message *message;
    const char *method;
    char *path;  /* decoded, without the version */
    int version; /* minor version of the path: 41 for /v1.41/; -1: none given */
    struct query_parameter *query;
    size_t query_count;
    const char *body; /* collected documents only */
    size_t body_length;
    struct arena arena;
    struct actor actor;          /* the peer, by SO_PEERCRED */
    const char *response_header; /* one more, "Name: value"; NULL: none */
    void *context;               /* the handler's own, for the callbacks below */
    /* The client went away, or the response was completed: release `context`. */
    void (*on_close)(struct request *request);
    /* Output has drained below half of SERVER_OUTPUT_MAX. */
    void (*on_drain)(struct request *request);
    /* For a body that streams: bytes, and a last call with length 0. Returns a negative errno to
     * refuse the rest. */
    int (*on_body)(struct request *request, const char *bytes, size_t length);
};

/* Answers a request, or begins to. */
typedef void (*request_handler)(void *context, struct request *request);

/* Called when the headers of a request are there: says whether the body streams to on_body (true)
 * or is collected first. */
typedef bool (*request_streams_body)(void *context, const struct request *request);

/* Serves connections on a listening socket, which it owns from then on. */
int server_start(sd_event *loop, int listen_fd, request_handler handler,
                 request_streams_body streams_body, void *context, struct server **server,
                 struct error *err);
void server_stop(struct server *server);

/* The value of a query parameter, or NULL. */
const char *request_query(const struct request *request, const char *name);
/* Docker's rule for booleans: "", "0", "no", "false", "none" (any case) and absence are false. */
bool request_query_bool(const struct request *request, const char *name);
/* A whole number from `lowest` to `highest`; absent or empty leaves *value as it is. ERROR_INVALID
 * names the parameter. */
int request_query_integer(const struct request *request, const char *name, int64_t lowest,
                          int64_t highest, int64_t *value, struct error *err);
/* A time (clock_parse_time()); absent or empty is 0. Returns 0 or a negative errno. */
int request_query_time(const struct request *request, const char *name, int64_t *time_ns);

/* Whole responses. */
void respond_json(struct request *request, int status, const char *json);
/* The same with what has been written, which it frees. */
void respond_written(struct request *request, int status, struct json_writer *writer);
void respond_empty(struct request *request, int status);
void respond_text(struct request *request, int status, const char *text);
void respond_error(struct request *request, const struct error *err);
void respond_failure(struct request *request, int status, const char *message);

/* A response whose body comes in pieces: the headers go out at once. */
void stream_begin(struct request *request, const char *content_type);
/* Likewise, of bytes as they are, which end with the connection: 101 for who asked to upgrade. */
void stream_begin_raw(struct request *request, const char *content_type);
/* Queues bytes. Returns false if the client's backlog is full: wait for on_drain, or give up. */
bool stream_write(struct request *request, const void *bytes, size_t length);
/* A document and what ends it, as one chunk: there are clients that take a chunk for a message. */
bool stream_write_message(struct request *request, const char *text, const char *end);
void stream_end(struct request *request);
/* Closes the connection in the middle: the client must not take what it has for the whole. */
void stream_abort(struct request *request);
/* Bytes queued and not yet taken. */
size_t stream_backlog(const struct request *request);

/* Ends HTTP on the connection: answers 101 (or 200 to clients that did not ask for an upgrade) with
 * the content type and gives the socket, in blocking mode, to the caller. Bytes that came after the
 * request are appended to `leftover`. The request is gone afterwards; -1 if the client was lost. */
int request_hijack(struct request *request, const char *content_type, struct buffer *leftover);

/* Clears the callbacks and the context of a request, before it is answered or waits for more. */
void request_forget(struct request *request);

/* Stops reading the body until request_resume_body(). */
void request_pause_body(struct request *request);
void request_resume_body(struct request *request);

#endif
