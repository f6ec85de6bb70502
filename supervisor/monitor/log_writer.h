/* The container's log, written by its monitor: Docker's json-file lines, and the journal's entries.
 */
#ifndef DAVIT_SUPERVISOR_MONITOR_LOG_WRITER_H
#define DAVIT_SUPERVISOR_MONITOR_LOG_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/json_table.h"
#include "base/writer_process.h"
#include "log_syslog.h"

#define LOG_LINE_MAX \
    16384 /* longer lines become several entries; only the last ends in a newline */

/* What the monitor knows of the log. */
struct log_options {
    const char *driver; /* NULL, json-file, local: files; journald, syslog: there as well; none:
                         * nowhere */
    struct syslog_options syslog;
    const char *tag; /* what the journal calls the program */
    const char *container_name;
    const char *image_name;
    struct string_map attributes; /* labels and environment that every entry has with it */
    uint64_t max_bytes;           /* of a file, after which another begins; 0: no limit */
    uint32_t max_files;           /* that are kept */
    uint64_t queue_bytes; /* of lines that may wait for the disk; 0: the container waits for it */
};

struct log_writer {
    int fd;           /* O_APPEND; -1: lines go nowhere */
    int directory_fd; /* the caller's; -1: no rotation */
    const char *id;
    struct log_options options;
    uint64_t size;            /* of the file */
    struct buffer attributes; /* as a member of an entry: ,"attrs":{...} */
    uint64_t lost;            /* lines, since the last that could be written */
    struct buffer pending[2]; /* what came after the last newline, of stdout and stderr */
    struct buffer entries;
    uint64_t entry_count; /* in `entries` */
    struct writer_process queue;
    struct log_syslog syslog;
};

/* Opens the log of container `id`; its strings and those of the options stay the caller's. */
int log_writer_open(struct log_writer *log, int directory_fd, const char *id,
                    const struct log_options *options, struct error *err);

/* Takes bytes of stream 1 (stdout) or 2 (stderr). Complete lines are in the file when it returns,
 * in one write for all of them. Returns 0 or a negative errno: on a full disk those lines are lost,
 * none by half, and a line says how many when there is room again. */
int log_writer_append(struct log_writer *log, int stream, const char *bytes, size_t length);

/* Likewise entries that another writer has made, as they are. */
int log_writer_append_entries(struct log_writer *log, const char *entries, size_t length);

/* Writes what has no newline yet, and waits for the queue if there is one: the streams have ended.
 */
int log_writer_finish(struct log_writer *log);

void log_writer_release(struct log_writer *log);

#endif
