/* Log lines: see log_writer.h. */
#include "log_writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "log_files.h"
#include "log_journal.h"

/* Length of the valid UTF-8 sequence at `text`, 0 if there is none within `length` bytes. */
static size_t utf8_length(const unsigned char *text, size_t length)
{
    size_t wanted = text[0] >= 0xc2 && text[0] <= 0xdf   ? 2
                    : text[0] >= 0xe0 && text[0] <= 0xef ? 3
                    : text[0] >= 0xf0 && text[0] <= 0xf4 ? 4
                                                         : 0;

    if (wanted == 0 || wanted > length)
        return 0;
    for (size_t i = 1; i < wanted; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    /* Overlong forms, surrogates and what lies beyond Unicode (RFC 3629). */
    if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
        (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
        return 0;
    return wanted;
}

/* Appends a JSON string's inside. Runs of plain characters, which is nearly all, are copied whole.
 */
static void append_escaped(struct buffer *out, const unsigned char *text, size_t length)
{
    size_t start = 0;
    size_t i = 0;

    while (i < length) {
        unsigned char c = text[i];
        size_t sequence = 1;

        if (c >= 0x80)
            sequence = utf8_length(text + i, length - i);
        if (sequence > 0 && c >= 0x20 && c != '"' && c != '\\') {
            i += sequence;
            continue;
        }
        buffer_append(out, text + start, i - start);
        if (c == '\n')
            buffer_append(out, "\\n", 2);
        else if (c == '"' || c == '\\')
            buffer_printf(out, "\\%c", c);
        else if (c < 0x20)
            buffer_printf(out, "\\u%04x", c);
        else
            buffer_append(out, "\xef\xbf\xbd", 3);
        start = ++i;
    }
    buffer_append(out, text + start, length - start);
}

/* What all entries of a batch end with; the attributes stand between. */
struct entry_end {
    int stream;
    const char *name;
    size_t name_length;
    char time[64];
    size_t time_length;
};

static struct entry_end make_end(int stream)
{
    struct entry_end end = {.stream = stream};
    char now[CLOCK_RFC3339_SIZE];

    clock_format_rfc3339(clock_now_ns(), now);
    end.name = stream == 1 ? "\",\"stream\":\"stdout\"" : "\",\"stream\":\"stderr\"";
    end.name_length = strlen(end.name);
    end.time_length = (size_t)snprintf(end.time, sizeof(end.time), ",\"time\":\"%s\"}\n", now);
    return end;
}

static void make_attributes(const struct string_map *map, struct buffer *text)
{
    struct json_writer *writer;

    if (map->count == 0)
        return;
    writer = json_writer_new(false);
    json_object_open(writer);
    json_member_map(writer, "attrs", map);
    json_object_close(writer);
    /* As the member that it is in an entry. */
    buffer_append(text, ",", 1);
    buffer_append(text, json_writer_text(writer) + 1, strlen(json_writer_text(writer)) - 2);
    json_writer_free(writer);
}

static void append_line(struct log_writer *log, const struct entry_end *end, const char *line,
                        size_t length)
{
    if (log->fd >= 0) {
        buffer_append(&log->entries, "{\"log\":\"", 8);
        append_escaped(&log->entries, (const unsigned char *)line, length);
        buffer_append(&log->entries, end->name, end->name_length);
        buffer_append(&log->entries, log->attributes.data, log->attributes.length);
        buffer_append(&log->entries, end->time, end->time_length);
        log->entry_count++;
    }
    if (log->options.syslog.format != 0)
        log_syslog_send(&log->syslog, end->stream, line, length);
    if (log->options.driver != NULL && strcmp(log->options.driver, "journald") == 0)
        log_journal_send(&log->options, log->id, end->stream, line, length);
}

static void rotate(struct log_writer *log)
{
    int fd;

    if (log->options.max_bytes == 0 || log->size < log->options.max_bytes || log->directory_fd < 0)
        return;
    fd = log_files_rotate(log->directory_fd, log->id, log->options.max_files, log->fd, NULL);
    /* A directory that cannot be changed is no reason to lose lines. */
    if (fd < 0)
        return;
    if (fd != log->fd) {
        fd_close(&log->fd);
        log->fd = fd;
    }
    log->size = 0;
}

/* Writes all entries or none: on a full disk a part that was written is cut off again. */
static int write_all(struct log_writer *log, const struct buffer *entries)
{
    int result;

    if (log->options.queue_bytes > 0)
        return writer_process_push(&log->queue, entries->data, entries->length);
    result = file_write_fd(log->fd, entries->data, entries->length);
    if (result == 0)
        log->size += entries->length;
    else if (ftruncate(log->fd, (off_t)log->size) < 0)
        log->size = 0; /* not a regular file: nobody counts */
    return result;
}

/* Writes how many lines were lost and, in the same write, the entries that come after them. */
static int write_after_loss(struct log_writer *log)
{
    cleanup_buffer struct buffer both = {0};
    char now[CLOCK_RFC3339_SIZE];
    int result;

    clock_format_rfc3339(clock_now_ns(), now);
    buffer_printf(&both,
                  "{\"log\":\"davit: %llu lines are missing here: they could not be written\\n\","
                  "\"stream\":\"stderr\",\"time\":\"%s\"}\n",
                  (unsigned long long)log->lost, now);
    buffer_append(&both, log->entries.data, log->entries.length);
    result = write_all(log, &both);
    if (result == 0)
        log->lost = 0;
    return result;
}

static int write_entries(struct log_writer *log)
{
    int result = 0;

    if (log->entries.length > 0) {
        rotate(log);
        result = log->lost > 0 ? write_after_loss(log) : write_all(log, &log->entries);
        if (result < 0)
            log->lost += log->entry_count;
    }
    log->entries.length = 0;
    log->entry_count = 0;
    return result;
}

/* Whether the file, with the entries that wait, is full: the next line begins another file. */
static bool is_full(const struct log_writer *log)
{
    return log->options.max_bytes > 0 && log->size + log->entries.length >= log->options.max_bytes;
}

/* The piece of an overlong line that makes an entry; a character is not cut in two. */
static size_t piece_length(const char *line)
{
    size_t length = LOG_LINE_MAX;

    while (length > LOG_LINE_MAX - 4 && ((unsigned char)line[length] & 0xc0) == 0x80)
        length--;
    return length;
}

static void write_queued(void *context, const char *lines, size_t length)
{
    log_writer_append_entries(context, lines, length);
}

/* Forks the process that writes. It gets a copy of `log` without a queue, which writes directly. */
static int start_queue(struct log_writer *log, struct error *err)
{
    uint64_t max_bytes = log->options.queue_bytes;
    const struct writer_job job = {.write = write_queued,
                                   .context = log,
                                   .fds = {&log->fd, &log->directory_fd},
                                   .fd_count = 2};
    int result;

    log->options.queue_bytes = 0;
    result = writer_process_start(&log->queue, &job, max_bytes, err);
    log->options.queue_bytes = max_bytes;
    return result;
}

int log_writer_open(struct log_writer *log, int directory_fd, const char *id,
                    const struct log_options *options, struct error *err)
{
    struct stat status;

    *log =
        (struct log_writer){.fd = -1, .directory_fd = directory_fd, .id = id, .options = *options};
    log->syslog.fd = -1;
    if (options->syslog.format != 0)
        log_syslog_open(&log->syslog, &log->options.syslog, log->options.tag);
    if (options->driver != NULL && strcmp(options->driver, "none") == 0)
        return 0;
    make_attributes(&options->attributes, &log->attributes);
    log->fd = log_files_open_current(directory_fd, id, err);
    if (log->fd < 0)
        return log->fd;
    if (fstat(log->fd, &status) < 0)
        return error_errno(err, errno, "log");
    log->size = (uint64_t)status.st_size;
    if (options->queue_bytes > 0 && start_queue(log, err) < 0)
        return -err->errnum;
    /* With a queue the process that writes the files also rotates them. */
    if (options->queue_bytes > 0)
        log->options.max_bytes = 0;
    return 0;
}

int log_writer_append_entries(struct log_writer *log, const char *entries, size_t length)
{
    int result = 0;

    while (length > 0) {
        const char *newline = memchr(entries, '\n', length);
        size_t piece = newline != NULL ? (size_t)(newline - entries) + 1 : length;

        buffer_append(&log->entries, entries, piece);
        log->entry_count++;
        if (is_full(log))
            result = write_entries(log);
        entries += piece;
        length -= piece;
    }
    return write_entries(log) < 0 || result < 0 ? -EIO : 0;
}

int log_writer_append(struct log_writer *log, int stream, const char *bytes, size_t length)
{
    struct buffer *pending = &log->pending[stream == 1 ? 0 : 1];
    struct entry_end end = make_end(stream);
    const char *position;
    size_t left;
    int result = 0;

    buffer_append(pending, bytes, length);
    position = pending->data;
    left = pending->length;
    while (left > 0) {
        const char *newline = memchr(position, '\n', left);
        size_t piece = newline != NULL ? (size_t)(newline - position) + 1 : left;

        if (piece > LOG_LINE_MAX + 1)
            piece = piece_length(position);
        else if (newline == NULL)
            break;
        append_line(log, &end, position, piece);
        if (is_full(log))
            result = write_entries(log);
        position += piece;
        left -= piece;
    }
    buffer_consume(pending, pending->length - left);
    return write_entries(log) < 0 || result < 0 ? -EIO : 0;
}

int log_writer_finish(struct log_writer *log)
{
    int result;

    for (int stream = 1; stream <= 2; stream++) {
        struct buffer *pending = &log->pending[stream - 1];
        struct entry_end end = make_end(stream);

        if (pending->length > 0)
            append_line(log, &end, pending->data, pending->length);
        pending->length = 0;
    }
    result = write_entries(log);
    if (log->options.queue_bytes > 0)
        writer_process_finish(&log->queue);
    return result;
}

void log_writer_release(struct log_writer *log)
{
    log_syslog_close(&log->syslog);
    fd_close(&log->fd);
    buffer_release(&log->pending[0]);
    buffer_release(&log->pending[1]);
    buffer_release(&log->entries);
    buffer_release(&log->attributes);
}
