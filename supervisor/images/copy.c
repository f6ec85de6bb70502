/* Files into and out of containers: HEAD, GET and PUT /containers/ID/archive, by image workers. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "download.h"
#include "images/image_job.h"
#include "supervisor/api/api.h"
#include "supervisor/volumes/volumes.h"
#include "upload.h"

struct copy {
    struct managed_container *container;
    struct copy_job job;
    int process_fd; /* of one that runs: its first process; else something harmless */
};

/* The number may have been given to another process meanwhile: that is in another cgroup. */
static int open_process(const struct managed_container *container, struct error *err)
{
    cleanup_free char *path = memory_printf("/proc/%d/cgroup", (int)container->pid);
    cleanup_close int fd = pidfd_open(container->pid, 0);
    cleanup_buffer struct buffer text = {0};

    if (fd < 0 || file_read(AT_FDCWD, path, 65536, &text, NULL) < 0 ||
        strstr(buffer_text(&text), container->definition.id) == NULL)
        return error_set(err, ERROR_CONFLICT, ESRCH, "Container %s has just ended",
                         container->definition.id);
    return take_fd(&fd);
}

static void describe_mounts(const struct managed_container *container, struct arena *arena,
                            struct copy_job *job)
{
    const struct definition *definition = &container->definition;

    job->mounts.items =
        arena_new(arena, definition->mount_points.count, sizeof(*job->mounts.items));
    for (size_t i = 0; i < definition->mount_points.count; i++) {
        const struct mount_point *mount = &definition->mount_points.items[i];
        bool is_volume = strcmp(mount->type, "volume") == 0;

        if (strcmp(mount->type, "tmpfs") == 0)
            continue;
        job->mounts.items[job->mounts.count++] = (struct copy_mount){
            .source = is_volume ? arena_printf(arena, "%s/volumes/%s/" VOLUME_DATA,
                                               container->daemon->places.root, mount->name)
                                : mount->source,
            .destination = mount->destination,
            .subpath = mount->subpath,
            .is_readonly = mount->is_readonly,
        };
    }
}

static int prepare(struct daemon *daemon, struct request *request, const char *reference,
                   struct copy *copy, struct error *err)
{
    const char *path = request_query(request, "path");
    struct managed_container *container;
    int result = container_find(daemon, reference, &container, err);

    *copy = (struct copy){.process_fd = -1};
    if (result == 0 && (path == NULL || path[0] == '\0'))
        result = error_set(err, ERROR_INVALID, EINVAL, "bad parameter: path is required");
    if (result < 0)
        return result;
    assert(path != NULL);
    copy->container = container;
    copy->job.container.id = container->definition.id;
    copy->job.container.layers = container->definition.layers;
    copy->job.path = path[0] == '/' ? path : arena_printf(&request->arena, "/%s", path);
    copy->job.is_running = container->status == CONTAINER_RUNNING;
    copy->job.has_user_namespace = container->definition.id_range_first != 0;
    copy->job.is_root_readonly = container->definition.host_config.has_readonly_rootfs;
    if (copy->job.is_running) {
        copy->process_fd = open_process(container, err);
        return copy->process_fd < 0 ? copy->process_fd : 0;
    }
    describe_mounts(container, &request->arena, &copy->job);
    copy->process_fd = fcntl(daemon->places.trash_fd, F_DUPFD_CLOEXEC, 3);
    return copy->process_fd < 0 ? error_errno(err, errno, "dup") : 0;
}

static void path_event(struct managed_container *container, const char *action, const char *path)
{
    struct string_pair pair = {"path", path};

    container_event(container, action, &(struct string_map){&pair, 1});
}

/* ---- HEAD ---- */

static void on_look_status(struct image_worker *worker, const struct image_report *report)
{
    worker->has_result = strcmp(report->status, REPORT_DONE) == 0;
    if (strcmp(report->status, REPORT_PATH) == 0 && worker->request != NULL)
        set_path_stat(worker->request, report);
}

static void on_look_end(struct image_worker *worker)
{
    image_worker_release(worker);
    free(worker);
}

static void on_look_client_gone(struct request *request)
{
    image_worker_lose_client(request->context, true);
}

static int begin_look(struct daemon *daemon, struct request *request, const struct copy *copy,
                      struct error *err)
{
    struct image_worker *worker = memory_new_one(struct image_worker);
    int result;

    *worker = (struct image_worker){.daemon = daemon,
                                    .request = request,
                                    .context = worker,
                                    .output_fd = -1,
                                    .process_fd = copy->process_fd,
                                    .answers_empty = true,
                                    .on_status = on_look_status,
                                    .on_end = on_look_end};
    /* Descriptor 3 is of no use here. */
    result = image_worker_start(worker, WORKER_STAT_PATH, &copy_job_type, &copy->job,
                                copy->process_fd, err);
    if (result < 0) {
        on_look_end(worker);
        return result;
    }
    request->context = worker;
    request->on_close = on_look_client_gone;
    return 0;
}

void api_container_stat_path(struct daemon *daemon, struct request *request,
                             const struct route_match *match)
{
    struct error err = {0};
    struct copy copy;
    int result = prepare(daemon, request, match->name, &copy, &err);

    if (result == 0)
        result = begin_look(daemon, request, &copy, &err);
    if (result < 0)
        respond_error(request, &err);
    fd_close(&copy.process_fd);
}

/* ---- GET ---- */

void api_container_copy_out(struct daemon *daemon, struct request *request,
                            const struct route_match *match)
{
    struct error err = {0};
    struct copy copy;

    if (prepare(daemon, request, match->name, &copy, &err) < 0) {
        respond_error(request, &err);
        fd_close(&copy.process_fd);
        return;
    }
    path_event(copy.container, "archive-path", copy.job.path);
    image_download(daemon, request,
                   &(struct download_order){.command = WORKER_COPY_OUT,
                                            .job_type = &copy_job_type,
                                            .job = &copy.job,
                                            .content_type = "application/x-tar",
                                            .has_path_stat = true,
                                            .process_fd = copy.process_fd});
    fd_close(&copy.process_fd);
}

/* ---- PUT ---- */

/* The container may have gone. */
static void on_copied(struct daemon *daemon, void *context)
{
    struct managed_container *container;

    if (container_find(daemon, context, &container, NULL) == 0 &&
        strcmp(container->definition.id, context) == 0)
        container->copies_in--;
    free(context);
}

void api_container_copy_in(struct daemon *daemon, struct request *request,
                           const struct route_match *match)
{
    struct error err = {0};
    struct copy copy;

    if (prepare(daemon, request, match->name, &copy, &err) < 0) {
        respond_error(request, &err);
        fd_close(&copy.process_fd);
        return;
    }
    if (copy.container->copies_in > 0 && !copy.job.is_running) {
        fd_close(&copy.process_fd);
        respond_failure(request, 409, "files are being copied into the container already");
        return;
    }
    copy.job.keeps_kind = request_query_bool(request, "noOverwriteDirNonDir");
    if (request_query_bool(request, "copyUIDGID")) {
        const char *user = copy.container->definition.config.user;

        copy.job.user = user != NULL ? user : "";
    }
    path_event(copy.container, "extract-to-dir", copy.job.path);
    /* Its root is mounted twice until that is over: it must not start meanwhile. */
    copy.container->copies_in++;
    image_upload(daemon, request,
                 &(struct upload_order){.command = WORKER_COPY_IN,
                                        .job_type = &copy_job_type,
                                        .job = &copy.job,
                                        .on_end = on_copied,
                                        .context = memory_strdup(copy.container->definition.id),
                                        .process_fd = copy.process_fd,
                                        .answers_empty = true});
    fd_close(&copy.process_fd);
}
