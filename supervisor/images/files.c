/* A container's files, by an image worker: what it has changed, and all of them as a tar. */
#include "download.h"
#include "images/image_job.h"
#include "supervisor/api/api.h"

static void answer_with(struct daemon *daemon, struct request *request, const char *reference,
                        enum spawner_worker command, const char *content_type)
{
    struct managed_container *container;
    struct container_job job = {0};
    struct error err = {0};

    if (container_find(daemon, reference, &container, &err) < 0) {
        respond_error(request, &err);
        return;
    }
    job.id = container->definition.id;
    job.layers = container->definition.layers;
    image_download(daemon, request,
                   &(struct download_order){.command = command,
                                            .job_type = &container_job_type,
                                            .job = &job,
                                            .content_type = content_type});
}

void api_container_changes(struct daemon *daemon, struct request *request,
                           const struct route_match *match)
{
    answer_with(daemon, request, match->name, WORKER_DIFF, "application/json");
}

void api_container_export(struct daemon *daemon, struct request *request,
                          const struct route_match *match)
{
    answer_with(daemon, request, match->name, WORKER_EXPORT, "application/x-tar");
}
