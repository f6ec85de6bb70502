/* GET /system/df: what images take is known, what containers and volumes hold an image worker
 * counts.
 */
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/cleanup.h"
#include "image_worker.h"
#include "images/image_job.h"
#include "volumes.h"

struct measured {
    char *id;
    bool is_volume;
    uint64_t bytes;
};

struct usage {
    struct image_worker worker;
    struct measured *measured;
    size_t count;
};

static void usage_free(struct usage *usage)
{
    image_worker_release(&usage->worker);
    for (size_t i = 0; i < usage->count; i++)
        free(usage->measured[i].id);
    free(usage->measured);
    free(usage);
}

static void on_end(struct image_worker *worker)
{
    usage_free(worker->context);
}

static void on_client_gone(struct request *request)
{
    struct usage *usage = request->context;

    image_worker_lose_client(&usage->worker, true);
}

static void write_images(struct json_writer *writer, const struct daemon *daemon)
{
    const struct image_store *store = &daemon->images;

    json_key(writer, "Images");
    json_array_open(writer);
    for (size_t i = store->image_count; i > 0; i--) {
        const struct image *image = store->images[i - 1];
        int64_t users = 0;

        for (const struct managed_container *one = daemon->containers; one != NULL; one = one->next)
            users += strcmp(one->definition.image_id, image->id) == 0;
        image_write_summary(writer, image, (int64_t)image_store_shared_bytes(store, image), users);
    }
    json_array_close(writer);
}

static uint64_t find_bytes(const struct usage *usage, bool is_volume, const char *id)
{
    for (size_t i = 0; i < usage->count; i++) {
        if (usage->measured[i].is_volume == is_volume && strcmp(usage->measured[i].id, id) == 0)
            return usage->measured[i].bytes;
    }
    return 0;
}

static void write_containers(struct json_writer *writer, const struct usage *usage)
{
    struct daemon *daemon = usage->worker.daemon;

    json_key(writer, "Containers");
    json_array_open(writer);
    for (const struct managed_container *one = daemon->containers; one != NULL; one = one->next) {
        uint64_t changed = find_bytes(usage, false, one->definition.id);
        struct container_sizes sizes = {changed, changed};
        struct image *image;

        if (image_store_find(&daemon->images, one->definition.image_id, &image, NULL) == 0)
            sizes.root += image->size;
        container_write_summary(writer, one, &sizes);
    }
    json_array_close(writer);
}

static void write_volumes(struct json_writer *writer, const struct usage *usage)
{
    const struct daemon *daemon = usage->worker.daemon;

    json_key(writer, "Volumes");
    json_array_open(writer);
    for (const struct volume *one = daemon->volumes; one != NULL; one = one->next)
        volume_write(writer, daemon, one, (int64_t)find_bytes(usage, true, one->name));
    json_array_close(writer);
}

/* There is no build cache: its list is empty. */
static void answer(struct usage *usage)
{
    struct json_writer *writer = json_writer_new(false);

    json_object_open(writer);
    json_member_unsigned(writer, "LayersSize",
                         image_store_layer_bytes(&usage->worker.daemon->images));
    write_images(writer, usage->worker.daemon);
    write_containers(writer, usage);
    write_volumes(writer, usage);
    json_key(writer, "BuildCache");
    json_array_open(writer);
    json_array_close(writer);
    json_object_close(writer);
    image_worker_respond(&usage->worker, 200, writer);
}

static void note(struct usage *usage, const struct image_report *report)
{
    usage->measured = memory_resize(usage->measured, usage->count + 1, sizeof(*usage->measured));
    usage->measured[usage->count++] =
        (struct measured){.id = memory_strdup(report->id),
                          .is_volume = strcmp(report->status, REPORT_VOLUME) == 0,
                          .bytes = (uint64_t)report->total};
}

static void on_status(struct image_worker *worker, const struct image_report *report)
{
    struct usage *usage = worker->context;

    if (report->id != NULL && report->total >= 0)
        note(usage, report);
    if (strcmp(report->status, REPORT_DONE) != 0)
        return;
    worker->has_result = true;
    if (worker->request != NULL)
        answer(usage);
}

void api_disk_usage(struct daemon *daemon, struct request *request, const struct route_match *match)
{
    struct usage *usage = memory_new_one(struct usage);
    const struct usage_job job = {0};
    struct error err = {0};

    (void)match;
    usage->worker = (struct image_worker){.daemon = daemon,
                                          .request = request,
                                          .context = usage,
                                          .output_fd = -1,
                                          .on_status = on_status,
                                          .on_end = on_end};
    if (image_worker_start(&usage->worker, WORKER_USAGE, &usage_job_type, &job, -1, &err) < 0) {
        usage_free(usage);
        respond_error(request, &err);
        return;
    }
    request->context = usage;
    request->on_close = on_client_gone;
}
