/* An archive of images becomes images: see images.h. */

#include "images/trust.h"
#include "job.h"

static void on_image(struct image_job *job, const struct image_report *report,
                     const struct image *image, const char *full_name)
{
    char name[512];

    (void)report;
    if (full_name == NULL)
        return;
    image_reference_familiar(full_name, name, sizeof(name));
    image_event(job->images, "load", image->id, name);
}

int image_load(struct images *images, struct job_client *client, struct image_job **job,
               struct error *err)
{
    cleanup_arena struct arena arena = {0};
    struct load_job parameters = {0};
    int result = trust_read(images->policy, &arena, &parameters.policy, err);

    return result < 0 ? result
                      : image_upload(images,
                                     &(struct upload_order){.command = WORKER_LOAD,
                                                            .type = &load_job_type,
                                                            .parameters = &parameters,
                                                            .makes_images = true,
                                                            .on_image = on_image},
                                     client, job, err);
}
