/* The options of create, run and update, as docker has them. What needs more than a row is in
 * create_values.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "create_options.h"
#include "create_values.h"
#include "options.h"
#include "stream.h"

/* Of HostConfig for create and run, of the request itself for update. */
static const struct option_row limit_rows[] = {
    {"memory", 'm', OPTION_BYTES, "SIZE", .member = "Memory", .help = "most memory"},
    {"memory-swap", 0, OPTION_BYTES, "SIZE", .member = "MemorySwap",
     .help = "most memory and swap together"},
    {"memory-reservation", 0, OPTION_BYTES, "SIZE", .member = "MemoryReservation",
     .help = "memory that is left to it while others need some"},
    {"cpus", 0, OPTION_READ, "N", .member = "NanoCpus", .read = read_cpus,
     .help = "most processors at a time, like 1.5"},
    {"cpu-shares", 'c', OPTION_INTEGER, "N", .member = "CpuShares",
     .help = "its share of busy processors, beside others"},
    {"cpu-period", 0, OPTION_INTEGER, "MICROSECONDS", .member = "CpuPeriod",
     .help = "the period of --cpu-quota"},
    {"cpu-quota", 0, OPTION_INTEGER, "MICROSECONDS", .member = "CpuQuota",
     .help = "most processor time in a period"},
    {"cpuset-cpus", 0, OPTION_TEXT, "LIST", .member = "CpusetCpus",
     .help = "processors that it may use, like 0-2,5"},
    {"cpuset-mems", 0, OPTION_TEXT, "LIST", .member = "CpusetMems",
     .help = "memory nodes that it may use"},
    {"pids-limit", 0, OPTION_INTEGER, "N", .member = "PidsLimit", .help = "most processes"},
    {"restart", 0, OPTION_READ, "no|always|unless-stopped|on-failure[:N]",
     .member = "RestartPolicy", .read = read_restart, .help = "when it is started again"},
    {"blkio-weight", 0, OPTION_INTEGER, "N", .member = "BlkioWeight",
     .help = "its share of busy disks, beside others"},
    {"cpu-rt-period", 0, OPTION_REFUSED, "MICROSECONDS",
     .help = "cgroup v2 has no limits of real-time processes"},
    {"cpu-rt-runtime", 0, OPTION_REFUSED, "MICROSECONDS",
     .help = "cgroup v2 has no limits of real-time processes"},
    {"kernel-memory", 0, OPTION_REFUSED, "SIZE",
     .help = "Linux has no limit of its own for it any more; --memory counts it"},
    {0},
};

static const struct option_row create_rows[] = {
    {"name", 0, OPTION_TEXT, "NAME", .offset = offsetof(struct create_options, name),
     .help = "what it is called"},
    {"pull", 0, OPTION_READ, "missing|always|never", .read = read_pull,
     .help = "when its image is pulled before"},
    {"rm", 0, OPTION_FLAG, .offset = offsetof(struct create_options, is_auto_removed),
     .help = "remove it when it ends"},
    {"interactive", 'i', OPTION_FLAG, .offset = offsetof(struct create_options, is_interactive),
     .help = "keep its standard input open"},
    {"tty", 't', OPTION_FLAG, .offset = offsetof(struct create_options, has_terminal),
     .help = "give it a terminal"},
    {"attach", 'a', OPTION_READ, "stdin|stdout|stderr", .read = read_attach,
     .offset = offsetof(struct create_options, attached),
     .help = "connect to that stream of it alone"},
    {"quiet", 'q', OPTION_FLAG, .offset = offsetof(struct create_options, is_quiet),
     .help = "no progress of a pull"},
    {"platform", 0, OPTION_TEXT, "OS/ARCHITECTURE",
     .offset = offsetof(struct create_options, platform), .help = "that of the image"},
    {"cidfile", 0, OPTION_TEXT, "FILE", .offset = offsetof(struct create_options, id_file),
     .help = "write its id to a new file"},
    {"network", 0, OPTION_LIST, "none|host|container:CONTAINER|NETWORK",
     .offset = offsetof(struct create_options, networks),
     .help = "a network that it is on, or name=NETWORK,ip=ADDRESS,..."},
    {"net", 0, OPTION_LIST, "none|host|container:CONTAINER|NETWORK",
     .offset = offsetof(struct create_options, networks), .help = "the same"},
    {"network-alias", 0, OPTION_LIST, "NAME",
     .offset = offsetof(struct create_options, network_aliases),
     .help = "one more name for it on the network"},
    {"network-group", 0, OPTION_LIST, "NAME",
     .offset = offsetof(struct create_options, network_groups),
     .help = "a group of its network that it is in"},
    {"ip", 0, OPTION_TEXT, "ADDRESS", .offset = offsetof(struct create_options, address),
     .help = "its IPv4 address on the network"},
    {"ip6", 0, OPTION_TEXT, "ADDRESS", .offset = offsetof(struct create_options, address6),
     .help = "its IPv6 address on the network"},
    {"mac-address", 0, OPTION_TEXT, "ADDRESS",
     .offset = offsetof(struct create_options, mac_address),
     .help = "the address of its device, like 02:11:22:33:44:55"},
    {"no-healthcheck", 0, OPTION_FLAG,
     .offset = offsetof(struct create_options, has_no_healthcheck),
     .help = "do not run the image's health check"},

    {"env", 'e', OPTION_READ, "NAME[=VALUE]", .member = "Env", .read = read_env,
     .help = "set a variable, or pass ours on"},
    {"env-file", 0, OPTION_READ, "FILE", .member = "Env", .read = read_env_file,
     .help = "set the variables of a file's lines"},
    {"workdir", 'w', OPTION_TEXT, "DIR", .member = "WorkingDir", .help = "its working directory"},
    {"user", 'u', OPTION_TEXT, "USER[:GROUP]", .member = "User", .help = "whom it runs as"},
    {"label", 'l', OPTION_PAIRS, "NAME=VALUE", .member = "Labels", .help = "add a label"},
    {"label-file", 0, OPTION_READ, "FILE", .member = "Labels", .read = read_label_file,
     .help = "add the labels of a file's lines"},
    {"hostname", 'h', OPTION_TEXT, "NAME", .member = "Hostname", .help = "its host name"},
    {"domainname", 0, OPTION_TEXT, "NAME", .member = "Domainname", .help = "its domain name"},
    {"entrypoint", 0, OPTION_READ, "PROGRAM", .member = "Entrypoint", .read = read_entrypoint,
     .help = "the program, in place of the image's"},
    {"stop-signal", 0, OPTION_TEXT, "SIGNAL", .member = "StopSignal",
     .help = "what asks it to end"},
    {"stop-timeout", 0, OPTION_INTEGER, "SECONDS", .member = "StopTimeout",
     .help = "how long it may take to end"},
    {"health-cmd", 0, OPTION_READ, "COMMAND", .member = "Healthcheck.Test",
     .read = read_health_command, .help = "what finds out whether it is well"},
    {"health-interval", 0, OPTION_DURATION, "TIME", .member = "Healthcheck.Interval",
     .help = "time between two checks"},
    {"health-timeout", 0, OPTION_DURATION, "TIME", .member = "Healthcheck.Timeout",
     .help = "how long a check may take"},
    {"health-start-period", 0, OPTION_DURATION, "TIME", .member = "Healthcheck.StartPeriod",
     .help = "time after its start in which failures do not count"},
    {"health-start-interval", 0, OPTION_DURATION, "TIME", .member = "Healthcheck.StartInterval",
     .help = "time between two checks until then"},
    {"health-retries", 0, OPTION_INTEGER, "N", .member = "Healthcheck.Retries",
     .help = "how many failures make it unhealthy"},

    {"volume", 'v', OPTION_READ, "[SOURCE:]TARGET[:MODE]", .read = read_volume,
     .help = "mount a volume or a directory of the host"},
    {"volumes-from", 0, OPTION_LIST, "CONTAINER", .member = "HostConfig.VolumesFrom",
     .help = "mount the volumes of another container"},
    {"mount", 0, OPTION_READ, "type=TYPE,source=SOURCE,target=TARGET,...",
     .member = "HostConfig.Mounts", .read = read_mount, .help = "mount what the fields say"},
    {"tmpfs", 0, OPTION_READ, "TARGET[:OPTIONS]", .member = "HostConfig.Tmpfs", .read = read_tmpfs,
     .help = "mount an empty tmpfs"},
    {"read-only", 0, OPTION_FLAG, .member = "HostConfig.ReadonlyRootfs",
     .help = "its own files cannot be changed"},
    {"storage-opt", 0, OPTION_PAIRS, "NAME=VALUE", .member = "HostConfig.StorageOpt",
     .help = "size=SIZE: most bytes of what it writes"},
    {"cap-add", 0, OPTION_LIST, "CAPABILITY", .member = "HostConfig.CapAdd",
     .help = "give it a capability, or ALL"},
    {"cap-drop", 0, OPTION_LIST, "CAPABILITY", .member = "HostConfig.CapDrop",
     .help = "take a capability from it, or ALL"},
    {"security-opt", 0, OPTION_READ, "OPTION", .member = "HostConfig.SecurityOpt",
     .read = read_security, .help = "no-new-privileges, seccomp=FILE|unconfined and others"},
    {"privileged", 0, OPTION_FLAG, .member = "HostConfig.Privileged",
     .help = "take no precautions against it"},
    {"userns", 0, OPTION_TEXT, "auto|host", .member = "HostConfig.UsernsMode",
     .help = "its user namespace"},
    {"pid", 0, OPTION_TEXT, "host|container:CONTAINER", .member = "HostConfig.PidMode",
     .help = "whose processes it sees"},
    {"ipc", 0, OPTION_TEXT, "private|shareable|none|host|container:CONTAINER",
     .member = "HostConfig.IpcMode", .help = "with whom it shares memory"},
    {"uts", 0, OPTION_TEXT, "host", .member = "HostConfig.UTSMode",
     .help = "whose host name it has"},
    {"cgroupns", 0, OPTION_TEXT, "private|host", .member = "HostConfig.CgroupnsMode",
     .help = "which cgroups it sees"},
    {"group-add", 0, OPTION_LIST, "GROUP", .member = "HostConfig.GroupAdd",
     .help = "one more group for it"},
    {"device", 0, OPTION_READ, "PATH[:PATH-INSIDE][:rwm]|VENDOR/CLASS=NAME",
     .member = "HostConfig.Devices", .read = read_device, .help = "give it a device of the host"},
    {"gpus", 0, OPTION_READ, "all|N|device=NAME,...", .member = "HostConfig.DeviceRequests",
     .read = read_gpus, .help = "give it GPUs"},
    {"device-cgroup-rule", 0, OPTION_LIST, "RULE", .member = "HostConfig.DeviceCgroupRules",
     .help = "allow devices, like \"c 10:* rwm\""},
    {"device-read-bps", 0, OPTION_READ, "DEVICE:RATE", .member = "HostConfig.BlkioDeviceReadBps",
     .read = read_device_rate, .help = "most bytes read in a second"},
    {"device-write-bps", 0, OPTION_READ, "DEVICE:RATE", .member = "HostConfig.BlkioDeviceWriteBps",
     .read = read_device_rate, .help = "most bytes written in a second"},
    {"device-read-iops", 0, OPTION_READ, "DEVICE:RATE", .member = "HostConfig.BlkioDeviceReadIOps",
     .read = read_device_rate, .help = "most reads in a second"},
    {"device-write-iops", 0, OPTION_READ, "DEVICE:RATE",
     .member = "HostConfig.BlkioDeviceWriteIOps", .read = read_device_rate,
     .help = "most writes in a second"},
    {"blkio-weight-device", 0, OPTION_READ, "DEVICE:WEIGHT",
     .member = "HostConfig.BlkioWeightDevice", .read = read_device_weight,
     .help = "its share of one disk"},
    {"publish", 'p', OPTION_READ, "[[ADDRESS:]PORT:]PORT[/PROTOCOL]",
     .member = "HostConfig.PortBindings", .read = read_publish,
     .help = "lead a port of the host to it"},
    {"publish-all", 'P', OPTION_FLAG, .member = "HostConfig.PublishAllPorts",
     .help = "lead a port of the host to each that its image exposes"},
    {"expose", 0, OPTION_READ, "PORT[-PORT][/PROTOCOL]", .member = "ExposedPorts",
     .read = read_expose, .help = "a port that it listens on"},
    {"ulimit", 0, OPTION_READ, "NAME=SOFT[:HARD]", .member = "HostConfig.Ulimits",
     .read = read_ulimit, .help = "a resource limit of its processes"},
    {"init", 0, OPTION_FLAG, .member = "HostConfig.Init",
     .help = "run a small init before it, which reaps processes"},
    {"dns", 0, OPTION_LIST, "ADDRESS", .member = "HostConfig.Dns",
     .help = "a server that is asked for names"},
    {"dns-search", 0, OPTION_LIST, "DOMAIN", .member = "HostConfig.DnsSearch",
     .help = "a domain that short names are looked for in"},
    {"dns-option", 0, OPTION_LIST, "OPTION", .member = "HostConfig.DnsOptions",
     .help = "an option of resolv.conf(5)"},
    {"dns-opt", 0, OPTION_LIST, "OPTION", .member = "HostConfig.DnsOptions", .help = "the same"},
    {"add-host", 0, OPTION_LIST, "NAME:ADDRESS", .member = "HostConfig.ExtraHosts",
     .help = "a line of /etc/hosts"},
    {"network-send-bps", 0, OPTION_BYTES, "RATE", .member = "HostConfig.NetworkRate.Send",
     .help = "most bytes sent in a second"},
    {"network-receive-bps", 0, OPTION_BYTES, "RATE", .member = "HostConfig.NetworkRate.Receive",
     .help = "most bytes received in a second"},
    {"network-connections", 0, OPTION_INTEGER, "N",
     .member = "HostConfig.NetworkLimits.Connections", .help = "most connections it has begun"},
    {"network-new-connections", 0, OPTION_INTEGER, "N",
     .member = "HostConfig.NetworkLimits.NewConnections",
     .help = "most connections begun in a second"},
    {"network-packets", 0, OPTION_INTEGER, "N", .member = "HostConfig.NetworkLimits.Packets",
     .help = "most packets sent in a second"},
    {"egress", 0, OPTION_READ, "none|learn|RULE", .member = "HostConfig.Egress.Allow",
     .read = read_egress, .help = "what alone it may reach"},
    {"sysctl", 0, OPTION_PAIRS, "NAME=VALUE", .member = "HostConfig.Sysctls",
     .help = "a kernel parameter of its namespaces"},
    {"annotation", 0, OPTION_PAIRS, "NAME=VALUE", .member = "HostConfig.Annotations",
     .help = "an annotation of its bundle"},
    {"cgroup-parent", 0, OPTION_TEXT, "PATH", .member = "HostConfig.CgroupParent",
     .help = "its cgroup's parent, below davitd's own cgroup"},
    {"runtime", 0, OPTION_TEXT, "davit|runc", .member = "HostConfig.Runtime",
     .help = "davitd's own, whatever it is called"},
    {"isolation", 0, OPTION_TEXT, "default", .member = "HostConfig.Isolation",
     .help = "that of Linux"},
    {"volume-driver", 0, OPTION_TEXT, "local", .member = "HostConfig.VolumeDriver",
     .help = "of volumes that are made for it"},
    {"shm-size", 0, OPTION_BYTES, "SIZE", .member = "HostConfig.ShmSize",
     .help = "the size of /dev/shm"},
    {"oom-score-adj", 0, OPTION_INTEGER, "N", .member = "HostConfig.OomScoreAdj",
     .help = "how soon it is killed when the host lacks memory"},
    {"log-driver", 0, OPTION_TEXT, "json-file|local|journald|syslog|none",
     .member = "HostConfig.LogConfig.Type", .help = "where its output is kept"},
    {"log-opt", 0, OPTION_PAIRS, "NAME=VALUE", .member = "HostConfig.LogConfig.Config",
     .help = "an option of the log"},
    {"disable-content-trust", 0, OPTION_READ, .read = option_read_content_trust,
     .help = "docker's notary is not asked in any case"},

    {"link", 0, OPTION_LIST, "CONTAINER[:ALIAS]", .member = "HostConfig.Links",
     .help = "a name that it alone has for another container"},
    {"link-local-ip", 0, OPTION_REFUSED, "ADDRESS",
     .help = "link-local addresses cannot be chosen; --ip and --ip6 can"},
    {"memory-swappiness", 0, OPTION_REFUSED, "N", .help = "cgroup v2 has none of a group"},
    {"oom-kill-disable", 0, OPTION_REFUSED,
     .help = "cgroup v2 always kills; --oom-score-adj says how soon"},
    {"cpu-count", 0, OPTION_REFUSED, "N", .help = "of Windows; --cpus is Linux's"},
    {"cpu-percent", 0, OPTION_REFUSED, "N", .help = "of Windows; --cpus is Linux's"},
    {"io-maxbandwidth", 0, OPTION_REFUSED, "RATE",
     .help = "of Windows; --device-read-bps and --device-write-bps are Linux's"},
    {"io-maxiops", 0, OPTION_REFUSED, "N",
     .help = "of Windows; --device-read-iops and --device-write-iops are Linux's"},
    {"use-api-socket", 0, OPTION_REFUSED,
     .help = "it would make the container the host's root; mount the socket with --volume"},
    {0},
};

static const struct option_row run_rows[] = {
    {"sig-proxy", 0, OPTION_READ, .read = option_read_off,
     .offset = offsetof(struct create_options, has_no_signal_proxy),
     .help = "hand signals on to it (default); =false: do not"},
    {"detach", 'd', OPTION_FLAG, .offset = offsetof(struct create_options, is_detached),
     .help = "do not wait for it"},
    {0},
};

/* What follows from several options, or from the command's arguments. */
static int complete_request(struct cli *cli, struct create_options *options, int argc, char **argv)
{
    struct request *request = &options->request;
    bool is_attached = !options->is_detached;
    struct request_value *cmd;
    int result;

    request_set_text(request, request_at(request, NULL, "Image"), options->image);
    request_set_boolean(request_at(request, NULL, "Tty"), options->has_terminal);
    request_set_boolean(request_at(request, NULL, "OpenStdin"), options->is_interactive);
    request_set_boolean(request_at(request, NULL, "StdinOnce"),
                        options->is_interactive && is_attached);
    request_set_boolean(request_at(request, NULL, "AttachStdin"),
                        is_attached && options->is_interactive &&
                            create_attaches(options, "stdin"));
    request_set_boolean(request_at(request, NULL, "AttachStdout"),
                        is_attached && create_attaches(options, "stdout"));
    request_set_boolean(request_at(request, NULL, "AttachStderr"),
                        is_attached && create_attaches(options, "stderr"));
    request_set_text(request, request_at(request, NULL, "HostConfig.ContainerIDFile"),
                     options->id_file);
    request_set_boolean(request_at(request, NULL, "HostConfig.AutoRemove"),
                        options->is_auto_removed);
    cmd = request_at(request, NULL, "Cmd");
    for (int i = 0; i < argc; i++)
        request_set_text(request, request_append(request, cmd), argv[i]);
    result = put_networks(cli, options);
    return result < 0 ? result : put_healthcheck(cli, options);
}

int create_options_parse(struct cli *cli, struct create_options *options, bool is_run, int argc,
                         char **argv)
{
    struct option_set set = {
        .tables = {{create_rows, NULL}, {limit_rows, "HostConfig"}},
        .usage = "IMAGE [COMMAND [ARGUMENT...]]",
        .request = &options->request,
        .values = options,
        .ends_at_argument = true,
    };
    int result;

    if (is_run) {
        set.tables[2] = (struct option_table){run_rows, NULL};
        set.tables[3] = (struct option_table){stream_detach_rows, NULL};
    }
    result = options_read(cli, argc, argv, &set);
    if (result < 0)
        return result;
    if (options->is_detached && options->attached.count > 0)
        return error_set(&cli->err, ERROR_INVALID, EINVAL, "--detach does not go with --attach");
    options->image = argv[optind];
    result = complete_request(cli, options, argc - optind - 1, argv + optind + 1);
    if (result == 0)
        options->body = request_body(&options->request);
    return result;
}

int update_options_parse(struct cli *cli, int argc, char **argv, char **body)
{
    struct request request = {0};
    const struct option_set set = {
        .tables = {{limit_rows, NULL}}, .usage = "CONTAINER...", .request = &request};
    int result = options_read(cli, argc, argv, &set);

    if (result == 0)
        *body = request_body(&request);
    if (result == 0 && strcmp(*body, "{}") == 0)
        result = error_set(&cli->err, ERROR_INVALID, EINVAL,
                           "update: no limit is given; \"davit update --help\" lists them");
    request_release(&request);
    return result;
}

bool create_attaches(const struct create_options *options, const char *stream)
{
    return options->attached.count == 0 || string_list_has(&options->attached, stream);
}

void create_options_release(struct create_options *options)
{
    free(options->body);
    request_release(&options->request);
}
