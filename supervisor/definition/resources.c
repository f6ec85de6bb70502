/* HostConfig's limits as resources of a runtime configuration: see definition.h. */
#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "definition.h"

static struct optional_int64 if_set(int64_t value)
{
    return (struct optional_int64){value != 0, value};
}

static int find_device(const char *path, int64_t *device_major, int64_t *device_minor,
                       struct error *err)
{
    struct stat status;

    if (stat(path, &status) < 0)
        return error_errno(err, errno, "HostConfig: device %.128s", path);
    if (!S_ISBLK(status.st_mode))
        return error_set(err, ERROR_INVALID, ENOTBLK, "HostConfig: %.128s is no block device",
                         path);
    *device_major = major(status.st_rdev);
    *device_minor = minor(status.st_rdev);
    return 0;
}

static int make_throttle(struct arena *arena, const docker_throttle_list *from,
                         oci_throttle_list *to, struct error *err)
{
    int result = 0;

    to->items = arena_new(arena, from->count, sizeof(*to->items));
    for (size_t i = 0; result == 0 && i < from->count; i++) {
        struct oci_throttle_device *device = &to->items[to->count++];

        device->rate = from->items[i].rate;
        result = find_device(from->items[i].path, &device->major, &device->minor, err);
    }
    return result;
}

static int make_weights(struct arena *arena, const struct docker_host_config *host,
                        struct oci_block_io *block_io, struct error *err)
{
    size_t count = host->blkio_weight_devices.count;
    int result = 0;

    block_io->weight_devices.items =
        arena_new(arena, count, sizeof(*block_io->weight_devices.items));
    for (size_t i = 0; result == 0 && i < count; i++) {
        const struct docker_weight_device *from = &host->blkio_weight_devices.items[i];
        struct oci_weight_device *device =
            &block_io->weight_devices.items[block_io->weight_devices.count++];

        if (from->weight < 10 || from->weight > 1000)
            return error_set(err, ERROR_INVALID, ERANGE,
                             "HostConfig.BlkioWeightDevice[%zu].Weight: not from 10 to 1000", i);
        device->weight = (struct optional_uint64){true, (uint64_t)from->weight};
        result = find_device(from->path, &device->major, &device->minor, err);
    }
    return result;
}

static int make_block_io(struct arena *arena, const struct docker_host_config *host,
                         struct oci_resources *resources, struct error *err)
{
    struct oci_block_io *block_io = arena_new(arena, 1, sizeof(*block_io));
    int result;

    if (host->blkio_weight == 0 && host->blkio_weight_devices.count == 0 &&
        host->blkio_read_bps.count == 0 && host->blkio_write_bps.count == 0 &&
        host->blkio_read_iops.count == 0 && host->blkio_write_iops.count == 0)
        return 0;
    if (host->blkio_weight != 0 && host->blkio_weight < 10)
        return error_set(err, ERROR_INVALID, ERANGE, "HostConfig.BlkioWeight: not from 10 to 1000");
    if (host->blkio_weight != 0)
        block_io->weight = (struct optional_uint64){true, (uint64_t)host->blkio_weight};
    result = make_weights(arena, host, block_io, err);
    if (result == 0)
        result = make_throttle(arena, &host->blkio_read_bps, &block_io->throttle_read_bps, err);
    if (result == 0)
        result = make_throttle(arena, &host->blkio_write_bps, &block_io->throttle_write_bps, err);
    if (result == 0)
        result = make_throttle(arena, &host->blkio_read_iops, &block_io->throttle_read_iops, err);
    if (result == 0)
        result = make_throttle(arena, &host->blkio_write_iops, &block_io->throttle_write_iops, err);
    resources->block_io = block_io;
    return result;
}

int definition_make_resources(struct arena *arena, const struct docker_host_config *host,
                              struct oci_resources **made, struct error *err)
{
    struct oci_resources *resources = arena_new(arena, 1, sizeof(*resources));
    struct oci_memory *memory = arena_new(arena, 1, sizeof(*memory));
    struct oci_cpu *cpu = arena_new(arena, 1, sizeof(*cpu));

    memory->limit = if_set(host->memory);
    memory->reservation = if_set(host->memory_reservation);
    /* Docker's default: as much swap as memory. */
    memory->swap = if_set(host->memory_swap != 0 ? host->memory_swap
                          : host->memory > 0     ? host->memory * 2
                                                 : 0);
    cpu->quota = if_set(host->cpu_quota);
    if (host->cpu_period > 0)
        cpu->period = (struct optional_uint64){true, (uint64_t)host->cpu_period};
    if (host->cpu_shares > 0)
        cpu->shares = (struct optional_uint64){true, (uint64_t)host->cpu_shares};
    if (host->nano_cpus > 0) {
        cpu->period = (struct optional_uint64){true, 100000};
        cpu->quota = (struct optional_int64){true, host->nano_cpus / 10000};
    }
    cpu->cpus = host->cpuset_cpus;
    cpu->mems = host->cpuset_mems;
    resources->memory = memory;
    resources->cpu = cpu;
    if (host->pids_limit > 0) {
        resources->pids = arena_new(arena, 1, sizeof(*resources->pids));
        resources->pids->limit = (struct optional_int64){true, host->pids_limit};
    }
    *made = resources;
    return make_block_io(arena, host, resources, err);
}
