/* Running through the table of parts: see part.h. */
#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "part.h"

void *container_part_state(const struct managed_container *container,
                           const struct container_part *part)
{
    const struct container_part *const *parts = container->containers->parts;
    size_t index = 0;

    while (parts[index] != part) {
        assert(parts[index] != NULL);
        index++;
    }
    return container->part_states[index];
}

void parts_open(struct managed_container *container)
{
    const struct container_part *const *parts = container->containers->parts;

    for (size_t i = 0; parts[i] != NULL; i++) {
        assert(i < CONTAINER_PARTS_MAX);
        if (parts[i]->state_size > 0)
            container->part_states[i] = memory_new(1, parts[i]->state_size);
        if (parts[i]->open != NULL)
            parts[i]->open(container);
    }
}

void parts_release(struct managed_container *container)
{
    const struct container_part *const *parts = container->containers->parts;

    for (size_t i = 0; parts[i] != NULL; i++) {
        if (parts[i]->release != NULL)
            parts[i]->release(container);
        free(container->part_states[i]);
    }
}

int parts_admit(struct managed_container *container, const struct actor *actor,
                enum container_action action, struct error *err)
{
    const struct container_part *const *part = container->containers->parts;
    int result = 0;

    for (; result == 0 && *part != NULL; part++) {
        if ((*part)->admit != NULL)
            result = (*part)->admit(container, actor, action, err);
    }
    return result;
}

int parts_define(struct managed_container *container, struct revision *draft,
                 const struct image *image, struct error *err)
{
    const struct container_part *const *part = container->containers->parts;
    int result = 0;

    for (; result == 0 && *part != NULL; part++) {
        if ((*part)->define != NULL)
            result = (*part)->define(container, draft, image, err);
    }
    return result;
}

void parts_undefine(struct managed_container *container)
{
    const struct container_part *const *part = container->containers->parts;

    for (; *part != NULL; part++) {
        if ((*part)->undefine != NULL)
            (*part)->undefine(container);
    }
}

int parts_write(struct managed_container *container, struct error *err)
{
    const struct container_part *const *part = container->containers->parts;
    int result = 0;

    for (; result == 0 && *part != NULL; part++) {
        if ((*part)->write != NULL)
            result = (*part)->write(container, err);
    }
    return result;
}

void parts_known(struct managed_container *container)
{
    const struct container_part *const *part = container->containers->parts;

    for (; *part != NULL; part++) {
        if ((*part)->known != NULL)
            (*part)->known(container);
    }
}

void parts_removed(struct managed_container *container, bool removes_volumes)
{
    const struct container_part *const *part = container->containers->parts;

    for (; *part != NULL; part++) {
        if ((*part)->removed != NULL)
            (*part)->removed(container, removes_volumes);
    }
}

int parts_prepare(struct managed_container *container, struct container_start *start,
                  struct error *err)
{
    const struct container_part *const *part = container->containers->parts;
    int result = 0;

    for (; result == 0 && *part != NULL; part++) {
        if ((*part)->prepare != NULL)
            result = (*part)->prepare(container, start, err);
    }
    return result;
}

void parts_starting(struct managed_container *container, const struct container_start *start)
{
    const struct container_part *const *part = container->containers->parts;

    for (; *part != NULL; part++) {
        if ((*part)->starting != NULL)
            (*part)->starting(container, start);
    }
}

void parts_attach(struct managed_container *container, int netns_fd, pid_t pid)
{
    const struct container_part *const *part = container->containers->parts;

    for (; *part != NULL; part++) {
        if ((*part)->attach != NULL)
            (*part)->attach(container, netns_fd, pid);
    }
}

void parts_started(struct managed_container *container, bool is_new)
{
    const struct container_part *const *part = container->containers->parts;

    for (; *part != NULL; part++) {
        if ((*part)->started != NULL)
            (*part)->started(container, is_new);
    }
}

void parts_failed(struct managed_container *container)
{
    const struct container_part *const *part = container->containers->parts;

    for (; *part != NULL; part++) {
        if ((*part)->failed != NULL)
            (*part)->failed(container);
    }
}

void parts_ended(struct managed_container *container)
{
    const struct container_part *const *part = container->containers->parts;

    for (; *part != NULL; part++) {
        if ((*part)->ended != NULL)
            (*part)->ended(container);
    }
}

void parts_settled(struct managed_container *container)
{
    const struct container_part *const *part = container->containers->parts;

    for (; *part != NULL; part++) {
        if ((*part)->settled != NULL)
            (*part)->settled(container);
    }
}

void parts_revised(struct managed_container *container)
{
    const struct container_part *const *part = container->containers->parts;

    for (; *part != NULL; part++) {
        if ((*part)->revised != NULL)
            (*part)->revised(container);
    }
}

void parts_message(struct managed_container *container, const struct monitor_message *message)
{
    const struct container_part *const *part = container->containers->parts;
    bool is_taken = false;

    for (; !is_taken && *part != NULL; part++)
        is_taken = (*part)->message != NULL && (*part)->message(container, message);
}

void parts_encode(struct json_writer *writer, const struct managed_container *container)
{
    const struct container_part *const *part = container->containers->parts;
    cleanup_arena struct arena arena = {0};

    for (; *part != NULL; part++) {
        const struct json_struct *type = (*part)->record_type;
        void *record;

        if (type == NULL)
            continue;
        record = arena_new(&arena, 1, type->size);
        (*part)->record(container, &arena, record);
        json_encode_members(writer, type, record);
    }
}

void parts_restore(struct managed_container *container, const struct json *state)
{
    const struct container_part *const *part = container->containers->parts;
    cleanup_arena struct arena arena = {0};

    for (; *part != NULL; part++) {
        const struct json_struct *type = (*part)->record_type;
        struct error err = {0};
        void *record;

        if (type == NULL)
            continue;
        record = arena_new(&arena, 1, type->size);
        if (state != NULL && json_decode(&arena, state, type, "", record, &err) < 0) {
            log_warning("container %s: state of its %s: %s", container->definition->name,
                        (*part)->name, err.message);
            record = arena_new(&arena, 1, type->size);
        }
        (*part)->restore(container, record);
    }
}

void parts_found(struct managed_container *container)
{
    const struct container_part *const *part = container->containers->parts;

    for (; *part != NULL; part++) {
        if ((*part)->found != NULL)
            (*part)->found(container);
    }
}

void parts_recovered(struct containers *containers)
{
    for (const struct container_part *const *part = containers->parts; *part != NULL; part++) {
        if ((*part)->recovered != NULL)
            (*part)->recovered(containers);
    }
}

void parts_describe(struct json_writer *writer, const struct managed_container *container)
{
    const struct container_part *const *part = container->containers->parts;

    for (; *part != NULL; part++) {
        if ((*part)->describe != NULL)
            (*part)->describe(writer, container);
    }
}
