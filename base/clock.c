/* Time: see clock.h. */
#include "clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_SECOND 1000000000

int64_t clock_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

uint64_t clock_monotonic_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void clock_format_rfc3339(int64_t time_ns, char text[CLOCK_RFC3339_SIZE])
{
    int64_t fraction = time_ns % NS_PER_SECOND;
    time_t seconds = (time_t)(time_ns / NS_PER_SECOND);
    struct tm utc;

    if (fraction < 0) {
        fraction += NS_PER_SECOND;
        seconds--;
    }

    if (time_ns == 0 || gmtime_r(&seconds, &utc) == NULL) {
        snprintf(text, CLOCK_RFC3339_SIZE, "0001-01-01T00:00:00Z");
        return;
    }
    strftime(text, CLOCK_RFC3339_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + strlen(text), CLOCK_RFC3339_SIZE - strlen(text), ".%09dZ", (int)fraction);
}

/* Reads ".123" as nanoseconds and moves *text behind it. */
static int64_t parse_fraction(const char **text)
{
    int64_t nanoseconds = 0;
    int64_t weight = NS_PER_SECOND / 10;

    if (**text != '.')
        return 0;
    for ((*text)++; **text >= '0' && **text <= '9'; (*text)++) {
        nanoseconds += (**text - '0') * weight;
        weight /= 10;
    }
    return nanoseconds;
}

/* Nanoseconds in 64 bits reach from 1677 to 2262. */
static int to_ns(int64_t seconds, int64_t fraction, int64_t *time_ns)
{
    if (__builtin_mul_overflow(seconds, NS_PER_SECOND, time_ns) ||
        __builtin_add_overflow(*time_ns, fraction, time_ns))
        return -ERANGE;
    return 0;
}

int clock_parse_rfc3339(const char *text, int64_t *time_ns)
{
    struct tm utc = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
    int64_t fraction;
    int64_t seconds;
    int hours = 0;
    int minutes = 0;
    char sign = '+';

    if (rest == NULL)
        return -EINVAL;
    fraction = parse_fraction(&rest);
    if (strcmp(rest, "Z") != 0 && strcmp(rest, "z") != 0) {
        if (sscanf(rest, "%c%2d:%2d", &sign, &hours, &minutes) != 3 || strlen(rest) != 6 ||
            (sign != '+' && sign != '-'))
            return -EINVAL;
    }
    seconds = (int64_t)timegm(&utc) - (sign == '+' ? 1 : -1) * (hours * 3600 + minutes * 60);
    return to_ns(seconds, fraction, time_ns);
}

int clock_parse_time(const char *text, int64_t *time_ns)
{
    int result = clock_parse_rfc3339(text, time_ns);
    const char *rest;
    int64_t fraction;
    long long seconds;
    char *end;

    if (result != -EINVAL)
        return result;
    seconds = strtoll(text, &end, 10);
    rest = end;
    fraction = parse_fraction(&rest);
    if (end == text || *rest != '\0')
        return -EINVAL;
    return to_ns(seconds, fraction, time_ns);
}
