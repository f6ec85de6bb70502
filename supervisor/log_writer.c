/* Log lines: see log_writer.h. */
#include "log_writer.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"

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

static void append_entry(struct log_writer *log, int stream, const char *time, const char *line,
                         size_t length)
{
    buffer_append(&log->entries, "{\"log\":\"", 8);
    append_escaped(&log->entries, (const unsigned char *)line, length);
    buffer_printf(&log->entries, "\",\"stream\":\"%s\",\"time\":\"%s\"}\n",
                  stream == 1 ? "stdout" : "stderr", time);
}

static int write_entries(struct log_writer *log)
{
    int result = 0;

    if (log->entries.length > 0)
        result = file_write_fd(log->fd, log->entries.data, log->entries.length);
    log->entries.length = 0;
    return result;
}

/* The piece of an overlong line that makes an entry; a character is not cut in two. */
static size_t piece_length(const char *line)
{
    size_t length = LOG_LINE_MAX;

    while (length > LOG_LINE_MAX - 4 && ((unsigned char)line[length] & 0xc0) == 0x80)
        length--;
    return length;
}

int log_writer_append(struct log_writer *log, int stream, const char *bytes, size_t length)
{
    struct buffer *pending = &log->pending[stream == 1 ? 0 : 1];
    char now[CLOCK_RFC3339_SIZE];
    const char *position;
    size_t left;

    buffer_append(pending, bytes, length);
    clock_format_rfc3339(clock_now_ns(), now);
    position = pending->data;
    left = pending->length;
    while (left > 0) {
        const char *newline = memchr(position, '\n', left);
        size_t piece = newline != NULL ? (size_t)(newline - position) + 1 : left;

        if (piece > LOG_LINE_MAX + 1)
            piece = piece_length(position);
        else if (newline == NULL)
            break;
        append_entry(log, stream, now, position, piece);
        position += piece;
        left -= piece;
    }
    buffer_consume(pending, pending->length - left);
    return write_entries(log);
}

int log_writer_flush(struct log_writer *log)
{
    char now[CLOCK_RFC3339_SIZE];

    clock_format_rfc3339(clock_now_ns(), now);
    for (int stream = 1; stream <= 2; stream++) {
        struct buffer *pending = &log->pending[stream - 1];

        if (pending->length > 0)
            append_entry(log, stream, now, pending->data, pending->length);
        pending->length = 0;
    }
    return write_entries(log);
}

void log_writer_release(struct log_writer *log)
{
    fd_close(&log->fd);
    buffer_release(&log->pending[0]);
    buffer_release(&log->pending[1]);
    buffer_release(&log->entries);
}
