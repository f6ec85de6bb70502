/* An image worker that gets a request's body: an archive that becomes images. */
#ifndef DAVIT_SUPERVISOR_IMAGES_UPLOAD_H
#define DAVIT_SUPERVISOR_IMAGES_UPLOAD_H

#include "worker.h"

struct upload_order {
    enum spawner_worker command; /* reads the body from descriptor 3 */
    const struct json_struct *job_type;
    const void *job;
    void (*on_image)(struct image_worker *worker, const struct image_report *report,
                     const struct image *image, const char *full_name);
    /* NULL, or called when all is over, with the context. */
    void (*on_end)(struct daemon *daemon, void *context);
    void *context;
    int process_fd;     /* see worker.h */
    bool answers_empty; /* likewise */
};

/* Answers the request, now with an error or later. Its body streams. */
void image_upload(struct daemon *daemon, struct request *request, const struct upload_order *order);

#endif
