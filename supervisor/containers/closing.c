/* The end of all containers: containers outlive davitd, but not the host. See containers.h. */
#include <errno.h>

#include "all_parts.h"
#include "base/log.h"
#include "internal.h"

static void ask_to_end(struct managed_container *container)
{
    struct error err = {0};

    container->is_stop_requested = true;
    if (container_ask_to_end(container, 0, container_stop_timeout(container), &err) < 0)
        log_warning("container %s: %s", container->definition->name, err.message);
}

static void end_if_last(struct containers *containers)
{
    for (const struct managed_container *one = containers->list; one != NULL; one = one->next) {
        if (one->status == CONTAINER_RUNNING || one->status == CONTAINER_STARTING)
            return;
    }
    completions_end(&containers->closing, NULL);
}

void containers_close(struct containers *containers, struct completion *completion)
{
    struct managed_container *next;

    containers->is_closing = true;
    completion_add(&containers->closing, completion);
    for (struct managed_container *one = containers->list; one != NULL; one = next) {
        next = one->next;
        /* It stays RESTARTING on disk: it starts when the machine is back. */
        one->restart_timer = sd_event_source_disable_unref(one->restart_timer);
        if (one->status == CONTAINER_RUNNING)
            ask_to_end(one);
    }
    end_if_last(containers);
}

static int refuse_start(struct managed_container *container, const struct actor *actor,
                        enum container_action action, struct error *err)
{
    (void)actor;
    return container->containers->is_closing && action == ACTION_START
               ? error_set(err, ERROR_BUSY, EBUSY, "the machine goes down")
               : 0;
}

/* Ends a container that was still starting when davitd began to end all. */
static void end_started(struct managed_container *container, bool is_new)
{
    (void)is_new;
    if (container->containers->is_closing)
        ask_to_end(container);
}

static void closing_settled(struct managed_container *container)
{
    if (container->containers->is_closing)
        end_if_last(container->containers);
}

const struct container_part closing_part = {
    .name = "closing",
    .admit = refuse_start,
    .started = end_started,
    .settled = closing_settled,
};
