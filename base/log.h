/*
 * Logging to standard error, one line a message: plain text, JSON (one object a line), or with
 * the "<N>" priority prefix that journald reads. Libraries return errors instead of logging.
 */
#ifndef DAVIT_BASE_LOG_H
#define DAVIT_BASE_LOG_H

/* Values are syslog(3) priorities. */
enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7,
};

enum log_format {
    LOG_FORMAT_TEXT,
    LOG_FORMAT_JSON,
    LOG_FORMAT_JOURNAL,
};

/* Process-wide; call once in main before anything logs. `fd` is not owned. */
void log_configure(int fd, enum log_level level, enum log_format format, const char *program);

/* Reads "error", "warning", "info" or "debug". Returns 0 or -EINVAL. */
int log_level_parse(const char *name, enum log_level *level);

void log_message(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define log_error(...) log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_message(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_message(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
