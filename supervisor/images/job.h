/*
 * Jobs as the files of this room make them: an image worker at work, and whom it works for.
 */
#ifndef DAVIT_SUPERVISOR_IMAGES_JOB_H
#define DAVIT_SUPERVISOR_IMAGES_JOB_H

#include "base/buffer.h"
#include "base/identifier.h"
#include "images.h"
#include "images/image_job.h"

/* A member, the first, of the struct of each kind of job. */
struct image_job {
    struct images *images;
    struct job_client *client; /* NULL once it has gone */
    struct actor actor;        /* who asked */
    /* The repository that a pull's digest belongs to: "docker.io/library/busybox". NULL: a load's.
     */
    const char *repository;
    bool outlives_client; /* the work is finished when the client has gone */
    /* Whose files it reads or writes; "": nobody's. What a container's removal has cut short is no
     * result: the trash takes files away under the worker. */
    char container_id[IDENTIFIER_SIZE];
    /* Functions of the kind; all but the last may be NULL. `on_status` NULL: the client's
     * `progress` is called. */
    void (*on_status)(struct image_job *job, const struct image_report *report);
    void (*on_image)(struct image_job *job, const struct image_report *report,
                     const struct image *image, const char *full_name);
    /* `on_resume`: a download's client has room again. `on_abandon`: an upload's client has
     * gone. */
    void (*on_resume)(struct image_job *job);
    void (*on_abandon)(struct image_job *job);
    bool (*on_feed)(struct image_job *job, const char *bytes, size_t length);
    /* The last: releases what the kind has, and the job. */
    void (*on_release)(struct image_job *job);

    int process_fd; /* descriptor 4 of the worker; 0: none; not closed with the job */
    int output_fd;
    sd_event_source *output;
    struct buffer report;
    bool has_result; /* it has reported an image, or that it has finished */
    struct error err;
};

/* Starts a worker and gives it the parameters on its standard input and `fd` as descriptor 3 (-1:
 * none), which stays the caller's. */
int image_job_start(struct image_job *job, enum spawner_worker command,
                    const struct json_struct *type, const void *parameters, int fd,
                    struct error *err);

/* The same for a registry: with a fetch worker at the other end of descriptor 3. */
int image_job_start_with_fetch(struct image_job *job, enum spawner_worker command,
                               const struct json_struct *type, const void *parameters,
                               struct error *err);

/* Notes whose files the job is about; NULL: nobody's. */
void image_job_note_container(struct image_job *job, const char *id);

/* Tells the client of a report that is progress. */
void image_job_progress(struct image_job *job, const struct image_report *report);

/* Releases what image_job_start() has made, also when that has failed. */
void image_job_close(struct image_job *job);

/* Jobs whose output is bytes for the client: download.c */

struct download_order {
    enum spawner_worker command; /* writes the body to descriptor 3 */
    const struct json_struct *type;
    const void *parameters;
    const char *container_id; /* NULL: of no container */
    bool has_path_stat;       /* the worker first reports a path, then its content */
    int process_fd;           /* see struct image_job */
};

int image_download(struct images *images, const struct download_order *order,
                   struct job_client *client, struct image_job **job, struct error *err);

/* Jobs that get bytes from the client: upload.c */

struct upload_order {
    enum spawner_worker command; /* reads the body from descriptor 3 */
    const struct json_struct *type;
    const void *parameters;
    const char *container_id; /* NULL: of no container */
    bool makes_images;        /* or else its last report says that it is done */
    void (*on_image)(struct image_job *job, const struct image_report *report,
                     const struct image *image, const char *full_name);
    /* NULL, or called when all is over, with the context. */
    void (*on_end)(struct images *images, void *context);
    void *context;
    int process_fd; /* see struct image_job */
};

int image_upload(struct images *images, const struct upload_order *order, struct job_client *client,
                 struct image_job **job, struct error *err);

#endif
