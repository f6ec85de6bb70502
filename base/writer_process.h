/*
 * A process that writes lines to what may block, a disk or another program, behind a bounded queue:
 * who has something to write never waits for it. Lines that find no room are refused, none by half,
 * and whoever offers them says how many were lost. For single-threaded callers.
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
    /* Descriptors that it writes to: they have other numbers by then, which stand here. All others
     * are closed, so that none of the caller's peers is kept waiting. */
    int *fds[WRITER_FDS_MAX];
    size_t fd_count;
};

/* The caller's side. */
struct writer_process {
    int fd; /* to the process */
    pid_t pid;
    struct buffer lines; /* that the process has not taken */
    size_t max_bytes;
};

/* Forks the process. At most so many bytes wait for it. */
int writer_process_start(struct writer_process *writer, const struct writer_job *job,
                         size_t max_bytes, struct error *err);

/* Takes whole lines, or none of them: -ENOBUFS. Never waits. */
int writer_process_push(struct writer_process *writer, const char *lines, size_t length);

/* Gives the process what it can take: when `fd` is writable and lines are left. */
void writer_process_flush(struct writer_process *writer);

/* The last line has been pushed: waits until all is written, for WRITER_FINISH_MS at most. */
void writer_process_finish(struct writer_process *writer);

#endif
