/* Jobs: see job.h and images.h. */
#include "job.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "supervisor/containers/container.h"

#define REPORT_MAX (8 << 20) /* of one line: a manifest of 4 MiB in base64 */

void image_event(struct images *images, const char *action, const char *id, const char *name)
{
    struct string_pair pair = {"name", name};

    events_publish(images->events, "image", action, id, &(struct string_map){&pair, 1});
}

void image_job_progress(struct image_job *job, const struct image_report *report)
{
    if (job->client != NULL && job->client->progress != NULL)
        job->client->progress(job->client, report);
}

static void tell_status(struct image_job *job, const struct image_report *report)
{
    if (job->on_status != NULL)
        job->on_status(job, report);
    else
        image_job_progress(job, report);
}

static void tell_image(struct image_job *job, const struct image_report *report,
                       const struct image *image, const char *full_name)
{
    if (job->on_image != NULL)
        job->on_image(job, report, image, full_name);
    if (job->client != NULL && job->client->image != NULL)
        job->client->image(job->client, report, image, full_name);
}

/* The report's names in full. */
static int list_names(struct image_job *job, struct arena *arena, const struct image_report *report,
                      struct string_list *names)
{
    for (size_t i = 0; i < report->names.count; i++) {
        struct image_reference reference;

        if (image_reference_parse(report->names.items[i], &reference, &job->err) < 0)
            return -job->err.errnum;
        string_list_append(arena, names,
                           arena_printf(arena, "%s:%s", reference.name,
                                        reference.tag[0] != '\0' ? reference.tag : "latest"));
    }
    return 0;
}

static void add_image(struct image_job *job, const struct image_report *report)
{
    cleanup_arena struct arena arena = {0};
    const char *repo_digest =
        job->repository != NULL && report->repo_digest != NULL
            ? arena_printf(&arena, "%s@%s", job->repository, report->repo_digest)
            : NULL;
    struct string_pair annotation = {ANNOTATION_LAYERS, report->layers};
    const struct image_descriptor descriptor = {
        .media_type = report->media_type != NULL ? report->media_type : MEDIA_TYPE_MANIFEST,
        .digest = report->digest,
        .size = report->size,
        .annotations = {&annotation, 1},
    };
    struct string_list names = {0};
    struct image *image = NULL;

    job->has_result = true;
    if (list_names(job, &arena, report, &names) < 0 ||
        image_store_add_names(job->images->store, job->actor.tenant, &names, repo_digest,
                              &descriptor, &image, &job->err) < 0)
        return;
    for (size_t i = 0; i < names.count; i++)
        tell_image(job, report, image, names.items[i]);
    if (names.count == 0)
        tell_image(job, report, image, NULL);
}

static bool is_valid(const struct image_report *report)
{
    return report->digest != NULL && digest_is_valid(report->digest) && report->layers != NULL &&
           (report->repo_digest == NULL || digest_is_valid(report->repo_digest));
}

void image_job_note_container(struct image_job *job, const char *id)
{
    snprintf(job->container_id, sizeof(job->container_id), "%s", id != NULL ? id : "");
}

static bool is_cut_short(struct image_job *job)
{
    if (job->container_id[0] == '\0' ||
        container_by_id(job->images->containers, job->container_id) != NULL)
        return false;
    error_set(&job->err, ERROR_CONFLICT, ESTALE,
              "container %.12s was removed meanwhile: not all of its files were there any more",
              job->container_id);
    return true;
}

/* The worker has handled bytes from outside: its report is checked like a stranger's. */
static void handle_line(struct image_job *job, const char *line, size_t length)
{
    cleanup_arena struct arena arena = {0};
    struct image_report report = {0};

    if (job->err.errnum != 0 || is_cut_short(job))
        return;
    if (json_decode_text(&arena, line, length, &image_report_type, &report, &job->err) < 0)
        return;
    if (report.error != NULL)
        error_set(&job->err, error_code_by_name(report.code), EINVAL, "%s", report.error);
    else if (report.status != NULL)
        tell_status(job, &report);
    else if (is_valid(&report))
        add_image(job, &report);
    else
        error_set(&job->err, ERROR_CORRUPT, EINVAL, "the image worker's report is not valid");
}

static void end_job(struct image_job *job)
{
    struct job_client *client = job->client;

    if (job->err.errnum == 0 && !job->has_result)
        error_set(&job->err, ERROR_INTERNAL, ECHILD, "the image worker died");
    job->images->store->worker_count--;
    images_collect(job->images);
    job->client = NULL;
    if (client != NULL)
        client->ended(client, job->err.errnum != 0 ? &job->err : NULL);
    job->on_release(job);
}

static int on_report(sd_event_source *source, int fd, uint32_t events, void *context)
{
    struct image_job *job = context;
    ssize_t count = read(fd, buffer_reserve(&job->report, 65536), 65536);
    char *newline;

    (void)source;
    (void)events;
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (count <= 0 || job->report.length >= REPORT_MAX) {
        end_job(job);
        return 0;
    }
    job->report.length += (size_t)count;
    while ((newline = memchr(job->report.data, '\n', job->report.length)) != NULL) {
        size_t length = (size_t)(newline - job->report.data);

        handle_line(job, job->report.data, length);
        buffer_consume(&job->report, length + 1);
    }
    return 0;
}

/* A pipe for the worker's report: returns its writing end. */
static int watch_report(struct image_job *job, struct error *err)
{
    cleanup_close int write_fd = -1;
    int result;

    job->output_fd = spawner_open_report(&write_fd, err);
    if (job->output_fd < 0)
        return job->output_fd;
    result =
        sd_event_add_io(job->images->loop, &job->output, job->output_fd, EPOLLIN, on_report, job);
    if (result < 0)
        return error_errno(err, -result, "watch the image worker");
    return take_fd(&write_fd);
}

int image_job_start(struct image_job *job, enum spawner_worker command,
                    const struct json_struct *type, const void *parameters, int fd,
                    struct error *err)
{
    struct images *images = job->images;
    cleanup_close int input_fd = spawner_open_job(type, parameters, IMAGE_JOB_MAX, err);
    cleanup_close int output_fd = -1;
    size_t count = fd < 0 ? 3 : job->process_fd <= 0 ? 4 : 5;
    int result;

    if (input_fd < 0)
        return input_fd;
    output_fd = watch_report(job, err);
    if (output_fd < 0)
        return output_fd;
    result = spawner_request_worker(
        images->spawner, command,
        (const int[]){images->places->root_fd, input_fd, output_fd, fd, job->process_fd}, count,
        err);
    /* Until it ends nothing is collected from the store. */
    if (result == 0)
        images->store->worker_count++;
    return result;
}

int image_job_start_with_fetch(struct image_job *job, enum spawner_worker command,
                               const struct json_struct *type, const void *parameters,
                               struct error *err)
{
    cleanup_close int image_end = -1;
    cleanup_close int fetch_end = -1;
    int pair[2];
    int result;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, errno, "socketpair");
    image_end = pair[0];
    fetch_end = pair[1];
    result = spawner_request_worker(job->images->spawner, WORKER_FETCH, &fetch_end, 1, err);
    if (result == 0)
        result = image_job_start(job, command, type, parameters, image_end, err);
    return result;
}

void image_job_close(struct image_job *job)
{
    sd_event_source_disable_unref(job->output);
    fd_close(&job->output_fd);
    buffer_release(&job->report);
}

void image_job_abandon(struct image_job *job)
{
    job->client = NULL;
    if (job->on_abandon != NULL)
        job->on_abandon(job);
    if (job->outlives_client)
        return;
    /* The report is closed, which ends a worker that looks at it. */
    error_set(&job->err, ERROR_CONFLICT, ECANCELED, "the client has gone");
    end_job(job);
}

void image_job_resume(struct image_job *job)
{
    if (job->on_resume != NULL)
        job->on_resume(job);
}

bool image_job_feed(struct image_job *job, const char *bytes, size_t length)
{
    return job->on_feed == NULL || job->on_feed(job, bytes, length);
}
