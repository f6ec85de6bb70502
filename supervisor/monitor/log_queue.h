/*
 * A bounded queue of log lines between a monitor and a process that writes them (log option
 * mode=non-blocking): a disk that stands still holds no container up. Lines that find no room are
 * lost, none by half, and the log says how many.
 */
#ifndef DAVIT_SUPERVISOR_MONITOR_LOG_QUEUE_H
#define DAVIT_SUPERVISOR_MONITOR_LOG_QUEUE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/error.h"

struct log_writer;

struct log_queue {
    int fd; /* to the writer */
    pid_t pid;
    struct buffer lines; /* that the writer has not taken */
    size_t max_bytes;
};

/* Forks the writer, which appends to `log` and has no other descriptor of the caller's. For a
 * single-threaded process. */
int log_queue_start(struct log_queue *queue, struct log_writer *log, size_t max_bytes,
                    struct error *err);

/* Takes whole lines, or none of them: -ENOBUFS. Never waits. */
int log_queue_push(struct log_queue *queue, const char *lines, size_t length);

/* Gives the writer what it can take: when `fd` is writable and lines are left. */
void log_queue_flush(struct log_queue *queue);

/* The last line has been pushed: waits until all is written, for LOG_QUEUE_FINISH_MS at most. */
void log_queue_finish(struct log_queue *queue);

#define LOG_QUEUE_FINISH_MS 2000

#endif
