/* The tables that say how config.json maps to the structs of config.h. */
#include "config.h"

#define FIELD JSON_FIELD

const char *const oci_namespace_names[] = {NULL,  "pid",  "network", "mount", "ipc",
                                           "uts", "user", "cgroup",  "time",  NULL};

static const struct json_field root_fields[] = {
    FIELD(struct oci_root, path, "path", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct oci_root, is_readonly, "readonly", JSON_KIND_BOOL),
};
static const struct json_struct root_type = JSON_STRUCT(struct oci_root, root_fields);

static const struct json_field id_mapping_fields[] = {
    FIELD(struct oci_id_mapping, container_id, "containerID", JSON_KIND_UINT32,
          .flags = JSON_REQUIRED | JSON_ALWAYS),
    FIELD(struct oci_id_mapping, host_id, "hostID", JSON_KIND_UINT32,
          .flags = JSON_REQUIRED | JSON_ALWAYS),
    FIELD(struct oci_id_mapping, size, "size", JSON_KIND_UINT32,
          .flags = JSON_REQUIRED | JSON_ALWAYS),
};
static const struct json_struct id_mapping_type =
    JSON_STRUCT(struct oci_id_mapping, id_mapping_fields);

static const struct json_field mount_fields[] = {
    FIELD(struct oci_mount, destination, "destination", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct oci_mount, type, "type", JSON_KIND_STRING),
    FIELD(struct oci_mount, source, "source", JSON_KIND_STRING),
    FIELD(struct oci_mount, options, "options", JSON_KIND_STRINGS),
    FIELD(struct oci_mount, uid_mappings, "uidMappings", JSON_KIND_STRUCTS,
          .type = &id_mapping_type),
    FIELD(struct oci_mount, gid_mappings, "gidMappings", JSON_KIND_STRUCTS,
          .type = &id_mapping_type),
};
static const struct json_struct mount_type = JSON_STRUCT(struct oci_mount, mount_fields);

static const struct json_field capabilities_fields[] = {
    FIELD(struct oci_capabilities, bounding, "bounding", JSON_KIND_STRINGS),
    FIELD(struct oci_capabilities, effective, "effective", JSON_KIND_STRINGS),
    FIELD(struct oci_capabilities, inheritable, "inheritable", JSON_KIND_STRINGS),
    FIELD(struct oci_capabilities, permitted, "permitted", JSON_KIND_STRINGS),
    FIELD(struct oci_capabilities, ambient, "ambient", JSON_KIND_STRINGS),
};
static const struct json_struct capabilities_type =
    JSON_STRUCT(struct oci_capabilities, capabilities_fields);

static const struct json_field rlimit_fields[] = {
    FIELD(struct oci_rlimit, type, "type", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct oci_rlimit, soft, "soft", JSON_KIND_UINT64, .flags = JSON_REQUIRED | JSON_ALWAYS),
    FIELD(struct oci_rlimit, hard, "hard", JSON_KIND_UINT64, .flags = JSON_REQUIRED | JSON_ALWAYS),
};
static const struct json_struct rlimit_type = JSON_STRUCT(struct oci_rlimit, rlimit_fields);

static const char *const io_priority_classes[] = {NULL, "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE",
                                                  "IOPRIO_CLASS_IDLE", NULL};
static const struct json_field io_priority_fields[] = {
    FIELD(struct oci_io_priority, class, "class", JSON_KIND_ENUM, .flags = JSON_REQUIRED,
          .names = io_priority_classes),
    FIELD(struct oci_io_priority, priority, "priority", JSON_KIND_INT32, .flags = JSON_ALWAYS,
          .minimum = 0, .maximum = 7),
};
static const struct json_struct io_priority_type =
    JSON_STRUCT(struct oci_io_priority, io_priority_fields);

static const char *const scheduler_policies[] = {NULL,         "SCHED_OTHER",    "SCHED_FIFO",
                                                 "SCHED_RR",   "SCHED_BATCH",    "SCHED_ISO",
                                                 "SCHED_IDLE", "SCHED_DEADLINE", NULL};
static const struct json_field scheduler_fields[] = {
    FIELD(struct oci_scheduler, policy, "policy", JSON_KIND_ENUM, .flags = JSON_REQUIRED,
          .names = scheduler_policies),
    FIELD(struct oci_scheduler, nice, "nice", JSON_KIND_INT32, .minimum = -20, .maximum = 19),
    FIELD(struct oci_scheduler, priority, "priority", JSON_KIND_INT32),
    FIELD(struct oci_scheduler, flags, "flags", JSON_KIND_STRINGS),
    FIELD(struct oci_scheduler, runtime, "runtime", JSON_KIND_UINT64),
    FIELD(struct oci_scheduler, deadline, "deadline", JSON_KIND_UINT64),
    FIELD(struct oci_scheduler, period, "period", JSON_KIND_UINT64),
};
static const struct json_struct scheduler_type =
    JSON_STRUCT(struct oci_scheduler, scheduler_fields);

static const struct json_field user_fields[] = {
    FIELD(struct oci_user, uid, "uid", JSON_KIND_UINT32, .flags = JSON_ALWAYS),
    FIELD(struct oci_user, gid, "gid", JSON_KIND_UINT32, .flags = JSON_ALWAYS),
    FIELD(struct oci_user, umask, "umask", JSON_KIND_OPTIONAL_UINT64, .maximum = UINT32_MAX),
    FIELD(struct oci_user, additional_gids_json, "additionalGids", JSON_KIND_JSON),
    FIELD(struct oci_user, username, "username", JSON_KIND_STRING),
};
static const struct json_struct user_type = JSON_STRUCT(struct oci_user, user_fields);

static const struct json_field console_size_fields[] = {
    FIELD(struct oci_console_size, height, "height", JSON_KIND_UINT64, .maximum = 65535,
          .flags = JSON_REQUIRED | JSON_ALWAYS),
    FIELD(struct oci_console_size, width, "width", JSON_KIND_UINT64, .maximum = 65535,
          .flags = JSON_REQUIRED | JSON_ALWAYS),
};
static const struct json_struct console_size_type =
    JSON_STRUCT(struct oci_console_size, console_size_fields);

static const struct json_field affinity_fields[] = {
    FIELD(struct oci_exec_cpu_affinity, initial, "initial", JSON_KIND_STRING),
    FIELD(struct oci_exec_cpu_affinity, final, "final", JSON_KIND_STRING),
};
static const struct json_struct affinity_type =
    JSON_STRUCT(struct oci_exec_cpu_affinity, affinity_fields);

static const struct json_field process_fields[] = {
    FIELD(struct oci_process, has_terminal, "terminal", JSON_KIND_BOOL),
    FIELD(struct oci_process, console_size, "consoleSize", JSON_KIND_STRUCT,
          .type = &console_size_type),
    FIELD(struct oci_process, user, "user", JSON_KIND_INLINE, .type = &user_type),
    FIELD(struct oci_process, args, "args", JSON_KIND_STRINGS),
    FIELD(struct oci_process, env, "env", JSON_KIND_STRINGS),
    FIELD(struct oci_process, cwd, "cwd", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct oci_process, capabilities, "capabilities", JSON_KIND_STRUCT,
          .type = &capabilities_type),
    FIELD(struct oci_process, rlimits, "rlimits", JSON_KIND_STRUCTS, .type = &rlimit_type),
    FIELD(struct oci_process, no_new_privileges, "noNewPrivileges", JSON_KIND_BOOL),
    FIELD(struct oci_process, apparmor_profile, "apparmorProfile", JSON_KIND_STRING),
    FIELD(struct oci_process, selinux_label, "selinuxLabel", JSON_KIND_STRING),
    FIELD(struct oci_process, oom_score_adj, "oomScoreAdj", JSON_KIND_OPTIONAL_INT64,
          .minimum = -1000, .maximum = 1000),
    FIELD(struct oci_process, scheduler, "scheduler", JSON_KIND_STRUCT, .type = &scheduler_type),
    FIELD(struct oci_process, io_priority, "ioPriority", JSON_KIND_STRUCT,
          .type = &io_priority_type),
    FIELD(struct oci_process, exec_cpu_affinity, "execCPUAffinity", JSON_KIND_STRUCT,
          .type = &affinity_type),
};
const struct json_struct oci_process_type = JSON_STRUCT(struct oci_process, process_fields);

static const struct json_field hook_fields[] = {
    FIELD(struct oci_hook, path, "path", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct oci_hook, args, "args", JSON_KIND_STRINGS),
    FIELD(struct oci_hook, env, "env", JSON_KIND_STRINGS, .flags = JSON_EMPTY_IS_SET),
    FIELD(struct oci_hook, timeout, "timeout", JSON_KIND_OPTIONAL_INT64, .minimum = 1,
          .maximum = 86400),
};
static const struct json_struct hook_type = JSON_STRUCT(struct oci_hook, hook_fields);

static const struct json_field hooks_fields[] = {
    FIELD(struct oci_hooks, prestart, "prestart", JSON_KIND_STRUCTS, .type = &hook_type),
    FIELD(struct oci_hooks, create_runtime, "createRuntime", JSON_KIND_STRUCTS, .type = &hook_type),
    FIELD(struct oci_hooks, create_container, "createContainer", JSON_KIND_STRUCTS,
          .type = &hook_type),
    FIELD(struct oci_hooks, start_container, "startContainer", JSON_KIND_STRUCTS,
          .type = &hook_type),
    FIELD(struct oci_hooks, poststart, "poststart", JSON_KIND_STRUCTS, .type = &hook_type),
    FIELD(struct oci_hooks, poststop, "poststop", JSON_KIND_STRUCTS, .type = &hook_type),
};
static const struct json_struct hooks_type = JSON_STRUCT(struct oci_hooks, hooks_fields);

static const struct json_field namespace_fields[] = {
    FIELD(struct oci_namespace, type, "type", JSON_KIND_ENUM, .flags = JSON_REQUIRED,
          .names = oci_namespace_names),
    FIELD(struct oci_namespace, path, "path", JSON_KIND_STRING),
};
static const struct json_struct namespace_type =
    JSON_STRUCT(struct oci_namespace, namespace_fields);

static const struct json_field device_fields[] = {
    FIELD(struct oci_device, path, "path", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct oci_device, type, "type", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct oci_device, major, "major", JSON_KIND_INT64),
    FIELD(struct oci_device, minor, "minor", JSON_KIND_INT64),
    FIELD(struct oci_device, file_mode, "fileMode", JSON_KIND_OPTIONAL_UINT64,
          .maximum = UINT32_MAX),
    FIELD(struct oci_device, uid, "uid", JSON_KIND_UINT32),
    FIELD(struct oci_device, gid, "gid", JSON_KIND_UINT32),
};
static const struct json_struct device_type = JSON_STRUCT(struct oci_device, device_fields);

static const struct json_field device_rule_fields[] = {
    FIELD(struct oci_device_rule, is_allowed, "allow", JSON_KIND_BOOL,
          .flags = JSON_REQUIRED | JSON_ALWAYS),
    FIELD(struct oci_device_rule, type, "type", JSON_KIND_STRING),
    FIELD(struct oci_device_rule, major, "major", JSON_KIND_OPTIONAL_INT64),
    FIELD(struct oci_device_rule, minor, "minor", JSON_KIND_OPTIONAL_INT64),
    FIELD(struct oci_device_rule, access, "access", JSON_KIND_STRING),
};
static const struct json_struct device_rule_type =
    JSON_STRUCT(struct oci_device_rule, device_rule_fields);

static const struct json_field memory_fields[] = {
    FIELD(struct oci_memory, limit, "limit", JSON_KIND_OPTIONAL_INT64),
    FIELD(struct oci_memory, reservation, "reservation", JSON_KIND_OPTIONAL_INT64),
    FIELD(struct oci_memory, swap, "swap", JSON_KIND_OPTIONAL_INT64),
    FIELD(struct oci_memory, kernel, "kernel", JSON_KIND_OPTIONAL_INT64),
    FIELD(struct oci_memory, kernel_tcp, "kernelTCP", JSON_KIND_OPTIONAL_INT64),
    FIELD(struct oci_memory, swappiness, "swappiness", JSON_KIND_OPTIONAL_UINT64, .maximum = 200),
    FIELD(struct oci_memory, disable_oom_killer, "disableOOMKiller", JSON_KIND_OPTIONAL_BOOL),
    FIELD(struct oci_memory, use_hierarchy, "useHierarchy", JSON_KIND_BOOL),
    FIELD(struct oci_memory, check_before_update, "checkBeforeUpdate", JSON_KIND_BOOL),
};
static const struct json_struct memory_type = JSON_STRUCT(struct oci_memory, memory_fields);

static const struct json_field cpu_fields[] = {
    FIELD(struct oci_cpu, shares, "shares", JSON_KIND_OPTIONAL_UINT64),
    FIELD(struct oci_cpu, quota, "quota", JSON_KIND_OPTIONAL_INT64),
    FIELD(struct oci_cpu, burst, "burst", JSON_KIND_OPTIONAL_UINT64),
    FIELD(struct oci_cpu, period, "period", JSON_KIND_OPTIONAL_UINT64),
    FIELD(struct oci_cpu, realtime_runtime, "realtimeRuntime", JSON_KIND_OPTIONAL_INT64),
    FIELD(struct oci_cpu, realtime_period, "realtimePeriod", JSON_KIND_OPTIONAL_UINT64),
    FIELD(struct oci_cpu, cpus, "cpus", JSON_KIND_STRING),
    FIELD(struct oci_cpu, mems, "mems", JSON_KIND_STRING),
    FIELD(struct oci_cpu, idle, "idle", JSON_KIND_OPTIONAL_INT64),
};
static const struct json_struct cpu_type = JSON_STRUCT(struct oci_cpu, cpu_fields);

static const struct json_field pids_fields[] = {
    FIELD(struct oci_pids, limit, "limit", JSON_KIND_OPTIONAL_INT64),
};
static const struct json_struct pids_type = JSON_STRUCT(struct oci_pids, pids_fields);

static const struct json_field weight_device_fields[] = {
    FIELD(struct oci_weight_device, major, "major", JSON_KIND_INT64,
          .flags = JSON_REQUIRED | JSON_ALWAYS),
    FIELD(struct oci_weight_device, minor, "minor", JSON_KIND_INT64,
          .flags = JSON_REQUIRED | JSON_ALWAYS),
    FIELD(struct oci_weight_device, weight, "weight", JSON_KIND_OPTIONAL_UINT64, .minimum = 10,
          .maximum = 1000),
    FIELD(struct oci_weight_device, leaf_weight, "leafWeight", JSON_KIND_OPTIONAL_UINT64,
          .minimum = 10, .maximum = 1000),
};
static const struct json_struct weight_device_type =
    JSON_STRUCT(struct oci_weight_device, weight_device_fields);

static const struct json_field throttle_fields[] = {
    FIELD(struct oci_throttle_device, major, "major", JSON_KIND_INT64,
          .flags = JSON_REQUIRED | JSON_ALWAYS),
    FIELD(struct oci_throttle_device, minor, "minor", JSON_KIND_INT64,
          .flags = JSON_REQUIRED | JSON_ALWAYS),
    FIELD(struct oci_throttle_device, rate, "rate", JSON_KIND_UINT64, .flags = JSON_ALWAYS),
};
static const struct json_struct throttle_type =
    JSON_STRUCT(struct oci_throttle_device, throttle_fields);

static const struct json_field block_io_fields[] = {
    FIELD(struct oci_block_io, weight, "weight", JSON_KIND_OPTIONAL_UINT64, .minimum = 0,
          .maximum = 1000),
    FIELD(struct oci_block_io, leaf_weight, "leafWeight", JSON_KIND_OPTIONAL_UINT64, .minimum = 0,
          .maximum = 1000),
    FIELD(struct oci_block_io, weight_devices, "weightDevice", JSON_KIND_STRUCTS,
          .type = &weight_device_type),
    FIELD(struct oci_block_io, throttle_read_bps, "throttleReadBpsDevice", JSON_KIND_STRUCTS,
          .type = &throttle_type),
    FIELD(struct oci_block_io, throttle_write_bps, "throttleWriteBpsDevice", JSON_KIND_STRUCTS,
          .type = &throttle_type),
    FIELD(struct oci_block_io, throttle_read_iops, "throttleReadIOPSDevice", JSON_KIND_STRUCTS,
          .type = &throttle_type),
    FIELD(struct oci_block_io, throttle_write_iops, "throttleWriteIOPSDevice", JSON_KIND_STRUCTS,
          .type = &throttle_type),
};
static const struct json_struct block_io_type = JSON_STRUCT(struct oci_block_io, block_io_fields);

static const struct json_field hugepage_fields[] = {
    FIELD(struct oci_hugepage_limit, page_size, "pageSize", JSON_KIND_STRING,
          .flags = JSON_REQUIRED),
    FIELD(struct oci_hugepage_limit, limit, "limit", JSON_KIND_UINT64,
          .flags = JSON_REQUIRED | JSON_ALWAYS),
};
static const struct json_struct hugepage_type =
    JSON_STRUCT(struct oci_hugepage_limit, hugepage_fields);

static const struct json_field rdma_fields[] = {
    FIELD(struct oci_rdma, hca_handles, "hcaHandles", JSON_KIND_OPTIONAL_UINT64,
          .maximum = UINT32_MAX),
    FIELD(struct oci_rdma, hca_objects, "hcaObjects", JSON_KIND_OPTIONAL_UINT64,
          .maximum = UINT32_MAX),
};
static const struct json_struct rdma_type = JSON_STRUCT(struct oci_rdma, rdma_fields);

static const struct json_field interface_priority_fields[] = {
    FIELD(struct oci_interface_priority, name, "name", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct oci_interface_priority, priority, "priority", JSON_KIND_UINT32,
          .flags = JSON_REQUIRED | JSON_ALWAYS),
};
static const struct json_struct interface_priority_type =
    JSON_STRUCT(struct oci_interface_priority, interface_priority_fields);

static const struct json_field network_fields[] = {
    FIELD(struct oci_network, class_id, "classID", JSON_KIND_OPTIONAL_UINT64,
          .maximum = UINT32_MAX),
    FIELD(struct oci_network, priorities, "priorities", JSON_KIND_STRUCTS,
          .type = &interface_priority_type),
};
static const struct json_struct network_type = JSON_STRUCT(struct oci_network, network_fields);

static const struct json_field resources_fields[] = {
    FIELD(struct oci_resources, devices, "devices", JSON_KIND_STRUCTS, .type = &device_rule_type),
    FIELD(struct oci_resources, memory, "memory", JSON_KIND_STRUCT, .type = &memory_type),
    FIELD(struct oci_resources, cpu, "cpu", JSON_KIND_STRUCT, .type = &cpu_type),
    FIELD(struct oci_resources, pids, "pids", JSON_KIND_STRUCT, .type = &pids_type),
    FIELD(struct oci_resources, block_io, "blockIO", JSON_KIND_STRUCT, .type = &block_io_type),
    FIELD(struct oci_resources, hugepage_limits, "hugepageLimits", JSON_KIND_STRUCTS,
          .type = &hugepage_type),
    FIELD(struct oci_resources, network, "network", JSON_KIND_STRUCT, .type = &network_type),
    FIELD(struct oci_resources, rdma, "rdma", JSON_KIND_STRUCT_MAP, .type = &rdma_type),
    FIELD(struct oci_resources, unified, "unified", JSON_KIND_STRING_MAP),
};
const struct json_struct oci_resources_type = JSON_STRUCT(struct oci_resources, resources_fields);

static const struct json_field seccomp_arg_fields[] = {
    FIELD(struct oci_seccomp_arg, index, "index", JSON_KIND_UINT32, .maximum = 5,
          .flags = JSON_REQUIRED | JSON_ALWAYS),
    FIELD(struct oci_seccomp_arg, value, "value", JSON_KIND_UINT64,
          .flags = JSON_REQUIRED | JSON_ALWAYS),
    FIELD(struct oci_seccomp_arg, value_two, "valueTwo", JSON_KIND_UINT64),
    FIELD(struct oci_seccomp_arg, op, "op", JSON_KIND_STRING, .flags = JSON_REQUIRED),
};
static const struct json_struct seccomp_arg_type =
    JSON_STRUCT(struct oci_seccomp_arg, seccomp_arg_fields);

static const struct json_field seccomp_rule_fields[] = {
    FIELD(struct oci_seccomp_rule, names, "names", JSON_KIND_STRINGS, .flags = JSON_REQUIRED),
    FIELD(struct oci_seccomp_rule, action, "action", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct oci_seccomp_rule, errno_ret, "errnoRet", JSON_KIND_OPTIONAL_UINT64,
          .maximum = UINT32_MAX),
    FIELD(struct oci_seccomp_rule, args, "args", JSON_KIND_STRUCTS, .type = &seccomp_arg_type),
};
static const struct json_struct seccomp_rule_type =
    JSON_STRUCT(struct oci_seccomp_rule, seccomp_rule_fields);

static const struct json_field seccomp_fields[] = {
    FIELD(struct oci_seccomp, default_action, "defaultAction", JSON_KIND_STRING,
          .flags = JSON_REQUIRED),
    FIELD(struct oci_seccomp, default_errno_ret, "defaultErrnoRet", JSON_KIND_OPTIONAL_UINT64,
          .maximum = UINT32_MAX),
    FIELD(struct oci_seccomp, architectures, "architectures", JSON_KIND_STRINGS),
    FIELD(struct oci_seccomp, flags, "flags", JSON_KIND_STRINGS),
    FIELD(struct oci_seccomp, listener_path, "listenerPath", JSON_KIND_STRING),
    FIELD(struct oci_seccomp, listener_metadata, "listenerMetadata", JSON_KIND_STRING),
    FIELD(struct oci_seccomp, rules, "syscalls", JSON_KIND_STRUCTS, .type = &seccomp_rule_type),
};
const struct json_struct oci_seccomp_type = JSON_STRUCT(struct oci_seccomp, seccomp_fields);

static const struct json_field intel_rdt_fields[] = {
    FIELD(struct oci_intel_rdt, clos_id, "closID", JSON_KIND_STRING),
    FIELD(struct oci_intel_rdt, l3_cache_schema, "l3CacheSchema", JSON_KIND_STRING),
    FIELD(struct oci_intel_rdt, mem_bw_schema, "memBwSchema", JSON_KIND_STRING),
    FIELD(struct oci_intel_rdt, enable_cmt, "enableCMT", JSON_KIND_BOOL),
    FIELD(struct oci_intel_rdt, enable_mbm, "enableMBM", JSON_KIND_BOOL),
    FIELD(struct oci_intel_rdt, schemata, "schemata", JSON_KIND_STRINGS),
    FIELD(struct oci_intel_rdt, enable_monitoring, "enableMonitoring", JSON_KIND_BOOL),
};
static const struct json_struct intel_rdt_type =
    JSON_STRUCT(struct oci_intel_rdt, intel_rdt_fields);

static const struct json_field personality_fields[] = {
    FIELD(struct oci_personality, domain, "domain", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct oci_personality, flags, "flags", JSON_KIND_STRINGS),
};
static const struct json_struct personality_type =
    JSON_STRUCT(struct oci_personality, personality_fields);

static const struct json_field time_offset_fields[] = {
    FIELD(struct oci_time_offset, secs, "secs", JSON_KIND_INT64),
    FIELD(struct oci_time_offset, nanosecs, "nanosecs", JSON_KIND_UINT32, .maximum = 999999999),
};
static const struct json_struct time_offset_type =
    JSON_STRUCT(struct oci_time_offset, time_offset_fields);

static const struct json_field net_device_fields[] = {
    FIELD(struct oci_net_device, name, "name", JSON_KIND_STRING),
};
static const struct json_struct net_device_type =
    JSON_STRUCT(struct oci_net_device, net_device_fields);

static const struct json_field memory_policy_fields[] = {
    FIELD(struct oci_memory_policy, mode, "mode", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct oci_memory_policy, nodes, "nodes", JSON_KIND_STRING),
    FIELD(struct oci_memory_policy, flags, "flags", JSON_KIND_STRINGS),
};
static const struct json_struct memory_policy_type =
    JSON_STRUCT(struct oci_memory_policy, memory_policy_fields);

static const char *const propagations[] = {NULL,          "private",  "shared",  "slave",
                                           "unbindable",  "rprivate", "rshared", "rslave",
                                           "runbindable", NULL};

static const struct json_field linux_fields[] = {
    FIELD(struct oci_linux, uid_mappings, "uidMappings", JSON_KIND_STRUCTS,
          .type = &id_mapping_type),
    FIELD(struct oci_linux, gid_mappings, "gidMappings", JSON_KIND_STRUCTS,
          .type = &id_mapping_type),
    FIELD(struct oci_linux, sysctl, "sysctl", JSON_KIND_STRING_MAP),
    FIELD(struct oci_linux, resources, "resources", JSON_KIND_STRUCT, .type = &oci_resources_type),
    FIELD(struct oci_linux, cgroups_path, "cgroupsPath", JSON_KIND_STRING),
    FIELD(struct oci_linux, namespaces, "namespaces", JSON_KIND_STRUCTS, .type = &namespace_type),
    FIELD(struct oci_linux, devices, "devices", JSON_KIND_STRUCTS, .type = &device_type),
    FIELD(struct oci_linux, net_devices, "netDevices", JSON_KIND_STRUCT_MAP,
          .type = &net_device_type),
    FIELD(struct oci_linux, seccomp, "seccomp", JSON_KIND_STRUCT, .type = &oci_seccomp_type),
    FIELD(struct oci_linux, rootfs_propagation, "rootfsPropagation", JSON_KIND_ENUM,
          .names = propagations, .flags = JSON_EMPTY_IS_NONE),
    FIELD(struct oci_linux, masked_paths, "maskedPaths", JSON_KIND_STRINGS),
    FIELD(struct oci_linux, readonly_paths, "readonlyPaths", JSON_KIND_STRINGS),
    FIELD(struct oci_linux, mount_label, "mountLabel", JSON_KIND_STRING),
    FIELD(struct oci_linux, intel_rdt, "intelRdt", JSON_KIND_STRUCT, .type = &intel_rdt_type),
    FIELD(struct oci_linux, memory_policy, "memoryPolicy", JSON_KIND_STRUCT,
          .type = &memory_policy_type),
    FIELD(struct oci_linux, personality, "personality", JSON_KIND_STRUCT,
          .type = &personality_type),
    FIELD(struct oci_linux, time_offsets, "timeOffsets", JSON_KIND_STRUCT_MAP,
          .type = &time_offset_type),
};
static const struct json_struct linux_type = JSON_STRUCT(struct oci_linux, linux_fields);

static const struct json_field config_fields[] = {
    FIELD(struct oci_config, oci_version, "ociVersion", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct oci_config, root, "root", JSON_KIND_STRUCT, .type = &root_type),
    FIELD(struct oci_config, mounts, "mounts", JSON_KIND_STRUCTS, .type = &mount_type),
    FIELD(struct oci_config, process, "process", JSON_KIND_STRUCT, .type = &oci_process_type),
    FIELD(struct oci_config, hostname, "hostname", JSON_KIND_STRING),
    FIELD(struct oci_config, domainname, "domainname", JSON_KIND_STRING),
    FIELD(struct oci_config, hooks, "hooks", JSON_KIND_STRUCT, .type = &hooks_type),
    FIELD(struct oci_config, annotations, "annotations", JSON_KIND_STRING_MAP),
    FIELD(struct oci_config, linux, "linux", JSON_KIND_STRUCT, .type = &linux_type),
};
const struct json_struct oci_config_type = JSON_STRUCT(struct oci_config, config_fields);
