/* See shutdown.h. */
#include "shutdown.h"

#include "base/log.h"
#include "cgroups/systemd/scope.h"
#include "supervisor/containers/internal.h"

/* systemd goes on with its own signals; their own times are over by then. */
#define LONGEST_US (240 * UINT64_C(1000000))

static int on_timeout(sd_event_source *source, uint64_t usec, void *context)
{
    struct containers *containers = context;

    (void)source;
    (void)usec;
    log_warning("containers do not end: leaving them to systemd");
    sd_event_exit(containers->loop, 0);
    return 0;
}

static void ask_to_end(struct managed_container *container)
{
    struct error err = {0};

    container->is_stop_requested = true;
    if (container_end(container, 0, container_stop_timeout(container), &err) < 0)
        log_warning("container %s: %s", container->definition.name, err.message);
}

bool shutdown_begin(struct containers *containers)
{
    struct managed_container *next;

    if (containers->shutdown != NULL || !systemd_manages_us() || !systemd_is_stopping() ||
        sd_event_add_time_relative(containers->loop, &containers->shutdown, CLOCK_MONOTONIC,
                                   LONGEST_US, 0, on_timeout, containers) < 0)
        return false;
    log_info("the machine goes down: stopping containers");
    for (struct managed_container *one = containers->list; one != NULL; one = next) {
        next = one->next;
        /* It is waiting still when the machine is back. */
        one->restart_timer = sd_event_source_disable_unref(one->restart_timer);
        if (one->status == CONTAINER_RUNNING)
            ask_to_end(one);
    }
    shutdown_container_ended(containers);
    return true;
}

void shutdown_container_started(struct managed_container *container)
{
    if (container->containers->shutdown != NULL)
        ask_to_end(container);
}

void shutdown_container_ended(struct containers *containers)
{
    if (containers->shutdown == NULL)
        return;
    for (const struct managed_container *one = containers->list; one != NULL; one = one->next) {
        if (one->status == CONTAINER_RUNNING || one->status == CONTAINER_STARTING)
            return;
    }
    sd_event_exit(containers->loop, 0);
}
