/* davit-oci update: new limits for a running container. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "base/size.h"
#include "oci.h"
#include "runtime/resctrl.h"
#include "systemd.h"

#define RESOURCES_MAX_BYTES (1 << 20)

/* What the options change; merged into the container's resources. */
struct changes {
    struct oci_resources resources;
    struct oci_memory memory;
    struct oci_cpu cpu;
    struct oci_pids pids;
    struct oci_block_io block_io;
    struct oci_intel_rdt intel_rdt;
};

enum value_kind {
    VALUE_INT64,
    VALUE_UINT64,
    VALUE_SIZE,
    VALUE_STRING,
};

/* An option, what its value is and where it goes. */
static const struct limit_option {
    const char *name;
    enum value_kind kind;
    size_t offset;
} limit_options[] = {
    {"blkio-weight", VALUE_UINT64, offsetof(struct changes, block_io.weight)},
    {"cpu-burst", VALUE_UINT64, offsetof(struct changes, cpu.burst)},
    {"cpu-idle", VALUE_INT64, offsetof(struct changes, cpu.idle)},
    {"cpu-period", VALUE_UINT64, offsetof(struct changes, cpu.period)},
    {"cpu-quota", VALUE_INT64, offsetof(struct changes, cpu.quota)},
    {"cpu-rt-period", VALUE_UINT64, offsetof(struct changes, cpu.realtime_period)},
    {"cpu-rt-runtime", VALUE_INT64, offsetof(struct changes, cpu.realtime_runtime)},
    {"cpu-share", VALUE_UINT64, offsetof(struct changes, cpu.shares)},
    {"cpuset-cpus", VALUE_STRING, offsetof(struct changes, cpu.cpus)},
    {"cpuset-mems", VALUE_STRING, offsetof(struct changes, cpu.mems)},
    {"kernel-memory", VALUE_SIZE, offsetof(struct changes, memory.kernel)},
    {"kernel-memory-tcp", VALUE_SIZE, offsetof(struct changes, memory.kernel_tcp)},
    {"l3-cache-schema", VALUE_STRING, offsetof(struct changes, intel_rdt.l3_cache_schema)},
    {"mem-bw-schema", VALUE_STRING, offsetof(struct changes, intel_rdt.mem_bw_schema)},
    {"memory", VALUE_SIZE, offsetof(struct changes, memory.limit)},
    {"memory-reservation", VALUE_SIZE, offsetof(struct changes, memory.reservation)},
    {"memory-swap", VALUE_SIZE, offsetof(struct changes, memory.swap)},
    {"pids-limit", VALUE_INT64, offsetof(struct changes, pids.limit)},
};

#define OPTION_FIRST_LIMIT 256

static int set_value(struct changes *changes, const struct limit_option *option, const char *text,
                     struct error *err)
{
    void *target = (char *)changes + option->offset;
    int64_t number = 0;
    bool is_good;

    if (option->kind == VALUE_STRING) {
        *(const char **)target = text;
        return 0;
    }
    if (option->kind == VALUE_SIZE)
        is_good = size_parse(text, &number) == 0;
    else
        is_good =
            number_parse(text, option->kind == VALUE_UINT64 ? 0 : INT64_MIN, INT64_MAX, &number);
    if (!is_good)
        return error_set(err, ERROR_INVALID, EINVAL, "--%s: \"%.32s\" is not a %s", option->name,
                         text, option->kind == VALUE_SIZE ? "size like 64m" : "number");
    if (option->kind == VALUE_UINT64)
        *(struct optional_uint64 *)target = (struct optional_uint64){true, (uint64_t)number};
    else
        *(struct optional_int64 *)target = (struct optional_int64){true, number};
    return 0;
}

static int read_resources(struct arena *arena, const char *path, struct oci_resources *resources,
                          struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    int result = 0;

    if (strcmp(path, "-") == 0) {
        result = file_read_fd(STDIN_FILENO, RESOURCES_MAX_BYTES, &text);
        if (result < 0)
            error_errno(err, -result, "standard input");
    } else {
        result = file_read_any(path, RESOURCES_MAX_BYTES, &text, err);
    }
    if (result == 0)
        result = json_decode_text(arena, buffer_text(&text), text.length, &oci_resources_type,
                                  resources, err);
    return result < 0 ? error_prefix(err, "--resources") : 0;
}

/* Options first, then the file over them. runc takes the file alone if there is one. */
static int parse_options(struct oci_context *context, struct arena *arena, int argc, char **argv,
                         struct changes *changes)
{
    struct option options[ARRAY_SIZE(limit_options) + 2] = {
        {"resources", required_argument, NULL, 'r'}};
    const char *file = NULL;
    int result = 0;
    int option;

    for (size_t i = 0; i < ARRAY_SIZE(limit_options); i++)
        options[i + 1] = (struct option){limit_options[i].name, required_argument, NULL,
                                         OPTION_FIRST_LIMIT + (int)i};
    while (result == 0 && (option = getopt_long(argc, argv, "+r:", options, NULL)) != -1) {
        if (option == 'r')
            file = optarg;
        else if (option >= OPTION_FIRST_LIMIT)
            result = set_value(changes, &limit_options[option - OPTION_FIRST_LIMIT], optarg,
                               &context->err);
        else
            result = oci_usage_error(context, argv);
    }
    if (result == 0 && argc - optind != 1)
        result = error_set(&context->err, ERROR_INVALID, EINVAL,
                           "update: exactly one container id is expected");
    changes->resources.memory = &changes->memory;
    changes->resources.cpu = &changes->cpu;
    changes->resources.pids = &changes->pids;
    changes->resources.block_io = &changes->block_io;
    if (result == 0 && file != NULL) {
        struct oci_resources from_file = {0};

        result = read_resources(arena, file, &from_file, &context->err);
        json_merge(arena, &oci_resources_type, &changes->resources, &from_file);
    }
    return result;
}

/* runtime-spec config-linux.md "Memory", checkBeforeUpdate: cgroup2 would kill instead of refuse.
 */
static int check_memory(const struct cgroup *cgroup, const struct oci_memory *memory,
                        struct error *err)
{
    struct cgroup_statistics statistics;
    int result;

    if (memory == NULL || !memory->check_before_update || !memory->limit.is_set ||
        memory->limit.value <= 0)
        return 0;
    result = cgroup_read_statistics(cgroup, &statistics, err);
    if (result == 0 && (uint64_t)memory->limit.value < statistics.memory_bytes)
        result = error_set(
            err, ERROR_INVALID, EBUSY, "memory.limit: %lld is below the %llu bytes in use",
            (long long)memory->limit.value, (unsigned long long)statistics.memory_bytes);
    return result;
}

static int apply(const struct state *state, const struct oci_resources *resources,
                 bool has_new_devices, struct error *err)
{
    cleanup_free struct cgroup_settings *settings = memory_new_one(struct cgroup_settings);
    struct cgroup_hierarchy hierarchy = CGROUP_HIERARCHY_NONE;
    struct cgroup cgroup = CGROUP_NONE;
    unsigned int controllers = 0;
    int result = resources_to_settings(resources, settings, err);

    if (result == 0)
        result = oci_open_cgroup(state, &hierarchy, &cgroup, err);
    if (result == 0)
        result = cgroup_check_settings(&hierarchy, settings, err);
    if (result == 0)
        result = cgroup_settings_controllers(settings, &controllers, err);
    /* What was not limited before may need its controller first; systemd does that for a scope. */
    if (result == 0 && state->systemd_unit == NULL)
        result = cgroup_enable_controllers(&hierarchy, state->cgroup_path, controllers, err);
    if (result == 0)
        result = check_memory(&cgroup, resources->memory, err);
    if (result == 0 && state->systemd_unit != NULL)
        result = scope_update(state->systemd_unit, settings, err);
    if (result == 0)
        result = cgroup_apply(&cgroup, settings, err);
    if (result == 0 && has_new_devices)
        result = resources_apply_devices(&cgroup, resources, err);
    cgroup_settings_release(settings);
    cgroup_close(&cgroup);
    cgroup_hierarchy_close(&hierarchy);
    return result;
}

static int update_rdt(const struct state *state, const struct oci_intel_rdt *changes,
                      struct error *err)
{
    const struct oci_intel_rdt *rdt = state->config.linux->intel_rdt;
    cleanup_close int mount_fd = -1;

    if (changes->l3_cache_schema == NULL && changes->mem_bw_schema == NULL)
        return 0;
    if (rdt == NULL)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "the container was created without linux.intelRdt");
    mount_fd = resctrl_open(err);
    return mount_fd < 0 ? mount_fd : resctrl_write(mount_fd, rdt, state->id, changes, err);
}

static int update_container(struct state *state, struct changes *changes, struct error *err)
{
    struct oci_linux *linux_part = state->config.linux;
    enum state_status status;
    int result = state_get_status(state, &status, err);

    assert(linux_part != NULL); /* the decoder sees to it */
    if (result < 0)
        return result;
    if (status == STATUS_STOPPED || status == STATUS_CREATING)
        return error_set(err, ERROR_CONFLICT, ESRCH, "container not running: %s",
                         state_status_name(status));
    if (linux_part->resources == NULL)
        linux_part->resources = arena_new(&state->arena, 1, sizeof(*linux_part->resources));
    json_merge(&state->arena, &oci_resources_type, linux_part->resources, &changes->resources);
    result = apply(state, linux_part->resources, changes->resources.devices.count > 0, err);
    if (result == 0)
        result = update_rdt(state, &changes->intel_rdt, err);
    return result < 0 ? result : state_save_config(state, err);
}

int oci_update(struct oci_context *context, int argc, char **argv)
{
    cleanup_arena struct arena arena = {0};
    struct changes changes = {0};
    struct state state = {.directory_fd = -1};
    int result = parse_options(context, &arena, argc, argv, &changes);

    if (result == 0)
        result = state_load(context->root, argv[optind], &state, &context->err);
    if (result < 0)
        return result;
    result = update_container(&state, &changes, &context->err);
    state_release(&state);
    return result;
}
