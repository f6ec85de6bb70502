/*
 * Docker's progress on a response's body: JSON objects, one after the other, each complete at a
 * line's end. On a terminal every layer has a line that is written over; elsewhere what changes is
 * printed as lines.
 */
#ifndef DAVIT_CLI_PROGRESS_H
#define DAVIT_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"

#define PROGRESS_LINES_MAX 256 /* layers beyond are not shown */

struct progress_line {
    const char *id;
    const char *status;
};

struct progress {
    FILE *out;
    bool is_quiet;
    bool is_terminal;
    struct error err; /* what the other side says has failed */
    struct buffer line;
    struct progress_line lines[PROGRESS_LINES_MAX];
    size_t line_count;
    struct arena arena;
};

void progress_begin(struct progress *progress, FILE *out, bool is_quiet);

/* An exchange's on_body. */
int progress_take(void *progress, const char *bytes, size_t length);

/* Shows what came without a newline, and releases everything. `result` is the exchange's; returns
 * it if it is a failure, otherwise the failure that the other side has reported. */
int progress_end(struct progress *progress, int result, struct error *err);

#endif
