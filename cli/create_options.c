/* The options of create and run, as docker has them, made into a request. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/size.h"
#include "cli.h"

/* Of a profile: davitd takes requests of 4 MiB. */
#define SECCOMP_MAX_BYTES (4 << 20)

enum long_option {
    OPTION_NAME = 256,
    OPTION_RM,
    OPTION_CPUS,
    OPTION_CPU_PERIOD,
    OPTION_CPU_QUOTA,
    OPTION_CPUSET_CPUS,
    OPTION_CPUSET_MEMS,
    OPTION_MEMORY_SWAP,
    OPTION_MEMORY_RESERVATION,
    OPTION_PIDS_LIMIT,
    OPTION_MOUNT,
    OPTION_TMPFS,
    OPTION_READ_ONLY,
    OPTION_CAP_ADD,
    OPTION_CAP_DROP,
    OPTION_SECURITY_OPT,
    OPTION_NETWORK,
    OPTION_RESTART,
    OPTION_USERNS,
    OPTION_STORAGE_OPT,
    OPTION_ULIMIT,
    OPTION_INIT,
    OPTION_ENTRYPOINT,
    OPTION_STOP_SIGNAL,
    OPTION_STOP_TIMEOUT,
    OPTION_PULL,
    OPTION_VOLUMES_FROM,
};

static const struct option option_table[] = {
    {"name", required_argument, NULL, OPTION_NAME},
    {"detach", no_argument, NULL, 'd'},
    {"interactive", no_argument, NULL, 'i'},
    {"tty", no_argument, NULL, 't'},
    {"rm", no_argument, NULL, OPTION_RM},
    {"env", required_argument, NULL, 'e'},
    {"workdir", required_argument, NULL, 'w'},
    {"user", required_argument, NULL, 'u'},
    {"label", required_argument, NULL, 'l'},
    {"hostname", required_argument, NULL, 'h'},
    {"memory", required_argument, NULL, 'm'},
    {"memory-swap", required_argument, NULL, OPTION_MEMORY_SWAP},
    {"memory-reservation", required_argument, NULL, OPTION_MEMORY_RESERVATION},
    {"cpus", required_argument, NULL, OPTION_CPUS},
    {"cpu-shares", required_argument, NULL, 'c'},
    {"cpu-period", required_argument, NULL, OPTION_CPU_PERIOD},
    {"cpu-quota", required_argument, NULL, OPTION_CPU_QUOTA},
    {"cpuset-cpus", required_argument, NULL, OPTION_CPUSET_CPUS},
    {"cpuset-mems", required_argument, NULL, OPTION_CPUSET_MEMS},
    {"pids-limit", required_argument, NULL, OPTION_PIDS_LIMIT},
    {"volume", required_argument, NULL, 'v'},
    {"volumes-from", required_argument, NULL, OPTION_VOLUMES_FROM},
    {"mount", required_argument, NULL, OPTION_MOUNT},
    {"tmpfs", required_argument, NULL, OPTION_TMPFS},
    {"read-only", no_argument, NULL, OPTION_READ_ONLY},
    {"cap-add", required_argument, NULL, OPTION_CAP_ADD},
    {"cap-drop", required_argument, NULL, OPTION_CAP_DROP},
    {"security-opt", required_argument, NULL, OPTION_SECURITY_OPT},
    {"network", required_argument, NULL, OPTION_NETWORK},
    {"net", required_argument, NULL, OPTION_NETWORK},
    {"restart", required_argument, NULL, OPTION_RESTART},
    {"storage-opt", required_argument, NULL, OPTION_STORAGE_OPT},
    {"userns", required_argument, NULL, OPTION_USERNS},
    {"ulimit", required_argument, NULL, OPTION_ULIMIT},
    {"init", no_argument, NULL, OPTION_INIT},
    {"entrypoint", required_argument, NULL, OPTION_ENTRYPOINT},
    {"stop-signal", required_argument, NULL, OPTION_STOP_SIGNAL},
    {"stop-timeout", required_argument, NULL, OPTION_STOP_TIMEOUT},
    {"pull", required_argument, NULL, OPTION_PULL},
    {NULL, 0, NULL, 0},
};

struct values {
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
    const char *workdir;
    const char *user;
    const char *hostname;
    const char *network;
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

static int parse_bytes(struct cli *cli, const char *option, const char *text, int64_t *bytes)
{
    if (size_parse(text, bytes) < 0)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "%s: \"%.32s\" is not a size like 64k, 512m or 2g", option, text);
    return 0;
}

static int parse_integer(struct cli *cli, const char *option, const char *text, int64_t *value)
{
    char *end;

    *value = strtoll(text, &end, 10);
    if (end == text || *end != '\0')
        return error_set(&cli->err, ERROR_INVALID, EINVAL, "%s: \"%.32s\" is not a number", option,
                         text);
    return 0;
}

static int parse_cpus(struct cli *cli, const char *text, int64_t *nano_cpus)
{
    char *end;
    double cpus = strtod(text, &end);

    if (end == text || *end != '\0' || cpus < 0 || cpus > 100000)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "--cpus: \"%.32s\" is not a number of CPUs like 1.5", text);
    *nano_cpus = (int64_t)(cpus * 1e9);
    return 0;
}

static int parse_list_option(struct create_options *options, struct values *values, int option)
{
    struct {
        int option;
        struct string_list *list;
    } lists[] = {
        {'l', &values->labels},
        {'v', &values->volumes},
        {OPTION_VOLUMES_FROM, &values->volumes_from},
        {OPTION_MOUNT, &values->mounts},
        {OPTION_TMPFS, &values->tmpfs},
        {OPTION_CAP_ADD, &values->cap_add},
        {OPTION_CAP_DROP, &values->cap_drop},
        {OPTION_SECURITY_OPT, &values->security},
        {OPTION_ULIMIT, &values->ulimits},
    };

    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        if (lists[i].option == option) {
            string_list_append(&options->arena, lists[i].list, optarg);
            return 1;
        }
    }
    return 0;
}

static int parse_number_option(struct cli *cli, struct values *values, int option)
{
    switch (option) {
    case 'm':
        return parse_bytes(cli, "--memory", optarg, &values->memory);
    case OPTION_MEMORY_SWAP:
        return parse_bytes(cli, "--memory-swap", optarg, &values->memory_swap);
    case OPTION_MEMORY_RESERVATION:
        return parse_bytes(cli, "--memory-reservation", optarg, &values->memory_reservation);
    case OPTION_CPUS:
        return parse_cpus(cli, optarg, &values->nano_cpus);
    case 'c':
        return parse_integer(cli, "--cpu-shares", optarg, &values->cpu_shares);
    case OPTION_CPU_PERIOD:
        return parse_integer(cli, "--cpu-period", optarg, &values->cpu_period);
    case OPTION_CPU_QUOTA:
        return parse_integer(cli, "--cpu-quota", optarg, &values->cpu_quota);
    case OPTION_PIDS_LIMIT:
        return parse_integer(cli, "--pids-limit", optarg, &values->pids_limit);
    case OPTION_STOP_TIMEOUT:
        values->has_stop_timeout = true;
        return parse_integer(cli, "--stop-timeout", optarg, &values->stop_timeout);
    default:
        return 1;
    }
}

static int parse_pull(struct cli *cli, const char *text, enum pull_when *when)
{
    static const char *const names[] = {"missing", "always", "never"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(names[i], text) == 0) {
            *when = (enum pull_when)i;
            return 0;
        }
    }
    return error_set(&cli->err, ERROR_INVALID, EINVAL,
                     "--pull: \"%.32s\" is none of always, missing, never", text);
}

static int parse_other_option(struct create_options *options, struct values *values, int option)
{
    switch (option) {
    case OPTION_NAME:
        options->name = optarg;
        break;
    case 'd':
        options->is_detached = true;
        break;
    case 'i':
        options->is_interactive = true;
        break;
    case 't':
        options->has_terminal = true;
        break;
    case OPTION_RM:
        options->is_auto_removed = true;
        break;
    case 'e':
        cli_add_env(&options->arena, &values->env, optarg);
        break;
    case 'w':
        values->workdir = optarg;
        break;
    case 'u':
        values->user = optarg;
        break;
    case 'h':
        values->hostname = optarg;
        break;
    case OPTION_NETWORK:
        values->network = optarg;
        break;
    case OPTION_STORAGE_OPT:
        string_list_append(&options->arena, &values->storage_opts, optarg);
        break;
    case OPTION_RESTART:
        values->restart = optarg;
        break;
    case OPTION_USERNS:
        values->userns = optarg;
        break;
    case OPTION_CPUSET_CPUS:
        values->cpuset_cpus = optarg;
        break;
    case OPTION_CPUSET_MEMS:
        values->cpuset_mems = optarg;
        break;
    case OPTION_READ_ONLY:
        values->is_readonly = true;
        break;
    case OPTION_INIT:
        values->has_init = true;
        break;
    case OPTION_ENTRYPOINT:
        values->entrypoint = optarg;
        break;
    case OPTION_STOP_SIGNAL:
        values->stop_signal = optarg;
        break;
    default:
        return 0;
    }
    return 1;
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
        return parse_bytes(cli, "--mount tmpfs-size", value, &fields->tmpfs_size);
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
static int write_restart(struct cli *cli, struct json_writer *writer, const char *text)
{
    const char *colon = text != NULL ? strchr(text, ':') : NULL;
    cleanup_free char *name =
        memory_printf("%.*s", colon != NULL ? (int)(colon - text) : 64, text != NULL ? text : "");
    int64_t count = 0;

    if (colon != NULL && parse_integer(cli, "--restart", colon + 1, &count) < 0)
        return -EINVAL;
    json_key(writer, "RestartPolicy");
    json_object_open(writer);
    json_member_string(writer, "Name", name);
    json_member_integer(writer, "MaximumRetryCount", count);
    json_object_close(writer);
    return 0;
}

static void write_limits(struct json_writer *writer, const struct values *values)
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

static int write_host_config(struct cli *cli, struct json_writer *writer,
                             const struct create_options *options, const struct values *values)
{
    int result;

    json_key(writer, "HostConfig");
    json_object_open(writer);
    write_binds(writer, &values->volumes);
    json_member_strings(writer, "VolumesFrom", &values->volumes_from);
    cli_write_pairs(writer, "Tmpfs", &values->tmpfs, ':');
    json_member_strings(writer, "CapAdd", &values->cap_add);
    json_member_strings(writer, "CapDrop", &values->cap_drop);
    json_member_string(writer, "NetworkMode",
                       values->network != NULL ? values->network : "default");
    json_member_string(writer, "UsernsMode", values->userns);
    cli_write_pairs(writer, "StorageOpt", &values->storage_opts, '=');
    result = write_restart(cli, writer, values->restart);
    if (result < 0)
        return result;
    json_member_boolean(writer, "AutoRemove", options->is_auto_removed);
    json_member_boolean(writer, "ReadonlyRootfs", values->is_readonly);
    if (values->has_init)
        json_member_boolean(writer, "Init", true);
    write_limits(writer, values);
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
        result = write_ulimits(cli, writer, &values->ulimits);
    if (result == 0)
        json_object_close(writer);
    return result;
}

static int write_request(struct cli *cli, struct json_writer *writer,
                         const struct create_options *options, const struct values *values,
                         const struct string_list *cmd)
{
    json_object_open(writer);
    json_member_string(writer, "Image", options->image);
    json_member_string(writer, "Hostname", values->hostname);
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
    if (values->stop_signal != NULL)
        json_member_string(writer, "StopSignal", values->stop_signal);
    if (values->has_stop_timeout)
        json_member_integer(writer, "StopTimeout", values->stop_timeout);
    if (write_host_config(cli, writer, options, values) < 0)
        return -EINVAL;
    json_object_close(writer);
    return 0;
}

int create_options_parse(struct cli *cli, struct create_options *options, bool is_run, int argc,
                         char **argv)
{
    struct values values = {0};
    struct string_list cmd = {0};
    struct json_writer *writer;
    int option;
    int result;

    while ((option = getopt_long(
                argc, argv, is_run ? "+dite:w:u:l:h:m:c:v:" : "+ite:w:u:l:h:m:c:v:", option_table,
                NULL)) != -1) {
        if (option == '?' || (option == 'd' && !is_run))
            return cli_usage_error(cli, argv, "[OPTION...] IMAGE [COMMAND [ARGUMENT...]]");
        if (parse_list_option(options, &values, option) ||
            parse_other_option(options, &values, option))
            continue;
        result = option == OPTION_PULL ? parse_pull(cli, optarg, &options->pulls)
                                       : parse_number_option(cli, &values, option);
        if (result < 0)
            return result;
    }
    if (optind == argc)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "%s: an image is expected; davit images lists them", argv[0]);
    options->image = argv[optind];
    for (int i = optind + 1; i < argc; i++)
        string_list_append(&options->arena, &cmd, argv[i]);
    writer = json_writer_new(false);
    result = write_request(cli, writer, options, &values, &cmd);
    if (result == 0)
        options->body = memory_strdup(json_writer_text(writer));
    json_writer_free(writer);
    return result;
}

int update_options_parse(struct cli *cli, int argc, char **argv, char **body)
{
    struct values values = {0};
    struct json_writer *writer;
    int option;
    int result = 0;

    while (result >= 0 && (option = getopt_long(argc, argv, "+m:c:", option_table, NULL)) != -1) {
        if (option == OPTION_RESTART)
            values.restart = optarg;
        else if (option == OPTION_CPUSET_CPUS)
            values.cpuset_cpus = optarg;
        else if (option == OPTION_CPUSET_MEMS)
            values.cpuset_mems = optarg;
        else if (option == '?' || option == OPTION_STOP_TIMEOUT ||
                 (result = parse_number_option(cli, &values, option)) > 0)
            result = cli_usage_error(cli, argv,
                                     "[--memory SIZE] [--cpus N] [--pids-limit N] [--restart "
                                     "POLICY]... CONTAINER...");
    }
    if (result < 0)
        return result;
    writer = json_writer_new(false);
    json_object_open(writer);
    write_limits(writer, &values);
    result = write_restart(cli, writer, values.restart);
    json_object_close(writer);
    if (result == 0)
        *body = memory_strdup(json_writer_text(writer));
    json_writer_free(writer);
    return result;
}

void create_options_release(struct create_options *options)
{
    free(options->body);
    arena_release(&options->arena);
}
