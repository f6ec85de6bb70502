/* A container's files: what it has changed, and all of them as a tar. See images.h. */
#include "job.h"
#include "supervisor/containers/container.h"

static int begin_listing(struct images *images, const char *reference, enum spawner_worker command,
                         struct job_client *client, struct image_job **job, struct error *err)
{
    struct managed_container *container;
    struct container_job parameters = {0};
    int result =
        container_find(images->containers, client->actor.tenant, reference, &container, err);

    if (result < 0)
        return result;
    parameters.id = container->definition->id;
    parameters.layers = container->definition->layers;
    return image_download(images,
                          &(struct download_order){.command = command,
                                                   .type = &container_job_type,
                                                   .parameters = &parameters,
                                                   .container_id = container->definition->id},
                          client, job, err);
}

int container_list_changes(struct images *images, const char *container, struct job_client *client,
                           struct image_job **job, struct error *err)
{
    return begin_listing(images, container, WORKER_DIFF, client, job, err);
}

int container_export(struct images *images, const char *container, struct job_client *client,
                     struct image_job **job, struct error *err)
{
    return begin_listing(images, container, WORKER_EXPORT, client, job, err);
}
