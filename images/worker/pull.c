/*
 * Pulling: what is asked for leads to a manifest, perhaps by way of an index; the manifest to a
 * configuration and layers. What the store has already does not come again. Whatever comes is
 * checked against the digest by which it was asked for.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "pull.h"

#define TAGS_MAX 10000 /* of a repository */

/* Makes a file in pulls/, which keeps the image's blobs and layers from being collected until it
 * has a name: a pull that was interrupted goes on where it was. */
static int mark_as_pulling(struct pull *pull, const char *digest, const char *layers)
{
    char path[128];
    cleanup_close int fd = -1;
    int result;

    snprintf(path, sizeof(path), "pulls/%s", digest + 7);
    fd = openat(pull->store_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    result = fd < 0 ? -errno : file_write_fd(fd, layers, strlen(layers));
    return result < 0 ? error_errno(pull->err, -result, "note down the pull") : 0;
}

/* *copy_fd leads to the child that unpacks a layer; it stays -1 if that is there already. */
static int begin_unpacking(struct pull *pull, size_t number, int *copy_fd)
{
    if (layer_exists(pull->store_fd, pull->chain_ids.items[number]))
        return 0;
    pull->unpacks[number] = arena_new(&pull->arena, 1, sizeof(struct layer_unpack));
    *copy_fd =
        layer_unpack_begin_pipe(pull->unpacks[number], pull->store_fd, pull->limits, pull->err);
    if (*copy_fd < 0)
        pull->unpacks[number] = NULL;
    return *copy_fd < 0 ? *copy_fd : 0;
}

static int start_layer(struct pull *pull, struct layer_job *job, size_t number)
{
    const struct image_descriptor *layer = &pull->manifest.layers.items[number];
    struct fetch_request request = {
        .id = ++pull->last_id, .reference = layer->digest, .size = layer->size};
    struct receive_order order = {
        .store_fd = pull->store_fd,
        .digest = layer->digest,
        .size = layer->size,
    };
    cleanup_close int copy_fd = -1;
    cleanup_close int read_fd = -1;
    int result = begin_unpacking(pull, number, &copy_fd);

    if (result < 0)
        return result;
    read_fd = channel_request(pull->channel_fd, &request, pull->err);
    if (read_fd < 0)
        return read_fd;
    fcntl(read_fd, F_SETPIPE_SZ, 1 << 20);
    order.copy_fd = copy_fd;
    order.pipe_fd = read_fd;
    result = receive_start(&order, &job->receiver, pull->err);
    if (result < 0)
        return result;
    job->id = request.id;
    job->layer = number;
    job->is_fetch_over = false;
    job->failure = (struct error){0};
    return 0;
}

static void report_layer(const struct pull *pull, size_t number, const char *status,
                         int64_t current)
{
    const struct image_descriptor *layer = &pull->manifest.layers.items[number];

    report_progress(pull->out_fd, layer->digest, status, current, current > 0 ? layer->size : 0);
}

static int handle_answer(struct pull *pull)
{
    cleanup_arena struct arena arena = {0};
    struct fetch_answer answer = {0};
    int result = channel_receive(pull->channel_fd, &arena, &answer, pull->err);

    for (size_t i = 0; result == 0 && i < PARALLEL_LAYERS; i++) {
        struct layer_job *job = &pull->jobs[i];

        if (job->id == 0 || job->id != answer.id)
            continue;
        job->is_fetch_over = answer.is_done || answer.error != NULL;
        if (answer.error != NULL)
            channel_failure(&answer, &job->failure);
        else
            report_layer(pull, job->layer, answer.is_done ? "Extracting" : "Downloading",
                         answer.received);
    }
    return result;
}

/* Handles the end of a layer's receiver. The layer is done when the fetch worker has sent its last
 * answer too. */
static int handle_outcome(struct pull *pull, struct layer_job *job)
{
    struct child_outcome outcome;
    struct error err = {0};
    int result = child_await(&job->receiver, &outcome, &err);

    /* The bytes were cut off: wait for the fetch worker's last answer, which tells why. */
    while (result < 0 && err.code == ERROR_CORRUPT && !job->is_fetch_over) {
        if (handle_answer(pull) < 0)
            return -pull->err->errnum;
    }
    if (result < 0) {
        /* The fetch worker knows the reason only if the bytes were cut off; otherwise its failure
         * is a consequence of the receiver's. */
        *pull->err = job->failure.errnum != 0 && err.code == ERROR_CORRUPT ? job->failure : err;
        return error_prefix(pull->err, "layer %s", pull->manifest.layers.items[job->layer].digest);
    }
    while (!job->is_fetch_over) {
        result = handle_answer(pull);
        if (result < 0)
            return result;
    }
    if (pull->unpacks[job->layer] != NULL)
        result = layer_unpack_wait(pull->unpacks[job->layer], pull->err);
    if (result < 0)
        return error_prefix(pull->err, "layer %s", pull->manifest.layers.items[job->layer].digest);
    report_layer(pull, job->layer, "Pull complete", 0);
    job->id = 0;
    return 0;
}

/* Handles the next answer of the fetch worker and the end of receivers. Fails if nobody reads our
 * report any more. */
static int wait_for_layers(struct pull *pull)
{
    enum { CHANNEL, REPORT, FIRST_LAYER, COUNT = FIRST_LAYER + PARALLEL_LAYERS };
    struct pollfd events[COUNT] = {
        [CHANNEL] = {.fd = pull->channel_fd, .events = POLLIN},
        [REPORT] = {.fd = pull->out_fd}, /* an error: nobody reads it any more */
    };
    int result = 0;

    for (size_t i = 0; i < PARALLEL_LAYERS; i++)
        events[FIRST_LAYER + i] = (struct pollfd){
            .fd = pull->jobs[i].id != 0 ? pull->jobs[i].receiver.outcome_fd : -1, .events = POLLIN};
    if (poll(events, COUNT, -1) < 0)
        return errno == EINTR ? 0 : error_errno(pull->err, errno, "poll");
    if (events[REPORT].revents != 0)
        return error_set(pull->err, ERROR_CONFLICT, ECANCELED, "the pull was cancelled");
    if (events[CHANNEL].revents != 0)
        result = handle_answer(pull);
    for (size_t i = 0; result == 0 && i < PARALLEL_LAYERS; i++) {
        if (events[FIRST_LAYER + i].revents != 0)
            result = handle_outcome(pull, &pull->jobs[i]);
    }
    return result;
}

static struct layer_job *free_job(struct pull *pull)
{
    for (size_t i = 0; i < PARALLEL_LAYERS; i++) {
        if (pull->jobs[i].id == 0)
            return &pull->jobs[i];
    }
    return NULL;
}

static bool is_busy(const struct pull *pull)
{
    for (size_t i = 0; i < PARALLEL_LAYERS; i++) {
        if (pull->jobs[i].id != 0)
            return true;
    }
    return false;
}

/* Closing the channel ends the fetch worker, and with it the pipes: each receiver fails and removes
 * what it has received. */
static void abandon_layers(struct pull *pull)
{
    shutdown(pull->channel_fd, SHUT_RDWR);
    for (size_t i = 0; i < PARALLEL_LAYERS; i++) {
        struct child_outcome outcome;

        if (pull->jobs[i].id != 0 && pull->jobs[i].receiver.pid > 0)
            child_await(&pull->jobs[i].receiver, &outcome, NULL);
    }
}

static bool has_blob(const struct pull *pull, const char *digest)
{
    cleanup_close int fd = blob_open(pull->store_fd, digest);

    return fd >= 0;
}

/* The same layer may stand in an image twice. */
static bool is_under_way(const struct pull *pull, const char *digest)
{
    for (size_t i = 0; i < PARALLEL_LAYERS; i++) {
        if (pull->jobs[i].id != 0 &&
            strcmp(pull->manifest.layers.items[pull->jobs[i].layer].digest, digest) == 0)
            return true;
    }
    return false;
}

static int get_layers(struct pull *pull)
{
    int result = 0;

    for (size_t i = 0; i < pull->manifest.layers.count; i++)
        report_layer(pull, i,
                     has_blob(pull, pull->manifest.layers.items[i].digest) ? "Already exists"
                                                                           : "Pulling fs layer",
                     0);
    for (size_t i = 0; result == 0 && i < pull->manifest.layers.count; i++) {
        const char *digest = pull->manifest.layers.items[i].digest;

        while (result == 0 && (free_job(pull) == NULL || is_under_way(pull, digest)))
            result = wait_for_layers(pull);
        if (result == 0 && !has_blob(pull, digest))
            result = start_layer(pull, free_job(pull), i);
    }
    while (result == 0 && is_busy(pull))
        result = wait_for_layers(pull);
    if (result < 0)
        abandon_layers(pull);
    return result;
}

/* Gets the layers that are missing, then publishes all layers from the bottom up. */
static int get_and_unpack(struct pull *pull, const char **layers)
{
    size_t count = pull->manifest.layers.count;
    int result;

    pull->unpacks = arena_new(&pull->arena, count + 1, sizeof(struct layer_unpack *));
    result = get_layers(pull);
    if (result == 0)
        result = layers_unpack(pull->store_fd, &pull->arena, &pull->manifest, &pull->config,
                               pull->unpacks, pull->limits, layers, pull->err);
    for (size_t i = 0; i < count; i++) {
        if (pull->unpacks[i] != NULL)
            layer_unpack_abort(pull->unpacks[i]);
    }
    return result;
}

static int pull_manifest(struct pull *pull, struct image_report *report)
{
    static char digest[DIGEST_SIZE];
    static char first_digest[DIGEST_SIZE];
    const char *text;
    size_t length;
    int result = pull_get_named_document(pull, &text, &length, first_digest);

    memcpy(digest, first_digest, DIGEST_SIZE);
    if (result == 0)
        result = pull_follow_indexes(pull, &text, &length, digest);
    if (result == 0)
        result = image_manifest_parse(&pull->arena, text, length, &pull->manifest, pull->err);
    if (result < 0)
        return result;
    report->digest = digest;
    report->repo_digest = first_digest;
    report->size = (int64_t)length;
    report->media_type = pull->manifest.media_type;
    return 0;
}

/* The image of a tag or digest, for `name` (NULL: none). */
static int cli_pull_image(struct pull *pull, const char *reference, const char *name)
{
    struct image_report report = {0};
    int result;

    pull->reference = reference;
    pull->manifest = (struct image_manifest){0};
    pull->config = (struct image_config){0};
    pull->chain_ids = (struct string_list){0};
    result = pull_manifest(pull, &report);
    if (result == 0)
        result = pull_check_trust(pull, &report);
    if (result == 0)
        result = pull_get_config(pull);
    if (result == 0)
        result = image_list_chain_ids(&pull->arena, &pull->manifest, &pull->config,
                                      &pull->chain_ids, pull->err);
    if (result == 0)
        result = mark_as_pulling(pull, report.digest,
                                 string_list_join(&pull->arena, &pull->chain_ids, ","));
    if (result == 0)
        result = get_and_unpack(pull, &report.layers);
    if (result < 0)
        return result;
    if (name != NULL)
        report.names = (struct string_list){&name, 1};
    return report_write(pull->out_fd, &report, pull->err);
}

struct tag_list {
    struct string_list tags;
};

static const struct json_field tag_list_fields[] = {
    JSON_FIELD(struct tag_list, tags, "tags", JSON_KIND_STRINGS),
};
static const struct json_struct tag_list_type = JSON_STRUCT(struct tag_list, tag_list_fields);

/* Appends the tags of one answer: distribution-spec "Listing Tags". Skips tags that are there: a
 * registry that ignores where it was asked to go on sends them again. */
static int list_some_tags(struct pull *pull, struct string_list *tags)
{
    struct fetch_request request = {
        .is_tag_list = true, .reference = tags->count > 0 ? tags->items[tags->count - 1] : ""};
    cleanup_buffer struct buffer text = {0};
    struct tag_list list = {0};
    int result = pull_fetch(pull, &request, &text);

    if (result == 0)
        result = json_decode_text(&pull->arena, buffer_text(&text), text.length, &tag_list_type,
                                  &list, pull->err);
    for (size_t i = 0; result == 0 && i < list.tags.count; i++) {
        struct image_reference reference;
        const char *tag = list.tags.items[i];

        if (string_list_has(tags, tag))
            continue;
        if (tags->count == TAGS_MAX)
            return error_set(pull->err, ERROR_TOO_LARGE, E2BIG,
                             "the repository has more than %d tags", TAGS_MAX);
        result = image_reference_parse(
            arena_printf(&pull->arena, "%s:%s", pull->job->repository, tag), &reference, pull->err);
        if (result == 0 && strcmp(reference.tag, tag) != 0)
            result = error_set(pull->err, ERROR_INVALID, EINVAL, "\"%.128s\" is no tag", tag);
        string_list_append(&pull->arena, tags, tag);
    }
    return result < 0 ? error_prefix(pull->err, "list of tags") : 0;
}

static int pull_all_tags(struct pull *pull)
{
    struct string_list tags = {0};
    size_t before;
    int result;

    do {
        before = tags.count;
        result = list_some_tags(pull, &tags);
    } while (result == 0 && tags.count > before);
    if (result == 0 && tags.count == 0)
        return error_set(pull->err, ERROR_NOT_FOUND, ENOENT, "the repository has no tags");
    for (size_t i = 0; result == 0 && i < tags.count; i++) {
        const char *name =
            arena_printf(&pull->arena, "%s:%s", pull->job->repository, tags.items[i]);

        result = cli_pull_image(pull, tags.items[i], name);
        if (result < 0)
            error_prefix(pull->err, "%s", tags.items[i]);
    }
    return result;
}

static int pull_all(struct pull *pull)
{
    int result =
        channel_send(pull->channel_fd, &fetch_setup_type, &pull->job->fetch, -1, pull->err);

    if (result < 0)
        return result;
    if (pull->job->reference == NULL)
        return pull_all_tags(pull);
    return cli_pull_image(pull, pull->job->reference, pull->job->name);
}

int job_run_pull(int store_fd, int channel_fd, int out_fd, const struct pull_job *job,
                 const struct worker_limits *limits, struct error *err)
{
    struct pull *pull = memory_new_one(struct pull);
    struct error local = {0};
    int result;

    pull->store_fd = store_fd;
    pull->channel_fd = channel_fd;
    pull->out_fd = out_fd;
    pull->job = job;
    pull->limits = limits;
    pull->err = err != NULL ? err : &local;
    result = pull_all(pull);
    arena_release(&pull->arena);
    free(pull);
    return result;
}
