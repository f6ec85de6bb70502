/* What a container is to others: see container.h. */
#include "container.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/identifier.h"
#include "base/signals.h"
#include "internal.h"

const char *const container_state_names[] = {"created",  "starting",   "running", "exited",
                                             "removing", "restarting", NULL};

const char *container_state_name(const struct managed_container *container)
{
    if (container->is_paused)
        return "paused";
    /* Docker has no word for STARTING. */
    return container->status == CONTAINER_STARTING ? "created"
                                                   : container_state_names[container->status];
}

int container_stop_signal(const struct managed_container *container)
{
    const char *own = container->definition->config.stop_signal;

    return own != NULL && own[0] != '\0' ? signal_parse(own) : SIGTERM;
}

int64_t container_stop_timeout(const struct managed_container *container)
{
    const struct optional_int64 *own = &container->definition->config.stop_timeout;

    if (!own->is_set)
        return CONTAINER_STOP_TIMEOUT_S;
    return own->value < CONTAINER_STOP_TIMEOUT_MAX_S ? own->value : CONTAINER_STOP_TIMEOUT_MAX_S;
}

struct managed_container *container_by_id(struct containers *containers, const char *id)
{
    return strlen(id) == IDENTIFIER_SIZE - 1 ? index_by_id(&containers->index, id, NULL) : NULL;
}

/* The next after `previous` whose id begins with the text. People type few digits, so that the list
 * is walked for these; programs give twelve or all. */
static struct managed_container *next_of_prefix(struct containers *containers, const char *prefix,
                                                struct managed_container *previous)
{
    size_t length = strlen(prefix);
    struct managed_container *one = previous != NULL ? previous->next : containers->list;

    if (length >= INDEX_SHORT_ID)
        return index_by_id(&containers->index, prefix, previous);
    while (one != NULL && (length == 0 || strncmp(one->definition->id, prefix, length) != 0))
        one = one->next;
    return one;
}

int container_find(struct containers *containers, const char *tenant, const char *reference,
                   struct managed_container **found, struct error *err)
{
    *found = container_by_id(containers, reference);
    if (*found != NULL && !tenant_is((*found)->definition->tenant, tenant))
        *found = NULL;
    if (*found == NULL)
        *found = index_by_name(&containers->index, tenant,
                               reference[0] == '/' ? reference + 1 : reference);
    if (*found != NULL)
        return 0;
    for (struct managed_container *one = next_of_prefix(containers, reference, NULL); one != NULL;
         one = next_of_prefix(containers, reference, one)) {
        if (!tenant_is(one->definition->tenant, tenant))
            continue;
        if (*found != NULL)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "Multiple IDs found with provided prefix: %.64s", reference);
        *found = one;
    }
    if (*found == NULL)
        error_set(err, ERROR_NOT_FOUND, ENOENT, "No such container: %.256s", reference);
    return *found != NULL ? 0 : -ENOENT;
}

int container_check_name(struct containers *containers, const char *tenant, const char *name,
                         struct error *err)
{
    const struct managed_container *other;

    if (!name_is_valid(name, 128))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "Invalid container name (%.64s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are "
                         "allowed",
                         name);
    other = index_by_name(&containers->index, tenant, name);
    if (other == NULL)
        return 0;
    return error_set(err, ERROR_CONFLICT, EEXIST,
                     "Conflict. The container name \"/%s\" is already in use by container "
                     "\"%s\". You have to remove (or rename) that container to be able to "
                     "reuse that name.",
                     name, other->definition->id);
}

void container_wait_for(struct managed_container *container, enum container_wait kind,
                        struct completion *completion)
{
    completion_add(&container->waiters[kind], completion);
}

void container_stop_waiting(struct managed_container *container,
                            const struct completion *completion)
{
    for (int kind = 0; kind < WAIT_COUNT; kind++)
        completion_remove(&container->waiters[kind], completion);
}

void container_event(struct managed_container *container, const char *action,
                     const struct string_map *extra)
{
    cleanup_arena struct arena arena = {0};
    const struct string_map *labels = &container->definition->config.labels;
    static const struct string_map none;
    struct string_map attributes = {0};

    if (extra == NULL)
        extra = &none;
    attributes.items =
        arena_new(&arena, labels->count + extra->count + 2, sizeof(struct string_pair));
    for (size_t i = 0; i < labels->count; i++)
        attributes.items[attributes.count++] = labels->items[i];
    for (size_t i = 0; i < extra->count; i++)
        attributes.items[attributes.count++] = extra->items[i];
    attributes.items[attributes.count++] =
        (struct string_pair){"image", container->definition->config.image};
    attributes.items[attributes.count++] =
        (struct string_pair){"name", container->definition->name};
    events_publish(container->containers->events, "container", action, container->definition->id,
                   &attributes);
}

void container_event_number(struct managed_container *container, const char *action,
                            const char *name, long number)
{
    char text[24];
    struct string_pair pair = {name, text};

    snprintf(text, sizeof(text), "%ld", number);
    container_event(container, action, &(struct string_map){&pair, 1});
}

struct managed_container *container_new(struct containers *containers)
{
    struct managed_container *container = memory_new_one(struct managed_container);

    container->containers = containers;
    container->control_fd = -1;
    container->monitor_pidfd = -1;
    container->revision = revision_new();
    container->definition = &container->revision->definition;
    parts_open(container);
    return container;
}

void container_free(struct managed_container *container)
{
    container_close_channel(container);
    sd_event_source_disable_unref(container->stop_timer);
    sd_event_source_disable_unref(container->restart_timer);
    sd_event_source_disable_unref(container->freeze_timer);
    parts_release(container);
    free(container->error);
    buffer_release(&container->summary);
    revision_free(container->revision);
    arena_release(&container->arena);
    free(container);
}

void container_link(struct managed_container *container)
{
    struct containers *containers = container->containers;

    container->next = containers->list;
    container->link = &containers->list;
    if (container->next != NULL)
        container->next->link = &container->next;
    containers->list = container;
    containers->count++;
    index_add(&containers->index, container);
    parts_known(container);
}

void container_unlink(struct managed_container *container)
{
    *container->link = container->next;
    if (container->next != NULL)
        container->next->link = container->link;
    container->link = NULL;
    container->containers->count--;
    index_remove(&container->containers->index, container);
}

bool container_has_policy(const struct managed_container *container)
{
    const char *name = container->definition->host_config.restart_policy.name;

    return name != NULL && name[0] != '\0' && strcmp(name, "no") != 0;
}
