/* _ping, version, info. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "api.h"
#include "base/build.h"
#include "base/clock.h"
#include "supervisor/http/version.h"

static void serve_ping(struct api *api, struct request *request, const struct route_match *match)
{
    (void)api;
    (void)match;
    respond_text(request, 200, "OK");
}

/* There are none: see absent_routes. */
static void serve_plugins(struct api *api, struct request *request, const struct route_match *match)
{
    struct json_writer *writer = json_writer_new(false);

    (void)api;
    (void)match;
    json_array_open(writer);
    json_array_close(writer);
    respond_written(request, 200, writer);
}

static void serve_version(struct api *api, struct request *request, const struct route_match *match)
{
    struct json_writer *writer = json_writer_new(false);
    struct utsname names;

    (void)api;
    (void)match;
    uname(&names);
    json_object_open(writer);
    json_key(writer, "Platform");
    json_object_open(writer);
    json_member_string(writer, "Name", "davit");
    json_object_close(writer);
    json_member_string(writer, "Version", davit_version);
    json_member_string(writer, "ApiVersion", API_VERSION);
    json_member_string(writer, "MinAPIVersion", API_VERSION_MIN);
    json_member_string(writer, "Os", "linux");
    json_member_string(writer, "Arch", image_host_architecture());
    json_member_string(writer, "KernelVersion", names.release);
    json_member_string(writer, "GitCommit", "");
    json_member_string(writer, "GoVersion", "");
    json_member_string(writer, "BuildTime", "");
    json_member_boolean(writer, "Experimental", false);
    json_key(writer, "Components");
    json_array_open(writer);
    json_object_open(writer);
    json_member_string(writer, "Name", "davitd");
    json_member_string(writer, "Version", davit_version);
    json_key(writer, "Details");
    json_object_open(writer);
    json_member_string(writer, "ApiVersion", API_VERSION);
    json_member_string(writer, "MinAPIVersion", API_VERSION_MIN);
    json_member_string(writer, "Os", "linux");
    json_member_string(writer, "Arch", image_host_architecture());
    json_member_string(writer, "KernelVersion", names.release);
    json_object_close(writer);
    json_object_close(writer);
    json_array_close(writer);
    json_object_close(writer);
    respond_written(request, 200, writer);
}

static void write_counts(struct json_writer *writer, const struct api *api)
{
    size_t running = 0;

    for (const struct managed_container *one = api->containers->list; one != NULL; one = one->next)
        running += one->status == CONTAINER_RUNNING;
    json_member_unsigned(writer, "Containers", api->containers->count);
    json_member_unsigned(writer, "ContainersRunning", running);
    json_member_unsigned(writer, "ContainersPaused", 0);
    json_member_unsigned(writer, "ContainersStopped", api->containers->count - running);
    json_member_unsigned(writer, "Images", api->store->image_count);
}

/* Reports which limits this host can enforce. A container that asks for another is refused. */
static void write_limits(struct json_writer *writer, struct api *api)
{
    static const struct {
        unsigned int controller;
        const char *name;
    } limits[] = {
        {CGROUP_MEMORY, "MemoryLimit"}, {CGROUP_MEMORY, "SwapLimit"}, {CGROUP_CPU, "CpuCfsPeriod"},
        {CGROUP_CPU, "CpuCfsQuota"},    {CGROUP_CPU, "CPUShares"},    {CGROUP_CPUSET, "CPUSet"},
        {CGROUP_PIDS, "PidsLimit"},
    };

    json_member_string(writer, "CgroupDriver", "cgroupfs");
    json_member_string(writer, "CgroupVersion", "2");
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        json_member_boolean(writer, limits[i].name,
                            (api->containers->hierarchy->available & limits[i].controller) != 0);
    json_key(writer, "Warnings");
    json_array_open(writer);
    for (unsigned int bit = CGROUP_CPU; bit <= CGROUP_PIDS; bit <<= 1) {
        char text[128];

        if ((api->containers->hierarchy->available & bit) != 0)
            continue;
        snprintf(text, sizeof(text), "WARNING: No %s controller in cgroup2 at %.64s",
                 cgroup_controller_name(bit), api->containers->hierarchy->path);
        json_string(writer, text);
    }
    if (image_store_check_damage(api->store))
        json_string(writer, "WARNING: The image store is damaged: nothing is collected from it "
                            "(see the log)");
    if (!api->containers->maps_ids)
        json_string(writer, "WARNING: The filesystem of davitd's directory cannot map ids: "
                            "containers have the host's");
    if (api->networks->host_firewall.closed[0] != '\0')
        json_string(writer,
                    "WARNING: The host's firewall drops what containers send to the outside, "
                    "and what comes for published ports (see the log)");
    if (api->networks->host_firewall.has_legacy)
        json_string(writer, "WARNING: This host has rules of iptables-legacy, which may drop what "
                            "containers send to the outside, and what comes for published ports");
    for (const struct network *one = api->networks->list; one != NULL; one = one->next) {
        char text[256];

        if (one->mended == 0)
            continue;
        snprintf(text, sizeof(text),
                 "WARNING: Somebody has removed devices or addresses of network %.64s %" PRIu64
                 " times (event mend, and the log)",
                 one->name, one->mended);
        json_string(writer, text);
    }
    json_array_close(writer);
}

static void write_host(struct json_writer *writer, const struct api *api)
{
    struct utsname names;
    struct sysinfo memory = {0};
    char now[CLOCK_RFC3339_SIZE];

    uname(&names);
    sysinfo(&memory);
    clock_format_rfc3339(clock_now_ns(), now);
    json_member_string(writer, "SystemTime", now);
    json_member_string(writer, "KernelVersion", names.release);
    json_member_string(writer, "OperatingSystem", "Linux");
    json_member_string(writer, "OSType", "linux");
    json_member_string(writer, "Architecture", names.machine);
    json_member_integer(writer, "NCPU", sysconf(_SC_NPROCESSORS_ONLN));
    json_member_unsigned(writer, "MemTotal", (uint64_t)memory.totalram * memory.mem_unit);
    json_member_string(writer, "DockerRootDir", api->places->root);
    json_member_string(writer, "Name", names.nodename);
    json_member_string(writer, "ServerVersion", davit_version);
    json_member_string(writer, "IndexServerAddress", "https://index.docker.io/v1/");
}

static void serve_info(struct api *api, struct request *request, const struct route_match *match)
{
    struct json_writer *writer = json_writer_new(false);

    (void)match;
    json_object_open(writer);
    json_member_string(writer, "ID", api->id);
    write_counts(writer, api);
    json_member_string(writer, "Driver", "overlayfs");
    json_member_string(writer, "LoggingDriver",
                       api->containers->settings.log.type != NULL
                           ? api->containers->settings.log.type
                           : "json-file");
    write_limits(writer, api);
    write_host(writer, api);
    json_member_strings(writer, "CDISpecDirs", &api->containers->settings.devices.directories);
    json_key(writer, "SecurityOptions");
    json_array_open(writer);
    json_string(writer, "name=seccomp,profile=builtin");
    json_string(writer, "name=cgroupns");
    if (apparmor_has_profile(DEFAULT_APPARMOR_PROFILE))
        json_string(writer, "name=apparmor");
    if (api->containers->selinux.process != NULL)
        json_string(writer, "name=selinux");
    if (api->containers->maps_ids && !api->containers->settings.gives_host_ids)
        json_string(writer, "name=userns");
    json_array_close(writer);
    json_key(writer, "Swarm");
    json_object_open(writer);
    json_member_string(writer, "LocalNodeState", "inactive");
    json_object_close(writer);
    json_object_close(writer);
    respond_written(request, 200, writer);
}

const struct route system_routes[] = {
    {"GET", "/_ping", serve_ping, PERMISSION_READ, NULL},
    {"HEAD", "/_ping", serve_ping, PERMISSION_READ, NULL},
    {"GET", "/version", serve_version, PERMISSION_READ, NULL},
    {"GET", "/plugins", serve_plugins, PERMISSION_READ, NULL},
    {"GET", "/info", serve_info, PERMISSION_READ, NULL},
    {.method = NULL},
};
