/* A container's volumes: those that are said, and anonymous ones. See volumes.h. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "volumes.h"

static int make_volume(struct volumes *volumes, struct arena *arena, const char *tenant,
                       struct mount_point *mount, struct error *err)
{
    const struct docker_volume_options *options = mount->volume;
    struct volume_order order = {.name = mount->name};
    struct volume *volume;
    int result;

    if (options != NULL) {
        order.driver = options->driver.name;
        order.labels = options->labels;
        order.options = options->driver.options;
    }
    result = volume_make(volumes, tenant, &order, &volume, &mount->is_new, err);
    if (result == 0)
        mount->name = arena_strdup(arena, volume->name);
    return result;
}

void container_volumes_take_back(struct volumes *volumes, const struct definition *definition)
{
    for (size_t i = 0; i < definition->mount_points.count; i++) {
        const struct mount_point *mount = &definition->mount_points.items[i];
        struct volume *volume;

        if (mount->is_new &&
            volume_find(volumes, definition->tenant, mount->name, &volume, NULL) == 0)
            volume_remove(volumes, volume, NULL);
    }
}

int container_volumes_make(struct volumes *volumes, struct arena *arena,
                           struct definition *definition, const struct json *image_volumes,
                           struct error *err)
{
    int result = definition_add_volumes(arena, definition, definition->config.volumes, err);

    if (result == 0)
        result = definition_add_volumes(arena, definition, image_volumes, err);
    for (size_t i = 0; result == 0 && i < definition->mount_points.count; i++) {
        struct mount_point *mount = &definition->mount_points.items[i];

        if (strcmp(mount->type, "volume") == 0)
            result = make_volume(volumes, arena, definition->tenant, mount, err);
    }
    if (result < 0)
        container_volumes_take_back(volumes, definition);
    return result;
}

static const struct volume *volume_of(const struct volumes *volumes,
                                      const struct definition *definition,
                                      const struct mount_point *mount)
{
    struct volume *volume = NULL;

    if (strcmp(mount->type, "volume") == 0)
        volume_find(volumes, definition->tenant, mount->name, &volume, NULL);
    return volume;
}

const struct volume_source *container_volume_sources(const struct volumes *volumes,
                                                     struct arena *arena,
                                                     const struct definition *definition)
{
    struct volume_source *sources =
        arena_new(arena, definition->mount_points.count + 1, sizeof(*sources));

    for (size_t i = 0; i < definition->mount_points.count; i++) {
        const struct volume *volume =
            volume_of(volumes, definition, &definition->mount_points.items[i]);

        if (volume != NULL)
            volume_get_source(arena, volume, &sources[i]);
    }
    return sources;
}

int container_volumes_mount_memory(const struct volumes *volumes,
                                   const struct definition *definition, struct error *err)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < definition->mount_points.count; i++) {
        const struct volume *volume =
            volume_of(volumes, definition, &definition->mount_points.items[i]);

        if (volume != NULL)
            result = volume_mount_memory(volumes, volume, err);
    }
    return result;
}

void container_volumes_remove(struct volumes *volumes, const struct definition *definition)
{
    for (size_t i = 0; i < definition->mount_points.count; i++) {
        const struct mount_point *mount = &definition->mount_points.items[i];
        struct volume *volume;
        struct error err = {0};

        if (!mount->is_anonymous ||
            volume_find(volumes, definition->tenant, mount->name, &volume, NULL) < 0 ||
            volume->user_count > 0)
            continue;
        if (volume_remove(volumes, volume, &err) < 0)
            log_warning("volume %s: %s", mount->name, err.message);
    }
}

static bool find_user(const struct volume *volume, const char *id, size_t *index)
{
    for (*index = 0; *index < volume->user_count; ++*index) {
        if (strcmp(volume->users[*index], id) == 0)
            return true;
    }
    return false;
}

static void hold(struct volume *volume, const char *id)
{
    size_t index;

    if (find_user(volume, id, &index))
        return;
    volume->users = memory_resize(volume->users, volume->user_count + 1, sizeof(*volume->users));
    volume->users[volume->user_count++] = memory_strdup(id);
}

static void volume_drop_user(struct volume *volume, const char *id)
{
    size_t index;

    if (!find_user(volume, id, &index))
        return;
    free(volume->users[index]);
    volume->users[index] = volume->users[--volume->user_count];
}

static void each_volume(const struct volumes *volumes, const struct definition *definition,
                        void (*change)(struct volume *volume, const char *id))
{
    for (size_t i = 0; i < definition->mount_points.count; i++) {
        const char *name = definition->mount_points.items[i].name;
        struct volume *volume;

        if (name != NULL && volume_find(volumes, definition->tenant, name, &volume, NULL) == 0)
            change(volume, definition->id);
    }
}

void volumes_hold(struct volumes *volumes, const struct definition *definition)
{
    each_volume(volumes, definition, hold);
}

void volumes_release(struct volumes *volumes, const struct definition *definition)
{
    each_volume(volumes, definition, volume_drop_user);
}
