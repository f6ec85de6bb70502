/* Other limits and another restart policy, for a container that runs or not: Docker's "update". See
 * container.h. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "internal.h"
#include "runtime/runtime.h"

/* What can be changed; anything else is refused by name. */
static int check_members(const struct json *body, struct error *err)
{
    static const char *const known[] = {"Memory",    "MemorySwap",  "MemoryReservation",
                                        "NanoCpus",  "CpuShares",   "CpuQuota",
                                        "CpuPeriod", "CpusetCpus",  "CpusetMems",
                                        "PidsLimit", "BlkioWeight", "RestartPolicy"};

    if (body->type != JSON_OBJECT)
        return error_set(err, ERROR_INVALID, EINVAL, "expected an object");
    for (size_t i = 0; i < body->count; i++) {
        bool is_known = json_is_empty(&body->members[i].value);

        for (size_t j = 0; !is_known && j < ARRAY_SIZE(known); j++)
            is_known = strcmp(known[j], body->members[i].name) == 0;
        if (!is_known)
            return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                             "%.64s: cannot be updated by this version of davit",
                             body->members[i].name);
    }
    return 0;
}

static void ignore_empty(const char **text)
{
    if (*text != NULL && (*text)[0] == '\0')
        *text = NULL;
}

static int read_changes(struct arena *arena, const char *request, size_t length,
                        struct docker_host_config *changes, struct error *err)
{
    const char *text = arena_strndup(arena, request, length);
    const struct json *body;
    int result = json_parse(arena, text, length, &json_default_limits, &body, err);

    if (result == 0)
        result = check_members(body, err);
    if (result == 0)
        result = json_decode(arena, body, &docker_host_config_type, "", changes, err);
    ignore_empty(&changes->restart_policy.name);
    ignore_empty(&changes->cpuset_cpus);
    ignore_empty(&changes->cpuset_mems);
    return result;
}

static void merge(struct arena *arena, struct docker_host_config *host,
                  const struct docker_host_config *changes)
{
    /* A policy is replaced as a whole. */
    if (changes->restart_policy.name != NULL)
        host->restart_policy = (struct docker_restart_policy){0};
    /* Docker's two ways to say the same: the new one replaces the other. */
    if (changes->nano_cpus > 0)
        host->cpu_quota = host->cpu_period = 0;
    if (changes->cpu_quota > 0 || changes->cpu_period > 0)
        host->nano_cpus = 0;
    json_merge(arena, &docker_host_config_type, host, changes);
}

/* Puts a definition's limits into force if the container runs. */
static int apply_to_cgroup(struct managed_container *container, const struct definition *definition,
                           struct error *err)
{
    cleanup_free struct cgroup_settings *settings = memory_new_one(struct cgroup_settings);
    cleanup_free struct cgroup *cgroup = memory_new_one(struct cgroup);
    int result = container_make_settings(container->containers, definition, settings, err);

    if (result == 0)
        result = cgroup_check_settings(container->containers->hierarchy, settings, err);
    if (result == 0 && container->status == CONTAINER_RUNNING) {
        result = container_open_cgroup(container, cgroup, err);
        if (result == 0)
            result = cgroup_apply(cgroup, settings, err);
        cgroup_close(cgroup);
    }
    cgroup_settings_release(settings);
    return result;
}

static int update_definition(struct managed_container *container, const struct definition *changed,
                             struct error *err)
{
    int result = definition_check_host_config(&changed->host_config, err);

    if (result < 0)
        return result;
    result = apply_to_cgroup(container, changed, err);
    if (result == 0)
        result = container_change(container, changed, err);
    if (result < 0)
        apply_to_cgroup(container, container->definition, NULL);
    return result;
}

int container_update(struct managed_container *container, const struct actor *actor,
                     const char *request, size_t length, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    struct docker_host_config changes = {0};
    struct revision *draft;
    int result = parts_admit(container, actor, ACTION_UPDATE, err);

    if (result == 0)
        result = read_changes(&arena, request, length, &changes, err);
    if (result < 0)
        return result;
    draft = revision_copy(container->definition, err);
    if (draft == NULL)
        return -err->errnum;
    merge(&draft->arena, &draft->definition.host_config, &changes);
    result = update_definition(container, &draft->definition, err);
    revision_free(draft);
    if (result < 0)
        return result;
    container_event(container, "update", NULL);
    /* A container that waits for its restart waits anew, or no longer, as the new policy says. */
    if (container->status == CONTAINER_RESTARTING && !container_schedule_restart(container))
        container_cancel_restart(container);
    return 0;
}
