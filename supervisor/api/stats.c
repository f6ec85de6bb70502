/* GET /containers/NAME/stats: what a container uses, from its cgroup, once or every second. What
 * the host's controllers do not count is 0. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "supervisor/containers/container.h"

#define INTERVAL_US 1000000
#define BACKLOG_MAX (256 << 10) /* a client that reads slower misses samples */
#define PROC_STAT_MAX (1 << 20)

struct sample {
    int64_t time_ns; /* 0: none */
    uint64_t system_ns;
    struct cgroup_statistics counters;
};

struct stats {
    struct api *api;
    struct request *request;
    char id[IDENTIFIER_SIZE];
    sd_event_source *timer;
    struct sample previous;
    bool is_stream;
};

/* All processor time since the boot, idle or not: what Docker's clients divide by. */
static uint64_t system_time_ns(void)
{
    cleanup_buffer struct buffer text = {0};
    unsigned long long ticks[8] = {0};
    unsigned long long sum = 0;

    if (file_read(AT_FDCWD, "/proc/stat", PROC_STAT_MAX, &text, NULL) < 0)
        return 0;
    sscanf(buffer_text(&text), "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &ticks[0], &ticks[1],
           &ticks[2], &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7]);
    for (size_t i = 0; i < ARRAY_SIZE(ticks); i++)
        sum += ticks[i];
    return sum * (1000000000 / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* A container that does not run gets an empty sample, whose time is 0. */
static void take_sample(const struct managed_container *container, struct sample *sample)
{
    cleanup_free struct cgroup *cgroup = memory_new_one(struct cgroup);

    *sample = (struct sample){0};
    if (container->status != CONTAINER_RUNNING ||
        container_open_cgroup(container, cgroup, NULL) < 0)
        return;
    if (cgroup_read_statistics(cgroup, &sample->counters, NULL) == 0) {
        sample->time_ns = clock_now_ns();
        sample->system_ns = system_time_ns();
    }
    cgroup_close(cgroup);
}

static void write_cpu(struct json_writer *writer, const char *name, const struct sample *sample)
{
    const struct cgroup_statistics *counters = &sample->counters;

    json_key(writer, name);
    json_object_open(writer);
    json_key(writer, "cpu_usage");
    json_object_open(writer);
    json_member_unsigned(writer, "total_usage", counters->cpu_usage_us * 1000);
    json_member_unsigned(writer, "usage_in_kernelmode", counters->cpu_system_us * 1000);
    json_member_unsigned(writer, "usage_in_usermode", counters->cpu_user_us * 1000);
    json_object_close(writer);
    if (sample->time_ns > 0) {
        json_member_unsigned(writer, "system_cpu_usage", sample->system_ns);
        json_member_integer(writer, "online_cpus", sysconf(_SC_NPROCESSORS_ONLN));
    }
    json_key(writer, "throttling_data");
    json_object_open(writer);
    json_member_unsigned(writer, "periods", counters->cpu_periods);
    json_member_unsigned(writer, "throttled_periods", counters->cpu_throttled_periods);
    json_member_unsigned(writer, "throttled_time", counters->cpu_throttled_us * 1000);
    json_object_close(writer);
    json_object_close(writer);
}

/* Without a limit of its own the host's memory is the limit. */
static uint64_t memory_limit(uint64_t limit)
{
    uint64_t host = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

    return limit < host && limit > 0 ? limit : host;
}

static void write_memory(struct json_writer *writer, const struct cgroup_statistics *counters)
{
    json_key(writer, "memory_stats");
    json_object_open(writer);
    json_member_unsigned(writer, "usage", counters->memory_bytes);
    json_member_unsigned(writer, "limit", memory_limit(counters->memory_limit_bytes));
    json_key(writer, "stats");
    json_object_open(writer);
    json_member_unsigned(writer, "anon", counters->memory_anon_bytes);
    json_member_unsigned(writer, "file", counters->memory_file_bytes);
    json_member_unsigned(writer, "inactive_file", counters->memory_inactive_file_bytes);
    json_member_unsigned(writer, "kernel", counters->memory_kernel_bytes);
    json_object_close(writer);
    json_object_close(writer);
}

static void write_io(struct json_writer *writer, const char *operation, uint64_t value)
{
    json_object_open(writer);
    json_member_integer(writer, "major", 0);
    json_member_integer(writer, "minor", 0);
    json_member_string(writer, "op", operation);
    json_member_unsigned(writer, "value", value);
    json_object_close(writer);
}

static void write_blkio(struct json_writer *writer, const struct cgroup_statistics *counters)
{
    json_key(writer, "blkio_stats");
    json_object_open(writer);
    json_key(writer, "io_service_bytes_recursive");
    json_array_open(writer);
    write_io(writer, "read", counters->io_read_bytes);
    write_io(writer, "write", counters->io_write_bytes);
    json_array_close(writer);
    json_key(writer, "io_serviced_recursive");
    json_array_open(writer);
    write_io(writer, "read", counters->io_reads);
    write_io(writer, "write", counters->io_writes);
    json_array_close(writer);
    json_object_close(writer);
}

/* What the container has received and sent, by device. Absent without networks of its own. */
static void write_networks(struct json_writer *writer, const struct managed_container *container)
{
    struct device_counters devices[ENDPOINTS_MAX];
    size_t count = leases_read_counters(container_network(container), devices);

    if (count == 0)
        return;
    json_key(writer, "networks");
    json_object_open(writer);
    for (size_t i = 0; i < count; i++) {
        const struct link_counters *counters = &devices[i].counters;

        json_key(writer, devices[i].name);
        json_object_open(writer);
        json_member_unsigned(writer, "rx_bytes", counters->received_bytes);
        json_member_unsigned(writer, "rx_packets", counters->received_packets);
        json_member_unsigned(writer, "rx_errors", counters->received_errors);
        json_member_unsigned(writer, "rx_dropped", counters->received_dropped);
        json_member_unsigned(writer, "tx_bytes", counters->sent_bytes);
        json_member_unsigned(writer, "tx_packets", counters->sent_packets);
        json_member_unsigned(writer, "tx_errors", counters->sent_errors);
        json_member_unsigned(writer, "tx_dropped", counters->sent_dropped);
        json_object_close(writer);
    }
    json_object_close(writer);
}

static void write_object(struct json_writer *writer, const struct managed_container *container,
                         const struct sample *sample, const struct sample *previous)
{
    cleanup_free char *name = memory_printf("/%s", container->definition->name);

    json_object_open(writer);
    json_member_string(writer, "id", container->definition->id);
    json_member_string(writer, "name", name);
    json_member_time(writer, "read", sample->time_ns);
    json_member_time(writer, "preread", previous->time_ns);
    json_key(writer, "pids_stats");
    json_object_open(writer);
    json_member_unsigned(writer, "current", sample->counters.pids);
    if (sample->counters.pids_limit != 0 && sample->counters.pids_limit != UINT64_MAX)
        json_member_unsigned(writer, "limit", sample->counters.pids_limit);
    json_object_close(writer);
    write_cpu(writer, "cpu_stats", sample);
    write_cpu(writer, "precpu_stats", previous);
    write_memory(writer, &sample->counters);
    write_blkio(writer, &sample->counters);
    if (sample->time_ns > 0)
        write_networks(writer, container);
    json_object_close(writer);
}

static void stats_free(struct stats *stats)
{
    sd_event_source_disable_unref(stats->timer);
    free(stats);
}

static void on_client_gone(struct request *request)
{
    stats_free(request->context);
}

static void stats_end(struct stats *stats)
{
    struct request *request = stats->request;

    request->on_close = NULL;
    request->context = NULL;
    stats_free(stats);
    stream_end(request);
}

static void write_sample(struct stats *stats, const struct managed_container *container)
{
    struct json_writer *writer = json_writer_new(false);
    struct sample sample;

    take_sample(container, &sample);
    write_object(writer, container, &sample, &stats->previous);
    stream_write_message(stats->request, json_writer_text(writer), "\n");
    json_writer_free(writer);
    stats->previous = sample;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *context)
{
    struct stats *stats = context;
    struct managed_container *container = container_by_id(stats->api->containers, stats->id);

    if (container == NULL) {
        stats_end(stats);
        return 0;
    }
    if (stream_backlog(stats->request) < BACKLOG_MAX)
        write_sample(stats, container);
    if (!stats->is_stream) {
        stats_end(stats);
        return 0;
    }
    sd_event_source_set_time(source, usec + INTERVAL_US);
    sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    return 0;
}

/* Docker's default is a stream. stream=0 sends one object, after a second that it can be compared
 * with, or at once with one-shot=1. */
static void serve_container_stats(struct api *api, struct request *request,
                                  const struct route_match *match)
{
    const char *stream = request_query(request, "stream");
    bool is_stream = stream == NULL || request_query_bool(request, "stream");
    bool is_immediate = is_stream || request_query_bool(request, "one-shot");
    struct managed_container *container;
    struct stats *stats;
    struct error err = {0};

    if (container_find(api->containers, request->actor.tenant, match->name, &container, &err) < 0) {
        respond_error(request, &err);
        return;
    }
    stats = memory_new_one(struct stats);
    stats->api = api;
    stats->request = request;
    stats->is_stream = is_stream;
    strcpy(stats->id, container->definition->id);
    request->context = stats;
    request->on_close = on_client_gone;
    stream_begin(request, "application/json");
    if (is_immediate || container->status != CONTAINER_RUNNING)
        write_sample(stats, container);
    else
        take_sample(container, &stats->previous);
    if ((!is_stream && (is_immediate || container->status != CONTAINER_RUNNING)) ||
        sd_event_add_time_relative(api->loop, &stats->timer, CLOCK_MONOTONIC, INTERVAL_US, 10000,
                                   on_tick, stats) < 0)
        stats_end(stats);
}

const struct route stats_routes[] = {
    {"GET", "/containers/{id}/stats", serve_container_stats, PERMISSION_READ, NULL},
    {.method = NULL},
};
