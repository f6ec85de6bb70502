/* From a definition to a runtime configuration: see definition.h. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "definition.h"

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

/* The namespaces whose mode is "host", as bits by enum oci_namespace_type. */
static unsigned int host_namespaces(const struct docker_host_config *host)
{
    const struct {
        const char *mode;
        int type;
    } modes[] = {{host->network_mode, OCI_NAMESPACE_NETWORK},
                 {host->pid_mode, OCI_NAMESPACE_PID},
                 {host->ipc_mode, OCI_NAMESPACE_IPC},
                 {host->uts_mode, OCI_NAMESPACE_UTS},
                 {host->cgroupns_mode, OCI_NAMESPACE_CGROUP}};
    unsigned int namespaces = 0;

    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        if (mode_is_host(modes[i].mode))
            namespaces |= 1u << modes[i].type;
    }
    return namespaces;
}

/* A list of paths, whose absence means the usual ones. */
static int read_paths(struct arena *arena, const char *name, const struct json *json,
                      const struct string_list **paths, struct error *err)
{
    struct string_list *list;

    if (json == NULL || json->type == JSON_NULL)
        return 0;
    list = arena_new(arena, 1, sizeof(*list));
    for (size_t i = 0; json->type == JSON_ARRAY && i < json->count; i++) {
        if (json->items[i].type == JSON_STRING && json->items[i].text[0] == '/')
            string_list_append(arena, list, json->items[i].text);
    }
    if (json->type != JSON_ARRAY || list->count != json->count)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "HostConfig.%s: a list of absolute paths is expected", name);
    *paths = list;
    return 0;
}

static int set_paths(struct arena *arena, const struct docker_host_config *host,
                     const struct definition_security *security, struct bundle_options *options,
                     struct error *err)
{
    static const struct string_list none;
    int result;

    if (security->shows_all_paths) {
        options->masked_paths = options->readonly_paths = &none;
        return 0;
    }
    result = read_paths(arena, "MaskedPaths", host->masked_paths, &options->masked_paths, err);

    if (result == 0)
        result =
            read_paths(arena, "ReadonlyPaths", host->readonly_paths, &options->readonly_paths, err);
    return result;
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
        .host_namespaces = host_namespaces(host),
        .is_privileged = host->is_privileged,
        .has_no_shm = host->ipc_mode != NULL && strcmp(host->ipc_mode, "none") == 0,
        .shares_shm = mode_container(host->ipc_mode) != NULL,
        .shm_bytes = host->shm_size,
        .domainname = docker->domainname,
        .groups = host->group_add,
        .sysctl = host->sysctls,
        .annotations = host->annotations,
        .oom_score_adj = {host->oom_score_adj != 0, host->oom_score_adj},
        .has_init = host->has_init.value,
        .id_range_first = definition->id_range_first,
        .no_new_privileges = security->no_new_privileges,
        .apparmor_profile = security->apparmor_profile,
        .process_label = security->labels.process,
        .mount_label = security->labels.file,
        .cap_add = host->cap_add,
        .cap_drop = host->cap_drop,
        .cgroups_path = places->cgroups_path,
    };
    int result = definition_make_resources(arena, host, &options.resources, err);

    if (result == 0)
        result = set_paths(arena, host, security, &options, err);
    if (result == 0)
        result = definition_make_devices(arena, host, &options, err);
    if (result < 0)
        return result;
    if (options.domainname != NULL && options.domainname[0] == '\0')
        options.domainname = NULL;
    if (host->is_privileged)
        string_list_append(arena, &options.cap_add, "ALL");

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
