/* Files into and out of containers, by image workers: see images.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "job.h"
#include "supervisor/containers/container.h"

struct copy {
    struct managed_container *container;
    struct copy_job parameters;
    int process_fd; /* the first process of a container that runs; else any descriptor */
    struct arena arena;
};

/* Opens the first process. Another process may have its number by now: that one's cgroup
 * differs. */
static int open_process(const struct managed_container *container, struct error *err)
{
    cleanup_free char *path = memory_printf("/proc/%d/cgroup", (int)container->pid);
    cleanup_close int fd = pidfd_open(container->pid, 0);
    cleanup_buffer struct buffer text = {0};

    if (fd < 0 || file_read(AT_FDCWD, path, 65536, &text, NULL) < 0 ||
        strstr(buffer_text(&text), container->definition->id) == NULL)
        return error_set(err, ERROR_CONFLICT, ESRCH, "Container %s has just ended",
                         container->definition->id);
    return take_fd(&fd);
}

static bool is_below(const char *path, const char *directory)
{
    size_t length = strlen(directory);

    return strncmp(path, directory, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

/* What the volume is, seen from the host. */
static int find_source(const struct managed_container *container, const struct mount_point *mount,
                       const struct volume_source *source, struct copy *copy, const char **path,
                       struct error *err)
{
    *path = mount->source;
    if (strcmp(mount->type, "volume") == 0)
        *path = source->path != NULL
                    ? source->path
                    : arena_printf(&copy->arena, "%s/volumes/%s/" VOLUME_DATA,
                                   container->containers->places->root,
                                   definition_volume_directory(
                                       &copy->arena, container->definition->tenant, mount->name));
    if (source->filesystem == NULL)
        return 0;
    *path = NULL;
    if (is_below(copy->parameters.path, mount->destination))
        return error_set(err, ERROR_CONFLICT, EBUSY,
                         "%s is a volume of type %s, which is mounted while container %s runs",
                         mount->destination, source->filesystem, container->definition->name);
    return 0;
}

static int describe_mounts(const struct managed_container *container, struct copy *copy,
                           struct error *err)
{
    const struct definition *definition = container->definition;
    struct copy_job *parameters = &copy->parameters;
    const struct volume_source *sources =
        container_volume_sources(container->containers->volumes, &copy->arena, definition);
    int result = 0;

    parameters->mounts.items = arena_new(&copy->arena, definition->mount_points.count + 1,
                                         sizeof(*parameters->mounts.items));
    for (size_t i = 0; result == 0 && i < definition->mount_points.count; i++) {
        const struct mount_point *mount = &definition->mount_points.items[i];
        const char *path = NULL;

        if (strcmp(mount->type, "tmpfs") == 0)
            continue;
        result = find_source(container, mount, &sources[i], copy, &path, err);
        if (path == NULL)
            continue;
        parameters->mounts.items[parameters->mounts.count++] = (struct copy_mount){
            .source = path,
            .destination = mount->destination,
            .subpath = mount->subpath,
            .is_readonly = mount->is_readonly,
        };
    }
    return result;
}

static void release_copy(struct copy *copy)
{
    fd_close(&copy->process_fd);
    arena_release(&copy->arena);
}

static int prepare_copy(struct images *images, const struct copy_order *order,
                        const struct actor *actor, struct copy *copy, struct error *err)
{
    const char *path = order->path;
    struct managed_container *container = NULL;
    struct copy_job *parameters = &copy->parameters;
    int result =
        container_find(images->containers, actor->tenant, order->container, &container, err);

    *copy = (struct copy){.container = container, .process_fd = -1};
    if (result < 0)
        return result;
    if (path == NULL || path[0] == '\0')
        return error_set(err, ERROR_INVALID, EINVAL, "bad parameter: path is required");
    parameters->container.id = container->definition->id;
    parameters->container.layers = container->definition->layers;
    parameters->path = path[0] == '/' ? path : arena_printf(&copy->arena, "/%s", path);
    parameters->is_running = container->status == CONTAINER_RUNNING;
    parameters->has_user_namespace = container->definition->id_range_first != 0;
    parameters->is_root_readonly = container->definition->host_config.has_readonly_rootfs;
    if (parameters->is_running) {
        copy->process_fd = open_process(container, err);
        return copy->process_fd < 0 ? copy->process_fd : 0;
    }
    result = describe_mounts(container, copy, err);
    if (result < 0)
        return result;
    copy->process_fd = fcntl(images->places->trash_fd, F_DUPFD_CLOEXEC, 3);
    return copy->process_fd < 0 ? error_errno(err, errno, "dup") : 0;
}

static void path_event(struct managed_container *container, const char *action, const char *path)
{
    struct string_pair pair = {"path", path};

    container_event(container, action, &(struct string_map){&pair, 1});
}

static void on_look_status(struct image_job *job, const struct image_report *report)
{
    job->has_result = strcmp(report->status, REPORT_DONE) == 0;
    if (strcmp(report->status, REPORT_PATH) == 0)
        image_job_progress(job, report);
}

static void on_look_release(struct image_job *job)
{
    image_job_close(job);
    free(job);
}

static int begin_look(struct images *images, const struct copy *copy, struct job_client *client,
                      struct image_job **job, struct error *err)
{
    struct image_job *look = memory_new_one(struct image_job);
    int result;

    *look = (struct image_job){.images = images,
                               .client = client,
                               .actor = client->actor,
                               .output_fd = -1,
                               .process_fd = copy->process_fd,
                               .on_status = on_look_status,
                               .on_release = on_look_release};
    image_job_note_container(look, copy->container->definition->id);
    /* The worker does not use descriptor 3: it is there so that process_fd becomes descriptor 4. */
    result = image_job_start(look, WORKER_STAT_PATH, &copy_job_type, &copy->parameters,
                             copy->process_fd, err);
    if (result < 0)
        on_look_release(look);
    else
        *job = look;
    return result;
}

int container_stat_path(struct images *images, const struct copy_order *order,
                        struct job_client *client, struct image_job **job, struct error *err)
{
    struct copy copy;
    int result = prepare_copy(images, order, &client->actor, &copy, err);

    if (result == 0)
        result = begin_look(images, &copy, client, job, err);
    release_copy(&copy);
    return result;
}

int container_copy_out(struct images *images, const struct copy_order *order,
                       struct job_client *client, struct image_job **job, struct error *err)
{
    struct copy copy;
    int result = prepare_copy(images, order, &client->actor, &copy, err);

    if (result == 0) {
        path_event(copy.container, "archive-path", copy.parameters.path);
        result =
            image_download(images,
                           &(struct download_order){.command = WORKER_COPY_OUT,
                                                    .type = &copy_job_type,
                                                    .parameters = &copy.parameters,
                                                    .container_id = copy.parameters.container.id,
                                                    .has_path_stat = true,
                                                    .process_fd = copy.process_fd},
                           client, job, err);
    }
    release_copy(&copy);
    return result;
}

/* The container may have gone. */
static void on_copied(struct images *images, void *context)
{
    struct managed_container *container = container_by_id(images->containers, context);

    if (container != NULL)
        container->copies_in--;
    free(context);
}

static int begin_copy_in(struct images *images, const struct copy_order *order, struct copy *copy,
                         struct job_client *client, struct image_job **job, struct error *err)
{
    struct managed_container *container = copy->container;
    const char *user = container->definition->config.user;

    if (container->copies_in > 0 && !copy->parameters.is_running)
        return error_set(err, ERROR_CONFLICT, EBUSY,
                         "files are being copied into the container already");
    copy->parameters.keeps_kind = order->keeps_kind;
    if (order->keeps_user)
        copy->parameters.user = user != NULL ? user : "";
    path_event(container, "extract-to-dir", copy->parameters.path);
    /* Its root is mounted twice until that is over: it must not start meanwhile. */
    container->copies_in++;
    return image_upload(images,
                        &(struct upload_order){.command = WORKER_COPY_IN,
                                               .type = &copy_job_type,
                                               .parameters = &copy->parameters,
                                               .container_id = container->definition->id,
                                               .on_end = on_copied,
                                               .context = memory_strdup(container->definition->id),
                                               .process_fd = copy->process_fd},
                        client, job, err);
}

int container_copy_in(struct images *images, const struct copy_order *order,
                      struct job_client *client, struct image_job **job, struct error *err)
{
    struct copy copy;
    int result = prepare_copy(images, order, &client->actor, &copy, err);

    if (result == 0)
        result = begin_copy_in(images, order, &copy, client, job, err);
    release_copy(&copy);
    return result;
}
