/* Removing a container: see container.h. */
#include <errno.h>

#include "internal.h"

static int on_bury(sd_event_source *source, void *context)
{
    (void)source;
    container_free(context);
    return 0;
}

int container_remove(struct managed_container *container, const struct actor *actor,
                     bool removes_volumes, struct error *err)
{
    struct containers *containers = container->containers;
    const enum container_status status = container->status;
    int result = parts_admit(container, actor, ACTION_REMOVE, err);

    if (result < 0)
        return result;
    if (container->status == CONTAINER_RUNNING || container->status == CONTAINER_STARTING)
        return error_set(err, ERROR_CONFLICT, EBUSY,
                         "You cannot remove a running container %s. Stop the container before "
                         "attempting removal or force remove",
                         container->definition->id);
    if (container->status == CONTAINER_RESTARTING)
        return error_set(err, ERROR_CONFLICT, EBUSY,
                         "You cannot remove a restarting container %s. Stop the container before "
                         "attempting removal or force remove",
                         container->definition->id);
    if (container->status == CONTAINER_REMOVING)
        return error_set(err, ERROR_CONFLICT, EBUSY,
                         "removal of container %s is already in "
                         "progress",
                         container->definition->id);
    container->status = CONTAINER_REMOVING;
    result = container_record_remove(container, err);
    if (result < 0) {
        container->status = status;
        return result;
    }
    container_remove_run_directory(container);
    container_unlink(container);
    parts_removed(container, removes_volumes);
    container_event(container, "destroy", NULL);
    for (int kind = 0; kind < WAIT_COUNT; kind++)
        completions_end(&container->waiters[kind], NULL);
    /* Callers up the stack may still use the container: it is freed when they have returned. */
    sd_event_add_defer(containers->loop, NULL, on_bury, container);
    return 0;
}
