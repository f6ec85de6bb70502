/* Restart policies: a container that has ended is started again, after a delay that doubles while
 * it does not last. */
#include <string.h>
#include <time.h>

#include "all_parts.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "internal.h"

#define FIRST_DELAY_MS 100
#define LAST_DELAY_MS 60000
/* A container that has run for so long starts over with the first delay. */
#define LASTING_US 10000000
#define BOOT_DELAY_MS 1

enum policy {
    POLICY_NO,
    POLICY_ALWAYS,
    POLICY_UNLESS_STOPPED,
    POLICY_ON_FAILURE,
};

static enum policy policy_of(const struct managed_container *container)
{
    static const char *const names[] = {"no", "always", "unless-stopped", "on-failure"};
    const char *name = container->definition->host_config.restart_policy.name;

    for (int i = 1; name != NULL && i < (int)ARRAY_SIZE(names); i++) {
        if (strcmp(names[i], name) == 0)
            return (enum policy)i;
    }
    return POLICY_NO;
}

static bool may_retry(const struct managed_container *container)
{
    int64_t limit = container->definition->host_config.restart_policy.maximum_retry_count;

    return container->exit_code != 0 && (limit <= 0 || container->restart_count < limit);
}

static bool wants_restart(const struct managed_container *container)
{
    enum policy policy = policy_of(container);

    if (container->is_held_back)
        return false;
    if (container->is_restart_wanted)
        return true;
    if (policy == POLICY_NO)
        return false;
    return policy != POLICY_ON_FAILURE || may_retry(container);
}

/* A start that cannot even begin is tried again like one that fails. */
static int on_restart(sd_event_source *source, uint64_t usec, void *context)
{
    struct managed_container *container = context;
    struct error err = {0};

    (void)source;
    (void)usec;
    container->restart_timer = sd_event_source_disable_unref(container->restart_timer);
    container->restart_count++;
    if (container_begin_start(container, &actor_davitd, &err) == 0)
        return 0;
    log_error("container %s: restart: %s", container->definition->name, err.message);
    if (!container_schedule_restart(container))
        container_cancel_restart(container);
    return 0;
}

static bool arm(struct managed_container *container, int64_t delay_ms)
{
    int result;

    container->restart_timer = sd_event_source_disable_unref(container->restart_timer);
    result = sd_event_add_time_relative(container->containers->loop, &container->restart_timer,
                                        CLOCK_MONOTONIC, (uint64_t)delay_ms * 1000, 1000,
                                        on_restart, container);
    if (result < 0) {
        log_error("container %s: restart: %s", container->definition->name, strerror(-result));
        return false;
    }
    container->status = CONTAINER_RESTARTING;
    container_save_state(container);
    return true;
}

bool container_schedule_restart(struct managed_container *container)
{
    uint64_t lasted_us = clock_monotonic_us() - container->started_us;

    if (container->containers->is_closing || !wants_restart(container))
        return false;
    if (container->restart_delay_ms == 0 || (container->started_us > 0 && lasted_us >= LASTING_US))
        container->restart_delay_ms = FIRST_DELAY_MS;
    else if (container->restart_delay_ms < LAST_DELAY_MS)
        container->restart_delay_ms *= 2;
    if (container->restart_delay_ms > LAST_DELAY_MS)
        container->restart_delay_ms = LAST_DELAY_MS;
    return arm(container, container->restart_delay_ms);
}

void container_cancel_restart(struct managed_container *container)
{
    container->restart_timer = sd_event_source_disable_unref(container->restart_timer);
    container->restart_delay_ms = 0;
    container->is_restart_wanted = false;
    container->status = CONTAINER_EXITED;
    container_save_state(container);
    container_notify_stopped(container);
    if (container->status == CONTAINER_EXITED)
        container_remove_if_wanted(container);
}

void container_hold_back(struct managed_container *container)
{
    container->is_held_back = true;
    if (container_has_policy(container))
        container_save_state_durably(container);
    else
        container_save_state(container);
}

void container_forget_restarts(struct managed_container *container)
{
    container->restart_count = 0;
    container->restart_delay_ms = 0;
}

/* "always" means also what somebody stopped before the host went down, as Docker has it. */
static bool starts_at_boot(const struct managed_container *container)
{
    if (container->status == CONTAINER_RESTARTING)
        return true;
    if (container->status != CONTAINER_EXITED)
        return false;
    return policy_of(container) == POLICY_ALWAYS || wants_restart(container);
}

static void restart_settled(struct managed_container *container)
{
    if (container->status == CONTAINER_EXITED)
        container_schedule_restart(container);
}

static void start_recovered(struct containers *containers)
{
    for (struct managed_container *one = containers->list; one != NULL; one = one->next) {
        if (one->restart_timer == NULL && starts_at_boot(one))
            arm(one, BOOT_DELAY_MS);
    }
}

const struct container_part restart_part = {
    .name = "restart policy",
    .settled = restart_settled,
    .recovered = start_recovered,
};
