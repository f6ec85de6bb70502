/* Streams of containers, on connections that have stopped being HTTP. */
#ifndef DAVIT_CLI_STREAM_H
#define DAVIT_CLI_STREAM_H

#include "cli.h"
#include "options.h"

struct stream_session {
    struct cli *cli;
    int fd;                  /* the hijacked connection */
    bool has_terminal;       /* raw bytes, and our terminal is the container's */
    bool is_interactive;     /* our standard input goes there */
    const char *resize_path; /* "/containers/ID/resize" */
    const char *kill_path;   /* where signals go; NULL: nowhere */
    unsigned int interrupts; /* SIGINT and SIGTERM that came: who sends three wants to leave */
};

/* Opens a stream: sends the request and takes over the connection. */
int stream_open(struct cli *cli, const char *path, const char *body, struct exchange *exchange);

/* Relays until the stream ends. Returns 1 if the user detached, 0 at the end, or a negative errno.
 */
int stream_relay(struct stream_session *session, const struct buffer *leftover);

/* Cuts multiplexed frames apart and writes them to standard output and error. */
struct demultiplexer {
    unsigned char header[8];
    size_t header_length;
    size_t payload_left;
};
int demultiplex(struct demultiplexer *state, const char *bytes, size_t length);

/* --detach-keys, for commands that connect a terminal. */
extern const struct option_row stream_detach_rows[];

/* Fails if standard input should be a terminal and is not. */
int stream_check_terminal(struct cli *cli, bool has_terminal, bool is_interactive);

#endif
