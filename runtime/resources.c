/* linux.resources as cgroup2 settings and device rules. */
#include "runtime.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

static int add_memory(const struct oci_memory *memory, struct cgroup_settings *settings,
                      struct error *err)
{
    bool has_limit = memory->limit.is_set && memory->limit.value != 0;

    if (memory->swappiness.is_set)
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "memory.swappiness: cgroup2 has no such setting");
    if (memory->kernel_tcp.is_set && memory->kernel_tcp.value > 0)
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "memory.kernelTCP: cgroup2 has no such setting");
    if (memory->kernel.is_set && memory->kernel.value > 0)
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "memory.kernel: cgroup2 has no such setting");
    if (memory->disable_oom_killer.value)
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "memory.disableOOMKiller: cgroup2 has no such setting");
    if (memory->reservation.is_set && memory->reservation.value > 0)
        cgroup_settings_add(settings, "memory reservation", "memory.low", "%lld",
                            (long long)memory->reservation.value);
    /* memory.swap.max counts swap alone, so that both limits can be written in any order. The swap
     * of the specification counts memory as well. */
    if (has_limit && memory->limit.value > 0)
        cgroup_settings_add(settings, "memory limit", "memory.max", "%lld",
                            (long long)memory->limit.value);
    else if (has_limit)
        cgroup_settings_add(settings, "memory limit", "memory.max", "max");
    if (!memory->swap.is_set || memory->swap.value == 0)
        return 0;
    if (memory->swap.value < 0) {
        cgroup_settings_add(settings, "memory swap limit", "memory.swap.max", "max");
        return 0;
    }
    if (!has_limit || memory->limit.value < 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "memory.swap: needs memory.limit, of which it is the sum with swap");
    if (memory->swap.value < memory->limit.value)
        return error_set(err, ERROR_INVALID, EINVAL, "memory.swap: %lld is below memory.limit %lld",
                         (long long)memory->swap.value, (long long)memory->limit.value);
    cgroup_settings_add(settings, "memory swap limit", "memory.swap.max", "%lld",
                        (long long)(memory->swap.value - memory->limit.value));
    return 0;
}

/* The linear map of [2, 262144] to [1, 10000] that other runtimes use. */
static unsigned long long shares_to_weight(uint64_t shares)
{
    if (shares < 2)
        shares = 2;
    if (shares > 262144)
        shares = 262144;
    return 1 + ((shares - 2) * 9999) / 262142;
}

static int add_cpu(const struct oci_cpu *cpu, struct cgroup_settings *settings, struct error *err)
{
    unsigned long long period =
        cpu->period.is_set && cpu->period.value > 0 ? cpu->period.value : 100000;

    if ((cpu->realtime_runtime.is_set && cpu->realtime_runtime.value != 0) ||
        (cpu->realtime_period.is_set && cpu->realtime_period.value != 0))
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "cpu.realtimeRuntime and cpu.realtimePeriod: cgroup2 has no such setting");
    if (cpu->shares.is_set && cpu->shares.value != 0)
        cgroup_settings_add(settings, "cpu shares", "cpu.weight", "%llu",
                            shares_to_weight(cpu->shares.value));
    if (cpu->quota.is_set && cpu->quota.value > 0)
        cgroup_settings_add(settings, "cpu quota", "cpu.max", "%lld %llu",
                            (long long)cpu->quota.value, period);
    else if ((cpu->quota.is_set && cpu->quota.value < 0) ||
             (cpu->period.is_set && cpu->period.value > 0))
        cgroup_settings_add(settings, "cpu period", "cpu.max", "max %llu", period);
    if (cpu->burst.is_set)
        cgroup_settings_add(settings, "cpu burst", "cpu.max.burst", "%llu",
                            (unsigned long long)cpu->burst.value);
    if (cpu->idle.is_set)
        cgroup_settings_add(settings, "cpu idle", "cpu.idle", "%lld", (long long)cpu->idle.value);
    if (cpu->cpus != NULL && cpu->cpus[0] != '\0')
        cgroup_settings_add(settings, "cpuset cpus", "cpuset.cpus", "%s", cpu->cpus);
    if (cpu->mems != NULL && cpu->mems[0] != '\0')
        cgroup_settings_add(settings, "cpuset mems", "cpuset.mems", "%s", cpu->mems);
    return 0;
}

static void add_throttles(const oci_throttle_list *list, const char *option, const char *key,
                          struct cgroup_settings *settings)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct oci_throttle_device *device = &list->items[i];

        cgroup_settings_add(settings, option, "io.max", "%lld:%lld %s=%llu",
                            (long long)device->major, (long long)device->minor, key,
                            (unsigned long long)device->rate);
    }
}

static int add_block_io(const struct oci_block_io *io, struct cgroup_settings *settings,
                        struct error *err)
{
    if ((io->leaf_weight.is_set && io->leaf_weight.value != 0))
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "blockIO.leafWeight: cgroup2 has no such setting");
    /* [10, 1000] to [1, 10000], linear, as other runtimes map it. */
    if (io->weight.is_set && io->weight.value != 0)
        cgroup_settings_add(settings, "block io weight", "io.weight", "default %llu",
                            1 + ((unsigned long long)io->weight.value - 10) * 9999 / 990);
    for (size_t i = 0; i < io->weight_devices.count; i++) {
        const struct oci_weight_device *device = &io->weight_devices.items[i];

        if (device->leaf_weight.is_set)
            return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                             "blockIO.weightDevice[%zu].leafWeight: cgroup2 has no such setting",
                             i);
        if (device->weight.is_set)
            cgroup_settings_add(settings, "block io device weight", "io.weight", "%lld:%lld %llu",
                                (long long)device->major, (long long)device->minor,
                                1 + ((unsigned long long)device->weight.value - 10) * 9999 / 990);
    }
    add_throttles(&io->throttle_read_bps, "block io read rate", "rbps", settings);
    add_throttles(&io->throttle_write_bps, "block io write rate", "wbps", settings);
    add_throttles(&io->throttle_read_iops, "block io read operations", "riops", settings);
    add_throttles(&io->throttle_write_iops, "block io write operations", "wiops", settings);
    return 0;
}

static int add_hugepages(const struct oci_resources *resources, struct cgroup_settings *settings,
                         struct error *err)
{
    for (size_t i = 0; i < resources->hugepage_limits.count; i++) {
        const struct oci_hugepage_limit *limit = &resources->hugepage_limits.items[i];
        char file[64];
        size_t digits = strspn(limit->page_size, "0123456789");
        const char *unit = limit->page_size + digits;

        if (digits == 0 || digits > 8 ||
            (strcmp(unit, "KB") != 0 && strcmp(unit, "MB") != 0 && strcmp(unit, "GB") != 0))
            return error_set(err, ERROR_INVALID, EINVAL,
                             "hugepageLimits[%zu].pageSize: \"%.32s\" is not like 2MB", i,
                             limit->page_size);
        /* Reservations are limited where the kernel can (5.7), and use in any case. */
        snprintf(file, sizeof(file), "hugetlb.%s.rsvd.max", limit->page_size);
        cgroup_settings_add(settings, "hugepage limit", file, "%llu",
                            (unsigned long long)limit->limit);
        snprintf(file, sizeof(file), "hugetlb.%s.max", limit->page_size);
        cgroup_settings_add(settings, "hugepage limit", file, "%llu",
                            (unsigned long long)limit->limit);
    }
    return 0;
}

static void add_rdma(const struct oci_resources *resources, struct cgroup_settings *settings)
{
    for (size_t i = 0; i < resources->rdma.count; i++) {
        const struct oci_rdma *limit = &resources->rdma.items[i];
        char value[128];
        int length = snprintf(value, sizeof(value), "%.32s", limit->device);

        if (limit->hca_handles.is_set)
            length += snprintf(value + length, sizeof(value) - (size_t)length, " hca_handle=%llu",
                               (unsigned long long)limit->hca_handles.value);
        if (limit->hca_objects.is_set)
            snprintf(value + length, sizeof(value) - (size_t)length, " hca_object=%llu",
                     (unsigned long long)limit->hca_objects.value);
        cgroup_settings_add(settings, "rdma limit", "rdma.max", "%s", value);
    }
}

int resources_to_settings(const struct oci_resources *resources, struct cgroup_settings *settings,
                          struct error *err)
{
    int result = 0;

    if (resources->network != NULL &&
        (resources->network->class_id.is_set || resources->network->priorities.count > 0))
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "linux.resources.network: cgroup2 has no net_cls and net_prio");
    if (resources->memory != NULL)
        result = add_memory(resources->memory, settings, err);
    if (result == 0 && resources->cpu != NULL)
        result = add_cpu(resources->cpu, settings, err);
    if (result == 0 && resources->pids != NULL && resources->pids->limit.is_set) {
        int64_t limit = resources->pids->limit.value;

        if (limit >= 0)
            cgroup_settings_add(settings, "pids limit", "pids.max", "%lld", (long long)limit);
        else
            cgroup_settings_add(settings, "pids limit", "pids.max", "max");
    }
    if (result == 0 && resources->block_io != NULL)
        result = add_block_io(resources->block_io, settings, err);
    if (result == 0)
        result = add_hugepages(resources, settings, err);
    if (result < 0)
        return error_prefix(err, "linux.resources");
    add_rdma(resources, settings);
    for (size_t i = 0; i < resources->unified.count; i++) {
        const struct string_pair *pair = &resources->unified.items[i];

        if (cgroup_settings_add(settings, pair->name, pair->name, "%s", pair->value) < 0)
            return error_set(err, ERROR_INVALID, E2BIG, "linux.resources: too many settings");
    }
    return 0;
}

/* runtime-spec config-linux.md "Default Devices", pseudo-terminals, and mknod, which gives no
 * access by itself. They come last, so that no rule takes them away, as with other runtimes. */
static const struct cgroup_device_rule default_rules[] = {
    {true, 'a', -1, -1, CGROUP_DEVICE_MKNOD}, {true, 'c', 1, 3, CGROUP_DEVICE_ALL},
    {true, 'c', 1, 5, CGROUP_DEVICE_ALL},     {true, 'c', 1, 7, CGROUP_DEVICE_ALL},
    {true, 'c', 1, 8, CGROUP_DEVICE_ALL},     {true, 'c', 1, 9, CGROUP_DEVICE_ALL},
    {true, 'c', 5, 0, CGROUP_DEVICE_ALL},     {true, 'c', 5, 2, CGROUP_DEVICE_ALL},
    {true, 'c', 136, -1, CGROUP_DEVICE_ALL},
};

static int convert_rule(const struct oci_device_rule *from, size_t index,
                        struct cgroup_device_rule *to, struct error *err)
{
    const char *type = from->type != NULL && from->type[0] != '\0' ? from->type : "a";
    const char *access = from->access != NULL && from->access[0] != '\0' ? from->access : "rwm";

    if (strlen(type) != 1 || strchr("abc", type[0]) == NULL)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "linux.resources.devices[%zu].type: \"%.16s\" is not one of a, b, c",
                         index, type);
    *to = (struct cgroup_device_rule){
        .is_allowed = from->is_allowed,
        .type = type[0],
        .major = from->major.is_set ? from->major.value : -1,
        .minor = from->minor.is_set ? from->minor.value : -1,
    };
    for (; *access != '\0'; access++) {
        switch (*access) {
        case 'r':
            to->access |= CGROUP_DEVICE_READ;
            break;
        case 'w':
            to->access |= CGROUP_DEVICE_WRITE;
            break;
        case 'm':
            to->access |= CGROUP_DEVICE_MKNOD;
            break;
        default:
            return error_set(err, ERROR_INVALID, EINVAL,
                             "linux.resources.devices[%zu].access: \"%c\" is not one of r, w, m",
                             index, *access);
        }
    }
    return 0;
}

int resources_apply_devices(const struct cgroup *cgroup, const struct oci_resources *resources,
                            struct error *err)
{
    size_t given = resources != NULL ? resources->devices.count : 0;
    cleanup_free struct cgroup_device_rule *rules =
        memory_new(given + ARRAY_SIZE(default_rules), sizeof(*rules));

    for (size_t i = 0; i < given; i++) {
        int result = convert_rule(&resources->devices.items[i], i, &rules[i], err);

        if (result < 0)
            return result;
    }
    memcpy(rules + given, default_rules, sizeof(default_rules));
    return cgroup_apply_devices(cgroup, rules, given + ARRAY_SIZE(default_rules), err);
}

static bool mounts_writable_cgroup(const struct oci_config *config)
{
    for (size_t i = 0; i < config->mounts.count; i++) {
        const struct oci_mount *mount = &config->mounts.items[i];

        if (strcmp(mount->destination, "/sys/fs/cgroup") == 0 && mount->source != NULL &&
            strcmp(mount->source, "cgroup") == 0)
            return !string_list_has(&mount->options, "ro");
    }
    return false;
}

int resources_delegate_cgroup(const struct cgroup *cgroup, const struct oci_config *config,
                              struct error *err)
{
    const struct oci_namespace *namespace = oci_config_namespace(config, OCI_NAMESPACE_CGROUP);
    const struct oci_linux *linux_part = config->linux;
    uid_t uid;

    if (namespace == NULL || namespace->path != NULL || config->process == NULL ||
        oci_config_namespace(config, OCI_NAMESPACE_USER) == NULL ||
        linux_part->uid_mappings.count == 0 || !mounts_writable_cgroup(config) ||
        !oci_map_id(linux_part->uid_mappings.items, linux_part->uid_mappings.count,
                    config->process->user.uid, &uid))
        return 0;
    return cgroup_delegate(cgroup, uid, err);
}

int resources_make_cgroup(const struct cgroup_hierarchy *hierarchy, const char *path,
                          const struct oci_resources *resources, bool must_be_new,
                          struct cgroup *cgroup, struct error *err)
{
    cleanup_free struct cgroup_settings *settings = memory_new_one(struct cgroup_settings);
    unsigned int controllers = 0;
    int result = 0;

    if (resources != NULL)
        result = resources_to_settings(resources, settings, err);
    /* A new cgroup has none, with or without the controller. */
    cgroup_settings_drop(settings, "cpu.max.burst", "0");
    if (result == 0)
        result = cgroup_check_settings(hierarchy, settings, err);
    if (result == 0)
        result = cgroup_settings_controllers(settings, &controllers, err);
    if (result == 0)
        result = cgroup_create(hierarchy, path, controllers | CGROUP_ACCOUNTING, must_be_new,
                               cgroup, err);
    if (result == 0)
        result = cgroup_apply(cgroup, settings, err);
    cgroup_settings_release(settings);
    return result;
}
