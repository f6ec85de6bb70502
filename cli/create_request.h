/* What the options of create, run and update say, and the requests that it becomes. */
#ifndef DAVIT_CLI_CREATE_REQUEST_H
#define DAVIT_CLI_CREATE_REQUEST_H

#include "cli.h"

struct create_values {
    struct string_list env;
    struct string_list labels;
    struct string_list volumes;
    struct string_list volumes_from;
    struct string_list mounts;
    struct string_list tmpfs;
    struct string_list cap_add;
    struct string_list cap_drop;
    struct string_list security;
    struct string_list ulimits;
    struct string_list storage_opts;
    struct string_list devices;
    struct string_list device_cgroup_rules;
    struct string_list device_read_bps;
    struct string_list device_write_bps;
    struct string_list device_read_iops;
    struct string_list device_write_iops;
    struct string_list blkio_weight_devices;
    struct string_list group_add;
    int64_t network_send_bps;
    int64_t network_receive_bps;
    struct string_list dns;
    struct string_list egress;
    struct string_list dns_search;
    struct string_list dns_options;
    struct string_list add_hosts;
    struct string_list sysctls;
    struct string_list annotations;
    const char *health_cmd;
    int64_t health_interval_ns;
    int64_t health_timeout_ns;
    int64_t health_start_period_ns;
    int64_t health_start_interval_ns;
    int64_t health_retries;
    bool has_no_healthcheck;
    struct string_list log_opts;
    const char *log_driver;
    const char *domainname;
    const char *pid;
    const char *ipc;
    const char *uts;
    const char *cgroupns;
    int64_t shm_size;
    int64_t oom_score_adj;
    int64_t blkio_weight;
    bool is_privileged;
    const char *workdir;
    const char *user;
    const char *hostname;
    const char *network;
    const char *address; /* on it */
    const char *address6;
    struct string_list network_aliases;
    struct string_list publish;
    bool publishes_all;
    const char *userns;
    const char *restart;
    const char *cpuset_cpus;
    const char *cpuset_mems;
    const char *entrypoint;
    const char *stop_signal;
    int64_t stop_timeout;
    int64_t memory;
    int64_t memory_swap;
    int64_t memory_reservation;
    int64_t nano_cpus;
    int64_t cpu_shares;
    int64_t cpu_period;
    int64_t cpu_quota;
    int64_t pids_limit;
    bool has_stop_timeout;
    bool is_readonly;
    bool has_init;
};

/* "512m" and "17", of the option that is named. */
int create_parse_bytes(struct cli *cli, const char *option, const char *text, int64_t *bytes);
int create_parse_integer(struct cli *cli, const char *option, const char *text, int64_t *value);
/* "1m30s" */
int create_parse_duration(struct cli *cli, const char *option, const char *text, int64_t *ns);

/* The body of POST /containers/create. */
int create_write_request(struct cli *cli, struct json_writer *writer,
                         const struct create_options *options, const struct create_values *values,
                         const struct string_list *cmd);

/* PortBindings and PublishAllPorts; NetworkingConfig: create_ports.c. */
int create_write_ports(struct cli *cli, struct json_writer *writer,
                       const struct create_values *values);
void create_write_endpoint(struct json_writer *writer, const struct create_values *values);

/* Members of HostConfig that update has as well. */
void create_write_limits(struct json_writer *writer, const struct create_values *values);
int create_write_restart(struct cli *cli, struct json_writer *writer, const char *text);

#endif
