/* davitd: the container supervisor. See davitd(8). */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/build.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/helpers.h"
#include "base/log.h"
#include "daemon.h"
#include "images/trust.h"
#include "runtime/runtime.h"
#include "supervisor/api/api.h"
#include "supervisor/networks/networks.h"
#include "supervisor/spawn/spawner.h"

#define DEFAULT_ROOT "/var/lib/davit"
#define DEFAULT_RUN "/run/davit"
#define DEFAULT_CONFIG "/etc/davit/davitd.json"
/* Above what useradd(8) gives to users (/etc/subuid) and systemd-nspawn(1) to its machines. */
#define DEFAULT_ID_FIRST 0x70000000
#define DEFAULT_ID_COUNT 8192
#define DEFAULT_CONNECTIONS 16384 /* a sixteenth of what most kernels track */
#define DEFAULT_NAMESPACE_POOL 4

/* Where others that run plugins look, and where Debian has them. */
static const char *cni_directories[] = {"/opt/cni/bin", "/usr/lib/cni"};

/* Where vendors put files of the Container Device Interface (SPEC.md "Overview"). */
static const char *cdi_directories[] = {"/etc/cdi", "/var/run/cdi"};
static struct string_pair device_classes[] = {{"gpu", "nvidia.com/gpu"}};

/* Flags, DAVIT_* environment and file, in this order of precedence. */
struct settings {
    struct daemon_options daemon;
    const char *config_file;
    const char *userns;          /* "auto" or "host" */
    const char *userns_fallback; /* "host" or "refuse" */
    const char *host_firewall;   /* "open" or "leave" */
    const char *log_level;
    const char *log_format;
};

static const struct json_field id_pool_fields[] = {
    JSON_FIELD(struct id_pool, first, "first", JSON_KIND_UINT32, .flags = JSON_REQUIRED),
    JSON_FIELD(struct id_pool, count, "count", JSON_KIND_UINT32, .flags = JSON_REQUIRED),
};
static const struct json_struct id_pool_type = JSON_CLOSED_STRUCT(struct id_pool, id_pool_fields);

static const struct json_field setting_fields[] = {
    JSON_FIELD(struct settings, daemon.root, "root", JSON_KIND_STRING),
    JSON_FIELD(struct settings, daemon.run, "run", JSON_KIND_STRING),
    JSON_FIELD(struct settings, daemon.socket, "socket", JSON_KIND_STRING),
    JSON_FIELD(struct settings, daemon.socket_group, "socket_group", JSON_KIND_STRING),
    JSON_FIELD(struct settings, daemon.cgroup_parent, "cgroup_parent", JSON_KIND_STRING),
    JSON_FIELD(struct settings, daemon.registries, "registries", JSON_KIND_STRUCT_MAP,
               .type = &registry_type),
    JSON_FIELD(struct settings, daemon.containers.id_pool, "id_pool", JSON_KIND_INLINE,
               .type = &id_pool_type),
    JSON_FIELD(struct settings, userns, "userns", JSON_KIND_STRING),
    JSON_FIELD(struct settings, userns_fallback, "userns_fallback", JSON_KIND_STRING),
    JSON_FIELD(struct settings, daemon.containers.log.type, "log_driver", JSON_KIND_STRING),
    JSON_FIELD(struct settings, daemon.containers.log.config, "log_opts", JSON_KIND_STRING_MAP),
    JSON_FIELD(struct settings, daemon.default_network, "default_network", JSON_KIND_STRING),
    JSON_FIELD(struct settings, host_firewall, "host_firewall", JSON_KIND_STRING),
    JSON_FIELD(struct settings, daemon.network_connections, "network_connections",
               JSON_KIND_UINT32),
    JSON_FIELD(struct settings, daemon.namespace_pool, "namespace_pool", JSON_KIND_UINT32),
    JSON_FIELD(struct settings, daemon.cni_plugin_directories, "cni_plugin_directories",
               JSON_KIND_STRINGS),
    JSON_FIELD(struct settings, daemon.containers.devices.directories, "cdi_directories",
               JSON_KIND_STRINGS, .flags = JSON_EMPTY_IS_SET),
    JSON_FIELD(struct settings, daemon.containers.devices.classes, "device_classes",
               JSON_KIND_STRING_MAP),
    JSON_FIELD(struct settings, daemon.policy, "policy", JSON_KIND_STRING),
    JSON_FIELD(struct settings, log_level, "log_level", JSON_KIND_STRING),
    JSON_FIELD(struct settings, log_format, "log_format", JSON_KIND_STRING),
};
static const struct json_struct settings_type = JSON_CLOSED_STRUCT(struct settings, setting_fields);

static const struct option options[] = {
    {"root", required_argument, NULL, 'r'},
    {"run", required_argument, NULL, 'R'},
    {"socket", required_argument, NULL, 's'},
    {"config", required_argument, NULL, 'c'},
    {"log-level", required_argument, NULL, 'l'},
    {"log-format", required_argument, NULL, 'f'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},
    {"routes", no_argument, NULL, 'e'},
    {NULL, 0, NULL, 0},
};

static void print_usage(FILE *out)
{
    fputs("usage: davitd [--root DIR] [--run DIR] [--socket PATH] [--config FILE]\n"
          "              [--log-level error|warning|info|debug] [--log-format text|json|journal]\n"
          "       davitd --routes | --version | --help\n"
          "\ndavitd(8) describes them.\n",
          out);
}

/* Returns 1 to go on, 0 when all is done, or a negative errno. */
static int parse_options(struct settings *settings, int argc, char **argv, struct error *err)
{
    int option;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'r':
            settings->daemon.root = optarg;
            break;
        case 'R':
            settings->daemon.run = optarg;
            break;
        case 's':
            settings->daemon.socket = optarg;
            break;
        case 'c':
            settings->config_file = optarg;
            break;
        case 'l':
            settings->log_level = optarg;
            break;
        case 'f':
            settings->log_format = optarg;
            break;
        case 'h':
            print_usage(stdout);
            return 0;
        case 'v':
            printf("davitd version %s\n", davit_version);
            return 0;
        case 'e':
            api_print_routes(stdout);
            return 0;
        default:
            return error_set(err, ERROR_INVALID, EINVAL,
                             "unknown option or missing value: %s; davitd --help lists them",
                             argv[optind - 1]);
        }
    }
    if (optind < argc)
        return error_set(err, ERROR_INVALID, EINVAL, "unexpected argument \"%.64s\"", argv[optind]);
    return 1;
}

static int check_id_pool(const struct id_pool *pool, struct error *err)
{
    uint64_t last = (uint64_t)pool->first + (uint64_t)pool->count * ID_RANGE_SIZE;

    if (pool->first == 0 && pool->count == 0)
        return 0;
    /* The last id, (uid_t)-1, means "no id" to the kernel. */
    if (pool->first == 0 || pool->first % ID_RANGE_SIZE != 0 || pool->count == 0 ||
        last > UINT32_MAX)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "id_pool: first has to be a multiple of %d above 0, and all ranges below "
                         "the last id",
                         ID_RANGE_SIZE);
    return 0;
}

static int choose_ids(struct settings *file, struct error *err)
{
    const char *mode = file->userns != NULL ? file->userns : "auto";
    const char *fallback = file->userns_fallback != NULL ? file->userns_fallback : "host";

    file->daemon.containers.gives_host_ids = strcmp(mode, "host") == 0;
    file->daemon.containers.refuses_unmapped = strcmp(fallback, "refuse") == 0;
    if (!file->daemon.containers.gives_host_ids && strcmp(mode, "auto") != 0)
        return error_set(err, ERROR_INVALID, EINVAL, "userns: \"%.32s\" is neither auto nor host",
                         mode);
    if (!file->daemon.containers.refuses_unmapped && strcmp(fallback, "host") != 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "userns_fallback: \"%.32s\" is neither host nor refuse", fallback);
    return check_id_pool(&file->daemon.containers.id_pool, err);
}

static int choose_host_firewall(struct settings *file, struct error *err)
{
    const char *said = file->host_firewall != NULL ? file->host_firewall : "open";

    file->daemon.leaves_host_firewall = strcmp(said, "leave") == 0;
    if (!file->daemon.leaves_host_firewall && strcmp(said, "open") != 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "host_firewall: \"%.32s\" is neither open nor leave", said);
    return 0;
}

static int read_config_file(const char *path, bool must_exist, struct arena *arena,
                            struct settings *file, struct error *err)
{
    struct json_limits limits = json_default_limits;
    cleanup_buffer struct buffer text = {0};
    struct trust_policy policy;
    struct log_options log;
    const struct json *json;
    int result = file_read(AT_FDCWD, path, 1 << 20, &text, err);

    if (result == -ENOENT && !must_exist)
        return 0;
    limits.allow_comments = true;
    if (result == 0)
        result = json_parse(arena, buffer_text(&text), text.length, &limits, &json, err);
    if (result == 0)
        result = json_decode(arena, json, &settings_type, "", file, err);
    if (result == 0 && file->daemon.namespace_pool > NAMESPACE_POOL_MAX)
        result =
            error_set(err, ERROR_INVALID, EINVAL, "namespace_pool: %d at most", NAMESPACE_POOL_MAX);
    if (result == 0)
        result = registries_read(&file->daemon.registries, arena, err);
    if (result == 0)
        result = choose_ids(file, err);
    if (result == 0)
        result = choose_host_firewall(file, err);
    if (result == 0 && definition_log_options(&file->daemon.containers.log, &log, err) < 0)
        result = error_prefix(err, "log_driver, log_opts");
    if (result == 0)
        result = device_settings_check(&file->daemon.containers.devices, err);
    /* It is read again whenever an image comes; a mistake in it had better show now. */
    if (result == 0)
        result = trust_read(file->daemon.policy, arena, &policy, err);
    return result < 0 ? error_prefix(err, "%s", path) : 0;
}

/* The first that is set: the flag, the environment, the file, the default. */
static const char *choose(const char *flag, const char *variable, const char *file,
                          const char *otherwise)
{
    const char *environment = getenv(variable);

    if (flag != NULL)
        return flag;
    if (environment != NULL && environment[0] != '\0')
        return environment;
    return file != NULL ? file : otherwise;
}

static int resolve_settings(struct settings *settings, struct arena *arena, struct error *err)
{
    struct settings file = {.daemon.namespace_pool = DEFAULT_NAMESPACE_POOL,
                            .daemon.network_connections = DEFAULT_CONNECTIONS};
    const char *path = choose(settings->config_file, "DAVIT_CONFIG", NULL, DEFAULT_CONFIG);
    int result = read_config_file(path, strcmp(path, DEFAULT_CONFIG) != 0, arena, &file, err);

    if (result < 0)
        return result;
    settings->daemon.root =
        choose(settings->daemon.root, "DAVIT_ROOT", file.daemon.root, DEFAULT_ROOT);
    settings->daemon.run = choose(settings->daemon.run, "DAVIT_RUN", file.daemon.run, DEFAULT_RUN);
    settings->daemon.socket =
        choose(settings->daemon.socket, "DAVIT_SOCKET", file.daemon.socket, NULL);
    settings->daemon.cgroup_parent =
        choose(NULL, "DAVIT_CGROUP_PARENT", file.daemon.cgroup_parent, NULL);
    settings->daemon.socket_group = file.daemon.socket_group;
    settings->daemon.registries = file.daemon.registries;
    settings->daemon.policy = file.daemon.policy;
    settings->daemon.default_network =
        choose(NULL, "DAVIT_DEFAULT_NETWORK", file.daemon.default_network, NETWORK_DEFAULT);
    settings->daemon.leaves_host_firewall = file.daemon.leaves_host_firewall;
    settings->daemon.network_connections = file.daemon.network_connections;
    settings->daemon.namespace_pool = file.daemon.namespace_pool;
    settings->daemon.cni_plugin_directories = file.daemon.cni_plugin_directories;
    if (file.daemon.cni_plugin_directories.count == 0)
        settings->daemon.cni_plugin_directories =
            (struct string_list){cni_directories, ARRAY_SIZE(cni_directories)};
    settings->daemon.containers.log = file.daemon.containers.log;
    settings->daemon.containers.devices = file.daemon.containers.devices;
    if (file.daemon.containers.devices.directories.items == NULL)
        settings->daemon.containers.devices.directories =
            (struct string_list){cdi_directories, ARRAY_SIZE(cdi_directories)};
    if (file.daemon.containers.devices.classes.count == 0)
        settings->daemon.containers.devices.classes =
            (struct string_map){device_classes, ARRAY_SIZE(device_classes)};
    settings->daemon.containers.id_pool = file.daemon.containers.id_pool;
    settings->daemon.containers.gives_host_ids = file.daemon.containers.gives_host_ids;
    settings->daemon.containers.refuses_unmapped = file.daemon.containers.refuses_unmapped;
    if (settings->daemon.containers.id_pool.count == 0)
        settings->daemon.containers.id_pool = (struct id_pool){DEFAULT_ID_FIRST, DEFAULT_ID_COUNT};
    settings->log_level = choose(settings->log_level, "DAVIT_LOG_LEVEL", file.log_level, "info");
    settings->log_format = choose(settings->log_format, "DAVIT_LOG_FORMAT", file.log_format,
                                  getenv("JOURNAL_STREAM") != NULL ? "journal" : "text");
    return 0;
}

static int start_logging(const struct settings *settings, struct error *err)
{
    static const char *const formats[] = {"text", "json", "journal"};
    enum log_level level;

    if (log_level_parse(settings->log_level, &level) < 0)
        return error_set(err, ERROR_INVALID, EINVAL, "log level: unknown \"%.32s\"",
                         settings->log_level);
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        if (strcmp(formats[i], settings->log_format) == 0) {
            log_configure(STDERR_FILENO, level, (enum log_format)i, "davitd");
            return 0;
        }
    }
    return error_set(err, ERROR_INVALID, EINVAL, "log format: unknown \"%.32s\"",
                     settings->log_format);
}

static int run(int argc, char **argv, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    struct settings settings = {0};
    struct spawner spawner;
    int result = parse_options(&settings, argc, argv, err);

    if (result <= 0)
        return result;
    result = resolve_settings(&settings, &arena, err);
    if (result == 0)
        result = start_logging(&settings, err);
    if (result < 0)
        return result;
    if (geteuid() != 0)
        return error_set(err, ERROR_DENIED, EPERM, "davitd has to run as root");
    /* Before self_protect(), after which /proc/self/exe says nothing of where we came from. */
    helpers_set_directory();
    if (!self_protect(argv))
        log_warning("cannot run from a read-only mount; containers may reach this program's file");
    result = spawner_start(argv, &spawner, err);
    return result < 0 ? result : daemon_run(&settings.daemon, &spawner, err);
}

int main(int argc, char **argv)
{
    struct error err = {0};

    opterr = 0;
    if (run(argc, argv, &err) < 0) {
        log_error("%s", err.message);
        return 1;
    }
    return 0;
}
