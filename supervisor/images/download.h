/*
 * An image worker whose output is a response's body: an archive, a list. It comes through a pipe,
 * as fast as the client takes it; that it is complete, or why not, is in the worker's report.
 */
#ifndef DAVIT_SUPERVISOR_IMAGES_DOWNLOAD_H
#define DAVIT_SUPERVISOR_IMAGES_DOWNLOAD_H

#include "worker.h"

struct download_order {
    enum spawner_worker command; /* writes the body to descriptor 3 */
    const struct json_struct *job_type;
    const void *job;
    const char *content_type;
    /* The worker first reports a path, which becomes the header X-Docker-Container-Path-Stat. */
    bool has_path_stat;
    int process_fd; /* see worker.h */
};

/* Sets the header of a request by a report that is of a path. */
void set_path_stat(struct request *request, const struct image_report *report);

/* Answers the request, now with an error or later. */
void image_download(struct daemon *daemon, struct request *request,
                    const struct download_order *order);

#endif
