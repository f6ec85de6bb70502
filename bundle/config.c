/* Reading, checking and writing config.json: see config.h. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/number.h"

#define CONFIG_MAX_BYTES (4 << 20)

/* runtime-spec "Linux Rlimits": names as in getrlimit(2); see runtime/process.c for numbers. */
static int check_rlimits(const struct oci_process *process, struct error *err)
{
    for (size_t i = 0; i < process->rlimits.count; i++) {
        const struct oci_rlimit *limit = &process->rlimits.items[i];

        if (limit->soft > limit->hard)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "process.rlimits[%zu]: soft limit %llu is above the hard limit %llu",
                             i, (unsigned long long)limit->soft, (unsigned long long)limit->hard);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(process->rlimits.items[j].type, limit->type) == 0)
                return error_set(err, ERROR_INVALID, EINVAL,
                                 "process.rlimits[%zu]: %s stands twice", i, limit->type);
        }
    }
    return 0;
}

static int decode_additional_gids(struct arena *arena, struct oci_user *user, struct error *err)
{
    const struct json *list = user->additional_gids_json;

    if (list == NULL)
        return 0;
    if (list->type != JSON_ARRAY)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "process.user.additionalGids: expected an array, found %s",
                         json_type_name(list->type));
    user->additional_gids = arena_new(arena, list->count, sizeof(uint32_t));
    user->additional_gid_count = list->count;
    for (size_t i = 0; i < list->count; i++) {
        uint64_t gid;

        if (json_to_uint64(&list->items[i], &gid) < 0 || gid > UINT32_MAX - 1)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "process.user.additionalGids[%zu]: expected a group id", i);
        user->additional_gids[i] = (uint32_t)gid;
    }
    return 0;
}

static int check_process(struct arena *arena, struct oci_process *process, struct error *err)
{
    int result;

    if (process->cwd[0] != '/')
        return error_set(err, ERROR_INVALID, EINVAL, "process.cwd: \"%s\" is not an absolute path",
                         process->cwd);
    if (process->user.uid == UINT32_MAX || process->user.gid == UINT32_MAX)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "process.user: 4294967295 is not a user or group id");
    for (size_t i = 0; i < process->env.count; i++) {
        if (process->env.items[i][0] == '=' || process->env.items[i][0] == '\0')
            return error_set(err, ERROR_INVALID, EINVAL, "process.env[%zu]: a name is missing", i);
    }
    result = decode_additional_gids(arena, &process->user, err);
    return result < 0 ? result : check_rlimits(process, err);
}

static int check_hooks(const oci_hook_list *hooks, const char *kind, struct error *err)
{
    for (size_t i = 0; i < hooks->count; i++) {
        if (hooks->items[i].path[0] != '/')
            return error_set(err, ERROR_INVALID, EINVAL,
                             "hooks.%s[%zu].path: \"%s\" is not an absolute path", kind, i,
                             hooks->items[i].path);
    }
    return 0;
}

static int check_all_hooks(const struct oci_hooks *hooks, struct error *err)
{
    const struct {
        const oci_hook_list *list;
        const char *kind;
    } kinds[] = {
        {&hooks->prestart, "prestart"},
        {&hooks->create_runtime, "createRuntime"},
        {&hooks->create_container, "createContainer"},
        {&hooks->start_container, "startContainer"},
        {&hooks->poststart, "poststart"},
        {&hooks->poststop, "poststop"},
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        int result = check_hooks(kinds[i].list, kinds[i].kind, err);

        if (result < 0)
            return result;
    }
    return 0;
}

/* As the kernel checks names of network devices (dev_valid_name()). */
static bool is_device_name(const char *name)
{
    return name[0] != '\0' && strlen(name) < 16 && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0 && strpbrk(name, "/: \t\n") == NULL;
}

static int check_net_devices(const struct oci_linux *linux_part, struct error *err)
{
    for (size_t i = 0; i < linux_part->net_devices.count; i++) {
        const struct oci_net_device *device = &linux_part->net_devices.items[i];

        if (!is_device_name(device->host_name) ||
            (device->name != NULL && device->name[0] != '\0' && !is_device_name(device->name)))
            return error_set(err, ERROR_INVALID, EINVAL,
                             "linux.netDevices.%.64s: not the name of a network device",
                             is_device_name(device->host_name) ? device->name : device->host_name);
    }
    return 0;
}

static int check_namespaces(const struct oci_config *config, struct error *err)
{
    const struct oci_linux *linux_part = config->linux;
    bool seen[OCI_NAMESPACE_COUNT] = {false};

    for (size_t i = 0; i < linux_part->namespaces.count; i++) {
        const struct oci_namespace *namespace = &linux_part->namespaces.items[i];

        if (seen[namespace->type])
            return error_set(err, ERROR_INVALID, EINVAL, "linux.namespaces[%zu]: %s stands twice",
                             i, oci_namespace_names[namespace->type]);
        seen[namespace->type] = true;
        if (namespace->path != NULL && namespace->path[0] != '/')
            return error_set(err, ERROR_INVALID, EINVAL,
                             "linux.namespaces[%zu].path: \"%s\" is not an absolute path", i,
                             namespace->path);
    }
    if (config->hostname != NULL && config->hostname[0] != '\0' && !seen[OCI_NAMESPACE_UTS])
        return error_set(err, ERROR_INVALID, EINVAL,
                         "hostname: needs a uts namespace in linux.namespaces");
    if (config->domainname != NULL && config->domainname[0] != '\0' && !seen[OCI_NAMESPACE_UTS])
        return error_set(err, ERROR_INVALID, EINVAL,
                         "domainname: needs a uts namespace in linux.namespaces");
    if (linux_part->net_devices.count > 0 && !seen[OCI_NAMESPACE_NETWORK])
        return error_set(err, ERROR_INVALID, EINVAL,
                         "linux.netDevices: needs a network namespace in linux.namespaces");
    return check_net_devices(linux_part, err);
}

/* runtime-spec config-linux.md "IntelRdt": each schema is one line. The class's name becomes a
 * directory of the resctrl filesystem and nothing else. */
static int check_intel_rdt(const struct oci_intel_rdt *rdt, struct error *err)
{
    const char *name = rdt->clos_id;

    if (name != NULL && strcmp(name, "/") != 0 &&
        (strchr(name, '/') != NULL || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
         strlen(name) > 255))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "linux.intelRdt.closID: \"%.64s\" is not a name", name);
    for (size_t i = 0; i < rdt->schemata.count; i++) {
        if (strchr(rdt->schemata.items[i], '\n') != NULL)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "linux.intelRdt.schemata[%zu]: more than one line", i);
    }
    if ((rdt->l3_cache_schema != NULL && strchr(rdt->l3_cache_schema, '\n') != NULL) ||
        (rdt->mem_bw_schema != NULL && strchr(rdt->mem_bw_schema, '\n') != NULL))
        return error_set(err, ERROR_INVALID, EINVAL, "linux.intelRdt: more than one line");
    if (rdt->mem_bw_schema != NULL && strncmp(rdt->mem_bw_schema, "MB:", 3) != 0)
        return error_set(
            err, ERROR_INVALID, EINVAL,
            "linux.intelRdt.memBwSchema: \"%.64s\" does not start with MB:", rdt->mem_bw_schema);
    return 0;
}

/* runtime-spec config-linux.md "Seccomp". */
static int check_seccomp(const struct oci_seccomp *seccomp, struct error *err)
{
    bool has_path = seccomp->listener_path != NULL && seccomp->listener_path[0] != '\0';

    if (seccomp->listener_metadata != NULL && seccomp->listener_metadata[0] != '\0' && !has_path)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "linux.seccomp.listenerMetadata: needs listenerPath");
    for (size_t i = 0; i < seccomp->rules.count; i++) {
        if (seccomp->rules.items[i].names.count == 0)
            return error_set(err, ERROR_INVALID, EINVAL, "linux.seccomp.syscalls[%zu].names: empty",
                             i);
    }
    return 0;
}

/* runtime-spec config-linux.md "CPU", "Block IO", "RDMA". */
static int check_resources(const struct oci_resources *resources, struct error *err)
{
    const struct oci_cpu *cpu = resources->cpu;

    if (cpu != NULL && cpu->burst.is_set && cpu->quota.is_set && cpu->quota.value > 0 &&
        cpu->burst.value > (uint64_t)cpu->quota.value)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "linux.resources.cpu.burst: %llu is above the quota %lld",
                         (unsigned long long)cpu->burst.value, (long long)cpu->quota.value);
    for (size_t i = 0; resources->block_io != NULL && i < resources->block_io->weight_devices.count;
         i++) {
        const struct oci_weight_device *device = &resources->block_io->weight_devices.items[i];

        if (!device->weight.is_set && !device->leaf_weight.is_set)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "linux.resources.blockIO.weightDevice[%zu]: no weight", i);
    }
    for (size_t i = 0; i < resources->rdma.count; i++) {
        if (!resources->rdma.items[i].hca_handles.is_set &&
            !resources->rdma.items[i].hca_objects.is_set)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "linux.resources.rdma.%.64s: neither hcaHandles nor hcaObjects",
                             resources->rdma.items[i].device);
    }
    return 0;
}

static int check_devices(const struct oci_linux *linux_part, struct error *err)
{
    for (size_t i = 0; i < linux_part->devices.count; i++) {
        const struct oci_device *device = &linux_part->devices.items[i];

        if (device->path[0] != '/')
            return error_set(err, ERROR_INVALID, EINVAL,
                             "linux.devices[%zu].path: \"%s\" is not an absolute path", i,
                             device->path);
        if (strlen(device->type) != 1 || strchr("cbup", device->type[0]) == NULL)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "linux.devices[%zu].type: \"%s\" is not one of c, b, u, p", i,
                             device->type);
        if (device->major < 0 || device->minor < 0)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "linux.devices[%zu]: negative device number", i);
    }
    return 0;
}

static int check_linux(const struct oci_config *config, struct error *err)
{
    const struct oci_linux *linux_part = config->linux;
    int result = check_namespaces(config, err);

    if (result == 0)
        result = check_devices(linux_part, err);
    if (result == 0 && linux_part->intel_rdt != NULL)
        result = check_intel_rdt(linux_part->intel_rdt, err);
    if (result == 0 && linux_part->seccomp != NULL)
        result = check_seccomp(linux_part->seccomp, err);
    if (result == 0 && linux_part->resources != NULL)
        result = check_resources(linux_part->resources, err);
    return result;
}

static int check_mounts(const struct oci_config *config, struct error *err)
{
    for (size_t i = 0; i < config->mounts.count; i++) {
        const struct oci_mount *mount = &config->mounts.items[i];

        if (mount->destination[0] == '\0')
            return error_set(err, ERROR_INVALID, EINVAL, "mounts[%zu].destination: empty", i);
        if (strspn(mount->destination, "/.") == strlen(mount->destination))
            return error_set(err, ERROR_INVALID, EINVAL,
                             "mounts[%zu].destination: %s is the root, which root.path says", i,
                             mount->destination);
        if ((mount->uid_mappings.count > 0) != (mount->gid_mappings.count > 0))
            return error_set(err, ERROR_INVALID, EINVAL,
                             "mounts[%zu]: uidMappings and gidMappings go together", i);
    }
    return 0;
}

/* What follows, as in "1.3.0-rc.1", says nothing of what is supported. */
static int check_version(const char *version, uint64_t *minor, struct error *err)
{
    const char *rest = version;
    uint64_t major;
    uint64_t patch;

    if (!number_take(&rest, 10, INT32_MAX, &major) || *rest++ != '.' ||
        !number_take(&rest, 10, INT32_MAX, minor) || *rest++ != '.' ||
        !number_take(&rest, 10, INT32_MAX, &patch) ||
        (*rest != '\0' && strchr("-+", *rest) == NULL))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "ociVersion: \"%.64s\" is not a version like " OCI_VERSION, version);
    if (major != 1)
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "ociVersion: %.64s; this program supports 1.x", version);
    return 0;
}

/* Before version 1.3 tools wrote 0 for a limit that was not set. Since then 0 means that no task is
 * allowed. */
static void forget_unset_pids_limit(struct oci_resources *resources)
{
    if (resources != NULL && resources->pids != NULL && resources->pids->limit.value == 0)
        resources->pids->limit.is_set = false;
}

int oci_config_check(struct arena *arena, struct oci_config *config, struct error *err)
{
    uint64_t minor = 0;
    int result = check_version(config->oci_version, &minor, err);

    if (result == 0 && config->process != NULL)
        result = check_process(arena, config->process, err);
    if (result == 0)
        result = check_mounts(config, err);
    if (result == 0 && config->hooks != NULL)
        result = check_all_hooks(config->hooks, err);
    if (result == 0 && config->linux != NULL)
        result = check_linux(config, err);
    if (result == 0 && minor < 3 && config->linux != NULL)
        forget_unset_pids_limit(config->linux->resources);
    return result;
}

int oci_config_parse(struct arena *arena, const char *text, size_t length,
                     struct oci_config *config, struct error *err)
{
    int result = json_decode_text(arena, text, length, &oci_config_type, config, err);

    if (result < 0)
        return result;
    /* Nothing below has to ask whether the linux object is there. */
    if (config->linux == NULL)
        config->linux = arena_new(arena, 1, sizeof(*config->linux));
    return oci_config_check(arena, config, err);
}

int oci_config_read_file(struct arena *arena, int directory_fd, const char *name,
                         struct oci_config *config, struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    int result = file_read(directory_fd, name, CONFIG_MAX_BYTES, &text, err);

    if (result < 0)
        return result;
    result = oci_config_parse(arena, buffer_text(&text), text.length, config, err);
    return result < 0 ? error_prefix(err, "%s", name) : 0;
}

int oci_config_read(struct arena *arena, int directory_fd, struct oci_config *config,
                    struct error *err)
{
    return oci_config_read_file(arena, directory_fd, "config.json", config, err);
}

int oci_process_parse(struct arena *arena, const char *text, size_t length,
                      struct oci_process *process, struct error *err)
{
    int result = json_decode_text(arena, text, length, &oci_process_type, process, err);

    return result < 0 ? result : check_process(arena, process, err);
}

int oci_process_decode(struct arena *arena, const struct json *json, struct oci_process *process,
                       struct error *err)
{
    int result = json_decode(arena, json, &oci_process_type, "", process, err);

    return result < 0 ? result : check_process(arena, process, err);
}

const struct oci_namespace *oci_config_namespace(const struct oci_config *config,
                                                 enum oci_namespace_type type)
{
    for (size_t i = 0; i < config->linux->namespaces.count; i++) {
        if (config->linux->namespaces.items[i].type == (int)type)
            return &config->linux->namespaces.items[i];
    }
    return NULL;
}

bool oci_map_id(const struct oci_id_mapping *mappings, size_t count, uint32_t id, uint32_t *host_id)
{
    *host_id = id;
    for (size_t i = 0; i < count; i++) {
        const struct oci_id_mapping *mapping = &mappings[i];

        if (id >= mapping->container_id && id - mapping->container_id < mapping->size) {
            *host_id = mapping->host_id + (id - mapping->container_id);
            return true;
        }
    }
    return count == 0;
}

struct json_writer *oci_config_encode(const struct oci_config *config, bool is_indented)
{
    struct json_writer *writer = json_writer_new(is_indented);

    json_encode(writer, &oci_config_type, config);
    return writer;
}
