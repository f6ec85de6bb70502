/*
 * What a user asked for when a container was created: Docker's Config and HostConfig, as far as
 * this version carries them out. Everything else is refused by name when it is asked for. The same
 * tables read the request, store the definition, and write `inspect`.
 */
#ifndef DAVIT_SUPERVISOR_DEFINITION_DEFINITION_H
#define DAVIT_SUPERVISOR_DEFINITION_DEFINITION_H

#include "base/json_table.h"
#include "bundle/bundle.h"
#include "bundle/cdi.h"
#include "bundle/selinux.h"
#include "images/images.h"
#include "probe.h"
#include "supervisor/monitor/log_writer.h"

struct docker_config {
    const char *hostname;
    const char *domainname;
    const char *user;
    const char *mac_address; /* of clients before API 1.44: see struct endpoint */
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
    const struct json *volumes; /* {"/path": {}}: an anonymous volume each */
    const char *stop_signal;
    struct optional_int64 stop_timeout;
    struct probe_definition *healthcheck; /* NULL: none */
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
    bool makes_source; /* CreateMountpoint */
};

struct docker_volume_driver {
    const char *name;
    struct string_map options;
};

struct docker_volume_options {
    bool has_no_copy;
    struct string_map labels;
    struct docker_volume_driver driver;
    const char *subpath;
};

struct docker_mount {
    const char *type;
    const char *source;
    const char *target;
    bool is_readonly;
    struct docker_bind_options *bind;
    struct docker_tmpfs_options *tmpfs;
    struct docker_volume_options *volume;
};

struct docker_restart_policy {
    const char *name;
    int64_t maximum_retry_count;
};

struct docker_device {
    const char *path;        /* on the host: a device, or a directory of devices */
    const char *path_inside; /* NULL: the same */
    const char *access;      /* of "rwm"; NULL: all */
};

/* Devices of a kind: by names (driver "cdi"), or so many that can do something ("gpu"). */
struct docker_device_request {
    const char *driver;
    int64_t count; /* -1: all */
    struct string_list ids;
    const struct json *capabilities; /* a list of lists: one of these has to be met as a whole */
    struct string_map options;
};

struct docker_weight_device {
    const char *path;
    int64_t weight;
};

struct docker_throttle_device {
    const char *path;
    uint64_t rate;
};

typedef LIST_OF(struct docker_throttle_device) docker_throttle_list;

struct docker_log_config {
    const char *type;
    struct string_map config;
};

/* Bytes a second, through each of a container's devices; 0: no limit. */
struct docker_network_rate {
    uint64_t send;
    uint64_t receive;
};

/* Of each of a container's devices in a bridge: network/limits.h. */
struct docker_network_limits {
    int64_t connections; /* 0: davitd's default; -1: no limit */
    uint32_t new_connections;
    uint32_t packets;
};

/* What a container may reach, and nothing else: network/egress.h. */
struct docker_egress {
    struct string_list allow;
    bool learns; /* what is not allowed is let through as well, and noted */
};

struct docker_host_config {
    struct string_list binds;
    LIST_OF(struct docker_mount) mounts;
    struct string_map tmpfs;
    struct string_list volumes_from; /* "CONTAINER[:ro]" */
    const char *network_mode;
    const struct json *port_bindings;
    bool publishes_all;
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
    int64_t blkio_weight;
    LIST_OF(struct docker_weight_device) blkio_weight_devices;
    docker_throttle_list blkio_read_bps;
    docker_throttle_list blkio_write_bps;
    docker_throttle_list blkio_read_iops;
    docker_throttle_list blkio_write_iops;
    bool is_privileged;
    LIST_OF(struct docker_device) devices;
    LIST_OF(struct docker_device_request) device_requests;
    struct string_list device_cgroup_rules;
    struct string_list links;                       /* "CONTAINER:ALIAS", as those of an endpoint */
    const struct docker_network_rate *network_rate; /* davit's own; NULL: no limit */
    const struct docker_network_limits *network_limits; /* davit's own; NULL: the default ones */
    const struct docker_egress *egress; /* davit's own; NULL: it may reach everything */
    struct string_list dns; /* servers asked for names that are nobody's on its networks */
    struct string_list dns_search;
    struct string_list dns_options;
    struct string_list extra_hosts; /* "NAME:ADDRESS"; "host-gateway": the host's */
    struct string_list group_add;
    struct string_map sysctls;
    struct string_map annotations;
    int64_t shm_size;
    int64_t oom_score_adj;
    const char *pid_mode;
    const char *ipc_mode;
    const char *uts_mode;
    const char *cgroupns_mode;
    const char *runtime;
    const char *cgroup_parent;       /* below davitd's own cgroup; NULL or "": that itself */
    const char *container_id_file;   /* the client's: it has written the id there */
    const char *volume_driver;       /* of Binds by name: "local" */
    const char *isolation;           /* "default": there is no other on Linux */
    const struct json *masked_paths; /* a list; absent or null: the usual ones */
    const struct json *readonly_paths;
};

/* A mount that the request or the image asks for, in whichever of Docker's ways. */
struct mount_point {
    const char *type; /* "bind", "volume" or "tmpfs" */
    const char *destination;
    const char *source; /* of a bind: on the host */
    const char *name;   /* of a volume; "" until an anonymous one has been made */
    const char *mode;   /* as it was written: "ro,rslave" */
    const char *propagation;
    const char *subpath;        /* of a volume: the part of it that is mounted */
    struct string_list options; /* of a tmpfs */
    bool is_readonly;
    bool is_not_recursive;
    bool makes_source;      /* a bind whose source is made if it is missing */
    bool has_no_copy;       /* a volume that does not start with what the image has there */
    bool is_anonymous;      /* a volume that goes with its container */
    bool is_labelled;       /* with SELinux: what all containers may use ("z") */
    bool is_labelled_alone; /* what this one alone may use ("Z") */
    /* While the container is made: */
    const struct docker_volume_options *volume; /* or NULL */
    bool is_new;
};

/* A port of the host whose connections go to the container. */
struct published_port {
    const char *protocol; /* "tcp", "udp" or "sctp" */
    const char *host;     /* an address of the host; "": all */
    uint32_t container_port;
    uint32_t host_port;      /* 0: any that is free */
    uint32_t last_host_port; /* the end of a range to pick from */
};

struct published_ports {
    struct published_port *items;
    size_t count;
};

#define ENDPOINTS_MAX 8

struct endpoint_ipam {
    const char *ipv4_address;
    const char *ipv6_address; /* that it has to have; NULL or "": any */
};

/* A container's connection to one network. */
struct endpoint {
    const char *network_name;
    const char *network_id;
    struct endpoint_ipam ipam;
    struct string_list aliases;
    struct string_list links;      /* "CONTAINER:ALIAS", names that it alone has for others */
    const char *mac_address;       /* that its device has to have; NULL or "": any */
    int64_t gateway_priority;      /* the highest has the default route; of several, the first */
    struct string_map driver_opts; /* as they were asked for, until they are resolved */
    struct string_list groups;     /* of the network, that it is in: networks/groups.h */
};

struct definition {
    const char *id;
    const char *tenant; /* whose it is; NULL or "": the host's own */
    const char *name;   /* unique within the tenant */
    const char *image_id;
    struct string_list layers; /* of its root, names in <root>/layers from the bottom up */
    uint64_t revision;         /* grows with each change: tells which of two copies is newer */
    int64_t created_ns;
    uint32_t id_range_first;   /* host ids of its user namespace; 0: the host's own namespace */
    uint32_t project;          /* of its disk quota; 0: none */
    const char *selinux_level; /* that no other container has; NULL: it has no label */
    struct docker_config config;
    struct docker_host_config host_config;
    LIST_OF(struct mount_point) mount_points;
    LIST_OF(struct endpoint) endpoints; /* the first is NetworkMode's */
    struct published_ports ports;       /* as they were asked for */
    const char *names_directory; /* of hosts, resolv.conf and hostname: "." or "../ID"; NULL: it has
                                    the image's, or the host's */
    struct probe_definition *liveness;  /* davit's own; NULL: none */
    struct probe_definition *readiness; /* likewise */
};

/* HostConfig.StorageOpt's size in bytes; 0: none is set. */
uint64_t definition_disk_bytes(const struct definition *definition);

extern const struct json_struct docker_config_type;
extern const struct json_struct docker_host_config_type;
extern const struct json_struct docker_log_config_type;
extern const struct json_struct docker_egress_type;
extern const struct json_struct definition_type;

/* Whether a mode (NetworkMode, PidMode, ...; or NULL) is "host". */
bool mode_is_host(const char *mode);

/* The NAME of a mode "container:NAME"; NULL: it is another. */
const char *mode_container(const char *mode);

/* The path of "ns:PATH", a network namespace that somebody else has made; NULL for another mode. */
const char *mode_path(const char *mode);

/* Refuses what is impossible or not supported, by name. */
int definition_check_host_config(const struct docker_host_config *host, struct error *err);

/* Reads the body of POST /containers/create. */
int definition_parse(struct arena *arena, const char *text, size_t length,
                     const struct docker_log_config *log_defaults, struct definition *definition,
                     struct error *err);

/* What one container may have of each, since every entry is compared with the others: of variables
 * of the environment and of labels, of mounts and of devices, of anonymous volumes. */
#define DEFINITION_NAMES_MAX 4096
#define DEFINITION_MOUNTS_MAX 1024
#define DEFINITION_ANONYMOUS_MAX 64

/* Refuses an image that, with the request, has more of these. Before definition_apply_image(). */
int definition_check_image(const struct definition *definition, const struct image_process *image,
                           struct error *err);

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
    const char *profile;          /* JSON text */
    const char *apparmor_profile; /* that it has to have; NULL: none that was named */
    bool takes_default_apparmor;  /* DEFAULT_APPARMOR_PROFILE, where the host has it loaded */
    bool shows_all_paths;         /* nothing of procfs and sysfs is masked or read-only */
    bool has_no_label;
    bool wants_level; /* one of its own: definition->selinux_level */
    struct selinux_contexts labels;
};

#define DEFAULT_APPARMOR_PROFILE "davit-default" /* dist/apparmor */

/* Reads HostConfig.SecurityOpt: security.c. `contexts` are what the host has for containers. */
int definition_security(struct arena *arena, const struct definition *definition,
                        const struct selinux_contexts *contexts,
                        struct definition_security *security, struct error *err);

/* What is mounted for a volume that is not a directory of davitd's own. */
struct volume_source {
    const char *filesystem;     /* the type that the host mounts from the device; NULL: what lies at
                                 * the path is bound */
    const char *path;           /* or the device; NULL: the volume's directory */
    bool is_memory;             /* mounted over that directory */
    struct string_list options; /* words of mount(8) */
};

/* Where davitd keeps what a runtime configuration names. */
struct definition_places {
    const char *cgroups_path;
    const char *volumes; /* the directory of all volumes */
    /* One for each mount point: zeroes for those that are no volume's, and for directories. NULL:
     * all are. */
    const struct volume_source *sources;
};

/* Makes the runtime configuration. Changes nothing. */
int definition_make_config(struct arena *arena, const struct definition *definition,
                           const struct definition_security *security,
                           const struct definition_places *places, struct oci_config *config,
                           struct error *err);

/* Reads HostConfig.LogConfig: log.c. definition_log_names() adds what depends on the container. */
int definition_log_options(const struct docker_log_config *config, struct log_options *options,
                           struct error *err);

/* Sets the options that depend on the container: its names, its tag with templates filled in, and
 * the labels and environment that entries carry. They lie in the arena or in the definition. */
void definition_log_names(struct arena *arena, const struct definition *definition,
                          struct log_options *options);

/* Fills in from the defaults what `config` leaves open: the driver and, if it is the same driver,
 * its options. */
void definition_apply_log_defaults(struct arena *arena, struct docker_log_config *config,
                                   const struct docker_log_config *defaults);

/* Adds the devices that HostConfig asks for, and their rules: devices.c. */
int definition_make_devices(struct arena *arena, const struct docker_host_config *host,
                            struct bundle_options *options, struct error *err);

/* Which files say how devices of vendors are used (bundle/cdi.h), and what class of them a
 * capability of a request ("gpu") means. */
struct device_settings {
    struct string_list directories;
    struct string_map classes; /* by capability */
};

/* Checks classes and directories. */
int device_settings_check(const struct device_settings *settings, struct error *err);

/* Reads HostConfig.DeviceRequests; *request is NULL where there is none. device_requests.c */
int definition_device_requests(struct arena *arena, const struct docker_host_config *host,
                               const struct device_settings *settings, struct cdi_request **request,
                               struct error *err);

/* HostConfig's limits, as the runtime takes them: resources.c. Devices must be there. */
int definition_make_resources(struct arena *arena, const struct docker_host_config *host,
                              struct oci_resources **resources, struct error *err);

/* Networks: network.c */

/* NetworkMode: "none", "host", "container:ID", "ns:PATH", or the first network's name. */
const char *definition_network_mode(const struct definition *definition);

/* Reads the request's NetworkingConfig: what it wants of which network, by name. */
int definition_read_endpoints(struct arena *arena, const struct json *networking,
                              struct definition *definition, struct error *err);

/* The index of its endpoint on the network; the number of its endpoints if none is on it. */
size_t definition_find_endpoint(const struct definition *definition, const char *network_id);

extern const struct json_struct endpoint_type; /* struct endpoint, as requests have it */

/* Reads PortBindings and PublishAllPorts, when the image's ports are known. */
int definition_read_ports(struct arena *arena, struct definition *definition, struct error *err);

/* Checks what is to stand in resolv.conf(5) and hosts(5). */
int definition_check_names(const struct docker_host_config *host, struct error *err);

/* Whether HostConfig says anything for resolv.conf(5) or hosts(5). */
bool definition_has_names(const struct docker_host_config *host);

/* "NAME:ADDRESS" or "NAME=ADDRESS", cut in two; false if it is neither. */
bool definition_split_extra_host(const char *text, char name[256], const char **address);

extern const struct json_struct published_port_type;

/* Mounts: mounts.c */

#define VOLUME_DATA "_data" /* in a volume's directory: what containers see */
/* The name of a volume's directory in <root>/volumes: "NAME", or "TENANT@NAME". */
const char *definition_volume_directory(struct arena *arena, const char *tenant, const char *name);
#define VOLUME_NAME_MAX 200

/* Refuses what cannot be a volume's name. */
int volume_check_name(const char *name, struct error *err);

/* Reads Binds, Mounts and Tmpfs into the mount points. Refuses what is wrong in itself. */
int definition_read_mounts(struct arena *arena, struct definition *definition, struct error *err);

/* Adds one; false if there is a mount at its destination already. */
bool definition_add_mount(struct arena *arena, struct definition *definition,
                          const struct mount_point *mount);

/* Adds anonymous volumes for the members of {"/path": {}} (or NULL) where nothing is mounted. */
int definition_add_volumes(struct arena *arena, struct definition *definition,
                           const struct json *volumes, struct error *err);

/* The mount points as the runtime takes them. */
void definition_make_mounts(struct arena *arena, const struct definition *definition,
                            const struct definition_places *places, struct bundle_options *options);

/* Makes the sources of binds that are missing and to be made, as Docker does. Call it when
 * everything else is known to be right. */
int definition_make_bind_sources(const struct definition *definition, struct error *err);

#endif
