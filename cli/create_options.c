/* The options of create, run and update, as docker has them. */
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
#include "create_request.h"

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
    OPTION_DETACH_KEYS,
    OPTION_NETWORK_ALIAS,
    OPTION_IP,
    OPTION_IP6,
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
    OPTION_PRIVILEGED,
    OPTION_DEVICE,
    OPTION_DEVICE_CGROUP_RULE,
    OPTION_DEVICE_READ_BPS,
    OPTION_DEVICE_WRITE_BPS,
    OPTION_DEVICE_READ_IOPS,
    OPTION_DEVICE_WRITE_IOPS,
    OPTION_BLKIO_WEIGHT,
    OPTION_BLKIO_WEIGHT_DEVICE,
    OPTION_GROUP_ADD,
    OPTION_DNS,
    OPTION_NETWORK_SEND,
    OPTION_NETWORK_RECEIVE,
    OPTION_EGRESS,
    OPTION_DNS_SEARCH,
    OPTION_DNS_OPTION,
    OPTION_ADD_HOST,
    OPTION_SYSCTL,
    OPTION_ANNOTATION,
    OPTION_SHM_SIZE,
    OPTION_OOM_SCORE_ADJ,
    OPTION_PID,
    OPTION_IPC,
    OPTION_UTS,
    OPTION_CGROUPNS,
    OPTION_DOMAINNAME,
    OPTION_HEALTH_CMD,
    OPTION_HEALTH_INTERVAL,
    OPTION_HEALTH_TIMEOUT,
    OPTION_HEALTH_START_PERIOD,
    OPTION_HEALTH_START_INTERVAL,
    OPTION_HEALTH_RETRIES,
    OPTION_NO_HEALTHCHECK,
    OPTION_LOG_DRIVER,
    OPTION_LOG_OPT,
};

static const struct option option_table[] = {
    {"name", required_argument, NULL, OPTION_NAME},
    {"detach-keys", required_argument, NULL, OPTION_DETACH_KEYS},
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
    {"network-alias", required_argument, NULL, OPTION_NETWORK_ALIAS},
    {"ip", required_argument, NULL, OPTION_IP},
    {"ip6", required_argument, NULL, OPTION_IP6},
    {"publish", required_argument, NULL, 'p'},
    {"publish-all", no_argument, NULL, 'P'},
    {"restart", required_argument, NULL, OPTION_RESTART},
    {"storage-opt", required_argument, NULL, OPTION_STORAGE_OPT},
    {"userns", required_argument, NULL, OPTION_USERNS},
    {"ulimit", required_argument, NULL, OPTION_ULIMIT},
    {"init", no_argument, NULL, OPTION_INIT},
    {"entrypoint", required_argument, NULL, OPTION_ENTRYPOINT},
    {"stop-signal", required_argument, NULL, OPTION_STOP_SIGNAL},
    {"stop-timeout", required_argument, NULL, OPTION_STOP_TIMEOUT},
    {"pull", required_argument, NULL, OPTION_PULL},
    {"privileged", no_argument, NULL, OPTION_PRIVILEGED},
    {"device", required_argument, NULL, OPTION_DEVICE},
    {"device-cgroup-rule", required_argument, NULL, OPTION_DEVICE_CGROUP_RULE},
    {"device-read-bps", required_argument, NULL, OPTION_DEVICE_READ_BPS},
    {"device-write-bps", required_argument, NULL, OPTION_DEVICE_WRITE_BPS},
    {"device-read-iops", required_argument, NULL, OPTION_DEVICE_READ_IOPS},
    {"device-write-iops", required_argument, NULL, OPTION_DEVICE_WRITE_IOPS},
    {"blkio-weight", required_argument, NULL, OPTION_BLKIO_WEIGHT},
    {"blkio-weight-device", required_argument, NULL, OPTION_BLKIO_WEIGHT_DEVICE},
    {"group-add", required_argument, NULL, OPTION_GROUP_ADD},
    {"dns", required_argument, NULL, OPTION_DNS},
    {"network-send-bps", required_argument, NULL, OPTION_NETWORK_SEND},
    {"network-receive-bps", required_argument, NULL, OPTION_NETWORK_RECEIVE},
    {"egress", required_argument, NULL, OPTION_EGRESS},
    {"dns-search", required_argument, NULL, OPTION_DNS_SEARCH},
    {"dns-option", required_argument, NULL, OPTION_DNS_OPTION},
    {"dns-opt", required_argument, NULL, OPTION_DNS_OPTION},
    {"add-host", required_argument, NULL, OPTION_ADD_HOST},
    {"sysctl", required_argument, NULL, OPTION_SYSCTL},
    {"annotation", required_argument, NULL, OPTION_ANNOTATION},
    {"shm-size", required_argument, NULL, OPTION_SHM_SIZE},
    {"oom-score-adj", required_argument, NULL, OPTION_OOM_SCORE_ADJ},
    {"pid", required_argument, NULL, OPTION_PID},
    {"ipc", required_argument, NULL, OPTION_IPC},
    {"uts", required_argument, NULL, OPTION_UTS},
    {"cgroupns", required_argument, NULL, OPTION_CGROUPNS},
    {"health-cmd", required_argument, NULL, OPTION_HEALTH_CMD},
    {"health-interval", required_argument, NULL, OPTION_HEALTH_INTERVAL},
    {"health-timeout", required_argument, NULL, OPTION_HEALTH_TIMEOUT},
    {"health-start-period", required_argument, NULL, OPTION_HEALTH_START_PERIOD},
    {"health-start-interval", required_argument, NULL, OPTION_HEALTH_START_INTERVAL},
    {"health-retries", required_argument, NULL, OPTION_HEALTH_RETRIES},
    {"no-healthcheck", no_argument, NULL, OPTION_NO_HEALTHCHECK},
    {"log-driver", required_argument, NULL, OPTION_LOG_DRIVER},
    {"log-opt", required_argument, NULL, OPTION_LOG_OPT},
    {"domainname", required_argument, NULL, OPTION_DOMAINNAME},
    {NULL, 0, NULL, 0},
};

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

static int parse_list_option(struct create_options *options, struct create_values *values,
                             int option)
{
    struct {
        int option;
        struct string_list *list;
    } lists[] = {
        {'l', &values->labels},
        {'v', &values->volumes},
        {'p', &values->publish},
        {OPTION_NETWORK_ALIAS, &values->network_aliases},
        {OPTION_VOLUMES_FROM, &values->volumes_from},
        {OPTION_MOUNT, &values->mounts},
        {OPTION_TMPFS, &values->tmpfs},
        {OPTION_CAP_ADD, &values->cap_add},
        {OPTION_CAP_DROP, &values->cap_drop},
        {OPTION_SECURITY_OPT, &values->security},
        {OPTION_ULIMIT, &values->ulimits},
        {OPTION_STORAGE_OPT, &values->storage_opts},
        {OPTION_DEVICE, &values->devices},
        {OPTION_DEVICE_CGROUP_RULE, &values->device_cgroup_rules},
        {OPTION_DEVICE_READ_BPS, &values->device_read_bps},
        {OPTION_DEVICE_WRITE_BPS, &values->device_write_bps},
        {OPTION_DEVICE_READ_IOPS, &values->device_read_iops},
        {OPTION_DEVICE_WRITE_IOPS, &values->device_write_iops},
        {OPTION_BLKIO_WEIGHT_DEVICE, &values->blkio_weight_devices},
        {OPTION_GROUP_ADD, &values->group_add},
        {OPTION_DNS, &values->dns},
        {OPTION_EGRESS, &values->egress},
        {OPTION_DNS_SEARCH, &values->dns_search},
        {OPTION_DNS_OPTION, &values->dns_options},
        {OPTION_ADD_HOST, &values->add_hosts},
        {OPTION_SYSCTL, &values->sysctls},
        {OPTION_ANNOTATION, &values->annotations},
        {OPTION_LOG_OPT, &values->log_opts},
    };

    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        if (lists[i].option == option) {
            string_list_append(&options->arena, lists[i].list, optarg);
            return 1;
        }
    }
    return 0;
}

static int parse_number_option(struct cli *cli, struct create_values *values, int option)
{
    switch (option) {
    case 'm':
        return create_parse_bytes(cli, "--memory", optarg, &values->memory);
    case OPTION_MEMORY_SWAP:
        return create_parse_bytes(cli, "--memory-swap", optarg, &values->memory_swap);
    case OPTION_MEMORY_RESERVATION:
        return create_parse_bytes(cli, "--memory-reservation", optarg, &values->memory_reservation);
    case OPTION_CPUS:
        return parse_cpus(cli, optarg, &values->nano_cpus);
    case 'c':
        return create_parse_integer(cli, "--cpu-shares", optarg, &values->cpu_shares);
    case OPTION_CPU_PERIOD:
        return create_parse_integer(cli, "--cpu-period", optarg, &values->cpu_period);
    case OPTION_CPU_QUOTA:
        return create_parse_integer(cli, "--cpu-quota", optarg, &values->cpu_quota);
    case OPTION_PIDS_LIMIT:
        return create_parse_integer(cli, "--pids-limit", optarg, &values->pids_limit);
    case OPTION_HEALTH_INTERVAL:
        return create_parse_duration(cli, "--health-interval", optarg, &values->health_interval_ns);
    case OPTION_HEALTH_TIMEOUT:
        return create_parse_duration(cli, "--health-timeout", optarg, &values->health_timeout_ns);
    case OPTION_HEALTH_START_PERIOD:
        return create_parse_duration(cli, "--health-start-period", optarg,
                                     &values->health_start_period_ns);
    case OPTION_HEALTH_START_INTERVAL:
        return create_parse_duration(cli, "--health-start-interval", optarg,
                                     &values->health_start_interval_ns);
    case OPTION_HEALTH_RETRIES:
        return create_parse_integer(cli, "--health-retries", optarg, &values->health_retries);
    case OPTION_NETWORK_SEND:
        return create_parse_bytes(cli, "--network-send-bps", optarg, &values->network_send_bps);
    case OPTION_NETWORK_RECEIVE:
        return create_parse_bytes(cli, "--network-receive-bps", optarg,
                                  &values->network_receive_bps);
    case OPTION_SHM_SIZE:
        return create_parse_bytes(cli, "--shm-size", optarg, &values->shm_size);
    case OPTION_OOM_SCORE_ADJ:
        return create_parse_integer(cli, "--oom-score-adj", optarg, &values->oom_score_adj);
    case OPTION_BLKIO_WEIGHT:
        return create_parse_integer(cli, "--blkio-weight", optarg, &values->blkio_weight);
    case OPTION_STOP_TIMEOUT:
        values->has_stop_timeout = true;
        return create_parse_integer(cli, "--stop-timeout", optarg, &values->stop_timeout);
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

static int parse_text_option(struct create_options *options, struct create_values *values,
                             int option)
{
    struct {
        int option;
        const char **text;
    } texts[] = {
        {OPTION_NAME, &options->name},
        {'w', &values->workdir},
        {'u', &values->user},
        {'h', &values->hostname},
        {OPTION_DOMAINNAME, &values->domainname},
        {OPTION_LOG_DRIVER, &values->log_driver},
        {OPTION_HEALTH_CMD, &values->health_cmd},
        {OPTION_NETWORK, &values->network},
        {OPTION_IP, &values->address},
        {OPTION_IP6, &values->address6},
        {OPTION_RESTART, &values->restart},
        {OPTION_USERNS, &values->userns},
        {OPTION_PID, &values->pid},
        {OPTION_IPC, &values->ipc},
        {OPTION_UTS, &values->uts},
        {OPTION_CGROUPNS, &values->cgroupns},
        {OPTION_CPUSET_CPUS, &values->cpuset_cpus},
        {OPTION_CPUSET_MEMS, &values->cpuset_mems},
        {OPTION_ENTRYPOINT, &values->entrypoint},
        {OPTION_STOP_SIGNAL, &values->stop_signal},
    };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        if (texts[i].option == option) {
            *texts[i].text = optarg;
            return 1;
        }
    }
    return 0;
}

static int parse_flag_option(struct create_options *options, struct create_values *values,
                             int option)
{
    struct {
        int option;
        bool *flag;
    } flags[] = {
        {'d', &options->is_detached},
        {'i', &options->is_interactive},
        {'t', &options->has_terminal},
        {OPTION_RM, &options->is_auto_removed},
        {OPTION_READ_ONLY, &values->is_readonly},
        {OPTION_INIT, &values->has_init},
        {'P', &values->publishes_all},
        {OPTION_PRIVILEGED, &values->is_privileged},
        {OPTION_NO_HEALTHCHECK, &values->has_no_healthcheck},
    };

    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        if (flags[i].option == option) {
            *flags[i].flag = true;
            return 1;
        }
    }
    return 0;
}

int create_options_parse(struct cli *cli, struct create_options *options, bool is_run, int argc,
                         char **argv)
{
    struct create_values values = {0};
    struct string_list cmd = {0};
    struct json_writer *writer;
    int option;
    int result;

    while ((option = cli_next_option(cli, argc, argv,
                                     is_run ? "+dite:w:u:l:h:m:c:v:p:P" : "+ite:w:u:l:h:m:c:v:p:P",
                                     option_table)) != -1) {
        if (option == '?' || ((option == 'd' || option == OPTION_DETACH_KEYS) && !is_run))
            return cli_usage_error(cli, argv, "[OPTION...] IMAGE [COMMAND [ARGUMENT...]]");
        if (parse_list_option(options, &values, option) ||
            parse_text_option(options, &values, option) ||
            parse_flag_option(options, &values, option))
            continue;
        if (option == 'e') {
            cli_add_env(&options->arena, &values.env, optarg);
            continue;
        }
        if (option == OPTION_PULL)
            result = parse_pull(cli, optarg, &options->pulls);
        else if (option == OPTION_DETACH_KEYS)
            result = stream_set_detach_keys(cli, optarg);
        else
            result = parse_number_option(cli, &values, option);
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
    result = create_write_request(cli, writer, options, &values, &cmd);
    if (result == 0)
        options->body = memory_strdup(json_writer_text(writer));
    json_writer_free(writer);
    return result;
}

int update_options_parse(struct cli *cli, int argc, char **argv, char **body)
{
    struct create_values values = {0};
    struct json_writer *writer;
    int option;
    int result = 0;

    while (result >= 0 && (option = cli_next_option(cli, argc, argv, "m:c:", option_table)) != -1) {
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
    create_write_limits(writer, &values);
    result = create_write_restart(cli, writer, values.restart);
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
