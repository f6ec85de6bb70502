/* The request of create and run: see create_request.h. */
#include "create_request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/size.h"

/* Of a profile: davitd takes requests of 4 MiB. */
#define SECCOMP_MAX_BYTES (4 << 20)

int create_parse_bytes(struct cli *cli, const char *option, const char *text, int64_t *bytes)
{
    if (size_parse(text, bytes) < 0)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "%s: \"%.32s\" is not a size like 64k, 512m or 2g", option, text);
    return 0;
}

int create_parse_integer(struct cli *cli, const char *option, const char *text, int64_t *value)
{
    char *end;

    *value = strtoll(text, &end, 10);
    if (end == text || *end != '\0')
        return error_set(&cli->err, ERROR_INVALID, EINVAL, "%s: \"%.32s\" is not a number", option,
                         text);
    return 0;
}

/* "nofile=1024:2048" */
static int write_ulimits(struct cli *cli, struct json_writer *writer,
                         const struct string_list *list)
{
    json_key(writer, "Ulimits");
    json_array_open(writer);
    for (size_t i = 0; i < list->count; i++) {
        char name[32];
        long long soft;
        long long hard;
        int fields = sscanf(list->items[i], "%31[^=]=%lld:%lld", name, &soft, &hard);

        if (fields < 2)
            return error_set(&cli->err, ERROR_INVALID, EINVAL,
                             "--ulimit: \"%.64s\" is not NAME=SOFT[:HARD]", list->items[i]);
        json_object_open(writer);
        json_member_string(writer, "Name", name);
        json_member_integer(writer, "Soft", soft);
        json_member_integer(writer, "Hard", fields == 3 ? hard : soft);
        json_object_close(writer);
    }
    json_array_close(writer);
    return 0;
}

/* What --mount says, sorted by the object that it belongs to. */
struct mount_fields {
    const char *propagation;
    const char *subpath;
    const char *driver;
    int64_t tmpfs_size;
    int64_t tmpfs_mode;
    bool has_no_copy;
    struct string_list labels;
    struct string_list options;
    struct arena arena;
};

int create_parse_duration(struct cli *cli, const char *option, const char *text, int64_t *ns)
{
    if (clock_parse_duration(text, ns) < 0)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "%s: \"%.32s\" is not a time like 30s or 1m30s", option, text);
    return 0;
}

static bool is_true(const char *value)
{
    return value == NULL || (strcmp(value, "false") != 0 && strcmp(value, "0") != 0);
}

/* Those that stand in the mount itself. */
static bool write_mount_field(struct json_writer *writer, const char *field, const char *value)
{
    static const char *const names[][2] = {{"type", "Type"},  {"source", "Source"},
                                           {"src", "Source"}, {"target", "Target"},
                                           {"dst", "Target"}, {"destination", "Target"}};

    for (size_t i = 0; i < ARRAY_SIZE(names) && value != NULL; i++) {
        if (strcmp(field, names[i][0]) == 0) {
            json_member_string(writer, names[i][1], value);
            return true;
        }
    }
    if (strcmp(field, "readonly") != 0 && strcmp(field, "ro") != 0)
        return false;
    json_member_boolean(writer, "ReadOnly", is_true(value));
    return true;
}

static int read_mount_field(struct cli *cli, struct mount_fields *fields, const char *field,
                            const char *value)
{
    char *end = NULL;

    if (strcmp(field, "volume-nocopy") == 0) {
        fields->has_no_copy = is_true(value);
        return 0;
    }
    if (value != NULL && strcmp(field, "bind-propagation") == 0)
        fields->propagation = value;
    else if (value != NULL && strcmp(field, "volume-subpath") == 0)
        fields->subpath = value;
    else if (value != NULL && strcmp(field, "volume-driver") == 0)
        fields->driver = value;
    else if (value != NULL && strcmp(field, "volume-label") == 0)
        string_list_append(&fields->arena, &fields->labels, value);
    else if (value != NULL && strcmp(field, "volume-opt") == 0)
        string_list_append(&fields->arena, &fields->options, value);
    else if (value != NULL && strcmp(field, "tmpfs-size") == 0)
        return create_parse_bytes(cli, "--mount tmpfs-size", value, &fields->tmpfs_size);
    else if (value != NULL && strcmp(field, "tmpfs-mode") == 0)
        fields->tmpfs_mode = strtol(value, &end, 8);
    else
        return error_set(&cli->err, ERROR_INVALID, EINVAL, "--mount: unknown field \"%.32s\"",
                         field);
    if (end != NULL && (*end != '\0' || end == value))
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "--mount tmpfs-mode: \"%.16s\" is not an octal number", value);
    return 0;
}

static void write_mount_objects(struct json_writer *writer, const struct mount_fields *fields)
{
    if (fields->propagation != NULL) {
        json_key(writer, "BindOptions");
        json_object_open(writer);
        json_member_string(writer, "Propagation", fields->propagation);
        json_object_close(writer);
    }
    if (fields->tmpfs_size > 0 || fields->tmpfs_mode > 0) {
        json_key(writer, "TmpfsOptions");
        json_object_open(writer);
        json_member_integer(writer, "SizeBytes", fields->tmpfs_size);
        json_member_integer(writer, "Mode", fields->tmpfs_mode);
        json_object_close(writer);
    }
    if (!fields->has_no_copy && fields->subpath == NULL && fields->driver == NULL &&
        fields->labels.count == 0 && fields->options.count == 0)
        return;
    json_key(writer, "VolumeOptions");
    json_object_open(writer);
    json_member_boolean(writer, "NoCopy", fields->has_no_copy);
    json_member_string(writer, "Subpath", fields->subpath);
    cli_write_pairs(writer, "Labels", &fields->labels, '=');
    json_key(writer, "DriverConfig");
    json_object_open(writer);
    json_member_string(writer, "Name", fields->driver);
    cli_write_pairs(writer, "Options", &fields->options, '=');
    json_object_close(writer);
    json_object_close(writer);
}

/* "type=bind,source=/a,target=/b,readonly" */
static int write_mount(struct cli *cli, struct json_writer *writer, const char *text)
{
    cleanup_free char *copy = memory_strdup(text);
    char *rest = copy;
    struct mount_fields fields = {0};
    int result = 0;

    json_object_open(writer);
    for (char *field = strsep(&rest, ","); result == 0 && field != NULL;
         field = strsep(&rest, ",")) {
        char *value = strchr(field, '=');

        if (value != NULL)
            *value++ = '\0';
        if (!write_mount_field(writer, field, value))
            result = read_mount_field(cli, &fields, field, value);
    }
    write_mount_objects(writer, &fields);
    arena_release(&fields.arena);
    json_object_close(writer);
    return result;
}

/* A seccomp profile is a file here and its content in the request. */
static int write_security(struct cli *cli, struct json_writer *writer,
                          const struct string_list *list)
{
    json_key(writer, "SecurityOpt");
    json_array_open(writer);
    for (size_t i = 0; i < list->count; i++) {
        const char *option = list->items[i];
        cleanup_buffer struct buffer text = {0};

        if (strncmp(option, "seccomp=", 8) != 0 || strcmp(option + 8, "unconfined") == 0) {
            json_string(writer, option);
            continue;
        }
        buffer_append_string(&text, "seccomp=");
        if (file_read(AT_FDCWD, option + 8, SECCOMP_MAX_BYTES, &text, &cli->err) < 0)
            return error_prefix(&cli->err, "--security-opt seccomp");
        json_string(writer, buffer_text(&text));
    }
    json_array_close(writer);
    return 0;
}

/* "no", "always", "unless-stopped", "on-failure[:N]" */
int create_write_restart(struct cli *cli, struct json_writer *writer, const char *text)
{
    const char *colon = text != NULL ? strchr(text, ':') : NULL;
    cleanup_free char *name =
        memory_printf("%.*s", colon != NULL ? (int)(colon - text) : 64, text != NULL ? text : "");
    int64_t count = 0;

    if (colon != NULL && create_parse_integer(cli, "--restart", colon + 1, &count) < 0)
        return -EINVAL;
    json_key(writer, "RestartPolicy");
    json_object_open(writer);
    json_member_string(writer, "Name", name);
    json_member_integer(writer, "MaximumRetryCount", count);
    json_object_close(writer);
    return 0;
}

void create_write_limits(struct json_writer *writer, const struct create_values *values)
{
    json_member_integer(writer, "Memory", values->memory);
    json_member_integer(writer, "MemorySwap", values->memory_swap);
    json_member_integer(writer, "MemoryReservation", values->memory_reservation);
    json_member_integer(writer, "NanoCpus", values->nano_cpus);
    json_member_integer(writer, "CpuShares", values->cpu_shares);
    json_member_integer(writer, "CpuPeriod", values->cpu_period);
    json_member_integer(writer, "CpuQuota", values->cpu_quota);
    json_member_string(writer, "CpusetCpus", values->cpuset_cpus);
    json_member_string(writer, "CpusetMems", values->cpuset_mems);
    json_member_integer(writer, "PidsLimit", values->pids_limit);
}

/* "SOURCE:TARGET[:MODE]". A path that is relative to our working directory is made absolute. */
static void write_binds(struct json_writer *writer, const struct string_list *volumes)
{
    json_key(writer, "Binds");
    json_array_open(writer);
    for (size_t i = 0; i < volumes->count; i++) {
        const char *text = volumes->items[i];
        cleanup_free char *directory = text[0] == '.' ? getcwd(NULL, 0) : NULL;
        cleanup_free char *bind =
            directory != NULL ? memory_printf("%s/%s", directory, text) : NULL;

        if (strchr(text, ':') != NULL)
            json_string(writer, bind != NULL ? bind : text);
    }
    json_array_close(writer);
}

/* "TARGET": an anonymous volume. */
static void write_anonymous_volumes(struct json_writer *writer, const struct string_list *volumes)
{
    json_key(writer, "Volumes");
    json_object_open(writer);
    for (size_t i = 0; i < volumes->count; i++) {
        if (strchr(volumes->items[i], ':') != NULL)
            continue;
        json_key(writer, volumes->items[i]);
        json_object_open(writer);
        json_object_close(writer);
    }
    json_object_close(writer);
}

/* "PATH[:PATH-INSIDE][:rwm]" */
static void write_devices(struct json_writer *writer, const struct string_list *list)
{
    json_key(writer, "Devices");
    json_array_open(writer);
    for (size_t i = 0; i < list->count; i++) {
        cleanup_free char *copy = memory_strdup(list->items[i]);
        char *rest = copy;
        const char *path = strsep(&rest, ":");
        const char *second = strsep(&rest, ":");
        bool is_access = second != NULL && second[0] != '/';

        json_object_open(writer);
        json_member_string(writer, "PathOnHost", path);
        json_member_string(writer, "PathInContainer", second != NULL && !is_access ? second : path);
        json_member_string(writer, "CgroupPermissions",
                           is_access      ? second
                           : rest != NULL ? rest
                                          : "rwm");
        json_object_close(writer);
    }
    json_array_close(writer);
}

/* "PATH:RATE", a size or a number, or "PATH:WEIGHT". */
static int write_device_limits(struct cli *cli, struct json_writer *writer, const char *name,
                               const char *value_name, const struct string_list *list)
{
    json_key(writer, name);
    json_array_open(writer);
    for (size_t i = 0; i < list->count; i++) {
        cleanup_free char *path = memory_strdup(list->items[i]);
        char *value = strrchr(path, ':');
        int64_t number = 0;

        if (value != NULL)
            *value++ = '\0';
        if (value == NULL || size_parse(value, &number) < 0 || number < 0)
            return error_set(&cli->err, ERROR_INVALID, EINVAL, "%s: \"%.64s\" is not DEVICE:NUMBER",
                             name, list->items[i]);
        json_object_open(writer);
        json_member_string(writer, "Path", path);
        json_member_integer(writer, value_name, number);
        json_object_close(writer);
    }
    json_array_close(writer);
    return 0;
}

static int write_block_limits(struct cli *cli, struct json_writer *writer,
                              const struct create_values *values)
{
    const struct {
        const char *name;
        const char *value_name;
        const struct string_list *list;
    } limits[] = {{"BlkioWeightDevice", "Weight", &values->blkio_weight_devices},
                  {"BlkioDeviceReadBps", "Rate", &values->device_read_bps},
                  {"BlkioDeviceWriteBps", "Rate", &values->device_write_bps},
                  {"BlkioDeviceReadIOps", "Rate", &values->device_read_iops},
                  {"BlkioDeviceWriteIOps", "Rate", &values->device_write_iops}};

    json_member_integer(writer, "BlkioWeight", values->blkio_weight);
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        if (limits[i].list->count > 0 &&
            write_device_limits(cli, writer, limits[i].name, limits[i].value_name, limits[i].list) <
                0)
            return -EINVAL;
    }
    return 0;
}

/* What is the host's, or of it. */
static void write_host_parts(struct json_writer *writer, const struct create_values *values)
{
    json_member_boolean(writer, "Privileged", values->is_privileged);
    json_member_string(writer, "PidMode", values->pid);
    json_member_string(writer, "IpcMode", values->ipc);
    json_member_string(writer, "UTSMode", values->uts);
    json_member_string(writer, "CgroupnsMode", values->cgroupns);
    json_member_string(writer, "UsernsMode", values->userns);
    json_member_string(writer, "NetworkMode",
                       values->network != NULL ? values->network : "default");
    write_devices(writer, &values->devices);
    json_member_strings(writer, "DeviceCgroupRules", &values->device_cgroup_rules);
}

static void write_rates(struct json_writer *writer, const struct create_values *values)
{
    if (values->network_send_bps == 0 && values->network_receive_bps == 0)
        return;
    json_key(writer, "NetworkRate");
    json_object_open(writer);
    json_member_integer(writer, "Send", values->network_send_bps);
    json_member_integer(writer, "Receive", values->network_receive_bps);
    json_object_close(writer);
}

/* "none" allows nothing, and goes with other rules as nothing more. */
static void write_egress(struct json_writer *writer, const struct string_list *rules)
{
    if (rules->count == 0)
        return;
    json_key(writer, "Egress");
    json_object_open(writer);
    json_key(writer, "Allow");
    json_array_open(writer);
    for (size_t i = 0; i < rules->count; i++) {
        if (strcmp(rules->items[i], "none") != 0)
            json_string(writer, rules->items[i]);
    }
    json_array_close(writer);
    json_object_close(writer);
}

static int write_host_config(struct cli *cli, struct json_writer *writer,
                             const struct create_options *options,
                             const struct create_values *values)
{
    int result;

    json_key(writer, "HostConfig");
    json_object_open(writer);
    write_binds(writer, &values->volumes);
    json_member_strings(writer, "VolumesFrom", &values->volumes_from);
    cli_write_pairs(writer, "Tmpfs", &values->tmpfs, ':');
    json_member_strings(writer, "CapAdd", &values->cap_add);
    json_member_strings(writer, "CapDrop", &values->cap_drop);
    json_member_strings(writer, "GroupAdd", &values->group_add);
    write_rates(writer, values);
    write_egress(writer, &values->egress);
    json_member_strings(writer, "Dns", &values->dns);
    json_member_strings(writer, "DnsSearch", &values->dns_search);
    json_member_strings(writer, "DnsOptions", &values->dns_options);
    json_member_strings(writer, "ExtraHosts", &values->add_hosts);
    json_member_integer(writer, "ShmSize", values->shm_size);
    json_member_integer(writer, "OomScoreAdj", values->oom_score_adj);
    cli_write_pairs(writer, "Sysctls", &values->sysctls, '=');
    cli_write_pairs(writer, "Annotations", &values->annotations, '=');
    write_host_parts(writer, values);
    cli_write_pairs(writer, "StorageOpt", &values->storage_opts, '=');
    json_key(writer, "LogConfig");
    json_object_open(writer);
    json_member_string(writer, "Type", values->log_driver);
    cli_write_pairs(writer, "Config", &values->log_opts, '=');
    json_object_close(writer);
    result = create_write_restart(cli, writer, values->restart);
    if (result < 0)
        return result;
    json_member_boolean(writer, "AutoRemove", options->is_auto_removed);
    json_member_boolean(writer, "ReadonlyRootfs", values->is_readonly);
    if (values->has_init)
        json_member_boolean(writer, "Init", true);
    create_write_limits(writer, values);
    json_key(writer, "Mounts");
    json_array_open(writer);
    for (size_t i = 0; i < values->mounts.count; i++) {
        result = write_mount(cli, writer, values->mounts.items[i]);
        if (result < 0)
            return result;
    }
    json_array_close(writer);
    result = write_security(cli, writer, &values->security);
    if (result == 0)
        result = write_block_limits(cli, writer, values);
    if (result == 0)
        result = write_ulimits(cli, writer, &values->ulimits);
    if (result == 0)
        result = create_write_ports(cli, writer, values);
    if (result == 0)
        json_object_close(writer);
    return result;
}

static void write_healthcheck(struct json_writer *writer, const struct create_values *values)
{
    const struct string_list none = {(const char *[]){"NONE"}, 1};
    const struct string_list shell = {(const char *[]){"CMD-SHELL", values->health_cmd}, 2};

    if (!values->has_no_healthcheck && values->health_cmd == NULL &&
        values->health_interval_ns == 0 && values->health_timeout_ns == 0 &&
        values->health_start_period_ns == 0 && values->health_start_interval_ns == 0 &&
        values->health_retries == 0)
        return;
    json_key(writer, "Healthcheck");
    json_object_open(writer);
    if (values->has_no_healthcheck)
        json_member_strings(writer, "Test", &none);
    else if (values->health_cmd != NULL)
        json_member_strings(writer, "Test", &shell);
    json_member_integer(writer, "Interval", values->health_interval_ns);
    json_member_integer(writer, "Timeout", values->health_timeout_ns);
    json_member_integer(writer, "StartPeriod", values->health_start_period_ns);
    json_member_integer(writer, "StartInterval", values->health_start_interval_ns);
    json_member_integer(writer, "Retries", values->health_retries);
    json_object_close(writer);
}

int create_write_request(struct cli *cli, struct json_writer *writer,
                         const struct create_options *options, const struct create_values *values,
                         const struct string_list *cmd)
{
    json_object_open(writer);
    json_member_string(writer, "Image", options->image);
    json_member_string(writer, "Hostname", values->hostname);
    json_member_string(writer, "Domainname", values->domainname);
    json_member_string(writer, "User", values->user);
    json_member_string(writer, "WorkingDir", values->workdir);
    json_member_boolean(writer, "Tty", options->has_terminal);
    json_member_boolean(writer, "OpenStdin", options->is_interactive);
    json_member_boolean(writer, "StdinOnce", options->is_interactive && !options->is_detached);
    json_member_boolean(writer, "AttachStdin", options->is_interactive && !options->is_detached);
    json_member_boolean(writer, "AttachStdout", !options->is_detached);
    json_member_boolean(writer, "AttachStderr", !options->is_detached);
    json_member_strings(writer, "Env", &values->env);
    if (cmd->count > 0)
        json_member_strings(writer, "Cmd", cmd);
    if (values->entrypoint != NULL)
        json_member_strings(writer, "Entrypoint",
                            &(struct string_list){(const char *[]){values->entrypoint}, 1});
    cli_write_pairs(writer, "Labels", &values->labels, '=');
    write_anonymous_volumes(writer, &values->volumes);
    write_healthcheck(writer, values);
    if (values->stop_signal != NULL)
        json_member_string(writer, "StopSignal", values->stop_signal);
    if (values->has_stop_timeout)
        json_member_integer(writer, "StopTimeout", values->stop_timeout);
    create_write_endpoint(writer, values);
    if (write_host_config(cli, writer, options, values) < 0)
        return -EINVAL;
    json_object_close(writer);
    return 0;
}
