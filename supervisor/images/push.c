/* An image worker and a fetch worker, joined by a channel, push an image, all of a repository, or
 * several images as one index: see images.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "images/registry_job.h"
#include "job.h"
#include "registry_auth.h"

struct push {
    struct image_job job;
    struct image_reference reference;
    struct push_job parameters;
    size_t reported; /* images */
    struct arena arena;
};

/* All images of an index have its one tag: one event is published, with the last image. */
static void on_image(struct image_job *job, const struct image_report *report,
                     const struct image *image, const char *full_name)
{
    struct push *push = (struct push *)(void *)job;
    cleanup_free char *full =
        memory_printf("%s:%s", push->reference.name, report->id != NULL ? report->id : "");
    char name[512];

    (void)image;
    (void)full_name;
    if (++push->reported < push->parameters.images.count && push->parameters.index_tag != NULL)
        return;
    image_reference_familiar(full, name, sizeof(name));
    image_event(job->images, "push", name, name);
}

static void on_release(struct image_job *job)
{
    struct push *push = (struct push *)(void *)job;

    image_job_close(job);
    arena_release(&push->arena);
    free(push);
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
    push->parameters.images.items[push->parameters.images.count++] = (struct push_image){
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

    if (image_store_find(push->job.images->store, push->job.actor.tenant, full, &image, NULL) < 0)
        return error_set(err, ERROR_NOT_FOUND, ENOENT,
                         "An image does not exist locally with the tag: %s", push->reference.name);
    push->parameters.images.items =
        arena_new(&push->arena, 1, sizeof(*push->parameters.images.items));
    add_image(push, image, push->reference.tag);
    return 0;
}

/* Calls add_image() for each tag of the repository, or only counts. */
static size_t walk_repository(struct push *push, bool is_counting)
{
    const struct image_store *store = push->job.images->store;
    size_t length = strlen(push->reference.name);
    size_t count = 0;

    for (size_t i = 0; i < store->image_count; i++) {
        const struct image *image = store->images[i];

        for (size_t j = 0; j < image->name_count; j++) {
            const char *name = image->names[j].full;

            if (!tenant_is(image->names[j].tenant, push->job.actor.tenant) ||
                strncmp(name, push->reference.name, length) != 0 || name[length] != ':')
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
    push->parameters.images.items =
        arena_new(&push->arena, count, sizeof(*push->parameters.images.items));
    walk_repository(push, false);
    return 0;
}

/* The images that the query names. */
static int add_members(struct push *push, const struct string_list *members, struct error *err)
{
    push->parameters.index_tag = push->reference.tag;
    push->parameters.images.items =
        arena_new(&push->arena, members->count + 1, sizeof(*push->parameters.images.items));
    for (size_t i = 0; i < members->count; i++) {
        struct image *image;
        int result;

        result = image_store_find(push->job.images->store, push->job.actor.tenant,
                                  members->items[i], &image, err);
        if (result < 0)
            return result;
        add_image(push, image, NULL);
    }
    if (push->parameters.images.count == 0)
        return error_set(err, ERROR_INVALID, EINVAL, "image: the images of the index are expected");
    return 0;
}

static int begin_push(struct push *push, const struct push_order *order, struct error *err)
{
    bool has_tag =
        (order->tag != NULL && order->tag[0] != '\0') || image_reference_has_tag(order->name);
    int result = read_reference(push, order->name, order->tag, err);

    if (result == 0 && order->is_index)
        result = add_members(push, &order->members, err);
    else if (result == 0)
        result = has_tag ? add_tagged(push, err) : add_repository(push, err);
    if (result == 0)
        result =
            registry_auth_read(order->auth, &push->arena, &push->parameters.fetch.credentials, err);
    if (result < 0)
        return result;
    registries_locate(push->job.images->registries, &push->reference, false, &push->arena,
                      &push->parameters.fetch);
    return image_job_start_with_fetch(&push->job, WORKER_PUSH, &push_job_type, &push->parameters,
                                      err);
}

int image_push(struct images *images, const struct push_order *order, struct job_client *client,
               struct image_reference *reference, size_t *count, struct image_job **job,
               struct error *err)
{
    struct push *push = memory_new_one(struct push);
    int result;

    push->job = (struct image_job){.images = images,
                                   .client = client,
                                   .actor = client->actor,
                                   .output_fd = -1,
                                   .repository = push->reference.name,
                                   .on_image = on_image,
                                   .on_release = on_release};
    result = begin_push(push, order, err);
    *reference = push->reference;
    *count = push->parameters.images.count;
    if (result < 0)
        on_release(&push->job);
    else
        *job = &push->job;
    return result;
}
