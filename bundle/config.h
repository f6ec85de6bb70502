/*
 * The OCI runtime configuration (runtime-spec config.json, Linux part) as typed structs. Names are
 * those of the specification. Everything is owned by the arena the config was decoded into.
 *
 * Below the decoder nothing sees JSON: what is in these structs has the right type, and
 * oci_config_parse() has refused values that make no sense.
 */
#ifndef DAVIT_BUNDLE_CONFIG_H
#define DAVIT_BUNDLE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json_table.h"
#include "base/memory.h"

/* The version of runtime-spec this follows and writes into new configurations. */
#define OCI_VERSION "1.3.0"
#define OCI_VERSION_MIN "1.0.0"

struct oci_root {
    const char *path;
    bool is_readonly;
};

struct oci_id_mapping {
    uint32_t container_id;
    uint32_t host_id;
    uint32_t size;
};

struct oci_mount {
    const char *destination;
    const char *type;
    const char *source;
    struct string_list options;
    LIST_OF(struct oci_id_mapping) uid_mappings;
    LIST_OF(struct oci_id_mapping) gid_mappings;
};

struct oci_capabilities {
    struct string_list bounding;
    struct string_list effective;
    struct string_list inheritable;
    struct string_list permitted;
    struct string_list ambient;
};

struct oci_rlimit {
    const char *type;
    uint64_t soft;
    uint64_t hard;
};

enum oci_io_priority_class {
    OCI_IOPRIO_UNSET,
    OCI_IOPRIO_RT,
    OCI_IOPRIO_BE,
    OCI_IOPRIO_IDLE,
};

struct oci_io_priority {
    int class;
    int32_t priority;
};

enum oci_scheduler_policy {
    OCI_SCHED_UNSET,
    OCI_SCHED_OTHER,
    OCI_SCHED_FIFO,
    OCI_SCHED_RR,
    OCI_SCHED_BATCH,
    OCI_SCHED_ISO,
    OCI_SCHED_IDLE,
    OCI_SCHED_DEADLINE,
};

struct oci_scheduler {
    int policy;
    int32_t nice;
    int32_t priority;
    struct string_list flags;
    uint64_t runtime;
    uint64_t deadline;
    uint64_t period;
};

struct oci_id {
    uint32_t value;
};

struct oci_user {
    uint32_t uid;
    uint32_t gid;
    struct optional_uint64 umask;            /* of which umask(2) takes the permission bits */
    const struct json *additional_gids_json; /* an array of numbers, see additional_gids */
    uint32_t *additional_gids;
    size_t additional_gid_count;
    const char *username;
};

struct oci_console_size {
    uint64_t height;
    uint64_t width;
};

struct oci_exec_cpu_affinity {
    const char *initial;
    const char *final;
};

struct oci_process {
    bool has_terminal;
    struct oci_console_size *console_size;
    struct oci_user user;
    struct string_list args;
    struct string_list env;
    const char *cwd;
    struct oci_capabilities *capabilities;
    LIST_OF(struct oci_rlimit) rlimits;
    bool no_new_privileges;
    const char *apparmor_profile;
    const char *selinux_label;
    struct optional_int64 oom_score_adj;
    struct oci_scheduler *scheduler;
    struct oci_io_priority *io_priority;
    struct oci_exec_cpu_affinity *exec_cpu_affinity;
};

struct oci_hook {
    const char *path;
    struct string_list args;
    struct string_list env;        /* items NULL: that of whoever runs the hook */
    struct optional_int64 timeout; /* seconds */
};

typedef LIST_OF(struct oci_hook) oci_hook_list;

struct oci_hooks {
    oci_hook_list prestart;
    oci_hook_list create_runtime;
    oci_hook_list create_container;
    oci_hook_list start_container;
    oci_hook_list poststart;
    oci_hook_list poststop;
};

enum oci_namespace_type {
    OCI_NAMESPACE_UNSET,
    OCI_NAMESPACE_PID,
    OCI_NAMESPACE_NETWORK,
    OCI_NAMESPACE_MOUNT,
    OCI_NAMESPACE_IPC,
    OCI_NAMESPACE_UTS,
    OCI_NAMESPACE_USER,
    OCI_NAMESPACE_CGROUP,
    OCI_NAMESPACE_TIME,
    OCI_NAMESPACE_COUNT,
};

/* "pid", "network", ... by enum oci_namespace_type; index 0 is NULL. */
extern const char *const oci_namespace_names[];

struct oci_namespace {
    int type;
    const char *path; /* NULL: a new one */
};

struct oci_device {
    const char *path;
    const char *type;
    int64_t major;
    int64_t minor;
    struct optional_uint64 file_mode; /* permissions; a file type beside them is `type`'s */
    uint32_t uid;
    uint32_t gid;
};

struct oci_device_rule {
    bool is_allowed;
    const char *type;            /* NULL or "a": all */
    struct optional_int64 major; /* unset or -1: any */
    struct optional_int64 minor;
    const char *access; /* NULL: "rwm" */
};

struct oci_memory {
    struct optional_int64 limit; /* bytes; -1: unlimited */
    struct optional_int64 reservation;
    struct optional_int64 swap; /* memory plus swap */
    struct optional_int64 kernel;
    struct optional_int64 kernel_tcp;
    struct optional_uint64 swappiness;
    struct optional_bool disable_oom_killer;
    bool use_hierarchy;
    bool check_before_update;
};

struct oci_cpu {
    struct optional_uint64 shares;
    struct optional_int64 quota;  /* microseconds of CPU time a period; negative: unlimited */
    struct optional_uint64 burst; /* microseconds */
    struct optional_uint64 period;
    struct optional_int64 realtime_runtime;
    struct optional_uint64 realtime_period;
    const char *cpus;
    const char *mems;
    struct optional_int64 idle;
};

struct oci_pids {
    struct optional_int64 limit;
};

struct oci_weight_device {
    int64_t major;
    int64_t minor;
    struct optional_uint64 weight;
    struct optional_uint64 leaf_weight;
};

struct oci_throttle_device {
    int64_t major;
    int64_t minor;
    uint64_t rate;
};

typedef LIST_OF(struct oci_throttle_device) oci_throttle_list;

struct oci_block_io {
    struct optional_uint64 weight; /* 10 to 1000 */
    struct optional_uint64 leaf_weight;
    LIST_OF(struct oci_weight_device) weight_devices;
    oci_throttle_list throttle_read_bps;
    oci_throttle_list throttle_write_bps;
    oci_throttle_list throttle_read_iops;
    oci_throttle_list throttle_write_iops;
};

struct oci_hugepage_limit {
    const char *page_size; /* "2MB" */
    uint64_t limit;        /* bytes */
};

struct oci_rdma {
    const char *device; /* key of the map */
    struct optional_uint64 hca_handles;
    struct optional_uint64 hca_objects;
};

struct oci_interface_priority {
    const char *name;
    uint32_t priority;
};

struct oci_network {
    struct optional_uint64 class_id;
    LIST_OF(struct oci_interface_priority) priorities;
};

struct oci_resources {
    LIST_OF(struct oci_device_rule) devices;
    struct oci_memory *memory;
    struct oci_cpu *cpu;
    struct oci_pids *pids;
    struct oci_block_io *block_io;
    LIST_OF(struct oci_hugepage_limit) hugepage_limits;
    struct oci_network *network;
    LIST_OF(struct oci_rdma) rdma;
    struct string_map unified;
};

struct oci_seccomp_arg {
    uint32_t index;
    uint64_t value;
    uint64_t value_two;
    const char *op;
};

struct oci_seccomp_rule {
    struct string_list names;
    const char *action;
    struct optional_uint64 errno_ret;
    LIST_OF(struct oci_seccomp_arg) args;
};

struct oci_seccomp {
    const char *default_action;
    struct optional_uint64 default_errno_ret;
    struct string_list architectures;
    struct string_list flags;
    const char *listener_path;
    const char *listener_metadata;
    LIST_OF(struct oci_seccomp_rule) rules;
};

enum oci_propagation {
    OCI_PROPAGATION_UNSET,
    OCI_PROPAGATION_PRIVATE,
    OCI_PROPAGATION_SHARED,
    OCI_PROPAGATION_SLAVE,
    OCI_PROPAGATION_UNBINDABLE,
    OCI_PROPAGATION_RPRIVATE, /* the same for all mounts of the root */
    OCI_PROPAGATION_RSHARED,
    OCI_PROPAGATION_RSLAVE,
    OCI_PROPAGATION_RUNBINDABLE,
};

struct oci_intel_rdt {
    const char *clos_id;
    const char *l3_cache_schema;
    const char *mem_bw_schema;
    bool enable_cmt;
    bool enable_mbm;
    struct string_list schemata;
    bool enable_monitoring;
};

struct oci_personality {
    const char *domain;
    struct string_list flags;
};

struct oci_time_offset {
    const char *clock; /* "monotonic" or "boottime" */
    int64_t secs;
    uint32_t nanosecs;
};

struct oci_net_device {
    const char *host_name;
    const char *name;
};

struct oci_memory_policy {
    const char *mode;
    const char *nodes;
    struct string_list flags;
};

struct oci_linux {
    LIST_OF(struct oci_id_mapping) uid_mappings;
    LIST_OF(struct oci_id_mapping) gid_mappings;
    struct string_map sysctl;
    struct oci_resources *resources;
    const char *cgroups_path;
    LIST_OF(struct oci_namespace) namespaces;
    LIST_OF(struct oci_device) devices;
    LIST_OF(struct oci_net_device) net_devices;
    struct oci_seccomp *seccomp;
    int rootfs_propagation;
    struct string_list masked_paths;
    struct string_list readonly_paths;
    const char *mount_label;
    struct oci_intel_rdt *intel_rdt;
    struct oci_memory_policy *memory_policy;
    struct oci_personality *personality;
    LIST_OF(struct oci_time_offset) time_offsets;
};

struct oci_config {
    const char *oci_version;
    struct oci_root *root;
    LIST_OF(struct oci_mount) mounts;
    struct oci_process *process;
    const char *hostname;
    const char *domainname;
    struct oci_hooks *hooks;
    struct string_map annotations;
    struct oci_linux *linux;
};

/* The tables; other documents that hold a process or resources decode with them too. */
extern const struct json_struct oci_config_type;
extern const struct json_struct oci_process_type;
extern const struct json_struct oci_resources_type;
extern const struct json_struct oci_seccomp_type;

/* Parses, decodes and validates a config.json. Unknown properties are tolerated, as the
 * specification says. On failure nothing needs release but the arena. */
int oci_config_parse(struct arena *arena, const char *text, size_t length,
                     struct oci_config *config, struct error *err);

/* What oci_config_parse() checks, for a configuration that was changed afterwards. */
int oci_config_check(struct arena *arena, struct oci_config *config, struct error *err);

/* Reads a file; paths as in openat(2). */
int oci_config_read_file(struct arena *arena, int directory_fd, const char *name,
                         struct oci_config *config, struct error *err);

/* Reads directory_fd/config.json. */
int oci_config_read(struct arena *arena, int directory_fd, struct oci_config *config,
                    struct error *err);

/* Parse or decode, and validate, a process document, as `exec --process` takes it. */
int oci_process_parse(struct arena *arena, const char *text, size_t length,
                      struct oci_process *process, struct error *err);
int oci_process_decode(struct arena *arena, const struct json *json, struct oci_process *process,
                       struct error *err);

/* The namespace of that type, or NULL if the container shares the caller's. */
const struct oci_namespace *oci_config_namespace(const struct oci_config *config,
                                                 enum oci_namespace_type type);

/* Finds the host's id of an id of the container. Returns false if the mappings do not have it; with
 * no mappings at all it is the same. */
bool oci_map_id(const struct oci_id_mapping *mappings, size_t count, uint32_t id,
                uint32_t *host_id);

/* Writes the configuration as JSON text into a new writer (json_writer_free()). */
struct json_writer *oci_config_encode(const struct oci_config *config, bool is_indented);

/* What `davit-oci spec` writes: a shell in all namespaces with few capabilities. */
void oci_config_make_default(struct arena *arena, struct oci_config *config);

/* Changes that so that somebody without privilege can run it: in a user namespace with one id, with
 * the caller's network and without limits. */
void oci_config_make_rootless(struct arena *arena, struct oci_config *config, uint32_t uid,
                              uint32_t gid);

#endif
