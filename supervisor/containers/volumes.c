/* A container's volumes: its own, and what it has of the mounts of others (VolumesFrom). */
#include <errno.h>
#include <string.h>

#include "all_parts.h"
#include "base/cleanup.h"
#include "internal.h"

static const char *copy(struct arena *arena, const char *text)
{
    return text != NULL ? arena_strdup(arena, text) : NULL;
}

/* "CONTAINER[:ro|rw]": adds that one's mounts, without its tmpfs, where this one has none. */
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
    result = container_find(containers, definition->tenant, reference, &other, err);
    if (result < 0)
        return result;
    for (size_t i = 0; i < other->definition->mount_points.count; i++) {
        struct mount_point mount = other->definition->mount_points.items[i];

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

static int define_volumes(struct managed_container *container, struct revision *draft,
                          const struct image *image, struct error *err)
{
    const struct string_list *from = &container->definition->host_config.volumes_from;
    int result = 0;

    for (size_t i = 0; result == 0 && i < from->count; i++)
        result =
            add_from(container->containers, &draft->arena, &draft->definition, from->items[i], err);
    if (result == 0)
        result = container_volumes_make(container->containers->volumes, &draft->arena,
                                        &draft->definition, image->config.config.volumes, err);
    /* Whether ids can be mapped there is asked next; and options are wrong now, not at the start.
     */
    return result < 0 ? result
                      : container_volumes_mount_memory(container->containers->volumes,
                                                       &draft->definition, err);
}

static void take_back_volumes(struct managed_container *container)
{
    container_volumes_take_back(container->containers->volumes, container->definition);
}

static void volumes_known(struct managed_container *container)
{
    volumes_hold(container->containers->volumes, container->definition);
}

/* The part's memory. */
struct volumes_state {
    bool is_mounted; /* since the container runs */
};

/* Docker's events of volumes. */
static void publish_mounts(const struct managed_container *container, bool is_mount)
{
    const struct definition *definition = container->definition;

    for (size_t i = 0; i < definition->mount_points.count; i++) {
        const struct mount_point *mount = &definition->mount_points.items[i];
        struct string_pair pairs[] = {{"container", definition->id},
                                      {"driver", "local"},
                                      {"destination", mount->destination},
                                      {"read/write", mount->is_readonly ? "false" : "true"},
                                      {"propagation", ""}};

        if (strcmp(mount->type, "volume") == 0)
            events_publish(container->containers->events, "volume", is_mount ? "mount" : "unmount",
                           mount->name,
                           &(struct string_map){pairs, is_mount ? ARRAY_SIZE(pairs) : 2});
    }
}

static void volumes_started(struct managed_container *container, bool is_new)
{
    struct volumes_state *state = container_part_state(container, &volume_part);

    state->is_mounted = true;
    if (is_new)
        publish_mounts(container, true);
}

static void volumes_ended(struct managed_container *container)
{
    struct volumes_state *state = container_part_state(container, &volume_part);

    if (state->is_mounted)
        publish_mounts(container, false);
    state->is_mounted = false;
}

static void volumes_removed(struct managed_container *container, bool removes_volumes)
{
    volumes_release(container->containers->volumes, container->definition);
    if (removes_volumes)
        container_volumes_remove(container->containers->volumes, container->definition);
}

static int mount_memory(struct managed_container *container, struct container_start *start,
                        struct error *err)
{
    (void)start;
    return container_volumes_mount_memory(container->containers->volumes, container->definition,
                                          err);
}

static void write_mount(struct json_writer *writer, const struct volumes *volumes,
                        const struct definition *definition, const struct mount_point *mount)
{
    bool is_volume = strcmp(mount->type, "volume") == 0;
    bool is_bind = strcmp(mount->type, "bind") == 0;
    cleanup_free char *path =
        is_volume ? volume_path(volumes, definition->tenant, mount->name) : NULL;
    const char *propagation = mount->propagation;

    json_object_open(writer);
    json_member_string(writer, "Type", mount->type);
    if (is_volume)
        json_member_string(writer, "Name", mount->name);
    json_member_string(writer, "Source", is_volume ? path : is_bind ? mount->source : "");
    json_member_string(writer, "Destination", mount->destination);
    if (is_volume)
        json_member_string(writer, "Driver", "local");
    json_member_string(writer, "Mode", mount->mode);
    json_member_boolean(writer, "RW", !mount->is_readonly);
    json_member_string(writer, "Propagation",
                       propagation != NULL && propagation[0] != '\0' ? propagation
                       : is_bind                                     ? "rprivate"
                                                                     : "");
    json_object_close(writer);
}

void container_write_mounts(struct json_writer *writer, const struct managed_container *container)
{
    const struct definition *definition = container->definition;

    json_key(writer, "Mounts");
    json_array_open(writer);
    for (size_t i = 0; i < definition->mount_points.count; i++)
        write_mount(writer, container->containers->volumes, definition,
                    &definition->mount_points.items[i]);
    json_array_close(writer);
}

const struct container_part volume_part = {
    .name = "volumes",
    .state_size = sizeof(struct volumes_state),
    .define = define_volumes,
    .undefine = take_back_volumes,
    .known = volumes_known,
    .prepare = mount_memory,
    .started = volumes_started,
    .ended = volumes_ended,
    .removed = volumes_removed,
    .describe = container_write_mounts,
};
