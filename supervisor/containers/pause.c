/* Holding and renaming a container. See container.h. */
#include <errno.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "internal.h"

#define FREEZE_TIMEOUT_US 200000
#define LOOK_US 1000

int container_freeze(const struct managed_container *container, bool is_frozen, struct error *err)
{
    cleanup_free struct cgroup *cgroup = memory_new_one(struct cgroup);
    int result = container_open_cgroup(container, cgroup, err);

    if (result == 0)
        result = cgroup_begin_freeze(cgroup, is_frozen, err);
    cgroup_close(cgroup);
    return result;
}

static bool is_frozen(const struct managed_container *container)
{
    cleanup_free struct cgroup *cgroup = memory_new_one(struct cgroup);
    bool is_frozen = false;

    if (container_open_cgroup(container, cgroup, NULL) == 0)
        cgroup_is_frozen(cgroup, &is_frozen, NULL);
    cgroup_close(cgroup);
    return is_frozen;
}

/* A container that somebody holds goes on when it is let go. */
static int go_on(const struct managed_container *container, struct error *err)
{
    return container->holders > 0 ? 0 : container_freeze(container, false, err);
}

/* If davitd dies while it holds a container that nobody has paused, its monitor lets it go on. */
static void tell_held(struct managed_container *container)
{
    int is_held = container->holders > 0 && !container->is_paused;

    if (container->status == CONTAINER_RUNNING)
        container_send(container, &(struct monitor_message){.type = MONITOR_HELD, .value = is_held},
                       NULL, 0, -1, NULL);
}

static void take_back_pause(struct managed_container *container)
{
    if (container->status == CONTAINER_RUNNING)
        go_on(container, NULL);
    container->is_paused = false;
    tell_held(container);
    container_save_state(container);
}

static void end_freezing(struct managed_container *container, const struct error *err)
{
    bool was_pausing = container->is_pausing;

    container->freeze_timer = sd_event_source_disable_unref(container->freeze_timer);
    container->is_pausing = false;
    if (was_pausing && err != NULL)
        take_back_pause(container);
    else if (was_pausing)
        container_event(container, "pause", NULL);
    completions_end(&container->waiters[WAIT_FROZEN], err);
}

/* Returns 0 if it is frozen, -EAGAIN if it may be soon, or another error if it will not be. */
static int check_frozen(const struct managed_container *container, uint64_t now_us,
                        struct error *err)
{
    const char *id = container->definition->id;

    if (container->status != CONTAINER_RUNNING)
        return error_set(err, ERROR_CONFLICT, ESRCH, "Container %s is not running", id);
    if (!container->is_paused && container->holders == 0)
        return error_set(err, ERROR_CONFLICT, ECANCELED, "Container %s was let go meanwhile", id);
    if (is_frozen(container))
        return 0;
    if (now_us < container->freeze_deadline_us)
        return -EAGAIN;
    return error_set(err, ERROR_INTERNAL, ETIMEDOUT,
                     "Container %s does not freeze: its processes do not come out of the kernel",
                     id);
}

static void wait_a_little(sd_event_source *source, uint64_t now_us)
{
    sd_event_source_set_time(source, now_us + LOOK_US);
    sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_freeze_timer(sd_event_source *source, uint64_t usec, void *context)
{
    struct managed_container *container = context;
    struct error err = {0};
    uint64_t now_us = clock_monotonic_us();
    int result = check_frozen(container, now_us, &err);

    (void)usec;
    if (result != -EAGAIN)
        end_freezing(container, result < 0 ? &err : NULL);
    else
        wait_a_little(source, now_us);
    return 0;
}

/* Who is killed does not freeze, nor who sleeps in the kernel: nobody waits for them here. */
static int begin_freezing(struct managed_container *container, struct error *err)
{
    int result = container_freeze(container, true, err);

    if (result < 0)
        return result;
    container->freeze_deadline_us = clock_monotonic_us() + FREEZE_TIMEOUT_US;
    if (container->freeze_timer != NULL)
        return 0;
    result = sd_event_add_time_relative(container->containers->loop, &container->freeze_timer,
                                        CLOCK_MONOTONIC, 0, 1, on_freeze_timer, container);
    return result < 0 ? error_errno(err, -result, "freeze timer") : 0;
}

int container_hold(struct managed_container *container, struct error *err)
{
    container->holders++;
    tell_held(container);
    return begin_freezing(container, err);
}

void container_let_go(struct managed_container *container)
{
    container->holders--;
    tell_held(container);
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
    tell_held(container);
    container_save_state(container);
    result = begin_freezing(container, err);
    container->is_pausing = result == 0;
    if (result < 0)
        take_back_pause(container);
    return result;
}

int container_thaw(struct managed_container *container, struct error *err)
{
    int result = go_on(container, err);

    if (result < 0)
        return result;
    container->is_paused = false;
    container->is_pausing = false;
    tell_held(container);
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
