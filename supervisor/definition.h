/*
 * What a user asked for when a container was created: Docker's Config and HostConfig, as far as
 * this version carries them out. Everything else is refused by name when it is asked for. The same
 * tables read the request, store the definition, and write `inspect`.
 */
#ifndef DAVIT_SUPERVISOR_DEFINITION_H
#define DAVIT_SUPERVISOR_DEFINITION_H

#include "base/json_table.h"
#include "bundle/bundle.h"
#include "images/images.h"

struct docker_config {
    const char *hostname;
    const char *user;
    bool attaches_stdin;
    bool attaches_stdout;
    bool attaches_stderr;
    bool has_terminal;
    bool has_open_stdin;
    bool is_stdin_once;
    struct string_list env;
    struct string_list cmd;
    const char *image;
    const char *working_dir;
    struct string_list entrypoint;
    bool has_empty_entrypoint; /* "" clears the image's */
    struct string_map labels;
    const struct json *exposed_ports;
    const char *stop_signal;
    struct optional_int64 stop_timeout;
};

struct docker_ulimit {
    const char *name;
    int64_t soft;
    int64_t hard;
};

struct docker_tmpfs_options {
    int64_t size_bytes;
    uint32_t mode;
};

struct docker_bind_options {
    const char *propagation;
    bool is_not_recursive;
};

struct docker_mount {
    const char *type;
    const char *source;
    const char *target;
    bool is_readonly;
    struct docker_bind_options *bind;
    struct docker_tmpfs_options *tmpfs;
};

struct docker_restart_policy {
    const char *name;
    int64_t maximum_retry_count;
};

struct docker_log_config {
    const char *type;
    const struct json *config;
};

struct docker_host_config {
    struct string_list binds;
    LIST_OF(struct docker_mount) mounts;
    struct string_map tmpfs;
    const char *network_mode;
    const char *userns_mode;
    struct string_map storage_opt;
    struct docker_restart_policy restart_policy;
    struct docker_log_config log_config;
    bool is_auto_removed;
    struct string_list cap_add;
    struct string_list cap_drop;
    bool has_readonly_rootfs;
    struct string_list security_opt;
    struct optional_bool has_init;
    LIST_OF(struct docker_ulimit) ulimits;
    int64_t memory;
    int64_t memory_swap;
    int64_t memory_reservation;
    int64_t nano_cpus;
    int64_t cpu_shares;
    int64_t cpu_quota;
    int64_t cpu_period;
    const char *cpuset_cpus;
    const char *cpuset_mems;
    int64_t pids_limit;
};

struct definition {
    const char *id;
    const char *name;
    const char *image_id;
    int64_t created_ns;
    uint32_t id_range_first; /* host ids of its user namespace; 0: the host's own namespace */
    uint32_t project;        /* of its disk quota; 0: none */
    struct docker_config config;
    struct docker_host_config host_config;
};

/* HostConfig.StorageOpt's size in bytes; 0: none is set. */
uint64_t definition_disk_bytes(const struct definition *definition);

extern const struct json_struct docker_config_type;
extern const struct json_struct docker_host_config_type;
extern const struct json_struct definition_type;

/* Refuses what is impossible or not supported, by name. */
int definition_check_host_config(const struct docker_host_config *host, struct error *err);

/* Reads the body of POST /containers/create. */
int definition_parse(struct arena *arena, const char *text, size_t length,
                     struct definition *definition, struct error *err);

/* Fills in what the image says where the request says nothing. */
void definition_apply_image(struct arena *arena, struct definition *definition,
                            const struct image_process *image);

/* How a container's seccomp filter is chosen. */
enum seccomp_choice {
    SECCOMP_DEFAULT,
    SECCOMP_UNCONFINED,
    SECCOMP_PROFILE,
};

struct definition_security {
    bool no_new_privileges;
    enum seccomp_choice seccomp;
    const char *profile; /* JSON text */
};

/* Reads HostConfig.SecurityOpt. */
int definition_security(struct arena *arena, const struct definition *definition,
                        struct definition_security *security, struct error *err);

/* Makes the runtime configuration. Changes nothing. */
int definition_make_config(struct arena *arena, const struct definition *definition,
                           const struct definition_security *security, const char *cgroups_path,
                           struct oci_config *config, struct error *err);

/* Makes the directories that HostConfig.Binds names and that are missing, as Docker does. Call it
 * when everything else is known to be right. */
int definition_make_bind_sources(const struct definition *definition, struct error *err);

#endif
