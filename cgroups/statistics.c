/* Counters of a cgroup. */
#include "cgroups.h"

#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "internal.h"

struct key_target {
    const char *key;
    uint64_t *value;
};

/* A file with one number, or "max". */
static void read_number(int fd, const char *file, uint64_t *value)
{
    cleanup_buffer struct buffer text = {0};

    if (file_read(fd, file, 64, &text, NULL) < 0)
        return;
    *value = strncmp(text.data, "max", 3) == 0 ? UINT64_MAX : strtoull(text.data, NULL, 10);
}

/* A flat-keyed file: "key value" lines, read once for all targets. */
static int read_keys(int fd, const char *file, const struct key_target *targets, size_t count)
{
    cleanup_buffer struct buffer text = {0};
    char *rest;
    int result = file_read(fd, file, 1 << 16, &text, NULL);

    if (result < 0)
        return result;
    rest = text.data;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        char *value = strchr(line, ' ');

        if (value == NULL)
            continue;
        *value++ = '\0';
        for (size_t i = 0; i < count; i++) {
            if (strcmp(line, targets[i].key) == 0)
                *targets[i].value = strtoull(value, NULL, 10);
        }
    }
    return 0;
}

/* io.stat: "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0" a device, summed here. */
static void read_io(int fd, struct cgroup_statistics *statistics)
{
    const struct key_target targets[] = {
        {"rbytes=", &statistics->io_read_bytes},
        {"wbytes=", &statistics->io_write_bytes},
        {"rios=", &statistics->io_reads},
        {"wios=", &statistics->io_writes},
    };
    cleanup_buffer struct buffer text = {0};
    char *rest;

    if (file_read(fd, "io.stat", 1 << 20, &text, NULL) < 0)
        return;
    statistics->available |= CGROUP_IO;
    rest = text.data;
    for (char *word = strsep(&rest, " \n"); word != NULL; word = strsep(&rest, " \n")) {
        for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
            size_t length = strlen(targets[i].key);

            if (strncmp(word, targets[i].key, length) == 0)
                *targets[i].value += strtoull(word + length, NULL, 10);
        }
    }
}

static void read_memory(int fd, struct cgroup_statistics *statistics)
{
    const struct key_target stat[] = {
        {"anon", &statistics->memory_anon_bytes},
        {"file", &statistics->memory_file_bytes},
        {"inactive_file", &statistics->memory_inactive_file_bytes},
        {"kernel", &statistics->memory_kernel_bytes},
    };
    const struct key_target events[] = {
        {"oom", &statistics->oom_count},
        {"oom_kill", &statistics->oom_kill_count},
    };

    statistics->memory_limit_bytes = UINT64_MAX;
    if (read_keys(fd, "memory.stat", stat, ARRAY_SIZE(stat)) < 0)
        return;
    statistics->available |= CGROUP_MEMORY;
    read_keys(fd, "memory.events", events, ARRAY_SIZE(events));
    read_number(fd, "memory.current", &statistics->memory_bytes);
    read_number(fd, "memory.peak", &statistics->memory_peak_bytes);
    read_number(fd, "memory.max", &statistics->memory_limit_bytes);
    read_number(fd, "memory.swap.current", &statistics->memory_swap_bytes);
}

int cgroup_read_statistics(const struct cgroup *cgroup, struct cgroup_statistics *statistics,
                           struct error *err)
{
    const struct key_target cpu[] = {
        {"usage_usec", &statistics->cpu_usage_us},
        {"user_usec", &statistics->cpu_user_us},
        {"system_usec", &statistics->cpu_system_us},
        {"nr_periods", &statistics->cpu_periods},
        {"nr_throttled", &statistics->cpu_throttled_periods},
        {"throttled_usec", &statistics->cpu_throttled_us},
    };
    int result;

    memset(statistics, 0, sizeof(*statistics));
    /* cpu.stat exists in every cgroup, with usage even without the controller. */
    result = read_keys(cgroup->fd, "cpu.stat", cpu, ARRAY_SIZE(cpu));
    if (result < 0)
        return error_errno(err, -result, "cgroup %s: cpu.stat", cgroup->path);
    statistics->available |= CGROUP_CPU;
    read_memory(cgroup->fd, statistics);
    read_io(cgroup->fd, statistics);
    statistics->pids_limit = UINT64_MAX;
    if (faccessat(cgroup->fd, "pids.current", F_OK, 0) == 0) {
        statistics->available |= CGROUP_PIDS;
        read_number(cgroup->fd, "pids.current", &statistics->pids);
        read_number(cgroup->fd, "pids.max", &statistics->pids_limit);
    }
    return 0;
}

uint64_t cgroup_oom_kill_count(const struct cgroup *cgroup)
{
    uint64_t count = 0;

    if (cgroup->fd < 0 || cgroup_read_key(cgroup->fd, "memory.events", "oom_kill", &count) < 0)
        return 0;
    return count;
}
