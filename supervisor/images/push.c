/* POST /images/NAME/push: an image worker and a fetch worker, joined by a channel, push an image,
 * or all of a repository. POST /davit/v1/images/NAME/push-index: several as one index. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "images/registry_job.h"
#include "registries.h"
#include "registry_auth.h"
#include "supervisor/api/api.h"
#include "worker.h"

struct push {
    struct image_worker worker;
    struct image_reference reference;
    struct push_job job;
    size_t reported; /* images */
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
    json_member_string(writer, "Tag", report->id);
    json_member_string(writer, "Digest", report->repo_digest);
    json_member_integer(writer, "Size", report->total);
    json_object_close(writer);
    json_object_close(writer);
    image_worker_say(&push->worker, writer);
}

static void on_image(struct image_worker *worker, const struct image_report *report,
                     const struct image *image, const char *full_name)
{
    struct push *push = worker->context;
    cleanup_free char *full =
        memory_printf("%s:%s", push->reference.name, report->id != NULL ? report->id : "");
    char text[512];
    char name[512];

    (void)image;
    (void)full_name;
    begin(push);
    /* What an index's tag stands for is said once. */
    if (++push->reported < push->job.images.count && push->job.index_tag != NULL)
        return;
    snprintf(text, sizeof(text), "%s: digest: %s size: %lld", report->id != NULL ? report->id : "",
             report->repo_digest, (long long)report->total);
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

static int read_reference(struct push *push, const char *name, const char *tag, struct error *err)
{
    struct image_reference *reference = &push->reference;
    const char *text =
        tag != NULL && tag[0] != '\0' ? arena_printf(&push->arena, "%s:%s", name, tag) : name;
    int result = image_reference_parse(text, reference, err);

    if (result == 0 && reference->digest[0] != '\0')
        return error_set(err, ERROR_INVALID, EINVAL,
                         "cannot push a digest reference: \"%.128s\"; name a tag", text);
    return result;
}

static void add_image(struct push *push, const struct image *image, const char *tag)
{
    push->job.images.items[push->job.images.count++] = (struct push_image){
        .tag = tag,
        .digest = arena_strdup(&push->arena, image->manifest_digest),
        .media_type = image->media_type,
        .layers = string_list_join(&push->arena, &image->layers, ","),
    };
}

static int add_tagged(struct push *push, struct error *err)
{
    cleanup_free char *full = memory_printf("%s:%s", push->reference.name, push->reference.tag);
    struct image *image;

    if (image_store_find(&push->worker.daemon->images, full, &image, NULL) < 0)
        return error_set(err, ERROR_NOT_FOUND, ENOENT,
                         "An image does not exist locally with the tag: %s", push->reference.name);
    push->job.images.items = arena_new(&push->arena, 1, sizeof(*push->job.images.items));
    add_image(push, image, push->reference.tag);
    return 0;
}

/* Calls add_image() for each tag of the repository, or only counts. */
static size_t walk_repository(struct push *push, bool is_counting)
{
    const struct image_store *store = &push->worker.daemon->images;
    size_t length = strlen(push->reference.name);
    size_t count = 0;

    for (size_t i = 0; i < store->image_count; i++) {
        const struct image *image = store->images[i];

        for (size_t j = 0; j < image->name_count; j++) {
            const char *name = image->names[j];

            if (strncmp(name, push->reference.name, length) != 0 || name[length] != ':')
                continue;
            count++;
            if (!is_counting)
                add_image(push, image, arena_strdup(&push->arena, name + length + 1));
        }
    }
    return count;
}

static int add_repository(struct push *push, struct error *err)
{
    size_t count = walk_repository(push, true);

    if (count == 0)
        return error_set(err, ERROR_NOT_FOUND, ENOENT,
                         "An image does not exist locally with the tag: %s", push->reference.name);
    push->job.images.items = arena_new(&push->arena, count, sizeof(*push->job.images.items));
    walk_repository(push, false);
    return 0;
}

/* The images that the query names. */
static int add_members(struct push *push, const struct request *request, struct error *err)
{
    push->job.index_tag = push->reference.tag;
    push->job.images.items =
        arena_new(&push->arena, request->query_count + 1, sizeof(*push->job.images.items));
    for (size_t i = 0; i < request->query_count; i++) {
        struct image *image;
        int result;

        if (strcmp(request->query[i].name, "image") != 0)
            continue;
        result =
            image_store_find(&push->worker.daemon->images, request->query[i].value, &image, err);
        if (result < 0)
            return result;
        add_image(push, image, NULL);
    }
    if (push->job.images.count == 0)
        return error_set(err, ERROR_INVALID, EINVAL, "image: the images of the index are expected");
    return 0;
}

static struct push *push_new(struct daemon *daemon, struct request *request)
{
    struct push *push = memory_new_one(struct push);

    push->worker = (struct image_worker){.daemon = daemon,
                                         .request = request,
                                         .context = push,
                                         .output_fd = -1,
                                         .repository = push->reference.name,
                                         .on_status = on_status,
                                         .on_image = on_image,
                                         .on_end = on_end};
    return push;
}

/* Starts the workers if `result`, of what came before, is 0; answers the request if it or they
 * fail. */
static void push_start(struct push *push, int result, struct error *err)
{
    struct daemon *daemon = push->worker.daemon;
    struct request *request = push->worker.request;

    if (result == 0)
        result = registry_auth_read(http_header_get(request->message, "X-Registry-Auth"),
                                    &push->arena, &push->job.fetch.credentials, err);
    if (result == 0) {
        registries_locate(&daemon->options.registries, &push->reference, false, &push->arena,
                          &push->job.fetch);
        result = image_worker_start_with_fetch(&push->worker, WORKER_PUSH, &push_job_type,
                                               &push->job, err);
    }
    if (result < 0) {
        push_free(push);
        respond_error(request, err);
        return;
    }
    request->context = push;
    request->on_close = on_client_gone;
}

/* Without a tag in the name and in the query it is all tags. */
void api_image_push(struct daemon *daemon, struct request *request, const struct route_match *match)
{
    const char *tag = request_query(request, "tag");
    struct push *push = push_new(daemon, request);
    struct error err = {0};
    int result = read_reference(push, match->name, tag, &err);
    bool has_tag = (tag != NULL && tag[0] != '\0') || image_reference_has_tag(match->name);

    if (result == 0)
        result = has_tag ? add_tagged(push, &err) : add_repository(push, &err);
    push_start(push, result, &err);
}

void api_image_push_index(struct daemon *daemon, struct request *request,
                          const struct route_match *match)
{
    struct push *push = push_new(daemon, request);
    struct error err = {0};
    int result = read_reference(push, match->name, request_query(request, "tag"), &err);

    if (result == 0)
        result = add_members(push, request, &err);
    push_start(push, result, &err);
}
