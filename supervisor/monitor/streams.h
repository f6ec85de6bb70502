/*
 * The standard streams of a process in a container: from its pipes or terminal to the log and to
 * every attached connection, and from attached connections to its standard input.
 *
 * Memory is bounded: when a connection does not take its output the process is no longer read from
 * (so that nothing is lost for a slow reader), and a connection that takes nothing at all for
 * STREAMS_STALL_MS is dropped (so that a dead one does not stop the container for good).
 */
#ifndef DAVIT_SUPERVISOR_MONITOR_STREAMS_H
#define DAVIT_SUPERVISOR_MONITOR_STREAMS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "log_writer.h"

#define STREAMS_CLIENTS_MAX 256
#define STREAMS_BACKLOG_MAX (1 << 20)
#define STREAMS_STALL_MS 10000
#define STREAMS_HEAD_MS 100 /* how long output waits for the peer to read the answer's head */

/* Docker's multiplexed stream: {stream, 0, 0, 0, length in big endian}, then the bytes. */
#define STREAM_FRAME_HEADER 8
void stream_frame_header(unsigned char header[STREAM_FRAME_HEADER], int stream, size_t length);

struct stream_client {
    int fd;
    unsigned int flags; /* MONITOR_STDIN... */
    struct buffer out;
    bool is_input_open;
    bool is_gone;
    uint64_t head_until_us; /* CLOCK_MONOTONIC; 0: the peer has read the answer's head */
    uint64_t progress_us;   /* when it last took something, or had nothing to take */
};

struct streams {
    int input_fd;     /* write end of standard input, or the terminal's master; -1: closed */
    int output_fd[2]; /* standard output or the terminal's master, standard error; -1: ended */
    bool is_terminal;
    bool closes_input_with_client;
    bool has_closed_input;
    bool is_ending;         /* streams_end() was called */
    size_t ending_length;   /* read since then */
    struct log_writer *log; /* NULL: an exec's output is not logged */
    struct buffer input;    /* taken from a client and not yet by the process */
    struct stream_client *clients;
    size_t client_count;
};

void streams_init(struct streams *streams);
void streams_release(struct streams *streams);

/* Takes over a connection. `leftover` is standard input that was read with the request. */
void streams_attach(struct streams *streams, int fd, unsigned int flags, const char *leftover,
                    size_t leftover_length);

/* Adds what to wait for to `events`, which has room for streams_event_count(). Returns how many. */
size_t streams_event_count(const struct streams *streams);
size_t streams_prepare(const struct streams *streams, struct pollfd *events);

/* Handles what poll(2) found, in the array that streams_prepare() filled. */
void streams_handle(struct streams *streams, const struct pollfd *events);

/* Says that the process has ended. What it left in its pipes is still read and passed on as before,
 * by streams_handle(); output that its children still hold open is not waited for. From here on a
 * client that takes nothing for STREAMS_STALL_MS is dropped, however little it has left to take. */
void streams_end(struct streams *streams);

/* True when output has ended and every client has it. */
bool streams_are_done(const struct streams *streams);

/* Sends a last frame of standard output to all clients, such as why a program did not start. */
void streams_report(struct streams *streams, const char *message);

/* Milliseconds until a client has to be looked at again, because it stalls or has not read its
 * answer's head; -1: never. */
int streams_timeout(const struct streams *streams);

#endif
