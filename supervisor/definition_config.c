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

int definition_make_config(struct arena *arena, const struct definition *definition,
                           const struct definition_security *security,
                           const struct definition_places *places, struct oci_config *config,
                           struct error *err)
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
        .cgroups_path = places->cgroups_path,
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
    definition_make_mounts(arena, definition, places, &options);
    return result < 0 ? result : bundle_make_config(arena, &options, config, err);
}
