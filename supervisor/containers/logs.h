/* Reading the logs of containers. */
#ifndef DAVIT_SUPERVISOR_CONTAINERS_LOGS_H
#define DAVIT_SUPERVISOR_CONTAINERS_LOGS_H

#include "container.h"

struct log_stream;

struct log_query {
    bool wants_stdout;
    bool wants_stderr;
    bool has_timestamps;
    bool has_details; /* entries' attributes before their lines */
    bool follows;     /* until the container has ended */
    long tail;        /* the last so many lines; negative: all */
    int64_t since_ns; /* 0: from the beginning */
    int64_t until_ns; /* 0: to the end */
};

/* Who reads a log: a member of its own struct. `ended` may call logs_close(); `bytes` must not: the
 * log is used after it. */
struct log_client {
    /* Lines, in Docker's multiplexed stream or, of a terminal, as they are. False: there is no room
     * for more until logs_resume(). */
    bool (*bytes)(struct log_client *client, const void *bytes, size_t length);
    /* That was all. */
    void (*ended)(struct log_client *client);
};

/* Begins to read: in pieces between other work, no faster than the client takes them. The client
 * hears of it later, not in this call. */
int logs_open(struct managed_container *container, const struct log_query *query,
              struct log_client *client, struct log_stream **log, struct error *err);

/* The client has room again. */
void logs_resume(struct log_stream *log);

/* Nobody reads any more. */
void logs_close(struct log_stream *log);

#endif
