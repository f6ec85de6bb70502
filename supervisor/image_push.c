/* POST /images/NAME/push: an image worker and a fetch worker, joined by a channel, push an image.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/cleanup.h"
#include "image_worker.h"
#include "images/registry_job.h"
#include "registries.h"
#include "registry_auth.h"

struct push {
    struct image_worker worker;
    struct image_reference reference;
    struct push_job job;
    bool has_begun;
    struct arena arena;
};

static void begin(struct push *push)
{
    char text[640];

    if (push->has_begun)
        return;
    push->has_begun = true;
    snprintf(text, sizeof(text), "The push refers to repository [%s]", push->reference.name);
    image_worker_say_status(&push->worker, text, NULL);
}

static void on_status(struct image_worker *worker, const struct image_report *report)
{
    begin(worker->context);
    image_worker_say_progress(worker, report);
}

/* {"progressDetail":{},"aux":{"Tag":...}} is what programs read of it. */
static void say_aux(struct push *push, const struct image_report *report)
{
    struct json_writer *writer = json_writer_new(false);

    json_object_open(writer);
    json_key(writer, "progressDetail");
    json_object_open(writer);
    json_object_close(writer);
    json_key(writer, "aux");
    json_object_open(writer);
    json_member_string(writer, "Tag", push->job.tag);
    json_member_string(writer, "Digest", report->digest);
    json_member_integer(writer, "Size", report->size);
    json_object_close(writer);
    json_object_close(writer);
    image_worker_say(&push->worker, writer);
}

static void on_image(struct image_worker *worker, const struct image_report *report,
                     const struct image *image, const char *full_name)
{
    struct push *push = worker->context;
    cleanup_free char *full = memory_printf("%s:%s", push->reference.name, push->job.tag);
    char text[512];
    char name[512];

    (void)image;
    (void)full_name;
    begin(push);
    snprintf(text, sizeof(text), "%s: digest: %s size: %lld", push->job.tag, report->digest,
             (long long)report->size);
    image_worker_say_status(worker, text, NULL);
    say_aux(push, report);
    image_reference_familiar(full, name, sizeof(name));
    image_event(worker->daemon, "push", name, name);
}

static void push_free(struct push *push)
{
    image_worker_release(&push->worker);
    arena_release(&push->arena);
    free(push);
}

static void on_end(struct image_worker *worker)
{
    push_free(worker->context);
}

static void on_client_gone(struct request *request)
{
    struct push *push = request->context;

    image_worker_lose_client(&push->worker, true);
}

/* The name's own tag or that of the query; pushing all tags is not supported. */
static int read_reference(struct push *push, const char *name, const char *tag, struct error *err)
{
    struct image_reference *reference = &push->reference;
    const char *text =
        tag != NULL && tag[0] != '\0' ? arena_printf(&push->arena, "%s:%s", name, tag) : name;
    int result = image_reference_parse(text, reference, err);

    if (result == 0 && reference->digest[0] != '\0')
        return error_set(err, ERROR_INVALID, EINVAL,
                         "cannot push a digest reference: \"%.128s\"; name a tag", text);
    push->job.tag = reference->tag;
    return result;
}

static int describe_image(struct push *push, struct error *err)
{
    cleanup_free char *full = memory_printf("%s:%s", push->reference.name, push->reference.tag);
    struct image *image;

    if (image_store_find(&push->worker.daemon->images, full, &image, NULL) < 0)
        return error_set(err, ERROR_NOT_FOUND, ENOENT,
                         "An image does not exist locally with the tag: %s", push->reference.name);
    push->job.digest = arena_strdup(&push->arena, image->manifest_digest);
    push->job.media_type = image->media_type;
    push->job.layers = string_list_join(&push->arena, &image->layers, ",");
    return 0;
}

void api_image_push(struct daemon *daemon, struct request *request, const struct route_match *match)
{
    struct push *push = memory_new_one(struct push);
    struct error err = {0};
    int result;

    push->worker = (struct image_worker){.daemon = daemon,
                                         .request = request,
                                         .context = push,
                                         .output_fd = -1,
                                         .repository = push->reference.name,
                                         .on_status = on_status,
                                         .on_image = on_image,
                                         .on_end = on_end};
    result = read_reference(push, match->name, request_query(request, "tag"), &err);
    if (result == 0)
        result = describe_image(push, &err);
    if (result == 0)
        result = registry_auth_read(http_header_get(request->message, "X-Registry-Auth"),
                                    &push->arena, &push->job.fetch.credentials, &err);
    if (result == 0) {
        registries_locate(&daemon->options.registries, &push->reference, false, &push->arena,
                          &push->job.fetch);
        result = image_worker_start_with_fetch(&push->worker, WORKER_PUSH, &push_job_type,
                                               &push->job, &err);
    }
    if (result < 0) {
        push_free(push);
        respond_error(request, &err);
        return;
    }
    request->context = push;
    request->on_close = on_client_gone;
}
