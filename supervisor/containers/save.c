/* Saving the state of containers: see internal.h. */

#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "internal.h"

#define SAVE_AGAIN_US 2000000

static void save_state(struct managed_container *container, bool is_durable);

/* A full disk may have room again. */
static int on_save_timer(sd_event_source *source, uint64_t usec, void *context)
{
    struct containers *containers = context;

    (void)source;
    (void)usec;
    containers->save_timer = sd_event_source_disable_unref(containers->save_timer);
    for (struct managed_container *one = containers->list; one != NULL; one = one->next) {
        if (one->has_unsaved_state && one->status != CONTAINER_REMOVING)
            save_state(one, true);
    }
    return 0;
}

static void save_later(struct containers *containers)
{
    if (containers->save_timer == NULL)
        sd_event_add_time_relative(containers->loop, &containers->save_timer, CLOCK_MONOTONIC,
                                   SAVE_AGAIN_US, 0, on_save_timer, containers);
}

static void save_state(struct managed_container *container, bool is_durable)
{
    cleanup_free char *state = container_encode_state(container);
    struct error err = {0};

    /* The file in the run directory has the state until the database does. */
    container->has_unsaved_state =
        database_update_state(container->containers->database, container->definition->id, state,
                              is_durable, &err) < 0;
    if (container->has_unsaved_state || container->status == CONTAINER_RUNNING)
        container_record_state(container, state);
    else if (container->has_state_file)
        container_record_forget_state(container);
    if (!container->has_unsaved_state)
        return;
    log_error("container %s: %s", container->definition->name, err.message);
    save_later(container->containers);
}

void container_save_state(struct managed_container *container)
{
    save_state(container, false);
}

void container_save_state_durably(struct managed_container *container)
{
    save_state(container, true);
}
