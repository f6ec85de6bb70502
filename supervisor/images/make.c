/* A worker makes an image of one layer, or of one layer more than a base has: see images.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "changes.h"
#include "job.h"
#include "supervisor/containers/container.h"

/* The full name in *name; NULL if there is none. */
static int read_name(const struct make_order *order, const char **name, struct error *err)
{
    const char *repository = order->repository;
    const char *tag = order->tag;
    struct image_reference reference;
    int result;

    *name = NULL;
    if (repository == NULL || repository[0] == '\0')
        return 0;
    result = image_reference_parse(tag != NULL && tag[0] != '\0'
                                       ? arena_printf(order->arena, "%s:%s", repository, tag)
                                       : repository,
                                   &reference, err);
    if (result == 0 && reference.digest[0] != '\0')
        result = error_set(err, ERROR_INVALID, EINVAL, "a digest is no name that can be given");
    if (result == 0)
        *name = arena_printf(order->arena, "%s:%s", reference.name, reference.tag);
    return result;
}

static int apply_changes(const struct make_order *order, struct image_process *process,
                         struct error *err)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < order->changes.count; i++) {
        if (order->changes.items[i][0] != '\0')
            result = image_change(order->arena, order->changes.items[i], process, err);
    }
    return result;
}

/* Adds a step to the history. The image gets the step's time and comment. */
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

static void on_imported(struct image_job *job, const struct image_report *report,
                        const struct image *image, const char *full_name)
{
    char name[512];

    (void)report;
    image_reference_familiar(full_name != NULL ? full_name : image->id, name, sizeof(name));
    image_event(job->images, "import", image->id, name);
}

int image_import(struct images *images, const struct make_order *order, struct job_client *client,
                 struct image_job **job, struct error *err)
{
    struct make_job parameters = {.config = {.architecture = image_host_architecture(),
                                             .os = "linux",
                                             .rootfs = {.type = "layers"}}};
    int result = read_name(order, &parameters.name, err);

    if (result == 0)
        result = apply_changes(order, &parameters.config.config, err);
    if (result < 0)
        return result;
    add_step(order->arena, &parameters.config, "davit import",
             order->comment != NULL && order->comment[0] != '\0' ? order->comment
                                                                 : "Imported from -");
    return image_upload(images,
                        &(struct upload_order){.command = WORKER_IMPORT,
                                               .type = &make_job_type,
                                               .parameters = &parameters,
                                               .makes_images = true,
                                               .on_image = on_imported},
                        client, job, err);
}

struct commit {
    struct image_job job;
    bool holds_container;
};

/* The container may be gone by now. */
static void on_commit_release(struct image_job *job)
{
    struct commit *commit = (struct commit *)(void *)job;
    struct managed_container *container =
        container_by_id(job->images->containers, job->container_id);

    if (commit->holds_container && container != NULL)
        container_let_go(container);
    image_job_close(job);
    free(commit);
}

static void on_committed(struct image_job *job, const struct image_report *report,
                         const struct image *image, const char *full_name)
{
    const char *comment = image->config.comment;
    struct managed_container *container =
        container_by_id(job->images->containers, job->container_id);
    char name[512] = "";
    struct string_pair pairs[] = {
        {"comment", comment != NULL ? comment : ""}, {"imageID", image->id}, {"imageRef", name}};

    (void)report;
    if (full_name != NULL)
        image_reference_familiar(full_name, name, sizeof(name));
    if (container != NULL)
        container_event(container, "commit", &(struct string_map){pairs, ARRAY_SIZE(pairs)});
}

/* The container's own settings, which came from its image where nothing was said. */
static void describe_process(struct arena *arena, const struct definition *definition,
                             const struct image *image, struct image_process *process)
{
    const struct docker_config *config = &definition->config;

    *process = image->config.config;
    process->user = config->user;
    /* Changes are made in place: copy the lists. */
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

/* Clients may give a Config with what they want changed. */
static int apply_config(const struct make_order *order, struct image_process *process,
                        struct error *err)
{
    struct image_process changes = {0};
    int result;

    if (order->config_length == 0 || strcmp(order->config, "null") == 0 ||
        strcmp(order->config, "null\n") == 0)
        return 0;
    result = json_decode_text(order->arena, order->config, order->config_length,
                              &image_process_type, &changes, err);
    if (result == 0)
        json_merge(order->arena, &image_process_type, process, &changes);
    return result;
}

static int describe_commit(const struct make_order *order,
                           const struct managed_container *container, const struct image *image,
                           struct make_job *parameters, struct error *err)
{
    int result = read_name(order, &parameters->name, err);

    parameters->base = image->manifest_digest;
    parameters->container = container->definition->id;
    parameters->config = image->config;
    parameters->config.author = order->author;
    describe_process(order->arena, container->definition, image, &parameters->config.config);
    if (result == 0)
        result = apply_config(order, &parameters->config.config, err);
    if (result == 0)
        result = apply_changes(order, &parameters->config.config, err);
    add_step(order->arena, &parameters->config, "davit commit",
             order->comment != NULL && order->comment[0] != '\0' ? order->comment : NULL);
    return result;
}

static int begin_commit(struct commit *commit, struct managed_container *container,
                        const struct make_job *parameters, bool pauses, struct error *err)
{
    int result = 0;

    /* Who has asked holds it already, and has waited until it was frozen. */
    if (pauses && container->status == CONTAINER_RUNNING) {
        commit->holds_container = true;
        result = container_hold(container, err);
    }
    if (result == 0)
        result = image_job_start(&commit->job, WORKER_COMMIT, &make_job_type, parameters, -1, err);
    return result;
}

int image_commit(struct images *images, const char *reference, const struct make_order *order,
                 struct job_client *client, struct image_job **job, struct error *err)
{
    struct managed_container *container;
    struct commit *commit;
    struct make_job parameters = {0};
    struct image *image;
    int result =
        container_find(images->containers, client->actor.tenant, reference, &container, err);

    if (result == 0)
        result = image_store_find(images->store, container->definition->tenant,
                                  container->definition->image_id, &image, err);
    if (result == 0)
        result = describe_commit(order, container, image, &parameters, err);
    if (result < 0)
        return result;
    commit = memory_new_one(struct commit);
    /* A commit outlives its client: somebody else may wait for the name that it gives. */
    commit->job = (struct image_job){.images = images,
                                     .client = client,
                                     .actor = client->actor,
                                     .output_fd = -1,
                                     .outlives_client = true,
                                     .on_image = on_committed,
                                     .on_release = on_commit_release};
    image_job_note_container(&commit->job, container->definition->id);
    result = begin_commit(commit, container, &parameters, order->pauses, err);
    if (result < 0)
        on_commit_release(&commit->job);
    else
        *job = &commit->job;
    return result;
}
