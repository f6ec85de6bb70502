/* What containers and volumes take on the disk, counted by an image worker: see images.h. */
#include <stdlib.h>
#include <string.h>

#include "job.h"

struct measured {
    char *id;
    bool is_volume;
    uint64_t bytes;
};

struct disk_usage {
    struct image_job job;
    struct measured *measured;
    size_t count;
};

static void on_release(struct image_job *job)
{
    struct disk_usage *usage = (struct disk_usage *)(void *)job;

    image_job_close(job);
    for (size_t i = 0; i < usage->count; i++)
        free(usage->measured[i].id);
    free(usage->measured);
    free(usage);
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

uint64_t disk_usage_of_volume(const struct disk_usage *usage, const char *tenant, const char *name)
{
    cleanup_arena struct arena arena = {0};

    return find_bytes(usage, true, definition_volume_directory(&arena, tenant, name));
}

static void note(struct disk_usage *usage, const struct image_report *report)
{
    usage->measured = memory_resize(usage->measured, usage->count + 1, sizeof(*usage->measured));
    usage->measured[usage->count++] =
        (struct measured){.id = memory_strdup(report->id),
                          .is_volume = strcmp(report->status, REPORT_VOLUME) == 0,
                          .bytes = (uint64_t)report->total};
}

static void on_status(struct image_job *job, const struct image_report *report)
{
    if (report->id != NULL && report->total >= 0)
        note((struct disk_usage *)(void *)job, report);
    if (strcmp(report->status, REPORT_DONE) == 0)
        job->has_result = true;
}

int disk_usage_measure(struct images *images, struct job_client *client, struct disk_usage **usage,
                       struct image_job **job, struct error *err)
{
    struct disk_usage *made = memory_new_one(struct disk_usage);
    const struct usage_job parameters = {0};
    int result;

    made->job = (struct image_job){.images = images,
                                   .client = client,
                                   .actor = client->actor,
                                   .output_fd = -1,
                                   .on_status = on_status,
                                   .on_release = on_release};
    result = image_job_start(&made->job, WORKER_USAGE, &usage_job_type, &parameters, -1, err);
    if (result < 0) {
        on_release(&made->job);
        return result;
    }
    *usage = made;
    *job = &made->job;
    return 0;
}
