/* GET /system/df, and counting the disk usage of containers and volumes, which prune needs too. */
#include <string.h>

#include "api.h"

struct usage_request {
    struct job_answer answer; /* the first */
    struct api *api;
    struct disk_usage *usage;
    usage_answer write;
    const void *context;
};

static void on_counted(struct job_answer *answer)
{
    struct usage_request *counted = (struct usage_request *)(void *)answer;
    struct request *request = answer->request;
    struct error err = {0};
    struct json_writer *writer =
        counted->write(counted->api, request, counted->usage, counted->context, &err);

    if (writer != NULL)
        respond_written(request, 200, writer);
    else if (err.errnum != 0)
        respond_error(request, &err);
}

static void ignore_progress(struct job_client *client, const struct image_report *report)
{
    (void)client;
    (void)report;
}

void api_measure_usage(struct api *api, struct request *request, usage_answer write,
                       const void *context)
{
    struct usage_request *counted = memory_new_one(struct usage_request);
    struct error err = {0};
    int result;

    counted->api = api;
    counted->write = write;
    counted->context = context;
    counted->answer.on_done = on_counted;
    counted->answer.client.progress = ignore_progress;
    job_answer_init(&counted->answer, request, ANSWER_EMPTY);
    result = disk_usage_measure(api->images, &counted->answer.client, &counted->usage,
                                &counted->answer.job, &err);
    job_answer_after_start(&counted->answer, result, &err);
}

static void write_images(struct json_writer *writer, const struct api *api)
{
    const struct image_store *store = api->store;

    json_key(writer, "Images");
    json_array_open(writer);
    for (size_t i = store->image_count; i > 0; i--) {
        const struct image *image = store->images[i - 1];
        int64_t users = 0;

        for (const struct managed_container *one = api->containers->list; one != NULL;
             one = one->next)
            users += strcmp(one->definition->image_id, image->id) == 0;
        image_write_summary(
            writer, image, NULL,
            &(struct image_counts){(int64_t)image_store_shared_bytes(store, image), users});
    }
    json_array_close(writer);
}

struct container_sizes container_sizes_of(const struct api *api,
                                          const struct managed_container *container,
                                          const struct disk_usage *usage)
{
    const struct definition *definition = container->definition;
    uint64_t changed = disk_usage_of_container(usage, definition->id);
    struct container_sizes sizes = {changed, changed};
    struct image *image;

    if (image_store_find(api->store, definition->tenant, definition->image_id, &image, NULL) == 0)
        sizes.root += image->size;
    return sizes;
}

static void write_containers(struct json_writer *writer, const struct api *api,
                             const struct disk_usage *usage)
{
    json_key(writer, "Containers");
    json_array_open(writer);
    for (struct managed_container *one = api->containers->list; one != NULL; one = one->next) {
        struct container_sizes sizes = container_sizes_of(api, one, usage);

        container_write_summary(writer, one, &sizes);
    }
    json_array_close(writer);
}

static void write_volumes(struct json_writer *writer, const struct api *api,
                          const struct disk_usage *usage)
{
    json_key(writer, "Volumes");
    json_array_open(writer);
    for (const struct volume *one = api->volumes->list; one != NULL; one = one->next)
        volume_write(writer, api->volumes, one,
                     (int64_t)disk_usage_of_volume(usage, one->tenant, one->name));
    json_array_close(writer);
}

/* There is no build cache: its list is empty. */
static struct json_writer *write_usage(struct api *api, struct request *request,
                                       const struct disk_usage *usage, const void *context,
                                       struct error *err)
{
    struct json_writer *writer = json_writer_new(false);

    (void)request;
    (void)context;
    (void)err;
    json_object_open(writer);
    json_member_unsigned(writer, "LayersSize", image_store_layer_bytes(api->store));
    write_images(writer, api);
    write_containers(writer, api, usage);
    write_volumes(writer, api, usage);
    json_key(writer, "BuildCache");
    json_array_open(writer);
    json_array_close(writer);
    json_object_close(writer);
    return writer;
}

static void serve_disk_usage(struct api *api, struct request *request,
                             const struct route_match *match)
{
    (void)match;
    api_measure_usage(api, request, write_usage, NULL);
}

const struct route usage_routes[] = {
    {"GET", "/system/df", serve_disk_usage, PERMISSION_READ, NULL},
    {.method = NULL},
};
