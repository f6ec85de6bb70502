/* The journald log driver: sd_journal_sendv(3), with the fields that Docker's has. */
#ifndef DAVIT_SUPERVISOR_MONITOR_LOG_JOURNAL_H
#define DAVIT_SUPERVISOR_MONITOR_LOG_JOURNAL_H

#include <stddef.h>

#include "log_writer.h"

/* Where journald listens. */
#define LOG_JOURNAL_SOCKET "/run/systemd/journal/socket"

/* Sends a line of container `id`; one without a newline at its end is a part of a longer one. A
 * line that journald does not take is missing in the journal, but the log file has it. */
void log_journal_send(const struct log_options *options, const char *id, int stream,
                      const char *line, size_t length);

#endif
