/* Disk usage (see usage.h), and GET /system/df: what images take is known. */
#include "usage.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "images/image_job.h"
#include "supervisor/api/api.h"
#include "supervisor/volumes/volumes.h"
#include "worker.h"

struct measured {
    char *id;
    bool is_volume;
    uint64_t bytes;
};

struct disk_usage {
    struct image_worker worker;
    struct measured *measured;
    size_t count;
    disk_usage_answer answer;
    const void *context;
};

static void usage_free(struct disk_usage *usage)
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
    struct disk_usage *usage = request->context;

    image_worker_lose_client(&usage->worker, true);
}

static uint64_t find_bytes(const struct disk_usage *usage, bool is_volume, const char *id)
{
    for (size_t i = 0; i < usage->count; i++) {
        if (usage->measured[i].is_volume == is_volume && strcmp(usage->measured[i].id, id) == 0)
            return usage->measured[i].bytes;
    }
    return 0;
}

uint64_t disk_usage_of_container(const struct disk_usage *usage, const char *id)
{
    return find_bytes(usage, false, id);
}

uint64_t disk_usage_of_volume(const struct disk_usage *usage, const char *name)
{
    return find_bytes(usage, true, name);
}

static void note(struct disk_usage *usage, const struct image_report *report)
{
    usage->measured = memory_resize(usage->measured, usage->count + 1, sizeof(*usage->measured));
    usage->measured[usage->count++] =
        (struct measured){.id = memory_strdup(report->id),
                          .is_volume = strcmp(report->status, REPORT_VOLUME) == 0,
                          .bytes = (uint64_t)report->total};
}

static void on_status(struct image_worker *worker, const struct image_report *report)
{
    struct disk_usage *usage = worker->context;
    struct json_writer *writer;

    if (report->id != NULL && report->total >= 0)
        note(usage, report);
    if (strcmp(report->status, REPORT_DONE) != 0)
        return;
    worker->has_result = true;
    if (worker->request == NULL)
        return;
    writer = usage->answer(worker->daemon, worker->request, usage, usage->context, &worker->err);
    if (writer != NULL)
        image_worker_respond(worker, 200, writer);
}

void disk_usage_measure(struct daemon *daemon, struct request *request, disk_usage_answer answer,
                        const void *context)
{
    struct disk_usage *usage = memory_new_one(struct disk_usage);
    const struct usage_job job = {0};
    struct error err = {0};

    usage->answer = answer;
    usage->context = context;
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

/* ---- GET /system/df ---- */

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

static void write_containers(struct json_writer *writer, const struct disk_usage *usage)
{
    struct daemon *daemon = usage->worker.daemon;

    json_key(writer, "Containers");
    json_array_open(writer);
    for (const struct managed_container *one = daemon->containers; one != NULL; one = one->next) {
        uint64_t changed = disk_usage_of_container(usage, one->definition.id);
        struct container_sizes sizes = {changed, changed};
        struct image *image;

        if (image_store_find(&daemon->images, one->definition.image_id, &image, NULL) == 0)
            sizes.root += image->size;
        container_write_summary(writer, one, &sizes);
    }
    json_array_close(writer);
}

static void write_volumes(struct json_writer *writer, const struct disk_usage *usage)
{
    const struct daemon *daemon = usage->worker.daemon;

    json_key(writer, "Volumes");
    json_array_open(writer);
    for (const struct volume *one = daemon->volumes.list; one != NULL; one = one->next)
        volume_write(writer, &daemon->volumes, one,
                     (int64_t)disk_usage_of_volume(usage, one->name));
    json_array_close(writer);
}

/* There is no build cache: its list is empty. */
static struct json_writer *answer(struct daemon *daemon, struct request *request,
                                  const struct disk_usage *usage, const void *context,
                                  struct error *err)
{
    struct json_writer *writer = json_writer_new(false);

    (void)request;
    (void)context;
    (void)err;
    json_object_open(writer);
    json_member_unsigned(writer, "LayersSize", image_store_layer_bytes(&daemon->images));
    write_images(writer, daemon);
    write_containers(writer, usage);
    write_volumes(writer, usage);
    json_key(writer, "BuildCache");
    json_array_open(writer);
    json_array_close(writer);
    json_object_close(writer);
    return writer;
}

void api_disk_usage(struct daemon *daemon, struct request *request, const struct route_match *match)
{
    (void)match;
    disk_usage_measure(daemon, request, answer, NULL);
}
