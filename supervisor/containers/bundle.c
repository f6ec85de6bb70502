/* What a monitor needs to run a container: config.json and monitor.json. See internal.h. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "internal.h"
#include "runtime/runtime.h"
#include "supervisor/definition/seccomp_cache.h"

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

/* Bundles that are written name filters: those are written again, with their filters, before the
 * next start. One that starts is about to read its own. */
static void make_room_for_filter(struct containers *containers)
{
    if (!seccomp_cache_is_full(&containers->seccomp_cache, containers->places->seccomp_fd))
        return;
    for (const struct managed_container *one = containers->list; one != NULL; one = one->next) {
        if (one->status == CONTAINER_STARTING)
            return;
    }
    for (struct managed_container *one = containers->list; one != NULL; one = one->next)
        one->is_bundle_known = false;
    seccomp_cache_clear(&containers->seccomp_cache, containers->places->seccomp_fd);
}

/* config.json and monitor.json: all a monitor needs to run the container. */
int container_write_bundle(struct managed_container *container, const struct definition *definition,
                           int directory_fd, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    struct containers *containers = container->containers;
    struct definition_security security;
    struct oci_config config = {0};
    struct json_writer *writer;
    cleanup_free char *cgroup_path = container_cgroup_path_of(containers, definition);
    struct monitor_config monitor = {
        .id = definition->id,
        .cgroup_path = cgroup_path,
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
        .sources = container_volume_sources(containers->volumes, &arena, definition),
    };
    int result = definition_security(&arena, definition, &containers->selinux, &security, err);

    if (result == 0 && security.takes_default_apparmor)
        monitor.default_apparmor = DEFAULT_APPARMOR_PROFILE;
    if (result == 0)
        result = make_log_options(definition, &arena, &monitor.log, err);
    if (result == 0)
        result = definition_device_requests(&arena, &definition->host_config,
                                            &containers->settings.devices, &monitor.devices, err);
    if (result == 0)
        result = definition_make_config(&arena, definition, &security, &places, &config, err);
    if (result == 0)
        result = check_limits(containers, &config, err);
    make_room_for_filter(containers);
    if (result == 0)
        result = seccomp_cache_get(&containers->seccomp_cache, containers->places->seccomp_fd,
                                   &arena, &security, &config.process->capabilities->bounding,
                                   &monitor.seccomp_file, err);
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

int container_renew_bundle(struct managed_container *container, struct error *err)
{
    cleanup_close int directory_fd = -1;
    int result;

    if (container->is_bundle_known)
        return 0;
    directory_fd = container_open_directory(container);
    if (directory_fd < 0)
        return error_errno(err, -directory_fd, "container directory");
    result = container_write_bundle(container, container->definition, directory_fd, err);
    container->is_bundle_known = result == 0;
    return result;
}

int container_read_config(struct managed_container *container, struct arena *arena,
                          struct oci_config *config, struct error *err)
{
    cleanup_close int directory_fd = container_open_directory(container);
    struct error problem = {0};
    int result;

    if (directory_fd < 0)
        return error_errno(err, -directory_fd, "container directory");
    if (oci_config_read(arena, directory_fd, config, &problem) == 0)
        return 0;
    log_warning("container %s: %s: it is written again", container->definition->name,
                problem.message);
    *config = (struct oci_config){0};
    container->is_bundle_known = false;
    result = container_renew_bundle(container, err);
    return result < 0 ? result : oci_config_read(arena, directory_fd, config, err);
}

int container_change(struct managed_container *container, const struct definition *changed,
                     struct error *err)
{
    cleanup_close int directory_fd = container_open_directory(container);
    struct error problem = {0};
    int result;

    if (directory_fd < 0)
        return error_errno(err, -directory_fd, "container directory");
    container->is_bundle_known = false;
    result = container_write_bundle(container, changed, directory_fd, err);
    if (result == 0)
        result = container_revise(container, changed, err);
    if (result == 0)
        container->is_bundle_known = true;
    else if (container_renew_bundle(container, &problem) < 0)
        log_warning("container %s: its bundle is written again when it starts: %s",
                    container->definition->name, problem.message);
    return result;
}

int container_make_settings(const struct containers *containers,
                            const struct definition *definition, struct cgroup_settings *settings,
                            struct error *err)
{
    cleanup_arena struct arena arena = {0};
    struct definition_security security;
    struct oci_config config = {0};
    const struct definition_places nowhere = {.cgroups_path = "", .volumes = ""};
    int result = definition_security(&arena, definition, &containers->selinux, &security, err);

    if (result == 0)
        result = definition_make_config(&arena, definition, &security, &nowhere, &config, err);
    assert(result < 0 || config.linux != NULL);
    return result < 0 ? result : resources_to_settings(config.linux->resources, settings, err);
}
