/* Time: monotonic for deadlines, wall clock for what people read. */
#ifndef DAVIT_BASE_CLOCK_H
#define DAVIT_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CLOCK_RFC3339_SIZE 36

/* Nanoseconds since the epoch (CLOCK_REALTIME). */
int64_t clock_now_ns(void);

/* Microseconds of CLOCK_MONOTONIC, the unit sd-event takes. */
uint64_t clock_monotonic_us(void);

/* When a process began, in ticks after the boot: field 22 of proc_pid_stat(5), 0 if it is gone. */
uint64_t clock_process_start(pid_t pid);

/* The age of a process in microseconds, by CLOCK_BOOTTIME, so that changes of the wall clock do not
 * matter. 0 if the process is gone. */
uint64_t clock_process_age_us(pid_t pid);

/* "2026-11-21T06:14:33.921203724Z"; 0 gives Docker's zero time "0001-01-01T00:00:00Z". */
void clock_format_rfc3339(int64_t time_ns, char text[CLOCK_RFC3339_SIZE]);

/* "3 seconds", "About a minute", "2 hours", "5 weeks": as docker says how long something took, or
 * is ago. */
#define CLOCK_AGE_SIZE 32
void clock_format_age(int64_t age_ns, char text[CLOCK_AGE_SIZE]);

/* Reads what clock_format_rfc3339() writes, any number of fraction digits, Z or an offset.
 * Returns 0, -EINVAL, or -ERANGE for what 64 bits cannot hold. */
int clock_parse_rfc3339(const char *text, int64_t *time_ns);

/* The times of Docker's API: seconds since the epoch, with or without a fraction
 * ("1795241673.319191688"), or RFC 3339. Returns like clock_parse_rfc3339(). */
int clock_parse_time(const char *text, int64_t *time_ns);

/* A duration as Go writes it: "1h30m", "1.5s", "250ms". Returns 0, -EINVAL or -ERANGE. */
int clock_parse_duration(const char *text, int64_t *duration_ns);

#endif
