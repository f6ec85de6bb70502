/* A container's volumes: those that are said, those of other containers, and anonymous ones. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "supervisor/containers/container.h"
#include "volumes.h"

static const char *copy(struct arena *arena, const char *text)
{
    return text != NULL ? arena_strdup(arena, text) : NULL;
}

/* "CONTAINER[:ro|rw]": what that one has, but its tmpfs, where this one has nothing. */
static int add_from(struct daemon *daemon, struct arena *arena, struct definition *definition,
                    const char *text, struct error *err)
{
    char *reference = arena_strdup(arena, text);
    const char *mode = strchr(text, ':');
    struct managed_container *other;
    int result;

    reference[strcspn(reference, ":")] = '\0';
    if (mode != NULL && strcmp(mode, ":ro") != 0 && strcmp(mode, ":rw") != 0 &&
        strcmp(mode, ":z") != 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "HostConfig.VolumesFrom: invalid mode in \"%.128s\"", text);
    result = container_find(daemon, reference, &other, err);
    if (result < 0)
        return result;
    for (size_t i = 0; i < other->definition.mount_points.count; i++) {
        struct mount_point mount = other->definition.mount_points.items[i];

        if (strcmp(mount.type, "tmpfs") == 0)
            continue;
        /* The other one's memory goes with it. */
        mount.type = copy(arena, mount.type);
        mount.destination = copy(arena, mount.destination);
        mount.source = copy(arena, mount.source);
        mount.name = copy(arena, mount.name);
        mount.mode = copy(arena, mode != NULL ? mode + 1 : mount.mode);
        mount.propagation = copy(arena, mount.propagation);
        mount.subpath = copy(arena, mount.subpath);
        mount.options = (struct string_list){0};
        mount.is_readonly = mount.is_readonly || (mode != NULL && strcmp(mode, ":ro") == 0);
        mount.volume = NULL;
        definition_add_mount(arena, definition, &mount);
    }
    return 0;
}

static int make_volume(struct daemon *daemon, struct arena *arena, struct mount_point *mount,
                       struct error *err)
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
    result = volume_make(daemon, &order, &volume, &mount->is_new, err);
    if (result == 0)
        mount->name = arena_strdup(arena, volume->name);
    return result;
}

void container_volumes_take_back(struct daemon *daemon, const struct definition *definition)
{
    for (size_t i = 0; i < definition->mount_points.count; i++) {
        const struct mount_point *mount = &definition->mount_points.items[i];
        struct volume *volume;

        if (mount->is_new && volume_find(daemon, mount->name, &volume, NULL) == 0)
            volume_remove(daemon, volume, NULL);
    }
}

int container_volumes_make(struct daemon *daemon, struct arena *arena,
                           struct definition *definition, const struct json *image_volumes,
                           struct error *err)
{
    const struct string_list *from = &definition->host_config.volumes_from;
    int result = 0;

    for (size_t i = 0; result == 0 && i < from->count; i++)
        result = add_from(daemon, arena, definition, from->items[i], err);
    if (result == 0)
        result = definition_add_volumes(arena, definition, definition->config.volumes, err);
    if (result == 0)
        result = definition_add_volumes(arena, definition, image_volumes, err);
    for (size_t i = 0; result == 0 && i < definition->mount_points.count; i++) {
        struct mount_point *mount = &definition->mount_points.items[i];

        if (strcmp(mount->type, "volume") == 0)
            result = make_volume(daemon, arena, mount, err);
    }
    if (result < 0)
        container_volumes_take_back(daemon, definition);
    return result;
}

void container_volumes_remove(struct daemon *daemon, const struct definition *definition)
{
    for (size_t i = 0; i < definition->mount_points.count; i++) {
        const struct mount_point *mount = &definition->mount_points.items[i];
        struct volume *volume;
        struct error err = {0};

        if (!mount->is_anonymous || volume_find(daemon, mount->name, &volume, NULL) < 0 ||
            volume_count_users(daemon, volume) > 0)
            continue;
        if (volume_remove(daemon, volume, &err) < 0)
            log_warning("volume %s: %s", mount->name, err.message);
    }
}
