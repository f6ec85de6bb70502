/* A connection, as the files of this room share it. Others include server.h. */
#ifndef DAVIT_SUPERVISOR_HTTP_CONNECTION_H
#define DAVIT_SUPERVISOR_HTTP_CONNECTION_H

#include <sys/epoll.h>

#include "base/buffer.h"
#include "server.h"

/* Connections have an epoll instance of their own, and several are served in a turn: sd-event looks
 * at all that are ready again for each that it serves, which thousands that are closed at once make
 * seconds. */
#define SERVED_AT_ONCE 64

struct server {
    sd_event *loop;
    sd_event_source *listener;
    int epoll_fd;
    sd_event_source *clients;
    struct epoll_event served[SERVED_AT_ONCE]; /* those that are gone meanwhile are NULL */
    int served_count;
    int listen_fd;
    request_handler handler;
    request_streams_body streams_body;
    void *context;
    struct connection *connections; /* the one that was active last is the first */
    struct connection *last;
    size_t connection_count;
    size_t connections_max;
    size_t peak;        /* most connections since memory was given back */
    size_t input_bytes; /* of requests that come, or are at work */
    size_t output_bytes;
    int spare_fd; /* closed to be able to refuse a connection */
};

struct connection {
    struct server *server;
    struct connection *previous;
    struct connection *next;
    int fd;
    uint32_t interest; /* events that it waits for, while it is watched */
    bool is_watched;
    sd_event_source *timer; /* while a request is on its way */
    sd_event_handler_t on_turn;
    sd_event_source *turn; /* goes on after a response; NULL: there is nothing to go on with */
    struct http_parser_state *parser;
    struct buffer in;
    struct buffer out;
    struct buffer body;
    size_t input_bytes;  /* what the server has counted of this connection */
    size_t output_bytes; /* likewise */
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

/* What a connection holds: connection.c */

/* The request is answered, or its client lost: calls on_close and frees the request's memory. */
void connection_end_request(struct connection *connection);

/* Sends what can be sent now. */
void connection_write(struct connection *connection);

/* Counts what the connection holds. False if that is more than all may hold together, and it has no
 * request yet. */
bool connection_account(struct connection *connection);

/* Watches it for these events; watches it no more. */
int connection_watch(struct connection *connection, uint32_t events);
void connection_unwatch(struct connection *connection);

/* Sets the events that the connection waits for. */
void connection_update_interest(struct connection *connection);

/* Puts the connection first in the list, as the last one active; takes it off the list. */
void connection_link(struct connection *connection);
void connection_unlink(struct connection *connection);

/* Closes it, whatever it is at. */
void connection_free(struct connection *connection);

/* Parses what has been read already, in a later turn of the loop and not inside the handler that
 * answers: the next request's handler may do anything. Not needed while bytes are parsed. */
void connection_go_on_later(struct connection *connection);

/* What a request says: request.c */

/* Reads path, version and query from the message. False: they are not valid. */
bool request_parse_target(struct request *request);

/* Reading and parsing: io.c */

/* Called by the parser, whose headers are complete by then. */
int connection_on_body(void *context, const char *bytes, size_t length);

/* For its sources of events. */
int connection_on_turn(sd_event_source *source, void *context);

/* There are events. The connection may be gone afterwards. */
void connection_handle(struct connection *connection, uint32_t events);

#endif
