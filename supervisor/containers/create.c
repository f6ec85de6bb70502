/* Making a container: from a request to a directory, a configuration and a row in the database. */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/identifier.h"
#include "base/path.h"
#include "base/signals.h"
#include "internal.h"

static const char *pick_name(struct containers *containers, const char *tenant, struct arena *arena,
                             const char *id)
{
    static const char *const left[] = {"able",   "brave", "calm",   "deft",  "eager",  "fair",
                                       "gentle", "keen",  "lucid",  "merry", "nimble", "plain",
                                       "quick",  "ready", "steady", "trim"};
    static const char *const right[] = {
        "anchor", "bosun",  "capstan", "davit", "fender",  "galley", "hawser", "jib",
        "keel",   "lugger", "mast",    "oar",   "pinnace", "rudder", "sloop",  "tender"};
    struct error err;
    unsigned int number = (unsigned int)strtoul(arena_strndup(arena, id, 6), NULL, 16);

    for (unsigned int i = 0; i < 1000; i++) {
        const char *name =
            arena_printf(arena, i == 0 ? "%s_%s" : "%s_%s%u", left[number % ARRAY_SIZE(left)],
                         right[number / 16 % ARRAY_SIZE(right)], i);

        if (container_check_name(containers, tenant, name, &err) == 0)
            return name;
    }
    return arena_strndup(arena, id, 12);
}

/* Room for the exit status, which may come when the disk is full. */
static int reserve_exit_file(int directory_fd, struct error *err)
{
    int result = monitor_exit_write(directory_fd, "");

    return result < 0 ? error_errno(err, -result, "write " MONITOR_EXIT_FILE) : 0;
}

static int make_on_disk(struct managed_container *container, struct error *err)
{
    struct containers *containers = container->containers;
    cleanup_free char *name = memory_printf(CONTAINER_NEW_PREFIX "%s", container->definition->id);
    cleanup_close int directory_fd = -1;
    int result;

    if (mkdirat(containers->places->containers_fd, name, 0700) < 0)
        return error_errno(err, errno, "make the container's directory");
    container->is_unpublished = true;
    directory_fd = container_open_directory(container);
    result = directory_fd < 0
                 ? error_errno(err, -directory_fd, "container directory")
                 : container_write_bundle(container, container->definition, directory_fd, err);
    container->is_bundle_known = result == 0;
    if (result == 0)
        result = parts_write(container, err);
    if (result == 0)
        result = reserve_exit_file(directory_fd, err);
    if (result == 0)
        result = container_record_write(container, directory_fd, err);
    if (result == 0)
        result = container_record_publish(container, err);
    if (result < 0)
        path_remove_tree(containers->places->containers_fd, name, NULL);
    return result;
}

/* Who asks for a platform that the image is not for is told that there is no image, and pulls it.
 */
static int check_platform(const struct image *image, const char *name, const char *text,
                          struct error *err)
{
    cleanup_arena struct arena arena = {0};
    const struct image_platform offered = {.os = image->config.os,
                                           .architecture = image->config.architecture,
                                           .variant = image->config.variant};
    struct image_platform wanted = {0};
    int result = image_platform_parse(&arena, text, &wanted, err);

    if (result < 0 || wanted.os == NULL || image_platform_fits(&wanted, &offered))
        return result;
    return error_set(err, ERROR_IMAGE_NOT_FOUND, ENOENT,
                     "image with reference %.128s was found but does not match the specified "
                     "platform: wanted %.64s, actual: %.16s/%.16s",
                     name, text, offered.os != NULL ? offered.os : "",
                     offered.architecture != NULL ? offered.architecture : "");
}

static int container_define(struct managed_container *container, const char *tenant,
                            const struct create_order *order, struct image **image,
                            struct error *err)
{
    struct containers *containers = container->containers;
    struct definition *definition = &container->revision->definition;
    /* The definition points into this copy's tree for as long as the container lives. */
    const char *text = arena_strndup(&container->revision->arena, order->body, order->body_length);
    const char *name = order->name;
    char id[IDENTIFIER_SIZE];
    int result = definition_parse(&container->revision->arena, text, order->body_length,
                                  &containers->settings.log, definition, err);

    if (result == 0)
        result = image_store_find(containers->images, tenant, definition->config.image, image, err);
    if (result == 0)
        result = check_platform(*image, definition->config.image, order->platform, err);
    if (result < 0)
        return result;
    assert(*image != NULL);
    identifier_make(id);
    definition->tenant = tenant;
    definition->id = arena_strdup(&container->revision->arena, id);
    definition->image_id = arena_strdup(&container->revision->arena, (*image)->id);
    for (size_t i = 0; i < (*image)->layers.count; i++)
        string_list_append(&container->revision->arena, &definition->layers,
                           arena_strdup(&container->revision->arena, (*image)->layers.items[i]));
    definition->created_ns = clock_now_ns();
    definition->name =
        name != NULL && name[0] != '\0'
            ? arena_strdup(&container->revision->arena, name[0] == '/' ? name + 1 : name)
            : pick_name(containers, tenant, &container->revision->arena, id);
    if (definition->config.hostname == NULL || definition->config.hostname[0] == '\0')
        definition->config.hostname = arena_strndup(&container->revision->arena, id, 12);
    result = definition_check_image(definition, &(*image)->config.config, err);
    if (result < 0)
        return result;
    definition_apply_image(&container->revision->arena, definition, &(*image)->config.config);
    result = definition_read_ports(&container->revision->arena, definition, err);
    if (result < 0)
        return result;
    if (definition->config.stop_signal != NULL && definition->config.stop_signal[0] != '\0' &&
        signal_parse(definition->config.stop_signal) < 0)
        return error_set(err, ERROR_INVALID, EINVAL, "StopSignal: unknown signal \"%.32s\"",
                         definition->config.stop_signal);
    return container_check_name(containers, tenant, definition->name, err);
}

int container_create(struct containers *containers, const struct actor *actor,
                     const struct create_order *order, struct managed_container **created,
                     struct error *err)
{
    struct managed_container *container = container_new(containers);
    struct image *image = NULL;
    int result = container_define(container, actor->tenant, order, &image, err);

    if (result == 0)
        result = parts_admit(container, actor, ACTION_CREATE, err);
    if (result == 0)
        result = parts_define(container, container->revision, image, err);
    if (result == 0)
        result = make_on_disk(container, err);
    if (result < 0) {
        parts_undefine(container);
        container_free(container);
        return result;
    }
    container_link(container);
    *created = container;
    container_event(container, "create", NULL);
    return 0;
}
