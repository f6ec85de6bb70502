/* Time: see clock.h. */
#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "buffer.h"
#include "cleanup.h"
#include "file.h"
#include "number.h"

#define SECONDS_PER_DAY 86400LL
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

/* Nanoseconds in 64 bits reach from 1677 to 2262. */
struct date {
    int16_t year;
    uint8_t month;
    uint8_t day;
};

/* Days since 1970 to a date of the Gregorian calendar. Years are counted from March, so that the
 * day that may be missing is the last; 400 of them are 146097 days. gmtime_r() would do, but reads
 * the time zone's file first, which a program that runs for 3 ms notices. */
static struct date date_of_day(int64_t day)
{
    int64_t from_march = day + 719468; /* 0000-03-01 */
    int64_t era = (from_march >= 0 ? from_march : from_march - 146096) / 146097;
    int day_of_era = (int)(from_march - era * 146097);
    int year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month_from_march = (5 * day_of_year + 2) / 153;
    int month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;

    return (struct date){
        .year = (int16_t)(era * 400 + year_of_era + (month <= 2 ? 1 : 0)),
        .month = (uint8_t)month,
        .day = (uint8_t)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
    };
}

uint64_t clock_process_start(pid_t pid)
{
    cleanup_buffer struct buffer text = {0};
    char path[64];
    char *position;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (file_read(AT_FDCWD, path, 4096, &text, NULL) < 0)
        return 0;
    /* The second field is the program's name in parentheses, which may contain anything. */
    position = strrchr(text.data, ')');
    for (int field = 2; position != NULL && field < 22; field++)
        position = strchr(position + 1, ' ');
    return position != NULL ? strtoull(position, NULL, 10) : 0;
}

uint64_t clock_process_age_us(pid_t pid)
{
    uint64_t start_us = clock_process_start(pid) * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
    struct timespec now;
    uint64_t now_us;

    clock_gettime(CLOCK_BOOTTIME, &now);
    now_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    return start_us > 0 && now_us > start_us ? now_us - start_us : 0;
}

void clock_format_rfc3339(int64_t time_ns, char text[CLOCK_RFC3339_SIZE])
{
    int64_t ns_of_day = time_ns % (SECONDS_PER_DAY * NS_PER_SECOND);
    int64_t day = time_ns / (SECONDS_PER_DAY * NS_PER_SECOND);
    struct date date;
    unsigned int second;

    if (time_ns == 0) {
        snprintf(text, CLOCK_RFC3339_SIZE, "0001-01-01T00:00:00Z");
        return;
    }
    if (ns_of_day < 0) {
        ns_of_day += SECONDS_PER_DAY * NS_PER_SECOND;
        day--;
    }
    date = date_of_day(day);
    second = (unsigned int)(ns_of_day / NS_PER_SECOND);
    snprintf(text, CLOCK_RFC3339_SIZE, "%04d-%02d-%02dT%02u:%02u:%02u.%09uZ", date.year, date.month,
             date.day, second / 3600 % 24, second / 60 % 60, second % 60,
             (unsigned int)(ns_of_day % NS_PER_SECOND));
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
    uint64_t hours = 0;
    uint64_t minutes = 0;
    char sign = '+';

    if (rest == NULL)
        return -EINVAL;
    fraction = parse_fraction(&rest);
    if (strcmp(rest, "Z") != 0 && strcmp(rest, "z") != 0) {
        sign = *rest++;
        if ((sign != '+' && sign != '-') || strlen(rest) != 5 ||
            !number_take(&rest, 10, 99, &hours) || *rest++ != ':' ||
            !number_take(&rest, 10, 59, &minutes) || *rest != '\0')
            return -EINVAL;
    }
    seconds =
        (int64_t)timegm(&utc) - (sign == '+' ? 1 : -1) * (int64_t)(hours * 3600 + minutes * 60);
    return to_ns(seconds, fraction, time_ns);
}

int clock_parse_time(const char *text, int64_t *time_ns)
{
    int result = clock_parse_rfc3339(text, time_ns);
    const char *rest = text + (text[0] == '-');
    int64_t fraction;
    uint64_t seconds;

    if (result != -EINVAL)
        return result;
    if (!number_take(&rest, 10, INT64_MAX, &seconds))
        return *rest >= '0' && *rest <= '9' ? -ERANGE : -EINVAL;
    fraction = parse_fraction(&rest);
    if (*rest != '\0')
        return -EINVAL;
    return to_ns(text[0] == '-' ? -(int64_t)seconds : (int64_t)seconds, fraction, time_ns);
}

/* The unit at `text`, in nanoseconds, and its length. */
static int64_t parse_unit(const char *text, size_t *length)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"ns", 1},         {"us", 1000},       {"ms", 1000000},
                 {"s", 1000000000}, {"m", 60000000000}, {"h", 3600000000000}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        *length = strlen(units[i].name);
        if (strncmp(text, units[i].name, *length) == 0)
            return units[i].ns;
    }
    return 0;
}

int clock_parse_duration(const char *text, int64_t *duration_ns)
{
    *duration_ns = 0;
    do {
        char *end;
        double number = strtod(text, &end);
        size_t length;
        int64_t unit = parse_unit(end, &length);

        if (end == text || strspn(text, "0123456789.") != (size_t)(end - text) || unit == 0)
            return -EINVAL;
        if (number * (double)unit > (double)(INT64_MAX / 2) || *duration_ns > INT64_MAX / 2)
            return -ERANGE;
        *duration_ns += (int64_t)(number * (double)unit);
        text = end + length;
    } while (*text != '\0');
    return 0;
}

void clock_format_age(int64_t age_ns, char text[CLOCK_AGE_SIZE])
{
    static const struct {
        long long until; /* seconds */
        long long unit;
        const char *name;
    } units[] = {{60, 1, "seconds"},
                 {3600, 60, "minutes"},
                 {48 * 3600, 3600, "hours"},
                 {14 * 86400, 86400, "days"},
                 {60 * 86400, 7 * 86400, "weeks"},
                 {2 * 365 * 86400, 30 * 86400, "months"},
                 {INT64_MAX, 365 * 86400, "years"}};
    long long seconds = age_ns / 1000000000;
    size_t i = 0;

    while (seconds >= units[i].until)
        i++;
    if (seconds < 1)
        snprintf(text, CLOCK_AGE_SIZE, "Less than a second");
    else if (seconds == 1)
        snprintf(text, CLOCK_AGE_SIZE, "1 second");
    else if (seconds / 60 == 1)
        snprintf(text, CLOCK_AGE_SIZE, "About a minute");
    else if (seconds / 3600 == 1)
        snprintf(text, CLOCK_AGE_SIZE, "About an hour");
    else
        snprintf(text, CLOCK_AGE_SIZE, "%lld %s", seconds / units[i].unit, units[i].name);
}
