/* Holding and renaming a container. See container.h. */
#include <errno.h>

#include "base/cleanup.h"
#include "internal.h"

#define FREEZE_TIMEOUT_MS 200

int container_freeze(const struct managed_container *container, bool is_frozen, struct error *err)
{
    cleanup_free struct cgroup *cgroup = memory_new_one(struct cgroup);
    int result = container_open_cgroup(container, cgroup, err);

    if (result == 0)
        result = cgroup_set_frozen(cgroup, is_frozen, is_frozen ? FREEZE_TIMEOUT_MS : 0, err);
    cgroup_close(cgroup);
    return result;
}

/* A container that somebody holds goes on when it is let go. */
static int go_on(const struct managed_container *container, struct error *err)
{
    return container->holders > 0 ? 0 : container_freeze(container, false, err);
}

int container_hold(struct managed_container *container, struct error *err)
{
    container->holders++;
    return container_freeze(container, true, err);
}

void container_let_go(struct managed_container *container)
{
    container->holders--;
    if (!container->is_paused)
        go_on(container, NULL);
}

int container_pause(struct managed_container *container, const struct actor *actor,
                    struct error *err)
{
    int result = parts_admit(container, actor, ACTION_PAUSE, err);

    if (result < 0)
        return result;
    if (container->status != CONTAINER_RUNNING)
        return error_set(err, ERROR_CONFLICT, ESRCH, "Container %s is not running",
                         container->definition->id);
    if (container->is_paused)
        return error_set(err, ERROR_CONFLICT, EALREADY, "Container %s is already paused",
                         container->definition->id);
    /* The state is saved first: if davitd dies now, the next one freezes the container. */
    container->is_paused = true;
    container_save_state(container);
    result = container_freeze(container, true, err);
    if (result < 0) {
        go_on(container, NULL);
        container->is_paused = false;
        container_save_state(container);
        return result;
    }
    container_event(container, "pause", NULL);
    return 0;
}

int container_thaw(struct managed_container *container, struct error *err)
{
    int result = go_on(container, err);

    if (result < 0)
        return result;
    container->is_paused = false;
    container_save_state(container);
    container_event(container, "unpause", NULL);
    return 0;
}

int container_unpause(struct managed_container *container, const struct actor *actor,
                      struct error *err)
{
    int result = parts_admit(container, actor, ACTION_UNPAUSE, err);

    if (result < 0)
        return result;
    if (!container->is_paused)
        return error_set(err, ERROR_CONFLICT, EALREADY, "Container %s is not paused",
                         container->definition->id);
    return container_thaw(container, err);
}

int container_rename(struct managed_container *container, const struct actor *actor,
                     const char *name, struct error *err)
{
    struct definition changed = *container->definition;
    cleanup_free char *former = memory_strdup(changed.name);
    int result = parts_admit(container, actor, ACTION_UPDATE, err);

    changed.name = name;
    if (result == 0)
        result =
            container_check_name(container->containers, container->definition->tenant, name, err);
    if (result == 0)
        result = container_revise(container, &changed, err);
    if (result == 0)
        container_event(container, "rename",
                        &(struct string_map){&(struct string_pair){"oldName", former}, 1});
    return result;
}
