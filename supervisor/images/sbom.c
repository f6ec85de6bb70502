/* GET /davit/v1/images/NAME/sbom: an image worker lists the packages of an image. */
#include <stdio.h>
#include <time.h>

#include "download.h"
#include "images/image_job.h"
#include "supervisor/api/api.h"

void api_image_sbom(struct daemon *daemon, struct request *request, const struct route_match *match)
{
    struct sbom_job job = {0};
    struct image *image = NULL;
    struct error err = {0};
    time_t now = time(NULL);
    char created[32];
    struct tm utc;

    if (image_store_find(&daemon->images, match->name, &image, &err) < 0) {
        respond_error(request, &err);
        return;
    }
    strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    job.name = image->name_count > 0 ? image->names[0] : image->id;
    job.digest = image->manifest_digest;
    job.created = created;
    job.layers = image->layers;
    image_download(daemon, request,
                   &(struct download_order){.command = WORKER_SBOM,
                                            .job_type = &sbom_job_type,
                                            .job = &job,
                                            .content_type = "application/spdx+json"});
}
