/* Logging: see log.h. */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "buffer.h"
#include "cleanup.h"
#include "clock.h"
#include "json.h"

static struct {
    int fd;
    enum log_level level;
    enum log_format format;
    const char *program;
} sink = {STDERR_FILENO, LOG_LEVEL_INFO, LOG_FORMAT_TEXT, "davit"};

static const struct {
    const char *name;
    enum log_level level;
} levels[] = {
    {"error", LOG_LEVEL_ERROR},
    {"warning", LOG_LEVEL_WARNING},
    {"info", LOG_LEVEL_INFO},
    {"debug", LOG_LEVEL_DEBUG},
};

void log_configure(int fd, enum log_level level, enum log_format format, const char *program)
{
    sink.fd = fd;
    sink.level = level;
    sink.format = format;
    sink.program = program;
}

int log_level_parse(const char *name, enum log_level *level)
{
    for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
        if (strcmp(levels[i].name, name) == 0) {
            *level = levels[i].level;
            return 0;
        }
    }
    return -EINVAL;
}

static const char *level_name(enum log_level level)
{
    for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
        if (levels[i].level == level)
            return levels[i].name;
    }
    return "info";
}

/* The shape runc's --log-format json has, which containerd and Podman parse for "level" and
 * "msg". */
static void format_json(struct buffer *line, enum log_level level, const char *message)
{
    struct json_writer *writer = json_writer_new(false);
    char now[CLOCK_RFC3339_SIZE];

    clock_format_rfc3339(clock_now_ns(), now);
    json_object_open(writer);
    json_member_string(writer, "level", level_name(level));
    json_member_string(writer, "msg", message);
    json_member_string(writer, "time", now);
    json_member_string(writer, "program", sink.program);
    json_object_close(writer);
    buffer_append_string(line, json_writer_text(writer));
    json_writer_free(writer);
}

void log_message(enum log_level level, const char *format, ...)
{
    cleanup_buffer struct buffer line = {0};
    char message[2048];
    char now[CLOCK_RFC3339_SIZE];
    va_list arguments;

    if (level > sink.level)
        return;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    switch (sink.format) {
    case LOG_FORMAT_JSON:
        format_json(&line, level, message);
        break;
    case LOG_FORMAT_JOURNAL:
        buffer_printf(&line, "<%d>%s", level, message);
        break;
    case LOG_FORMAT_TEXT:
        clock_format_rfc3339(clock_now_ns(), now);
        buffer_printf(&line, "%s %s %s: %s", now, sink.program, level_name(level), message);
        break;
    }
    buffer_append(&line, "\n", 1);
    /* One write a line keeps lines of several processes apart; nothing can be done if it fails. */
    (void)!write(sink.fd, line.data, line.length);
}
