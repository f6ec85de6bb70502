/* Connections to a container's streams: see container.h. */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "internal.h"

static int send_attachment(struct managed_container *container, struct early_attachment *attachment,
                           struct error *err)
{
    int result = container_send(
        container, &(struct monitor_message){.type = MONITOR_ATTACH, .flags = attachment->flags},
        buffer_text(&attachment->leftover), attachment->leftover.length, attachment->fd, err);

    fd_close(&attachment->fd);
    buffer_release(&attachment->leftover);
    free(attachment);
    return result;
}

int container_hand_over_attachments(struct managed_container *container, struct error *err)
{
    int result = 0;

    while (result == 0 && container->attachments != NULL) {
        struct early_attachment *attachment = container->attachments;

        container->attachments = attachment->next;
        result = send_attachment(container, attachment, err);
    }
    return result;
}

int container_attach(struct managed_container *container, int fd, unsigned int flags,
                     struct buffer *leftover, struct error *err)
{
    struct early_attachment *attachment = memory_new_one(struct early_attachment);
    struct early_attachment **link = &container->attachments;

    *attachment = (struct early_attachment){.fd = fd, .flags = flags, .leftover = *leftover};
    *leftover = (struct buffer){0};
    container_event(container, "attach", NULL);
    if (container->control_fd >= 0)
        return send_attachment(container, attachment, err);
    while (*link != NULL)
        link = &(*link)->next;
    *link = attachment;
    return 0;
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
