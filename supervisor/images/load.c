/* POST /images/load: the request's body goes to an image worker. */
#include <stdio.h>

#include "images/image_job.h"
#include "supervisor/api/api.h"
#include "upload.h"

static void on_image(struct image_worker *worker, const struct image_report *report,
                     const struct image *image, const char *full_name)
{
    char text[640];
    char name[512];

    (void)report;
    if (full_name == NULL) {
        snprintf(text, sizeof(text), "Loaded image ID: %s\n", image->id);
    } else {
        image_reference_familiar(full_name, name, sizeof(name));
        snprintf(text, sizeof(text), "Loaded image: %s\n", name);
        image_event(worker->daemon, "load", image->id, name);
    }
    image_worker_say_stream(worker, text);
}

void api_images_load(struct daemon *daemon, struct request *request,
                     const struct route_match *match)
{
    struct load_job job = {0};
    struct error err = {0};

    (void)match;
    if (trust_read(daemon->options.policy, &request->arena, &job.policy, &err) < 0) {
        respond_error(request, &err);
        return;
    }
    image_upload(
        daemon, request,
        &(struct upload_order){
            .command = WORKER_LOAD, .job_type = &load_job_type, .job = &job, .on_image = on_image});
}
