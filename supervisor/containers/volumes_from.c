/* HostConfig.VolumesFrom: what a new container has of the mounts of others. See internal.h. */
#include <errno.h>
#include <string.h>

#include "internal.h"

static const char *copy(struct arena *arena, const char *text)
{
    return text != NULL ? arena_strdup(arena, text) : NULL;
}

/* "CONTAINER[:ro|rw]": what that one has, but its tmpfs, where this one has nothing. */
static int add_from(struct containers *containers, struct arena *arena,
                    struct definition *definition, const char *text, struct error *err)
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
    result = container_find(containers, reference, &other, err);
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

int container_volumes_from(struct managed_container *container, struct error *err)
{
    const struct string_list *from = &container->definition.host_config.volumes_from;
    int result = 0;

    for (size_t i = 0; result == 0 && i < from->count; i++)
        result = add_from(container->containers, &container->arena, &container->definition,
                          from->items[i], err);
    return result;
}
