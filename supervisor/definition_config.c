/* From a definition to a runtime configuration: see definition.h. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "definition.h"

int definition_security(struct arena *arena, const struct definition *definition,
                        struct definition_security *security, struct error *err)
{
    const struct string_list *options = &definition->host_config.security_opt;

    *security = (struct definition_security){.seccomp = SECCOMP_DEFAULT};
    for (size_t i = 0; i < options->count; i++) {
        const char *option = options->items[i];
        size_t length = strcspn(option, "=:");
        const char *value = option[length] != '\0' ? option + length + 1 : "";

        if (strncmp(option, "no-new-privileges", length) == 0 && length == 17) {
            security->no_new_privileges = strcmp(value, "false") != 0;
        } else if (strncmp(option, "seccomp", length) == 0 && length == 7) {
            security->seccomp =
                strcmp(value, "unconfined") == 0 ? SECCOMP_UNCONFINED : SECCOMP_PROFILE;
            security->profile = arena_strdup(arena, value);
        } else {
            return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                             "HostConfig.SecurityOpt[%zu]: \"%.64s\" is not supported by this "
                             "version of davit",
                             i, option);
        }
    }
    return 0;
}

static struct oci_mount *append_mount(struct arena *arena, struct bundle_options *options)
{
    struct oci_mount *mounts =
        arena_new(arena, options->mounts.count + 1, sizeof(struct oci_mount));

    if (options->mounts.count > 0)
        memcpy(mounts, options->mounts.items, options->mounts.count * sizeof(*mounts));
    options->mounts.items = mounts;
    return &mounts[options->mounts.count++];
}

static void set_options(struct arena *arena, struct oci_mount *mount, const char *const *options,
                        size_t count)
{
    mount->options.items = arena_new(arena, count, sizeof(char *));
    for (size_t i = 0; i < count; i++)
        mount->options.items[mount->options.count++] = options[i];
}

static int check_target(const char *target, struct error *err)
{
    if (target[0] != '/' || strcmp(target, "/") == 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "invalid mount path: \"%.128s\" must be absolute and not \"/\"", target);
    return 0;
}

/* "SOURCE:TARGET[:OPTIONS]", options separated by commas. */
static int add_bind(struct arena *arena, const char *bind, struct bundle_options *options,
                    struct error *err)
{
    static const char *const known[] = {"ro",    "rw",     "shared",  "rshared",
                                        "slave", "rslave", "private", "rprivate"};
    char *source = arena_strdup(arena, bind);
    char *target = strchr(source, ':');
    char *modes = target != NULL ? strchr(target + 1, ':') : NULL;
    const char *chosen[8] = {"rbind"};
    struct oci_mount *mount;
    size_t count = 1;

    if (target == NULL)
        return error_set(err, ERROR_INVALID, EINVAL, "invalid volume specification: '%.128s'",
                         bind);
    *target++ = '\0';
    if (modes != NULL)
        *modes++ = '\0';
    if (source[0] != '/')
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "HostConfig.Binds: \"%.64s\" is not an absolute path, and named volumes "
                         "are not supported by this version of davit",
                         source);
    if (check_target(target, err) < 0)
        return -EINVAL;
    for (char *mode = strsep(&modes, ","); mode != NULL; mode = strsep(&modes, ",")) {
        bool is_known = false;

        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
            is_known = is_known || strcmp(mode, known[i]) == 0;
        if (!is_known || count == ARRAY_SIZE(chosen))
            return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                             "HostConfig.Binds: mode \"%.32s\" is not supported by this version of "
                             "davit",
                             mode);
        chosen[count++] = strcmp(mode, "ro") == 0 ? "rro" : mode;
    }
    mount = append_mount(arena, options);
    *mount = (struct oci_mount){.destination = target, .type = "bind", .source = source};
    set_options(arena, mount, chosen, count);
    return 0;
}

static int add_mount(struct arena *arena, const struct docker_mount *from, size_t index,
                     struct bundle_options *options, struct error *err)
{
    const char *chosen[8];
    struct oci_mount *mount;
    size_t count = 0;

    if (check_target(from->target, err) < 0)
        return error_prefix(err, "HostConfig.Mounts[%zu]", index);
    if (strcmp(from->type, "bind") == 0) {
        if (from->source == NULL || from->source[0] != '/')
            return error_set(err, ERROR_INVALID, EINVAL,
                             "HostConfig.Mounts[%zu].Source: must be an absolute path", index);
        if (access(from->source, F_OK) < 0)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "invalid mount config for type \"bind\": bind source path does not "
                             "exist: %.256s",
                             from->source);
        chosen[count++] = from->bind != NULL && from->bind->is_not_recursive ? "bind" : "rbind";
        if (from->is_readonly)
            chosen[count++] = "rro";
        if (from->bind != NULL && from->bind->propagation != NULL &&
            from->bind->propagation[0] != '\0')
            chosen[count++] = from->bind->propagation;
    } else if (strcmp(from->type, "tmpfs") == 0) {
        chosen[count++] = "nosuid";
        chosen[count++] = "nodev";
        chosen[count++] = "noexec";
        if (from->is_readonly)
            chosen[count++] = "ro";
        if (from->tmpfs != NULL && from->tmpfs->size_bytes > 0)
            chosen[count++] = arena_printf(arena, "size=%lld", (long long)from->tmpfs->size_bytes);
        chosen[count++] = arena_printf(
            arena, "mode=%o",
            from->tmpfs != NULL && from->tmpfs->mode != 0 ? from->tmpfs->mode : 01777u);
    } else {
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "HostConfig.Mounts[%zu].Type: \"%.32s\" is not supported by this version "
                         "of davit",
                         index, from->type);
    }
    mount = append_mount(arena, options);
    *mount = (struct oci_mount){
        .destination = from->target,
        .type = from->type,
        .source = strcmp(from->type, "bind") == 0 ? from->source : "tmpfs",
    };
    set_options(arena, mount, chosen, count);
    return 0;
}

/* {"/run": "rw,noexec,size=64k"} */
static int add_tmpfs(struct arena *arena, const struct string_pair *pair,
                     struct bundle_options *options, struct error *err)
{
    char *rest = arena_strdup(arena, pair->value);
    const char *chosen[24] = {"nosuid", "nodev", "noexec"};
    struct oci_mount *mount;
    size_t count = 3;

    if (check_target(pair->name, err) < 0)
        return error_prefix(err, "HostConfig.Tmpfs");
    for (char *option = strsep(&rest, ","); option != NULL; option = strsep(&rest, ",")) {
        if (option[0] == '\0')
            continue;
        if (count == ARRAY_SIZE(chosen))
            return error_set(err, ERROR_INVALID, E2BIG, "HostConfig.Tmpfs: too many options");
        chosen[count++] = option;
    }
    mount = append_mount(arena, options);
    *mount = (struct oci_mount){.destination = pair->name, .type = "tmpfs", .source = "tmpfs"};
    set_options(arena, mount, chosen, count);
    return 0;
}

/* With the host's network a container needs the host's names. */
static void add_host_names(struct arena *arena, struct bundle_options *options)
{
    static const char *const files[] = {"/etc/resolv.conf", "/etc/hosts"};
    static const char *const chosen[] = {"bind", "ro"};

    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        struct oci_mount *mount;

        if (access(files[i], R_OK) < 0)
            continue;
        mount = append_mount(arena, options);
        *mount = (struct oci_mount){.destination = files[i], .type = "bind", .source = files[i]};
        set_options(arena, mount, chosen, ARRAY_SIZE(chosen));
    }
}

static int add_mounts(struct arena *arena, const struct docker_host_config *host,
                      struct bundle_options *options, struct error *err)
{
    int result = 0;

    if (options->has_host_network)
        add_host_names(arena, options);
    for (size_t i = 0; result == 0 && i < host->mounts.count; i++)
        result = add_mount(arena, &host->mounts.items[i], i, options, err);
    for (size_t i = 0; result == 0 && i < host->tmpfs.count; i++)
        result = add_tmpfs(arena, &host->tmpfs.items[i], options, err);
    for (size_t i = 0; result == 0 && i < host->binds.count; i++)
        result = add_bind(arena, host->binds.items[i], options, err);
    return result;
}

/* "nofile" is RLIMIT_NOFILE; -1 is unlimited. */
static int add_ulimits(struct arena *arena, const struct docker_host_config *host,
                       struct bundle_options *options, struct error *err)
{
    options->rlimits.items = arena_new(arena, host->ulimits.count, sizeof(struct oci_rlimit));
    for (size_t i = 0; i < host->ulimits.count; i++) {
        const struct docker_ulimit *limit = &host->ulimits.items[i];
        char *type = arena_printf(arena, "RLIMIT_%.16s", limit->name);

        for (char *c = type; *c != '\0'; c++)
            *c = (char)toupper((unsigned char)*c);
        if (limit->hard >= 0 && (limit->soft < 0 || limit->soft > limit->hard))
            return error_set(err, ERROR_INVALID, EINVAL,
                             "HostConfig.Ulimits[%zu]: ulimit soft limit must be less than or "
                             "equal to hard limit: %lld > %lld",
                             i, (long long)limit->soft, (long long)limit->hard);
        options->rlimits.items[options->rlimits.count++] =
            (struct oci_rlimit){type, (uint64_t)limit->soft, (uint64_t)limit->hard};
    }
    return 0;
}

static struct optional_int64 if_set(int64_t value)
{
    return (struct optional_int64){value != 0, value};
}

static struct oci_resources *make_resources(struct arena *arena,
                                            const struct docker_host_config *host)
{
    struct oci_resources *resources = arena_new(arena, 1, sizeof(*resources));
    struct oci_memory *memory = arena_new(arena, 1, sizeof(*memory));
    struct oci_cpu *cpu = arena_new(arena, 1, sizeof(*cpu));

    memory->limit = if_set(host->memory);
    memory->reservation = if_set(host->memory_reservation);
    /* Docker's default: as much swap as memory. */
    memory->swap = if_set(host->memory_swap != 0 ? host->memory_swap
                          : host->memory > 0     ? host->memory * 2
                                                 : 0);
    cpu->quota = if_set(host->cpu_quota);
    if (host->cpu_period > 0)
        cpu->period = (struct optional_uint64){true, (uint64_t)host->cpu_period};
    if (host->cpu_shares > 0)
        cpu->shares = (struct optional_uint64){true, (uint64_t)host->cpu_shares};
    if (host->nano_cpus > 0) {
        cpu->period = (struct optional_uint64){true, 100000};
        cpu->quota = (struct optional_int64){true, host->nano_cpus / 10000};
    }
    cpu->cpus = host->cpuset_cpus;
    cpu->mems = host->cpuset_mems;
    resources->memory = memory;
    resources->cpu = cpu;
    if (host->pids_limit > 0) {
        resources->pids = arena_new(arena, 1, sizeof(*resources->pids));
        resources->pids->limit = (struct optional_int64){true, host->pids_limit};
    }
    return resources;
}

static void concatenate(struct arena *arena, const struct string_list *first,
                        const struct string_list *second, struct string_list *both)
{
    both->items = arena_new(arena, first->count + second->count, sizeof(char *));
    both->count = 0;
    for (size_t i = 0; i < first->count; i++)
        both->items[both->count++] = first->items[i];
    for (size_t i = 0; i < second->count; i++)
        both->items[both->count++] = second->items[i];
}

/* What comes from the host has the ids inside that it has outside. */
static void map_binds(struct arena *arena, struct bundle_options *options)
{
    for (size_t i = 0; i < options->mounts.count; i++) {
        struct oci_mount *mount = &options->mounts.items[i];

        if (strcmp(mount->type, "bind") == 0)
            string_list_append(arena, &mount->options,
                               string_list_has(&mount->options, "rbind") ? "ridmap" : "idmap");
    }
}

int definition_make_config(struct arena *arena, const struct definition *definition,
                           const struct definition_security *security, const char *cgroups_path,
                           struct oci_config *config, struct error *err)
{
    const struct docker_config *docker = &definition->config;
    const struct docker_host_config *host = &definition->host_config;
    struct bundle_options options = {
        .env = docker->env,
        .working_dir = docker->working_dir,
        .user = docker->user,
        .hostname = docker->hostname,
        .has_terminal = docker->has_terminal,
        .is_root_readonly = host->has_readonly_rootfs,
        .has_host_network = host->network_mode != NULL && strcmp(host->network_mode, "host") == 0,
        .has_init = host->has_init.value,
        .id_range_first = definition->id_range_first,
        .no_new_privileges = security->no_new_privileges,
        .cap_add = host->cap_add,
        .cap_drop = host->cap_drop,
        .cgroups_path = cgroups_path,
        .resources = make_resources(arena, host),
    };
    int result = 0;

    concatenate(arena, &docker->entrypoint, &docker->cmd, &options.args);
    if (options.working_dir != NULL && options.working_dir[0] != '\0' &&
        options.working_dir[0] != '/')
        result = error_set(err, ERROR_INVALID, EINVAL,
                           "the working directory '%.128s' is invalid, it needs to be an absolute "
                           "path",
                           options.working_dir);
    if (result == 0)
        result = add_ulimits(arena, host, &options, err);
    if (result == 0)
        result = add_mounts(arena, host, &options, err);
    if (result == 0 && options.id_range_first != 0)
        map_binds(arena, &options);
    return result < 0 ? result : bundle_make_config(arena, &options, config, err);
}

int definition_make_bind_sources(const struct definition *definition, struct error *err)
{
    const struct string_list *binds = &definition->host_config.binds;

    for (size_t i = 0; i < binds->count; i++) {
        cleanup_free char *source = memory_strdup(binds->items[i]);
        int fd;

        source[strcspn(source, ":")] = '\0';
        if (access(source, F_OK) == 0)
            continue;
        fd = path_make_host_directory(source, 0755, err);
        if (fd < 0)
            return error_prefix(err, "bind source");
        close(fd);
    }
    return 0;
}
