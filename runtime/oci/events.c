/* davit-oci events: statistics and out-of-memory kills, one JSON object a line, as runc prints
 * them.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/number.h"
#include "oci.h"

#define STATISTICS_MAX_BYTES (1 << 20)
#define INTERVAL_DEFAULT "5s"

struct events {
    const char *id;
    struct cgroup cgroup;
    struct cgroup_hierarchy hierarchy;
    uint64_t oom_kills;
};

static void print_event(struct json_writer *writer)
{
    puts(json_writer_text(writer));
    fflush(stdout);
    json_writer_free(writer);
}

static struct json_writer *open_event(const char *type, const char *id)
{
    struct json_writer *writer = json_writer_new(false);

    json_object_open(writer);
    json_member_string(writer, "type", type);
    json_member_string(writer, "id", id);
    return writer;
}

static void write_cpu(struct json_writer *writer, const struct cgroup_statistics *statistics)
{
    json_key(writer, "cpu");
    json_object_open(writer);
    json_key(writer, "usage");
    json_object_open(writer);
    json_member_unsigned(writer, "total", statistics->cpu_usage_us * 1000);
    json_member_unsigned(writer, "kernel", statistics->cpu_system_us * 1000);
    json_member_unsigned(writer, "user", statistics->cpu_user_us * 1000);
    json_object_close(writer);
    json_key(writer, "throttling");
    json_object_open(writer);
    json_member_unsigned(writer, "periods", statistics->cpu_periods);
    json_member_unsigned(writer, "throttledPeriods", statistics->cpu_throttled_periods);
    json_member_unsigned(writer, "throttledTime", statistics->cpu_throttled_us * 1000);
    json_object_close(writer);
    json_object_close(writer);
}

/* memory.stat as it stands: flat "key value" lines. */
static void write_raw_memory(struct json_writer *writer, const struct cgroup *cgroup)
{
    cleanup_buffer struct buffer text = {0};
    char *rest;

    json_key(writer, "raw");
    json_object_open(writer);
    if (file_read(cgroup->fd, "memory.stat", STATISTICS_MAX_BYTES, &text, NULL) == 0) {
        rest = text.data;
        for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
            char *value = strchr(line, ' ');

            if (value == NULL)
                continue;
            *value++ = '\0';
            json_member_unsigned(writer, line, strtoull(value, NULL, 10));
        }
    }
    json_object_close(writer);
}

static void write_usage(struct json_writer *writer, const char *name, uint64_t usage, uint64_t peak,
                        uint64_t limit, uint64_t failures)
{
    json_key(writer, name);
    json_object_open(writer);
    json_member_unsigned(writer, "limit", limit);
    json_member_unsigned(writer, "usage", usage);
    json_member_unsigned(writer, "max", peak);
    json_member_unsigned(writer, "failcnt", failures);
    json_object_close(writer);
}

static void write_memory(struct json_writer *writer, const struct cgroup *cgroup,
                         const struct cgroup_statistics *statistics)
{
    json_key(writer, "memory");
    json_object_open(writer);
    json_member_unsigned(writer, "cache", statistics->memory_file_bytes);
    write_usage(writer, "usage", statistics->memory_bytes, statistics->memory_peak_bytes,
                statistics->memory_limit_bytes, statistics->oom_count);
    write_usage(writer, "swap", statistics->memory_bytes + statistics->memory_swap_bytes, 0,
                statistics->memory_limit_bytes, 0);
    write_usage(writer, "kernel", statistics->memory_kernel_bytes, 0, 0, 0);
    write_usage(writer, "kernelTCP", 0, 0, 0, 0);
    write_raw_memory(writer, cgroup);
    json_object_close(writer);
}

static void write_pids(struct json_writer *writer, const struct cgroup_statistics *statistics)
{
    json_key(writer, "pids");
    json_object_open(writer);
    json_member_unsigned(writer, "current", statistics->pids);
    /* 0 stands for "no limit", as in runc */
    json_member_unsigned(writer, "limit",
                         statistics->pids_limit == UINT64_MAX ? 0 : statistics->pids_limit);
    json_object_close(writer);
}

/* One array of entries for the two keys of io.stat that it is made of. */
static void write_io_list(struct json_writer *writer, const char *name, const char *text,
                          const char *read_key, const char *write_key)
{
    const char *const keys[] = {read_key, write_key};
    static const char *const operations[] = {"Read", "Write"};

    json_key(writer, name);
    json_array_open(writer);
    while (*text != '\0') {
        char *end;
        unsigned long major = strtoul(text, &end, 10);
        unsigned long minor = *end == ':' ? strtoul(end + 1, &end, 10) : 0;
        size_t length = strcspn(text, "\n");

        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
            const char *found = memmem(text, length, keys[i], strlen(keys[i]));

            if (found == NULL)
                continue;
            json_object_open(writer);
            json_member_unsigned(writer, "major", major);
            json_member_unsigned(writer, "minor", minor);
            json_member_string(writer, "op", operations[i]);
            json_member_unsigned(writer, "value", strtoull(found + strlen(keys[i]), NULL, 10));
            json_object_close(writer);
        }
        text += length;
        text += *text == '\n';
    }
    json_array_close(writer);
}

static void write_io(struct json_writer *writer, const struct cgroup *cgroup)
{
    cleanup_buffer struct buffer text = {0};

    file_read(cgroup->fd, "io.stat", STATISTICS_MAX_BYTES, &text, NULL);
    json_key(writer, "blkio");
    json_object_open(writer);
    write_io_list(writer, "ioServiceBytesRecursive", buffer_text(&text), "rbytes=", "wbytes=");
    write_io_list(writer, "ioServicedRecursive", buffer_text(&text), "rios=", "wios=");
    json_object_close(writer);
}

static int print_statistics(const struct events *events, struct error *err)
{
    struct cgroup_statistics statistics;
    struct json_writer *writer;
    int result = cgroup_read_statistics(&events->cgroup, &statistics, err);

    if (result < 0)
        return result;
    writer = open_event("stats", events->id);
    json_key(writer, "data");
    json_object_open(writer);
    write_cpu(writer, &statistics);
    write_memory(writer, &events->cgroup, &statistics);
    write_pids(writer, &statistics);
    write_io(writer, &events->cgroup);
    json_object_close(writer);
    json_object_close(writer);
    print_event(writer);
    return 0;
}

static void print_oom_kills(struct events *events)
{
    uint64_t count = cgroup_oom_kill_count(&events->cgroup);

    for (; events->oom_kills < count; events->oom_kills++) {
        struct json_writer *writer = open_event("oom", events->id);

        json_object_close(writer);
        print_event(writer);
    }
}

static bool has_processes(const struct cgroup *cgroup)
{
    bool is_populated = false;

    return cgroup_is_populated(cgroup, &is_populated, NULL) == 0 && is_populated;
}

/* The kernel signals changes of both files by POLLPRI, after they have been read. */
static void arm(int fd)
{
    char content[4096];

    if (fd >= 0)
        (void)!pread(fd, content, sizeof(content), 0);
}

/* Prints until the container's last process has ended. */
static int print_until_ended(struct events *events, uint64_t interval_ms, struct error *err)
{
    cleanup_close int core_fd = openat(events->cgroup.fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
    cleanup_close int memory_fd = openat(events->cgroup.fd, "memory.events", O_RDONLY | O_CLOEXEC);
    struct pollfd files[] = {{.fd = core_fd, .events = POLLPRI},
                             {.fd = memory_fd, .events = POLLPRI}};
    uint64_t deadline = clock_monotonic_us() + interval_ms * 1000;

    if (core_fd < 0)
        return error_errno(err, errno, "cgroup.events");
    events->oom_kills = cgroup_oom_kill_count(&events->cgroup);
    for (;;) {
        uint64_t now = clock_monotonic_us();

        arm(core_fd);
        arm(memory_fd);
        print_oom_kills(events);
        if (!has_processes(&events->cgroup))
            return 0;
        if (now >= deadline) {
            int result = print_statistics(events, err);

            if (result < 0)
                return result;
            deadline += interval_ms * 1000;
        } else if (poll(files, ARRAY_SIZE(files), (int)((deadline - now) / 1000) + 1) < 0 &&
                   errno != EINTR) {
            return error_errno(err, errno, "poll");
        }
    }
}

/* "500ms", "5s", "1m": Go's durations, one unit. */
static int parse_interval(const char *text, uint64_t *interval_ms, struct error *err)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    const char *end = text;
    uint64_t value = 0;

    if (!number_take(&end, 10, 999999, &value))
        end = "";
    for (size_t i = 0; i < ARRAY_SIZE(units) && value > 0; i++) {
        if (strcmp(end, units[i].unit) == 0) {
            *interval_ms = value * units[i].ms;
            if (*interval_ms > INT32_MAX)
                break;
            return 0;
        }
    }
    return error_set(err, ERROR_INVALID, EINVAL, "--interval: \"%.32s\" is not a time like 5s",
                     text);
}

static int print_events(struct events *events, const struct state *state, bool is_once,
                        uint64_t interval_ms, struct error *err)
{
    enum state_status status = STATUS_STOPPED;
    int result = state_get_status(state, &status, err);

    if (result == 0 && status == STATUS_STOPPED)
        return error_set(err, ERROR_CONFLICT, ESRCH, "container with id %s is not running",
                         state->id);
    if (result == 0)
        result = oci_open_cgroup(state, &events->hierarchy, &events->cgroup, err);
    events->id = state->id;
    if (result == 0 && is_once)
        result = print_statistics(events, err);
    else if (result == 0)
        result = print_until_ended(events, interval_ms, err);
    cgroup_close(&events->cgroup);
    cgroup_hierarchy_close(&events->hierarchy);
    return result;
}

int oci_events(struct oci_context *context, int argc, char **argv)
{
    static const struct option options[] = {{"stats", no_argument, NULL, 's'},
                                            {"interval", required_argument, NULL, 'i'},
                                            {NULL, 0, NULL, 0}};
    struct events events = {.cgroup = CGROUP_NONE, .hierarchy = CGROUP_HIERARCHY_NONE};
    const char *interval = INTERVAL_DEFAULT;
    uint64_t interval_ms = 0;
    struct state state = {.directory_fd = -1};
    bool is_once = false;
    int option;
    int result;

    while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        if (option == 's')
            is_once = true;
        else if (option == 'i')
            interval = optarg;
        else
            return oci_usage_error(context, argv);
    }
    result = parse_interval(interval, &interval_ms, &context->err);
    if (result == 0 && argc - optind != 1)
        result = error_set(&context->err, ERROR_INVALID, EINVAL,
                           "events: exactly one container id is expected");
    if (result == 0)
        result = state_load(context->root, argv[optind], &state, &context->err);
    if (result < 0)
        return result;
    result = print_events(&events, &state, is_once, interval_ms, &context->err);
    state_release(&state);
    return result;
}
