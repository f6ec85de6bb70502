/* Making a container: from a request to a directory, a configuration and a row in the database. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/path.h"
#include "base/signals.h"
#include "internal.h"
#include "runtime/runtime.h"
#include "supervisor/definition/seccomp_cache.h"
#include "supervisor/volumes/volumes.h"

int container_check_name(struct containers *containers, const char *name, struct error *err)
{
    if (!name_is_valid(name, 128))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "Invalid container name (%.64s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are "
                         "allowed",
                         name);
    for (struct managed_container *one = containers->list; one != NULL; one = one->next) {
        if (strcmp(one->definition.name, name) == 0)
            return error_set(err, ERROR_CONFLICT, EEXIST,
                             "Conflict. The container name \"/%s\" is already in use by container "
                             "\"%s\". You have to remove (or rename) that container to be able to "
                             "reuse that name.",
                             name, one->definition.id);
    }
    return 0;
}

static const char *pick_name(struct containers *containers, struct arena *arena, const char *id)
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

        if (container_check_name(containers, name, &err) == 0)
            return name;
    }
    return arena_strndup(arena, id, 12);
}

/* What this host cannot enforce is refused now, not when the container starts. */
static int check_limits(struct containers *containers, const struct oci_config *config,
                        struct error *err)
{
    cleanup_free struct cgroup_settings *settings = memory_new_one(struct cgroup_settings);
    int result = resources_to_settings(config->linux->resources, settings, err);

    if (result == 0)
        result = cgroup_check_settings(containers->hierarchy, settings, err);
    cgroup_settings_release(settings);
    return result;
}

static int write_json(int directory_fd, const char *name, struct json_writer *writer,
                      struct error *err)
{
    const char *text = json_writer_text(writer);
    int result = file_replace(directory_fd, name, text, strlen(text), 0600, false, err);

    json_writer_free(writer);
    return result;
}

static int make_log_options(const struct definition *definition, struct arena *arena,
                            struct log_options *log, struct error *err)
{
    int result = definition_log_options(&definition->host_config.log_config, log, err);

    if (result == 0)
        definition_log_names(arena, definition, log);
    return result;
}

/* config.json and monitor.json: all a monitor needs to run the container. */
static int write_files(struct managed_container *container, int directory_fd, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    struct containers *containers = container->containers;
    const struct definition *definition = &container->definition;
    struct definition_security security;
    struct oci_config config = {0};
    struct json_writer *writer;
    struct monitor_config monitor = {
        .id = definition->id,
        .cgroup_path = arena_printf(&arena, "%s/%s", containers->cgroup_parent, definition->id),
        .layers = definition->layers,
        .project = definition->project,
        .has_open_stdin = definition->config.has_open_stdin,
        .is_stdin_once = definition->config.is_stdin_once,
        .has_network = definition->endpoints.count > 0,
        .stop_signal = container_stop_signal(container),
        .stop_timeout_s = container_stop_timeout(container),
    };
    const struct definition_places places = {
        .cgroups_path = monitor.cgroup_path,
        .volumes = arena_printf(&arena, "%s/volumes", containers->places->root),
    };
    int result = definition_security(&arena, definition, &security, err);

    if (result == 0)
        result = make_log_options(definition, &arena, &monitor.log, err);
    if (result == 0)
        result = definition_make_config(&arena, definition, &security, &places, &config, err);
    if (result == 0)
        result = check_limits(containers, &config, err);
    if (result == 0)
        result =
            seccomp_cache_get(containers->places->seccomp_fd, &arena, &security,
                              &config.process->capabilities->bounding, &monitor.seccomp_file, err);
    if (result == 0)
        result = definition_make_bind_sources(definition, err);
    if (result == 0)
        result = write_json(directory_fd, "config.json", oci_config_encode(&config, false), err);
    if (result == 0) {
        writer = json_writer_new(false);
        json_encode(writer, &monitor_config_type, &monitor);
        result = write_json(directory_fd, "monitor.json", writer, err);
    }
    return result;
}

int container_write_bundle(struct managed_container *container, struct error *err)
{
    cleanup_close int directory_fd = container_open_directory(container);

    if (directory_fd < 0)
        return error_errno(err, -directory_fd, "container directory");
    return write_files(container, directory_fd, err);
}

int container_make_settings(struct managed_container *container, struct cgroup_settings *settings,
                            struct error *err)
{
    cleanup_arena struct arena arena = {0};
    struct definition_security security;
    struct oci_config config = {0};
    const struct definition_places nowhere = {"", ""};
    int result = definition_security(&arena, &container->definition, &security, err);

    if (result == 0)
        result = definition_make_config(&arena, &container->definition, &security, &nowhere,
                                        &config, err);
    assert(result < 0 || config.linux != NULL);
    return result < 0 ? result : resources_to_settings(config.linux->resources, settings, err);
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
    cleanup_free char *name = memory_printf(CONTAINER_NEW_PREFIX "%s", container->definition.id);
    cleanup_close int directory_fd = -1;
    int result;

    if (mkdirat(containers->places->containers_fd, name, 0700) < 0)
        return error_errno(err, errno, "make the container's directory");
    container->is_unpublished = true;
    directory_fd = container_open_directory(container);
    result = directory_fd < 0 ? error_errno(err, -directory_fd, "container directory")
                              : write_files(container, directory_fd, err);
    if (result == 0)
        result = membership_write_files(&container->network, err);
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

static int set_quota(struct containers *containers, struct definition *definition,
                     struct error *err)
{
    uint64_t bytes = definition_disk_bytes(definition);

    if (bytes == 0)
        return 0;
    definition->project = projects_pick(containers->projects);
    return quota_limit(containers->places->containers_fd, definition->project, bytes, err);
}

/* A container whose network namespace it is to have lends it its names. */
static int resolve_network(struct managed_container *container, struct error *err)
{
    const char *mode = container->definition.host_config.network_mode;
    const char *name = mode != NULL ? mode_container(mode) : NULL;
    struct managed_container *joined = NULL;
    int result = name != NULL ? container_find(container->containers, name, &joined, err) : 0;

    return result < 0 ? result
                      : membership_resolve(&container->network,
                                           joined != NULL ? &joined->definition : NULL, err);
}

static int define(struct managed_container *container, const char *name, const char *body,
                  size_t body_length, struct image **image, struct error *err)
{
    struct containers *containers = container->containers;
    struct definition *definition = &container->definition;
    /* The definition points into this copy's tree for as long as the container lives. */
    const char *text = arena_strndup(&container->arena, body, body_length);
    char id[IDENTIFIER_SIZE];
    int result = definition_parse(&container->arena, text, body_length, &containers->settings.log,
                                  definition, err);

    if (result == 0)
        result = image_store_find(containers->images, definition->config.image, image, err);
    if (result < 0)
        return result;
    assert(*image != NULL);
    identifier_make(id);
    definition->id = arena_strdup(&container->arena, id);
    definition->image_id = arena_strdup(&container->arena, (*image)->id);
    for (size_t i = 0; i < (*image)->layers.count; i++)
        string_list_append(&container->arena, &definition->layers,
                           arena_strdup(&container->arena, (*image)->layers.items[i]));
    definition->created_ns = clock_now_ns();
    definition->name = name != NULL && name[0] != '\0'
                           ? arena_strdup(&container->arena, name[0] == '/' ? name + 1 : name)
                           : pick_name(containers, &container->arena, id);
    if (definition->config.hostname == NULL || definition->config.hostname[0] == '\0')
        definition->config.hostname = arena_strndup(&container->arena, id, 12);
    definition_apply_image(&container->arena, definition, &(*image)->config.config);
    result = definition_read_ports(&container->arena, definition, err);
    if (result == 0)
        result = resolve_network(container, err);
    if (result < 0)
        return result;
    if (definition->config.stop_signal != NULL && definition->config.stop_signal[0] != '\0' &&
        signal_parse(definition->config.stop_signal) < 0)
        return error_set(err, ERROR_INVALID, EINVAL, "StopSignal: unknown signal \"%.32s\"",
                         definition->config.stop_signal);
    return container_check_name(containers, definition->name, err);
}

int container_create(struct containers *containers, const char *name, const char *body,
                     size_t body_length, struct managed_container **created, struct error *err)
{
    struct managed_container *container = container_new(containers);
    struct image *image = NULL;
    int result;

    result = define(container, name, body, body_length, &image, err);
    if (result == 0)
        result = container_volumes_from(container, err);
    if (result == 0)
        result = container_volumes_make(containers->volumes, &container->arena,
                                        &container->definition, image->config.config.volumes, err);
    if (result == 0)
        result = container_joins_resolve(container, err);
    if (result == 0)
        result = container_ids_assign(container, err);
    if (result == 0)
        result = set_quota(containers, &container->definition, err);
    if (result == 0)
        result = make_on_disk(container, err);
    if (result < 0) {
        container_volumes_take_back(containers->volumes, &container->definition);
        if (container->definition.project != 0)
            quota_limit(containers->places->containers_fd, container->definition.project, 0, NULL);
        projects_release(containers->projects, container->definition.project);
        container_free(container);
        return result;
    }
    container_link(containers, container);
    *created = container;
    container_event(container, "create", NULL);
    return 0;
}
