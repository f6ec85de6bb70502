/* Docker's create request: tables and checks. See definition.h. */
#include "definition.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/identifier.h"
#include "base/size.h"

#define NETWORK_LIMIT_MAX 1000000000
#define RATE_MAX (UINT64_C(1) << 40) /* bytes a second: more than any device has */
#define DISK_BYTES_MIN (1 << 20)
#define CGROUP_PARENT_MAX 512

#define FIELD JSON_FIELD
#define UNSUPPORTED(json_name)                             \
    {                                                      \
        .name = (json_name), .kind = JSON_KIND_UNSUPPORTED \
    }
#define IGNORED(json_name)                             \
    {                                                  \
        .name = (json_name), .kind = JSON_KIND_IGNORED \
    }

static const struct json_field config_fields[] = {
    FIELD(struct docker_config, hostname, "Hostname", JSON_KIND_STRING, .flags = JSON_ALWAYS),
    FIELD(struct docker_config, domainname, "Domainname", JSON_KIND_STRING, .flags = JSON_ALWAYS),
    FIELD(struct docker_config, user, "User", JSON_KIND_STRING, .flags = JSON_ALWAYS),
    FIELD(struct docker_config, attaches_stdin, "AttachStdin", JSON_KIND_BOOL,
          .flags = JSON_ALWAYS),
    FIELD(struct docker_config, attaches_stdout, "AttachStdout", JSON_KIND_BOOL,
          .flags = JSON_ALWAYS),
    FIELD(struct docker_config, attaches_stderr, "AttachStderr", JSON_KIND_BOOL,
          .flags = JSON_ALWAYS),
    FIELD(struct docker_config, exposed_ports, "ExposedPorts", JSON_KIND_JSON),
    FIELD(struct docker_config, has_terminal, "Tty", JSON_KIND_BOOL, .flags = JSON_ALWAYS),
    FIELD(struct docker_config, has_open_stdin, "OpenStdin", JSON_KIND_BOOL, .flags = JSON_ALWAYS),
    FIELD(struct docker_config, is_stdin_once, "StdinOnce", JSON_KIND_BOOL, .flags = JSON_ALWAYS),
    FIELD(struct docker_config, env, "Env", JSON_KIND_STRINGS, .flags = JSON_ALWAYS),
    FIELD(struct docker_config, cmd, "Cmd", JSON_KIND_STRINGS, .flags = JSON_ALWAYS),
    FIELD(struct docker_config, image, "Image", JSON_KIND_STRING, .flags = JSON_ALWAYS),
    FIELD(struct docker_config, working_dir, "WorkingDir", JSON_KIND_STRING, .flags = JSON_ALWAYS),
    FIELD(struct docker_config, entrypoint, "Entrypoint", JSON_KIND_STRINGS, .flags = JSON_ALWAYS),
    FIELD(struct docker_config, labels, "Labels", JSON_KIND_STRING_MAP, .flags = JSON_ALWAYS),
    FIELD(struct docker_config, volumes, "Volumes", JSON_KIND_JSON),
    FIELD(struct docker_config, stop_signal, "StopSignal", JSON_KIND_STRING),
    FIELD(struct docker_config, stop_timeout, "StopTimeout", JSON_KIND_OPTIONAL_INT64,
          .minimum = INT32_MIN, .maximum = INT32_MAX),
    FIELD(struct docker_config, healthcheck, "Healthcheck", JSON_KIND_STRUCT,
          .type = &probe_healthcheck_type),
    /* Not of this object, though they stand beside its members in the request. */
    IGNORED("HostConfig"),
    IGNORED("NetworkingConfig"),
    /* Clients' own: repeated from the query, or about Windows images. */
    IGNORED("name"),
    IGNORED("platform"),
    IGNORED("ArgsEscaped"),
    FIELD(struct docker_config, mac_address, "MacAddress", JSON_KIND_STRING),
    UNSUPPORTED("NetworkDisabled"),
    UNSUPPORTED("OnBuild"),
    UNSUPPORTED("Shell"),
};
const struct json_struct docker_config_type =
    JSON_CLOSED_STRUCT(struct docker_config, config_fields);

static const struct json_field ulimit_fields[] = {
    FIELD(struct docker_ulimit, name, "Name", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct docker_ulimit, soft, "Soft", JSON_KIND_INT64, .flags = JSON_ALWAYS),
    FIELD(struct docker_ulimit, hard, "Hard", JSON_KIND_INT64, .flags = JSON_ALWAYS),
};
static const struct json_struct ulimit_type = JSON_STRUCT(struct docker_ulimit, ulimit_fields);

static const struct json_field tmpfs_fields[] = {
    FIELD(struct docker_tmpfs_options, size_bytes, "SizeBytes", JSON_KIND_INT64),
    FIELD(struct docker_tmpfs_options, mode, "Mode", JSON_KIND_UINT32, .maximum = 07777),
};
static const struct json_struct tmpfs_type =
    JSON_CLOSED_STRUCT(struct docker_tmpfs_options, tmpfs_fields);

static const struct json_field bind_fields[] = {
    FIELD(struct docker_bind_options, propagation, "Propagation", JSON_KIND_STRING),
    FIELD(struct docker_bind_options, is_not_recursive, "NonRecursive", JSON_KIND_BOOL),
    FIELD(struct docker_bind_options, makes_source, "CreateMountpoint", JSON_KIND_BOOL),
    IGNORED("ReadOnlyForceRecursive"), /* what is read-only here always is so recursively */
    UNSUPPORTED("ReadOnlyNonRecursive"),
};
static const struct json_struct bind_type =
    JSON_CLOSED_STRUCT(struct docker_bind_options, bind_fields);

static const struct json_field volume_driver_fields[] = {
    FIELD(struct docker_volume_driver, name, "Name", JSON_KIND_STRING),
    FIELD(struct docker_volume_driver, options, "Options", JSON_KIND_STRING_MAP),
};
static const struct json_struct volume_driver_type =
    JSON_CLOSED_STRUCT(struct docker_volume_driver, volume_driver_fields);

static const struct json_field volume_fields[] = {
    FIELD(struct docker_volume_options, has_no_copy, "NoCopy", JSON_KIND_BOOL),
    FIELD(struct docker_volume_options, labels, "Labels", JSON_KIND_STRING_MAP),
    FIELD(struct docker_volume_options, driver, "DriverConfig", JSON_KIND_INLINE,
          .type = &volume_driver_type),
    FIELD(struct docker_volume_options, subpath, "Subpath", JSON_KIND_STRING),
};
static const struct json_struct volume_type =
    JSON_CLOSED_STRUCT(struct docker_volume_options, volume_fields);

static const struct json_field mount_fields[] = {
    FIELD(struct docker_mount, volume, "VolumeOptions", JSON_KIND_STRUCT, .type = &volume_type),
    FIELD(struct docker_mount, type, "Type", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct docker_mount, source, "Source", JSON_KIND_STRING),
    FIELD(struct docker_mount, target, "Target", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct docker_mount, is_readonly, "ReadOnly", JSON_KIND_BOOL),
    FIELD(struct docker_mount, bind, "BindOptions", JSON_KIND_STRUCT, .type = &bind_type),
    FIELD(struct docker_mount, tmpfs, "TmpfsOptions", JSON_KIND_STRUCT, .type = &tmpfs_type),
    IGNORED("Consistency"), /* defined to be a hint for Docker Desktop */
};
static const struct json_struct mount_type = JSON_CLOSED_STRUCT(struct docker_mount, mount_fields);

static const struct json_field restart_fields[] = {
    FIELD(struct docker_restart_policy, name, "Name", JSON_KIND_STRING, .flags = JSON_ALWAYS),
    FIELD(struct docker_restart_policy, maximum_retry_count, "MaximumRetryCount", JSON_KIND_INT64,
          .flags = JSON_ALWAYS),
};
static const struct json_struct restart_type =
    JSON_STRUCT(struct docker_restart_policy, restart_fields);

static const struct json_field log_fields[] = {
    FIELD(struct docker_log_config, type, "Type", JSON_KIND_STRING, .flags = JSON_ALWAYS),
    FIELD(struct docker_log_config, config, "Config", JSON_KIND_STRING_MAP, .flags = JSON_ALWAYS),
};
const struct json_struct docker_log_config_type = JSON_STRUCT(struct docker_log_config, log_fields);

static const struct json_field device_fields[] = {
    FIELD(struct docker_device, path, "PathOnHost", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct docker_device, path_inside, "PathInContainer", JSON_KIND_STRING),
    FIELD(struct docker_device, access, "CgroupPermissions", JSON_KIND_STRING),
};
static const struct json_struct device_type = JSON_STRUCT(struct docker_device, device_fields);

static const struct json_field device_request_fields[] = {
    FIELD(struct docker_device_request, driver, "Driver", JSON_KIND_STRING, .flags = JSON_ALWAYS),
    FIELD(struct docker_device_request, count, "Count", JSON_KIND_INT64, .minimum = -1,
          .maximum = DEFINITION_MOUNTS_MAX, .flags = JSON_ALWAYS),
    FIELD(struct docker_device_request, ids, "DeviceIDs", JSON_KIND_STRINGS, .flags = JSON_ALWAYS),
    FIELD(struct docker_device_request, capabilities, "Capabilities", JSON_KIND_JSON),
    FIELD(struct docker_device_request, options, "Options", JSON_KIND_STRING_MAP,
          .flags = JSON_ALWAYS),
};
static const struct json_struct device_request_type =
    JSON_CLOSED_STRUCT(struct docker_device_request, device_request_fields);

static const struct json_field weight_device_fields[] = {
    FIELD(struct docker_weight_device, path, "Path", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct docker_weight_device, weight, "Weight", JSON_KIND_INT64, .flags = JSON_REQUIRED),
};
static const struct json_struct weight_device_type =
    JSON_STRUCT(struct docker_weight_device, weight_device_fields);

static const struct json_field throttle_fields[] = {
    FIELD(struct docker_throttle_device, path, "Path", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct docker_throttle_device, rate, "Rate", JSON_KIND_UINT64, .flags = JSON_REQUIRED),
};
static const struct json_struct throttle_type =
    JSON_STRUCT(struct docker_throttle_device, throttle_fields);

static const struct json_field network_rate_fields[] = {
    FIELD(struct docker_network_rate, send, "Send", JSON_KIND_UINT64, .maximum = RATE_MAX),
    FIELD(struct docker_network_rate, receive, "Receive", JSON_KIND_UINT64, .maximum = RATE_MAX),
};
static const struct json_struct network_rate_type =
    JSON_CLOSED_STRUCT(struct docker_network_rate, network_rate_fields);

static const struct json_field network_limits_fields[] = {
    FIELD(struct docker_network_limits, connections, "Connections", JSON_KIND_INT64, .minimum = -1,
          .maximum = NETWORK_LIMIT_MAX),
    FIELD(struct docker_network_limits, new_connections, "NewConnections", JSON_KIND_UINT32,
          .maximum = NETWORK_LIMIT_MAX),
    FIELD(struct docker_network_limits, packets, "Packets", JSON_KIND_UINT32,
          .maximum = NETWORK_LIMIT_MAX),
};
static const struct json_struct network_limits_type =
    JSON_CLOSED_STRUCT(struct docker_network_limits, network_limits_fields);

static const struct json_field egress_fields[] = {
    FIELD(struct docker_egress, allow, "Allow", JSON_KIND_STRINGS, .flags = JSON_ALWAYS),
    FIELD(struct docker_egress, learns, "Learn", JSON_KIND_BOOL),
};
const struct json_struct docker_egress_type =
    JSON_CLOSED_STRUCT(struct docker_egress, egress_fields);

static const struct json_field host_fields[] = {
    FIELD(struct docker_host_config, binds, "Binds", JSON_KIND_STRINGS, .flags = JSON_ALWAYS),
    FIELD(struct docker_host_config, mounts, "Mounts", JSON_KIND_STRUCTS, .type = &mount_type),
    FIELD(struct docker_host_config, tmpfs, "Tmpfs", JSON_KIND_STRING_MAP),
    FIELD(struct docker_host_config, volumes_from, "VolumesFrom", JSON_KIND_STRINGS),
    FIELD(struct docker_host_config, port_bindings, "PortBindings", JSON_KIND_JSON),
    FIELD(struct docker_host_config, publishes_all, "PublishAllPorts", JSON_KIND_BOOL,
          .flags = JSON_ALWAYS),
    FIELD(struct docker_host_config, network_mode, "NetworkMode", JSON_KIND_STRING,
          .flags = JSON_ALWAYS),
    FIELD(struct docker_host_config, userns_mode, "UsernsMode", JSON_KIND_STRING,
          .flags = JSON_ALWAYS),
    FIELD(struct docker_host_config, restart_policy, "RestartPolicy", JSON_KIND_INLINE,
          .type = &restart_type),
    FIELD(struct docker_host_config, log_config, "LogConfig", JSON_KIND_INLINE,
          .type = &docker_log_config_type),
    FIELD(struct docker_host_config, is_auto_removed, "AutoRemove", JSON_KIND_BOOL,
          .flags = JSON_ALWAYS),
    FIELD(struct docker_host_config, cap_add, "CapAdd", JSON_KIND_STRINGS, .flags = JSON_ALWAYS),
    FIELD(struct docker_host_config, cap_drop, "CapDrop", JSON_KIND_STRINGS, .flags = JSON_ALWAYS),
    FIELD(struct docker_host_config, has_readonly_rootfs, "ReadonlyRootfs", JSON_KIND_BOOL,
          .flags = JSON_ALWAYS),
    FIELD(struct docker_host_config, security_opt, "SecurityOpt", JSON_KIND_STRINGS,
          .flags = JSON_ALWAYS),
    FIELD(struct docker_host_config, has_init, "Init", JSON_KIND_OPTIONAL_BOOL),
    FIELD(struct docker_host_config, ulimits, "Ulimits", JSON_KIND_STRUCTS, .type = &ulimit_type,
          .flags = JSON_ALWAYS),
    FIELD(struct docker_host_config, memory, "Memory", JSON_KIND_INT64, .minimum = -1,
          .maximum = INT64_MAX / 2, .flags = JSON_ALWAYS),
    FIELD(struct docker_host_config, memory_swap, "MemorySwap", JSON_KIND_INT64, .minimum = -1,
          .maximum = INT64_MAX / 2, .flags = JSON_ALWAYS),
    FIELD(struct docker_host_config, memory_reservation, "MemoryReservation", JSON_KIND_INT64,
          .minimum = -1, .maximum = INT64_MAX / 2, .flags = JSON_ALWAYS),
    FIELD(struct docker_host_config, nano_cpus, "NanoCpus", JSON_KIND_INT64, .flags = JSON_ALWAYS),
    FIELD(struct docker_host_config, cpu_shares, "CpuShares", JSON_KIND_INT64,
          .flags = JSON_ALWAYS),
    FIELD(struct docker_host_config, cpu_quota, "CpuQuota", JSON_KIND_INT64, .flags = JSON_ALWAYS),
    FIELD(struct docker_host_config, cpu_period, "CpuPeriod", JSON_KIND_INT64,
          .flags = JSON_ALWAYS),
    FIELD(struct docker_host_config, cpuset_cpus, "CpusetCpus", JSON_KIND_STRING,
          .flags = JSON_ALWAYS),
    FIELD(struct docker_host_config, cpuset_mems, "CpusetMems", JSON_KIND_STRING,
          .flags = JSON_ALWAYS),
    FIELD(struct docker_host_config, pids_limit, "PidsLimit", JSON_KIND_INT64,
          .flags = JSON_ALWAYS),
    FIELD(struct docker_host_config, blkio_weight, "BlkioWeight", JSON_KIND_INT64, .maximum = 1000),
    FIELD(struct docker_host_config, blkio_weight_devices, "BlkioWeightDevice", JSON_KIND_STRUCTS,
          .type = &weight_device_type),
    FIELD(struct docker_host_config, blkio_read_bps, "BlkioDeviceReadBps", JSON_KIND_STRUCTS,
          .type = &throttle_type),
    FIELD(struct docker_host_config, blkio_write_bps, "BlkioDeviceWriteBps", JSON_KIND_STRUCTS,
          .type = &throttle_type),
    FIELD(struct docker_host_config, blkio_read_iops, "BlkioDeviceReadIOps", JSON_KIND_STRUCTS,
          .type = &throttle_type),
    FIELD(struct docker_host_config, blkio_write_iops, "BlkioDeviceWriteIOps", JSON_KIND_STRUCTS,
          .type = &throttle_type),
    FIELD(struct docker_host_config, is_privileged, "Privileged", JSON_KIND_BOOL,
          .flags = JSON_ALWAYS),
    FIELD(struct docker_host_config, devices, "Devices", JSON_KIND_STRUCTS, .type = &device_type),
    FIELD(struct docker_host_config, device_requests, "DeviceRequests", JSON_KIND_STRUCTS,
          .type = &device_request_type),
    FIELD(struct docker_host_config, device_cgroup_rules, "DeviceCgroupRules", JSON_KIND_STRINGS),
    FIELD(struct docker_host_config, links, "Links", JSON_KIND_STRINGS),
    FIELD(struct docker_host_config, network_rate, "NetworkRate", JSON_KIND_STRUCT,
          .type = &network_rate_type),
    FIELD(struct docker_host_config, network_limits, "NetworkLimits", JSON_KIND_STRUCT,
          .type = &network_limits_type),
    FIELD(struct docker_host_config, egress, "Egress", JSON_KIND_STRUCT,
          .type = &docker_egress_type),
    FIELD(struct docker_host_config, dns, "Dns", JSON_KIND_STRINGS),
    FIELD(struct docker_host_config, dns_search, "DnsSearch", JSON_KIND_STRINGS),
    FIELD(struct docker_host_config, dns_options, "DnsOptions", JSON_KIND_STRINGS),
    FIELD(struct docker_host_config, extra_hosts, "ExtraHosts", JSON_KIND_STRINGS),
    FIELD(struct docker_host_config, group_add, "GroupAdd", JSON_KIND_STRINGS),
    FIELD(struct docker_host_config, sysctls, "Sysctls", JSON_KIND_STRING_MAP),
    FIELD(struct docker_host_config, annotations, "Annotations", JSON_KIND_STRING_MAP),
    FIELD(struct docker_host_config, shm_size, "ShmSize", JSON_KIND_INT64, .maximum = INT64_MAX),
    FIELD(struct docker_host_config, oom_score_adj, "OomScoreAdj", JSON_KIND_INT64,
          .minimum = -1000, .maximum = 1000),
    FIELD(struct docker_host_config, pid_mode, "PidMode", JSON_KIND_STRING, .flags = JSON_ALWAYS),
    FIELD(struct docker_host_config, ipc_mode, "IpcMode", JSON_KIND_STRING, .flags = JSON_ALWAYS),
    FIELD(struct docker_host_config, uts_mode, "UTSMode", JSON_KIND_STRING, .flags = JSON_ALWAYS),
    FIELD(struct docker_host_config, cgroupns_mode, "CgroupnsMode", JSON_KIND_STRING,
          .flags = JSON_ALWAYS),
    FIELD(struct docker_host_config, runtime, "Runtime", JSON_KIND_STRING),
    FIELD(struct docker_host_config, masked_paths, "MaskedPaths", JSON_KIND_JSON),
    FIELD(struct docker_host_config, readonly_paths, "ReadonlyPaths", JSON_KIND_JSON),
    FIELD(struct docker_host_config, storage_opt, "StorageOpt", JSON_KIND_STRING_MAP),
    IGNORED("ConsoleSize"), /* of Windows containers; a terminal's size comes with resize */
    UNSUPPORTED("Cgroup"),
    FIELD(struct docker_host_config, cgroup_parent, "CgroupParent", JSON_KIND_STRING),
    FIELD(struct docker_host_config, container_id_file, "ContainerIDFile", JSON_KIND_STRING),
    FIELD(struct docker_host_config, volume_driver, "VolumeDriver", JSON_KIND_STRING),
    FIELD(struct docker_host_config, isolation, "Isolation", JSON_KIND_STRING),
    UNSUPPORTED("CpuCount"),
    UNSUPPORTED("CpuPercent"),
    UNSUPPORTED("CpuRealtimePeriod"),
    UNSUPPORTED("CpuRealtimeRuntime"),
    UNSUPPORTED("IOMaximumBandwidth"),
    UNSUPPORTED("IOMaximumIOps"),
    UNSUPPORTED("KernelMemory"),
    UNSUPPORTED("KernelMemoryTCP"),
    UNSUPPORTED("MemorySwappiness"),
    UNSUPPORTED("OomKillDisable"),
};
const struct json_struct docker_host_config_type =
    JSON_CLOSED_STRUCT(struct docker_host_config, host_fields);

static const struct json_field mount_point_fields[] = {
    FIELD(struct mount_point, type, "Type", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct mount_point, destination, "Destination", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct mount_point, source, "Source", JSON_KIND_STRING),
    FIELD(struct mount_point, name, "Name", JSON_KIND_STRING),
    FIELD(struct mount_point, mode, "Mode", JSON_KIND_STRING),
    FIELD(struct mount_point, propagation, "Propagation", JSON_KIND_STRING),
    FIELD(struct mount_point, subpath, "Subpath", JSON_KIND_STRING),
    FIELD(struct mount_point, options, "Options", JSON_KIND_STRINGS),
    FIELD(struct mount_point, is_readonly, "ReadOnly", JSON_KIND_BOOL),
    FIELD(struct mount_point, is_not_recursive, "NonRecursive", JSON_KIND_BOOL),
    FIELD(struct mount_point, makes_source, "MakesSource", JSON_KIND_BOOL),
    FIELD(struct mount_point, has_no_copy, "NoCopy", JSON_KIND_BOOL),
    FIELD(struct mount_point, is_anonymous, "Anonymous", JSON_KIND_BOOL),
    FIELD(struct mount_point, is_labelled, "Labelled", JSON_KIND_BOOL),
    FIELD(struct mount_point, is_labelled_alone, "LabelledAlone", JSON_KIND_BOOL),
};
static const struct json_struct mount_point_type =
    JSON_STRUCT(struct mount_point, mount_point_fields);

static const struct json_field published_port_fields[] = {
    FIELD(struct published_port, protocol, "Protocol", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct published_port, host, "Host", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct published_port, container_port, "ContainerPort", JSON_KIND_UINT32),
    FIELD(struct published_port, host_port, "HostPort", JSON_KIND_UINT32),
    FIELD(struct published_port, last_host_port, "LastHostPort", JSON_KIND_UINT32),
};
const struct json_struct published_port_type =
    JSON_STRUCT(struct published_port, published_port_fields);

static const struct json_field stored_endpoint_fields[] = {
    FIELD(struct endpoint, network_name, "Name", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct endpoint, network_id, "Id", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct endpoint, ipam.ipv4_address, "Address", JSON_KIND_STRING),
    FIELD(struct endpoint, ipam.ipv6_address, "Address6", JSON_KIND_STRING),
    FIELD(struct endpoint, aliases, "Aliases", JSON_KIND_STRINGS),
    FIELD(struct endpoint, links, "Links", JSON_KIND_STRINGS),
    FIELD(struct endpoint, groups, "Groups", JSON_KIND_STRINGS),
    FIELD(struct endpoint, mac_address, "MacAddress", JSON_KIND_STRING),
    FIELD(struct endpoint, gateway_priority, "GatewayPriority", JSON_KIND_INT64),
};
static const struct json_struct stored_endpoint_type =
    JSON_STRUCT(struct endpoint, stored_endpoint_fields);

static const struct json_field definition_fields[] = {
    FIELD(struct definition, endpoints, "Endpoints", JSON_KIND_STRUCTS,
          .type = &stored_endpoint_type),
    FIELD(struct definition, ports, "Ports", JSON_KIND_STRUCTS, .type = &published_port_type),
    FIELD(struct definition, names_directory, "NamesDirectory", JSON_KIND_STRING),
    FIELD(struct definition, mount_points, "MountPoints", JSON_KIND_STRUCTS,
          .type = &mount_point_type),
    FIELD(struct definition, liveness, "Liveness", JSON_KIND_STRUCT, .type = &probe_type),
    FIELD(struct definition, readiness, "Readiness", JSON_KIND_STRUCT, .type = &probe_type),
    FIELD(struct definition, project, "Project", JSON_KIND_UINT32),
    FIELD(struct definition, selinux_level, "SelinuxLevel", JSON_KIND_STRING),
    FIELD(struct definition, id_range_first, "IdRangeFirst", JSON_KIND_UINT32),
    FIELD(struct definition, id, "Id", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct definition, tenant, "Tenant", JSON_KIND_STRING),
    FIELD(struct definition, name, "Name", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct definition, image_id, "ImageId", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct definition, layers, "Layers", JSON_KIND_STRINGS),
    FIELD(struct definition, revision, "Revision", JSON_KIND_UINT64, .maximum = INT64_MAX),
    FIELD(struct definition, created_ns, "CreatedNs", JSON_KIND_INT64, .flags = JSON_REQUIRED),
    FIELD(struct definition, config, "Config", JSON_KIND_INLINE, .type = &docker_config_type,
          .flags = JSON_REQUIRED),
    FIELD(struct definition, host_config, "HostConfig", JSON_KIND_INLINE,
          .type = &docker_host_config_type, .flags = JSON_REQUIRED),
};
const struct json_struct definition_type = JSON_STRUCT(struct definition, definition_fields);

struct mode_check {
    const char *name;
    const char *mode;
    const char *const *known; /* ends with NULL; "name:" is a prefix; the first is said in errors */
};

static int check_mode(const struct mode_check *check, struct error *err)
{
    if (check->mode == NULL || check->mode[0] == '\0')
        return 0;
    for (size_t i = 0; check->known[i] != NULL; i++) {
        size_t length = strlen(check->known[i]);
        bool is_prefix = check->known[i][length - 1] == ':';

        if (is_prefix ? strncmp(check->known[i], check->mode, length) == 0
                      : strcmp(check->known[i], check->mode) == 0)
            return 0;
    }
    return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                     "HostConfig.%s: \"%.64s\" is not supported by this version of davit; use %s",
                     check->name, check->mode, check->known[0]);
}

static int check_modes(const struct docker_host_config *host, struct error *err)
{
    static const char *const host_only[] = {"host", NULL};
    static const char *const pid[] = {"host", "container:", NULL};
    static const char *const ipc[] = {"private", "host", "none", "shareable", "container:", NULL};
    static const char *const cgroupns[] = {"private", "host", NULL};
    static const char *const runtimes[] = {"davit", "runc", "io.containerd.runc.v2", NULL};
    static const char *const volume_drivers[] = {"local", NULL};
    static const char *const isolations[] = {"default", NULL};
    const struct mode_check checks[] = {{"PidMode", host->pid_mode, pid},
                                        {"UTSMode", host->uts_mode, host_only},
                                        {"IpcMode", host->ipc_mode, ipc},
                                        {"CgroupnsMode", host->cgroupns_mode, cgroupns},
                                        {"Runtime", host->runtime, runtimes},
                                        {"VolumeDriver", host->volume_driver, volume_drivers},
                                        {"Isolation", host->isolation, isolations}};

    for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
        if (check_mode(&checks[i], err) < 0)
            return -err->errnum;
    }
    return 0;
}

/* "auto" is Podman's word for ids of the container's own. */
static int check_userns_mode(const struct docker_host_config *host, struct error *err)
{
    const char *mode = host->userns_mode != NULL ? host->userns_mode : "";

    if (mode[0] == '\0' || mode_is_host(mode))
        return 0;
    if (strcmp(mode, "auto") != 0)
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "HostConfig.UsernsMode: \"%.64s\" is not supported; use auto or host",
                         mode);
    if (mode_is_host(host->network_mode) || mode_path(host->network_mode) != NULL)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "HostConfig.UsernsMode: a container with ids of its own cannot have the "
                         "host's network, or one that the host has made");
    if (host->is_privileged || mode_is_host(host->pid_mode) || mode_is_host(host->ipc_mode) ||
        mode_is_host(host->uts_mode))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "HostConfig.UsernsMode: a container with ids of its own can be neither "
                         "privileged nor have namespaces of the host");
    return 0;
}

static int check_storage_opt(const struct docker_host_config *host, struct error *err)
{
    for (size_t i = 0; i < host->storage_opt.count; i++) {
        const struct string_pair *option = &host->storage_opt.items[i];
        int64_t bytes = 0;

        if (strcmp(option->name, "size") != 0)
            return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                             "HostConfig.StorageOpt.%.64s: only size is supported", option->name);
        if (size_parse(option->value, &bytes) < 0 || bytes < DISK_BYTES_MIN)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "HostConfig.StorageOpt.size: \"%.32s\" is not a size of 1m and more",
                             option->value);
    }
    return 0;
}

uint64_t definition_disk_bytes(const struct definition *definition)
{
    const char *size = string_map_get(&definition->host_config.storage_opt, "size");
    int64_t bytes = 0;

    return size != NULL && size_parse(size, &bytes) == 0 ? (uint64_t)bytes : 0;
}

static int check_restart_policy(const struct docker_host_config *host, struct error *err)
{
    static const char *const names[] = {"", "no", "always", "unless-stopped", "on-failure"};
    const struct docker_restart_policy *policy = &host->restart_policy;
    const char *name = policy->name != NULL ? policy->name : "";
    bool is_known = false;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        is_known = is_known || strcmp(name, names[i]) == 0;
    if (!is_known)
        return error_set(err, ERROR_INVALID, EINVAL, "invalid restart policy '%.64s'", name);
    if (policy->maximum_retry_count < 0 ||
        (policy->maximum_retry_count > 0 && strcmp(name, "on-failure") != 0))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "maximum retry count can only be used with restart policy 'on-failure', "
                         "and not be negative");
    if (host->is_auto_removed && name[0] != '\0' && strcmp(name, "no") != 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "can't create 'AutoRemove' container with restart policy");
    return 0;
}

/* Words between slashes, none of which the cgroup filesystem or a path has a meaning for. */
static int check_cgroup_parent(const struct docker_host_config *host, struct error *err)
{
    const char *path = host->cgroup_parent != NULL ? host->cgroup_parent : "";

    if (path[0] == '/')
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "HostConfig.CgroupParent: \"%.64s\" is absolute; containers are below "
                         "davitd's own cgroup, and so is what a relative path names",
                         path);
    if (strlen(path) > CGROUP_PARENT_MAX)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "HostConfig.CgroupParent: longer than %d characters", CGROUP_PARENT_MAX);
    while (*path != '\0') {
        size_t length = strcspn(path, "/");

        /* An id would be another container's cgroup, or become it. */
        if (length == 0 || path[0] == '.' || length == IDENTIFIER_SIZE - 1 ||
            strncmp(path, "cgroup.", 7) == 0 || path[strcspn(path, "\n")] != '\0' ||
            strcmp(path + length, "/") == 0)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "HostConfig.CgroupParent: \"%.64s\" is no relative path of cgroups",
                             host->cgroup_parent);
        path += length + (path[length] == '/');
    }
    return 0;
}

int definition_check_host_config(const struct docker_host_config *host, struct error *err)
{
    struct log_options log;

    if (check_restart_policy(host, err) < 0)
        return -err->errnum;
    if (definition_log_options(&host->log_config, &log, err) < 0)
        return -err->errnum;
    if (host->memory > 0 && host->memory < 6 << 20)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "HostConfig.Memory: the minimum memory limit allowed is 6MB");
    if (host->nano_cpus > 0 && (host->cpu_quota > 0 || host->cpu_period > 0))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "HostConfig.NanoCpus: conflicts with CpuPeriod and CpuQuota");
    if (host->nano_cpus < 0)
        return error_set(err, ERROR_INVALID, EINVAL, "HostConfig.NanoCpus: negative");
    if (check_modes(host, err) < 0 || check_userns_mode(host, err) < 0 ||
        check_storage_opt(host, err) < 0 || check_cgroup_parent(host, err) < 0)
        return -err->errnum;
    return 0;
}

/* What sethostname(2) and setdomainname(2) take. */
static int check_host_names(const struct docker_config *config, struct error *err)
{
    if (config->hostname != NULL && strlen(config->hostname) > HOST_NAME_MAX)
        return error_set(err, ERROR_INVALID, EINVAL, "Hostname: longer than %d characters",
                         HOST_NAME_MAX);
    if (config->domainname != NULL && strlen(config->domainname) > HOST_NAME_MAX)
        return error_set(err, ERROR_INVALID, EINVAL, "Domainname: longer than %d characters",
                         HOST_NAME_MAX);
    return 0;
}

static int check_count(const char *what, size_t count, size_t max, struct error *err)
{
    if (count <= max)
        return 0;
    return error_set(err, ERROR_INVALID, E2BIG, "%s: %zu, and %zu are possible", what, count, max);
}

/* Lists that are searched for each of their entries. */
static int check_lists(const struct docker_host_config *host, struct error *err)
{
    int result = check_count("HostConfig.Binds and Mounts", host->binds.count + host->mounts.count,
                             DEFINITION_MOUNTS_MAX, err);

    if (result == 0)
        result = check_count("HostConfig.Tmpfs", host->tmpfs.count, DEFINITION_MOUNTS_MAX, err);
    if (result == 0)
        result = check_count("HostConfig.Devices, DeviceRequests and DeviceCgroupRules",
                             host->devices.count + host->device_requests.count +
                                 host->device_cgroup_rules.count,
                             DEFINITION_MOUNTS_MAX, err);
    return result;
}

int definition_check_image(const struct definition *definition, const struct image_process *image,
                           struct error *err)
{
    const struct docker_config *config = &definition->config;
    size_t volumes = (config->volumes != NULL ? config->volumes->count : 0) +
                     (image->volumes != NULL ? image->volumes->count : 0);
    size_t ports = (config->exposed_ports != NULL ? config->exposed_ports->count : 0) +
                   (image->exposed_ports != NULL ? image->exposed_ports->count : 0);
    int result = check_count("Env, with the image's", config->env.count + image->env.count,
                             DEFINITION_NAMES_MAX, err);

    if (result == 0)
        result = check_count("ExposedPorts, with the image's", ports, DEFINITION_NAMES_MAX, err);

    if (result == 0)
        result = check_count("Labels, with the image's", config->labels.count + image->labels.count,
                             DEFINITION_NAMES_MAX, err);
    if (result == 0)
        result = check_count("Volumes, with the image's", volumes, DEFINITION_ANONYMOUS_MAX, err);
    return result;
}

int definition_parse(struct arena *arena, const char *text, size_t length,
                     const struct docker_log_config *log_defaults, struct definition *definition,
                     struct error *err)
{
    const struct json *body;
    const struct json *host;
    const struct json *entrypoint;
    int result = json_parse(arena, text, length, &json_default_limits, &body, err);

    if (result == 0)
        result = json_decode(arena, body, &docker_config_type, "", &definition->config, err);
    host = result == 0 ? json_get(body, "HostConfig") : NULL;
    if (host != NULL && host->type != JSON_NULL)
        result = json_decode(arena, host, &docker_host_config_type, "HostConfig",
                             &definition->host_config, err);
    definition_apply_log_defaults(arena, &definition->host_config.log_config, log_defaults);
    if (result == 0)
        result = check_lists(&definition->host_config, err);
    if (result == 0)
        result = definition_check_host_config(&definition->host_config, err);
    if (result == 0)
        result =
            definition_read_endpoints(arena, json_get(body, "NetworkingConfig"), definition, err);
    if (result < 0)
        return result;
    if (definition->config.image == NULL || definition->config.image[0] == '\0')
        return error_set(err, ERROR_INVALID, EINVAL, "Image: required, but missing");
    result = check_host_names(&definition->config, err);
    if (result == 0)
        result = probe_check(definition->config.healthcheck, "Healthcheck", err);
    if (result == 0)
        result = definition_read_mounts(arena, definition, err);
    if (result < 0)
        return result;
    /* `--entrypoint ""` comes as [""]. */
    entrypoint = json_get(body, "Entrypoint");
    definition->config.has_empty_entrypoint =
        entrypoint != NULL && entrypoint->type == JSON_ARRAY && entrypoint->count == 1 &&
        definition->config.entrypoint.items[0][0] == '\0';
    return 0;
}

/* The members of both objects. */
static const struct json *merge_members(struct arena *arena, const struct json *own,
                                        const struct json *image)
{
    struct json_member *members;
    struct json *both;

    if (image == NULL || image->type != JSON_OBJECT || image->count == 0)
        return own;
    if (own == NULL || own->type != JSON_OBJECT || own->count == 0)
        return image;
    both = arena_new(arena, 1, sizeof(*both));
    *both = (struct json){.type = JSON_OBJECT, .count = own->count};
    members = arena_new(arena, own->count + image->count, sizeof(*members));
    memcpy(members, own->members, own->count * sizeof(*members));
    for (size_t i = 0; i < image->count; i++) {
        if (json_get(own, image->members[i].name) == NULL)
            members[both->count++] = image->members[i];
    }
    both->members = members;
    return both;
}

void definition_apply_image(struct arena *arena, struct definition *definition,
                            const struct image_process *image)
{
    struct docker_config *config = &definition->config;
    struct string_list env;

    if (config->has_empty_entrypoint) {
        config->entrypoint.count = 0;
    } else if (config->entrypoint.count == 0) {
        config->entrypoint = image->entrypoint;
        if (config->cmd.count == 0)
            config->cmd = image->cmd;
    }
    if (config->user == NULL || config->user[0] == '\0')
        config->user = image->user;
    if (config->working_dir == NULL || config->working_dir[0] == '\0')
        config->working_dir = image->working_dir;
    if (config->stop_signal == NULL || config->stop_signal[0] == '\0')
        config->stop_signal = image->stop_signal;
    config->exposed_ports = merge_members(arena, config->exposed_ports, image->exposed_ports);
    config->volumes = merge_members(arena, config->volumes, image->volumes);
    config->healthcheck = probe_merge(arena, config->healthcheck, image->healthcheck);
    env_merge(arena, &image->env, &config->env, &env);
    config->env = env;
    for (size_t i = 0; i < image->labels.count; i++) {
        const struct string_pair *label = &image->labels.items[i];

        if (string_map_get(&config->labels, label->name) != NULL)
            continue;
        config->labels.items =
            arena_grow(arena, config->labels.items, config->labels.count, sizeof(*label));
        config->labels.items[config->labels.count++] = *label;
    }
}
