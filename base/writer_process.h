/*
 * A process that writes lines to what may block, a disk or another program, behind a bounded queue:
 * the caller never waits for it. Lines that find no room are refused, never half a line, and the
 * caller counts what was lost. For single-threaded callers.
 */
#ifndef DAVIT_BASE_WRITER_PROCESS_H
#define DAVIT_BASE_WRITER_PROCESS_H

#include <stddef.h>
#include <sys/types.h>

#include "buffer.h"
#include "error.h"

#define WRITER_FINISH_MS 2000
#define WRITER_FDS_MAX 8

/* What the process does, and with what. */
struct writer_job {
    /* Writes whole lines; runs in the process, as long as it likes. */
    void (*write)(void *context, const char *lines, size_t length);
    void *context;
    /* Descriptors that the process keeps. They get other numbers in the process, which are stored
     * through these pointers. All others are closed, so that no connection of the caller stays
     * open. */
    int *fds[WRITER_FDS_MAX];
    size_t fd_count;
};

/* The caller's side. */
struct writer_process {
    int fd; /* to the process */
    pid_t pid;
    struct buffer lines; /* not yet taken by the process */
    size_t max_bytes;
};

/* Forks the process. At most so many bytes wait for it. */
int writer_process_start(struct writer_process *writer, const struct writer_job *job,
                         size_t max_bytes, struct error *err);

/* Takes whole lines, or none of them: -ENOBUFS. Never waits. */
int writer_process_push(struct writer_process *writer, const char *lines, size_t length);

/* Passes on what the process can take. Call it when `fd` is writable and lines are left. */
void writer_process_flush(struct writer_process *writer);

/* To be called after the last line was pushed: waits until all is written. Gives up after
 * WRITER_FINISH_MS without progress. */
void writer_process_finish(struct writer_process *writer);

#endif
