/*
 * An image worker whose output is a response's body: an archive, a list. It comes through a pipe,
 * as fast as the client takes it; that it is complete, or why not, is in the worker's report.
 */
#ifndef DAVIT_SUPERVISOR_IMAGE_DOWNLOAD_H
#define DAVIT_SUPERVISOR_IMAGE_DOWNLOAD_H

#include "image_worker.h"

struct download_order {
    enum spawner_worker command; /* writes the body to descriptor 3 */
    const struct json_struct *job_type;
    const void *job;
    const char *content_type;
};

/* Answers the request, now with an error or later. */
void image_download(struct daemon *daemon, struct request *request,
                    const struct download_order *order);

#endif
