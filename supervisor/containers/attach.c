/* Connections to a container's streams: see container.h. */
#include <errno.h>
#include <stdlib.h>

#include "all_parts.h"
#include "base/cleanup.h"
#include "internal.h"

#define EARLY_MAX 64 /* connections that wait for a container's start */

/* A connection that was attached before the container started. It waits for the monitor. */
struct early_attachment {
    struct early_attachment *next;
    struct managed_container *container;
    int fd;
    unsigned int flags;
    struct buffer leftover;
    sd_event_source *hangup; /* NULL: it goes to the monitor at once */
};

/* Its part's memory. */
struct attach_state {
    struct early_attachment *first;
};

static struct attach_state *state_of(const struct managed_container *container)
{
    return container_part_state(container, &attach_part);
}

static void attachment_free(struct early_attachment *attachment)
{
    sd_event_source_disable_unref(attachment->hangup);
    fd_close(&attachment->fd);
    buffer_release(&attachment->leftover);
    free(attachment);
}

/* NULL: there is none. */
static struct early_attachment *take_first(struct managed_container *container)
{
    struct attach_state *state = state_of(container);
    struct early_attachment *attachment = state->first;

    if (attachment != NULL)
        state->first = attachment->next;
    return attachment;
}

static int send_attachment(struct managed_container *container, struct early_attachment *attachment,
                           struct error *err)
{
    int result = container_send(
        container, &(struct monitor_message){.type = MONITOR_ATTACH, .flags = attachment->flags},
        buffer_text(&attachment->leftover), attachment->leftover.length, attachment->fd, err);

    attachment_free(attachment);
    return result;
}

static int hand_over(struct managed_container *container, struct container_start *start,
                     struct error *err)
{
    struct early_attachment *attachment;
    int result = 0;

    (void)start;
    while (result == 0 && (attachment = take_first(container)) != NULL)
        result = send_attachment(container, attachment, err);
    return result;
}

static void drop(struct managed_container *container)
{
    struct early_attachment *attachment;

    while ((attachment = take_first(container)) != NULL)
        attachment_free(attachment);
}

/* The client has closed the connection, not only its own direction. */
static int on_hangup(sd_event_source *source, int fd, uint32_t events, void *context)
{
    struct early_attachment *attachment = context;
    struct early_attachment **link = &state_of(attachment->container)->first;

    (void)source;
    (void)fd;
    (void)events;
    while (*link != attachment)
        link = &(*link)->next;
    *link = attachment->next;
    attachment_free(attachment);
    return 0;
}

/* The kernel reports a hangup also where no event is asked for. */
static int keep_attachment(struct managed_container *container, struct early_attachment *attachment,
                           struct error *err)
{
    struct early_attachment **link = &state_of(container)->first;
    int result = sd_event_add_io(container->containers->loop, &attachment->hangup, attachment->fd,
                                 0, on_hangup, attachment);

    if (result < 0) {
        attachment_free(attachment);
        return error_errno(err, -result, "watch a client");
    }
    while (*link != NULL)
        link = &(*link)->next;
    *link = attachment;
    return 0;
}

int container_admit_attach(struct managed_container *container, const struct actor *actor,
                           struct error *err)
{
    int count = 0;

    for (const struct early_attachment *one = state_of(container)->first; one != NULL;
         one = one->next)
        count++;
    if (count >= EARLY_MAX)
        return error_set(err, ERROR_BUSY, EBUSY,
                         "%d clients wait for the start of container %s already", count,
                         container->definition->name);
    return parts_admit(container, actor, ACTION_ATTACH, err);
}

int container_attach(struct managed_container *container, int fd, unsigned int flags,
                     struct buffer *leftover, struct error *err)
{
    struct early_attachment *attachment = memory_new_one(struct early_attachment);

    *attachment = (struct early_attachment){
        .container = container, .fd = fd, .flags = flags, .leftover = *leftover};
    *leftover = (struct buffer){0};
    container_event(container, "attach", NULL);
    return container->control_fd >= 0 ? send_attachment(container, attachment, err)
                                      : keep_attachment(container, attachment, err);
}

int container_resize(struct managed_container *container, uint64_t token, int rows, int columns,
                     struct error *err)
{
    if (container->status != CONTAINER_RUNNING)
        return error_set(err, ERROR_CONFLICT, ESRCH, "Container %s is not running",
                         container->definition->id);
    return container_send(
        container,
        &(struct monitor_message){
            .type = MONITOR_RESIZE, .token = token, .value = rows, .value2 = columns},
        NULL, 0, -1, err);
}

const struct container_part attach_part = {
    .name = "attachments",
    .state_size = sizeof(struct attach_state),
    .release = drop,
    .prepare = hand_over,
};
