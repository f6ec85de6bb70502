/* The container's log: Docker's json-file lines, written by the monitor. */
#ifndef DAVIT_SUPERVISOR_LOG_WRITER_H
#define DAVIT_SUPERVISOR_LOG_WRITER_H

#include <stddef.h>

#include "base/buffer.h"

#define LOG_LINE_MAX \
    16384 /* longer lines become several entries; only the last ends in a newline */

struct log_writer {
    int fd;                   /* O_APPEND */
    struct buffer pending[2]; /* what came after the last newline, of stdout and stderr */
    struct buffer entries;
};

/* Takes bytes of stream 1 (stdout) or 2 (stderr). Complete lines are in the file when it returns,
 * in one write for all of them. Returns 0 or a negative errno (a full disk: those lines are lost).
 */
int log_writer_append(struct log_writer *log, int stream, const char *bytes, size_t length);

/* Writes what has no newline yet: the stream has ended. */
int log_writer_flush(struct log_writer *log);

void log_writer_release(struct log_writer *log);

#endif
