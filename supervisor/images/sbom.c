/* The packages of an image: see images.h. */
#include <time.h>

#include "job.h"

int image_list_packages(struct images *images, const char *name, struct job_client *client,
                        struct image_job **job, struct error *err)
{
    struct sbom_job parameters = {0};
    struct image *image = NULL;
    time_t now = time(NULL);
    char created[32];
    struct tm utc;
    int result = image_store_find(images->store, client->actor.tenant, name, &image, err);

    if (result < 0)
        return result;
    strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    parameters.name = image_name_of(image, client->actor.tenant);
    parameters.digest = image->manifest_digest;
    parameters.created = created;
    parameters.layers = image->layers;
    return image_download(images,
                          &(struct download_order){.command = WORKER_SBOM,
                                                   .type = &sbom_job_type,
                                                   .parameters = &parameters},
                          client, job, err);
}
