/* The syslog log driver: lines as messages of RFC 3164 or RFC 5424, by datagrams to a socket of
 * this host or a port. */
#ifndef DAVIT_SUPERVISOR_MONITOR_LOG_SYSLOG_H
#define DAVIT_SUPERVISOR_MONITOR_LOG_SYSLOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Where the host's own daemon listens, which is taken without an address. */
#define LOG_SYSLOG_SOCKET "/dev/log"

enum syslog_format {
    SYSLOG_LOCAL = 1, /* as syslog(3) writes it: without the host's name */
    SYSLOG_RFC3164,
    SYSLOG_RFC5424,
    SYSLOG_RFC5424_MICRO,
};

struct syslog_options {
    const char *address; /* "unixgram:///dev/log", "udp://127.0.0.1:514"; NULL: LOG_SYSLOG_SOCKET */
    int32_t facility;    /* as syslog(3) numbers them, 0 to 23 */
    int32_t format;      /* enum syslog_format */
};

struct log_syslog {
    int fd;
    const struct syslog_options *options; /* these two are borrowed */
    const char *tag;
    char host[65];
};

/* Checks an address without connecting to it. Hosts are addresses: nobody waits for a name. */
int log_syslog_check_address(const char *address, struct error *err);

/* The facility of that name or number, or -1. */
int log_syslog_facility(const char *name);

void log_syslog_open(struct log_syslog *log, const struct syslog_options *options, const char *tag);

/* Sends a line of stream 1 (stdout, as information) or 2 (stderr, as an error). What does not fit,
 * or finds nobody, is missing there; the log file has it. */
void log_syslog_send(struct log_syslog *log, int stream, const char *line, size_t length);

void log_syslog_close(struct log_syslog *log);

#endif
