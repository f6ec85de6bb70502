/* What the API says of a container: `inspect` and the list. */
#include <stdio.h>
#include <string.h>

#include "api.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "supervisor/containers/container.h"
#include "supervisor/containers/part.h"
#include "supervisor/containers/probes.h"
#include "supervisor/volumes/volumes.h"

static void write_state(struct json_writer *writer, const struct managed_container *container)
{
    json_key(writer, "State");
    json_object_open(writer);
    json_member_string(writer, "Status", container_state_name(container));
    json_member_boolean(writer, "Running",
                        container->status == CONTAINER_RUNNING ||
                            container->status == CONTAINER_RESTARTING);
    json_member_boolean(writer, "Paused", container->is_paused);
    json_member_boolean(writer, "Restarting", container->status == CONTAINER_RESTARTING);
    json_member_boolean(writer, "OOMKilled", container->is_oom_killed);
    json_member_boolean(writer, "Dead", false);
    json_member_integer(writer, "Pid", container->pid);
    json_member_integer(writer, "ExitCode", container->exit_code);
    json_member_string(writer, "Error", container->error);
    json_member_time(writer, "StartedAt", container->started_ns);
    json_member_time(writer, "FinishedAt", container->finished_ns);
    probes_write_health(writer, container);
    json_object_close(writer);
}

/* The program and its arguments: entrypoint and command in one. */
static const char *word(const struct docker_config *config, size_t index)
{
    if (index < config->entrypoint.count)
        return config->entrypoint.items[index];
    index -= config->entrypoint.count;
    return index < config->cmd.count ? config->cmd.items[index] : NULL;
}

/* "ResolvConfPath": where a file of names lies on the host; "" if the container has the image's. */
static void write_names_path(struct json_writer *writer, const char *member,
                             const struct managed_container *container, const char *file)
{
    const struct definition *definition = container->definition;
    const char *directory = definition->names_directory;
    /* "." or "../ID" */
    const char *id = directory == NULL                   ? NULL
                     : strncmp(directory, "../", 3) == 0 ? directory + 3
                                                         : definition->id;
    cleanup_free char *path =
        id != NULL
            ? memory_printf("%s/containers/%s/%s", container->containers->places->root, id, file)
            : memory_strdup("");

    json_member_string(writer, member, path);
}

/* docker's names for the parts of an overlay. */
static void write_graph_driver(struct json_writer *writer,
                               const struct managed_container *container)
{
    const struct definition *definition = container->definition;
    const char *root = container->containers->places->root;
    cleanup_free char *upper = memory_printf("%s/containers/%s/upper", root, definition->id);
    cleanup_free char *work = memory_printf("%s/containers/%s/work", root, definition->id);
    cleanup_buffer struct buffer lower = {0};

    for (size_t i = definition->layers.count; i > 0; i--)
        buffer_printf(&lower, "%s%s/layers/%s", lower.length > 0 ? ":" : "", root,
                      definition->layers.items[i - 1]);
    json_key(writer, "GraphDriver");
    json_object_open(writer);
    json_member_string(writer, "Name", "overlayfs");
    json_key(writer, "Data");
    json_object_open(writer);
    json_member_string(writer, "LowerDir", buffer_text(&lower));
    json_member_string(writer, "UpperDir", upper);
    json_member_string(writer, "WorkDir", work);
    json_object_close(writer);
    json_object_close(writer);
}

void container_write_inspect(struct json_writer *writer, const struct managed_container *container,
                             const struct container_sizes *sizes)
{
    const struct definition *definition = container->definition;
    cleanup_free char *name = memory_printf("/%s", definition->name);
    cleanup_free char *log_path =
        memory_printf("%s/containers/%s/%s-json.log", container->containers->places->root,
                      definition->id, definition->id);

    json_object_open(writer);
    json_member_string(writer, "Id", definition->id);
    json_member_time(writer, "Created", definition->created_ns);
    json_member_string(writer, "Path", word(&definition->config, 0));
    json_key(writer, "Args");
    json_array_open(writer);
    for (size_t i = 1; word(&definition->config, i) != NULL; i++)
        json_string(writer, word(&definition->config, i));
    json_array_close(writer);
    write_state(writer, container);
    json_member_string(writer, "Image", definition->image_id);
    write_names_path(writer, "ResolvConfPath", container, "resolv.conf");
    write_names_path(writer, "HostnamePath", container, "hostname");
    write_names_path(writer, "HostsPath", container, "hosts");
    json_member_string(writer, "LogPath", log_path);
    json_member_string(writer, "Name", name);
    json_member_integer(writer, "RestartCount", container->restart_count);
    json_member_string(writer, "Driver", "overlayfs");
    json_member_string(writer, "Platform", "linux");
    json_key(writer, "HostConfig");
    json_encode(writer, &docker_host_config_type, &definition->host_config);
    json_key(writer, "Config");
    json_encode(writer, &docker_config_type, &definition->config);
    write_graph_driver(writer, container);
    parts_describe(writer, container);
    if (sizes != NULL) {
        json_member_unsigned(writer, "SizeRw", sizes->changed);
        json_member_unsigned(writer, "SizeRootFs", sizes->root);
    }
    json_object_close(writer);
}

static const char *running_remark(const struct managed_container *container)
{
    const char *health = probes_health(container);

    if (container->is_paused)
        return " (Paused)";
    if (health == NULL)
        return "";
    return strcmp(health, "starting") == 0  ? " (health: starting)"
           : strcmp(health, "healthy") == 0 ? " (healthy)"
                                            : " (unhealthy)";
}

static void format_status(const struct managed_container *container, char *text, size_t size)
{
    int64_t now_ns = clock_now_ns();
    char duration[CLOCK_AGE_SIZE];

    switch (container->status) {
    case CONTAINER_RUNNING:
        clock_format_age(now_ns - container->started_ns, duration);
        snprintf(text, size, "Up %s%s", duration, running_remark(container));
        break;
    case CONTAINER_EXITED:
        clock_format_age(now_ns - container->finished_ns, duration);
        snprintf(text, size, "Exited (%d) %s ago", container->exit_code, duration);
        break;
    case CONTAINER_RESTARTING:
        clock_format_age(now_ns - container->finished_ns, duration);
        snprintf(text, size, "Restarting (%d) %s ago", container->exit_code, duration);
        break;
    case CONTAINER_REMOVING:
        snprintf(text, size, "Removal In Progress");
        break;
    default:
        snprintf(text, size, "Created");
        break;
    }
}

/* The members that stay the same until something happens to the container. */
static void write_lasting(struct json_writer *writer, const struct managed_container *container)
{
    const struct definition *definition = container->definition;
    cleanup_buffer struct buffer command = {0};
    cleanup_free char *name = memory_printf("/%s", definition->name);

    for (size_t i = 0; word(&definition->config, i) != NULL; i++) {
        if (i > 0)
            buffer_append(&command, " ", 1);
        buffer_append_string(&command, word(&definition->config, i));
    }
    json_member_string(writer, "Id", definition->id);
    json_key(writer, "Names");
    json_array_open(writer);
    json_string(writer, name);
    json_array_close(writer);
    json_member_string(writer, "Image", definition->config.image);
    json_member_string(writer, "ImageID", definition->image_id);
    json_member_string(writer, "Command", buffer_text(&command));
    json_member_integer(writer, "Created", definition->created_ns / 1000000000);
    ports_write_list(writer, container_network(container));
    json_member_map(writer, "Labels", &definition->config.labels);
    json_key(writer, "HostConfig");
    json_object_open(writer);
    json_member_string(writer, "NetworkMode", definition_network_mode(container->definition));
    json_object_close(writer);
    json_key(writer, "NetworkSettings");
    json_object_open(writer);
    membership_write_list(writer, container_network(container));
    json_object_close(writer);
    container_write_mounts(writer, container);
}

/* Lists of a thousand containers are asked for every second, and little has changed: what was
 * written for the last one is kept as long as its stamp is the same. */
static struct buffer *lasting_summary(struct managed_container *container)
{
    uint64_t stamp = membership_stamp(container_network(container));
    struct json_writer *writer;

    if (stamp != 0)
        stamp ^= container->definition->revision * UINT64_C(0x9e3779b97f4a7c15) ^
                 (uint64_t)(uintptr_t)container->definition;
    if (stamp != 0 && stamp == container->summary_stamp)
        return &container->summary;
    writer = json_writer_new(false);
    json_object_open(writer);
    write_lasting(writer, container);
    json_object_close(writer);
    container->summary.length = 0;
    buffer_append_string(&container->summary, json_writer_text(writer));
    /* Further members follow in place of the brace. */
    container->summary.length--;
    container->summary_stamp = stamp;
    json_writer_free(writer);
    return &container->summary;
}

void container_write_summary(struct json_writer *writer, struct managed_container *container,
                             const struct container_sizes *sizes)
{
    struct buffer *text = lasting_summary(container);
    const size_t lasting = text->length;
    char status[96];

    format_status(container, status, sizeof(status));
    /* Neither has a character that JSON escapes. */
    buffer_printf(text, ",\"State\":\"%s\",\"Status\":\"%s\"", container_state_name(container),
                  status);
    if (sizes != NULL)
        buffer_printf(text, ",\"SizeRw\":%llu,\"SizeRootFs\":%llu",
                      (unsigned long long)sizes->changed, (unsigned long long)sizes->root);
    buffer_append_string(text, "}");
    json_raw(writer, text->data, text->length);
    text->length = lasting;
}
