/* POST /images/create with an archive, and POST /commit: a worker makes an image of one layer more
 * than a base has, or of one layer. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "changes.h"
#include "images/image_job.h"
#include "supervisor/api/api.h"
#include "supervisor/containers/internal.h"
#include "upload.h"
#include "worker.h"

/* "repo" and "tag" of the query, as a full name in *name; NULL if there are none. */
static int read_name(struct request *request, const char **name, struct error *err)
{
    const char *repository = request_query(request, "repo");
    const char *tag = request_query(request, "tag");
    struct image_reference reference;
    int result;

    *name = NULL;
    if (repository == NULL || repository[0] == '\0')
        return 0;
    result = image_reference_parse(tag != NULL && tag[0] != '\0'
                                       ? arena_printf(&request->arena, "%s:%s", repository, tag)
                                       : repository,
                                   &reference, err);
    if (result == 0 && reference.digest[0] != '\0')
        result = error_set(err, ERROR_INVALID, EINVAL, "a digest is no name that can be given");
    if (result == 0)
        *name = arena_printf(&request->arena, "%s:%s", reference.name, reference.tag);
    return result;
}

static int apply_changes(struct request *request, struct image_process *process, struct error *err)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < request->query_count; i++) {
        if (strcmp(request->query[i].name, "changes") == 0 && request->query[i].value[0] != '\0')
            result = image_change(&request->arena, request->query[i].value, process, err);
    }
    return result;
}

/* One more step of the history, which is the image's own time and author. */
static void add_step(struct arena *arena, struct image_config *config, const char *created_by,
                     const char *comment)
{
    size_t count = config->history.count++;
    char *created = arena_new(arena, CLOCK_RFC3339_SIZE, 1);

    clock_format_rfc3339(clock_now_ns(), created);
    config->created = created;
    config->comment = comment;
    config->history.items =
        arena_grow(arena, config->history.items, count, sizeof(struct image_history));
    config->history.items[count] = (struct image_history){
        .created = created, .created_by = created_by, .author = config->author, .comment = comment};
}

/* ---- import ---- */

bool api_is_import(const struct request *request)
{
    const char *source = request_query(request, "fromSrc");

    return strcmp(request->path, "/images/create") == 0 && source != NULL &&
           strcmp(source, "-") == 0;
}

static void on_imported(struct image_worker *worker, const struct image_report *report,
                        const struct image *image, const char *full_name)
{
    char name[512];

    (void)report;
    image_worker_say_status(worker, image->id, NULL);
    image_reference_familiar(full_name != NULL ? full_name : image->id, name, sizeof(name));
    image_event(worker->daemon, "import", image->id, name);
}

void api_images_import(struct daemon *daemon, struct request *request)
{
    const char *message = request_query(request, "message");
    struct make_job job = {.config = {.architecture = image_host_architecture(),
                                      .os = "linux",
                                      .rootfs = {.type = "layers"}}};
    struct error err = {0};
    int result = read_name(request, &job.name, &err);

    if (result == 0)
        result = apply_changes(request, &job.config.config, &err);
    if (result < 0) {
        respond_error(request, &err);
        return;
    }
    add_step(&request->arena, &job.config, "davit import",
             message != NULL && message[0] != '\0' ? message : "Imported from -");
    image_upload(daemon, request,
                 &(struct upload_order){.command = WORKER_IMPORT,
                                        .job_type = &make_job_type,
                                        .job = &job,
                                        .on_image = on_imported});
}

/* ---- commit ---- */

struct commit {
    struct image_worker worker;
    char container_id[IDENTIFIER_SIZE];
    bool is_paused;
};

/* The container may be gone by now. */
static void commit_free(struct commit *commit)
{
    struct managed_container *container;

    if (commit->is_paused &&
        container_find(commit->worker.daemon, commit->container_id, &container, NULL) == 0)
        container_freeze(container, false, NULL);
    image_worker_release(&commit->worker);
    free(commit);
}

static void on_commit_end(struct image_worker *worker)
{
    commit_free(worker->context);
}

/* The work goes on: a name that was asked for may be waited for by somebody else. */
static void on_client_gone(struct request *request)
{
    struct commit *commit = request->context;

    image_worker_lose_client(&commit->worker, false);
}

static void on_committed(struct image_worker *worker, const struct image_report *report,
                         const struct image *image, const char *full_name)
{
    const struct commit *commit = worker->context;
    struct managed_container *container;
    struct json_writer *writer;
    char name[512] = "";

    (void)report;
    if (full_name != NULL)
        image_reference_familiar(full_name, name, sizeof(name));
    if (container_find(worker->daemon, commit->container_id, &container, NULL) == 0) {
        const char *comment = image->config.comment;
        struct string_pair pairs[] = {{"comment", comment != NULL ? comment : ""},
                                      {"imageID", image->id},
                                      {"imageRef", name}};

        container_event(container, "commit", &(struct string_map){pairs, ARRAY_SIZE(pairs)});
    }
    if (worker->request == NULL)
        return;
    writer = json_writer_new(false);
    json_object_open(writer);
    json_member_string(writer, "Id", image->id);
    json_object_close(writer);
    image_worker_respond(worker, 201, writer);
}

/* The container's own settings, which came from its image where nothing was said. */
static void describe_process(struct arena *arena, const struct definition *definition,
                             const struct image *image, struct image_process *process)
{
    const struct docker_config *config = &definition->config;

    *process = image->config.config;
    process->user = config->user;
    /* Changes are made in place: in lists of our own. */
    process->env = (struct string_list){0};
    for (size_t i = 0; i < config->env.count; i++)
        string_list_append(arena, &process->env, config->env.items[i]);
    process->labels.items = arena_new(arena, config->labels.count + 1, sizeof(struct string_pair));
    process->labels.count = config->labels.count;
    for (size_t i = 0; i < config->labels.count; i++)
        process->labels.items[i] = config->labels.items[i];
    process->entrypoint = config->entrypoint;
    process->cmd = config->cmd;
    process->working_dir = config->working_dir;
    process->stop_signal = config->stop_signal;
    if (config->exposed_ports != NULL)
        process->exposed_ports = config->exposed_ports;
}

/* The request's body is a Config, in which clients may give what they want changed. */
static int apply_body(struct request *request, struct image_process *process, struct error *err)
{
    struct image_process changes = {0};
    int result;

    if (request->body_length == 0 || strcmp(request->body, "null") == 0 ||
        strcmp(request->body, "null\n") == 0)
        return 0;
    result = json_decode_text(&request->arena, request->body, request->body_length,
                              &image_process_type, &changes, err);
    if (result == 0)
        json_merge(&request->arena, &image_process_type, process, &changes);
    return result;
}

static int make_job(struct request *request, const struct managed_container *container,
                    const struct image *image, struct make_job *job, struct error *err)
{
    const char *author = request_query(request, "author");
    const char *comment = request_query(request, "comment");
    int result = read_name(request, &job->name, err);

    job->base = image->manifest_digest;
    job->container = container->definition.id;
    job->config = image->config;
    job->config.author = author;
    describe_process(&request->arena, &container->definition, image, &job->config.config);
    if (result == 0)
        result = apply_body(request, &job->config.config, err);
    if (result == 0)
        result = apply_changes(request, &job->config.config, err);
    add_step(&request->arena, &job->config, "davit commit",
             comment != NULL && comment[0] != '\0' ? comment : NULL);
    return result;
}

static int start_commit(struct commit *commit, struct managed_container *container,
                        const struct make_job *job, bool pauses, struct error *err)
{
    int result = 0;

    if (pauses && container->status == CONTAINER_RUNNING && !container->is_paused) {
        commit->is_paused = true;
        result = container_freeze(container, true, err);
    }
    if (result == 0)
        result = image_worker_start(&commit->worker, WORKER_COMMIT, &make_job_type, job, -1, err);
    return result;
}

void api_commit(struct daemon *daemon, struct request *request, const struct route_match *match)
{
    const char *reference = request_query(request, "container");
    const char *pause = request_query(request, "pause");
    struct managed_container *container;
    struct commit *commit;
    struct make_job job = {0};
    struct image *image;
    struct error err = {0};
    int result = container_find(daemon, reference != NULL ? reference : "", &container, &err);

    (void)match;
    if (result == 0)
        result = image_store_find(&daemon->images, container->definition.image_id, &image, &err);
    if (result == 0)
        result = make_job(request, container, image, &job, &err);
    if (result < 0) {
        respond_error(request, &err);
        return;
    }
    commit = memory_new_one(struct commit);
    commit->worker = (struct image_worker){.daemon = daemon,
                                           .request = request,
                                           .context = commit,
                                           .output_fd = -1,
                                           .on_image = on_committed,
                                           .on_end = on_commit_end};
    snprintf(commit->container_id, sizeof(commit->container_id), "%s", container->definition.id);
    result = start_commit(commit, container, &job,
                          pause == NULL || request_query_bool(request, "pause"), &err);
    if (result < 0) {
        commit_free(commit);
        respond_error(request, &err);
        return;
    }
    request->context = commit;
    request->on_close = on_client_gone;
}
