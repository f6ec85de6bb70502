/*
 * An image worker under way and the request that it works for: what it reports becomes names in the
 * store and progress for the client, in Docker's form (JSON objects, one a line).
 */
#ifndef DAVIT_SUPERVISOR_IMAGES_WORKER_H
#define DAVIT_SUPERVISOR_IMAGES_WORKER_H

#include "images/report.h"
#include "supervisor/daemon.h"
#include "supervisor/spawn/spawner.h"

struct image_worker {
    struct daemon *daemon;
    struct request *request; /* NULL once the client has gone */
    void *context;           /* the owner's */
    /* The repository that a pull's digest belongs to: "docker.io/library/busybox". NULL: a load's.
     */
    const char *repository;
    void (*on_status)(struct image_worker *worker, const struct image_report *report);
    /* An image has got the name (NULL: none). */
    void (*on_image)(struct image_worker *worker, const struct image_report *report,
                     const struct image *image, const char *full_name);
    /* The last call, after the client has its answer: releases what the owner has, and the worker.
     */
    void (*on_end)(struct image_worker *worker);

    int process_fd; /* descriptor 4 of workers that have one; the owner's; 0: none */
    int output_fd;
    sd_event_source *output;
    struct buffer report;
    bool has_answered;
    bool is_download;   /* the response is no report: an error cuts it off, see download.h */
    bool answers_empty; /* 200 without a body, when it has finished */
    bool has_result;    /* it has reported an image, or that it has finished */
    struct error err;
};

/* A pipe for the worker's report is made and watched: returns its writing end, for the spawner. */
int image_worker_begin(struct image_worker *worker, struct error *err);

/* Starts a worker and gives it the job on its standard input and `fd` as descriptor 3 (-1: none),
 * which stays the caller's. */
int image_worker_start(struct image_worker *worker, enum spawner_worker command,
                       const struct json_struct *job_type, const void *job, int fd,
                       struct error *err);

/* The same for a registry: with a fetch worker at the other end of descriptor 3. */
int image_worker_start_with_fetch(struct image_worker *worker, enum spawner_worker command,
                                  const struct json_struct *job_type, const void *job,
                                  struct error *err);

/* Once the worker runs: until it ends nothing is collected from the store. */
void image_worker_runs(struct image_worker *worker);

/* Releases what image_worker_begin() made. */
void image_worker_release(struct image_worker *worker);

/* The client has gone: `is_cancelled` closes the report, which ends a worker that looks at it. */
void image_worker_lose_client(struct image_worker *worker, bool is_cancelled);

/* Sends the client an object, which is freed. */
void image_worker_say(struct image_worker *worker, struct json_writer *writer);

/* The one answer of a worker that has no progress to show. Frees the writer. */
void image_worker_respond(struct image_worker *worker, int status, struct json_writer *writer);

/* {"stream": TEXT} or {"status": TEXT, "id": ID}; ID may be NULL. */
void image_worker_say_stream(struct image_worker *worker, const char *text);
void image_worker_say_status(struct image_worker *worker, const char *text, const char *id);

/* A report's progress, with a bar in Docker's form where it has numbers. */
void image_worker_say_progress(struct image_worker *worker, const struct image_report *report);

#endif
