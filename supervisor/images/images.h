/*
 * Work on images and on files of containers, by image workers (images/davit-image.c): pull, push,
 * load, import, commit, save, copy and so on. Each is a job that somebody asks for: it tells of its
 * progress, of images that have come, and of its end. What a worker reports comes from bytes of
 * strangers and is checked. One thread.
 */
#ifndef DAVIT_SUPERVISOR_IMAGES_IMAGES_H
#define DAVIT_SUPERVISOR_IMAGES_IMAGES_H

#include "base/actor.h"
#include "images/images.h"
#include "images/registry_job.h"
#include "images/report.h"
#include "registries.h"
#include "supervisor/containers/containers.h"

/* To be set before anything else. */
struct images {
    sd_event *loop;
    struct spawner *spawner;
    struct event_bus *events;
    const struct places *places;
    struct trash *trash;
    struct image_store *store;
    struct containers *containers;
    const struct registries *registries;
    const char *policy;         /* a file, see davit-policy.json(5); NULL: everything is accepted */
    unsigned int inquiry_count; /* under way */
};

struct image_job;

/* Who has asked for a job: a member of its own struct. All but `ended` may be NULL. It is told of
 * nothing before the call that has begun the job returns. */
struct job_client {
    struct actor actor;
    /* Something is under way: see images/report.h. */
    void (*progress)(struct job_client *client, const struct image_report *report);
    /* An image has come, or has been pushed. `full_name` is the one it has got; NULL: none. */
    void (*image)(struct job_client *client, const struct image_report *report,
                  const struct image *image, const char *full_name);
    /* Bytes of what is downloaded. False: there is no room for more until image_job_resume(). */
    bool (*bytes)(struct job_client *client, const void *bytes, size_t length);
    /* What was uploaded has been taken: there is room for more. */
    void (*taken)(struct job_client *client);
    /* The last call: it is over. `err` is NULL if all has been done. */
    void (*ended)(struct job_client *client, const struct error *err);
};

/* The client of a job has gone: it is not told of anything any more. The work of one that changes
 * something for good is finished all the same; any other is ended. */
void image_job_abandon(struct image_job *job);

/* The client of a download has room again. */
void image_job_resume(struct image_job *job);

/* Gives an upload bytes of its body; length 0 is the end. It takes all of them. False: give it no
 * more until the client's `taken` is called. */
bool image_job_feed(struct image_job *job, const char *bytes, size_t length);

/* Moves blobs and layers that no image and no container needs to the trash. If the store cannot
 * tell what is needed, it moves nothing and logs that. collect.c */
void images_collect(struct images *images);

/* Publishes an event of type "image". */
void image_event(struct images *images, const char *action, const char *id, const char *name);

/* Registries: pull.c, push.c */

struct pull_order {
    const char *name;     /* as people write it */
    const char *tag;      /* a tag or a digest, behind the name; NULL: the name says it */
    const char *platform; /* "linux/arm64/v8"; NULL or "": the host's */
    const char *auth;     /* X-Registry-Auth, see registry_auth.h; NULL: none */
};

/* What a pull fetches, for messages to people. */
struct pull_subject {
    struct image_reference reference;
    const char *wanted;         /* tag or digest; NULL: all tags */
    char previous[DIGEST_SIZE]; /* the image that had the name before; "": none */
};

/* Pulls an image; all tags if neither `name` nor `tag` has one. Events "pull" tell what has
 * come. */
int image_pull(struct images *images, const struct pull_order *order, struct job_client *client,
               struct pull_subject *subject, struct image_job **job, struct error *err);

struct push_order {
    const char *name;
    const char *tag; /* NULL: the name says it, or it is all tags */
    const char *auth;
    /* The images of an index that is pushed under the tag; none: images themselves. */
    struct string_list members;
    bool is_index;
};

/* Pushes images. `reference` and `count` say what is pushed, for messages to people. */
int image_push(struct images *images, const struct push_order *order, struct job_client *client,
               struct image_reference *reference, size_t *count, struct image_job **job,
               struct error *err);

/* Asks a registry without an image of the store: inquiry.c. The answer is a document, which the
 * client's `progress` gets. */

struct inquiry_order {
    enum inquiry_kind kind;
    const char *name; /* of the image, or an index that is put; of a search: the word, perhaps
                       * behind a registry; of a login: the registry, NULL being Docker's */
    const char *auth; /* X-Registry-Auth */
    const struct fetch_credentials *credentials; /* of a login */
    int32_t limit;                               /* see struct inquiry_job, as all below */
    bool has_raw;
    const char *document;
    const char *media_type;
    struct string_list sources; /* images with digests, of the same registry */
};

int image_inquire(struct images *images, const struct inquiry_order *order,
                  struct job_client *client, struct image_job **job, struct error *err);

/* Uploads: load.c, make.c */

/* An archive of images becomes images. Events "load" tell which. */
int image_load(struct images *images, struct job_client *client, struct image_job **job,
               struct error *err);

/* What makes an image from something else. The arena is the caller's, for the call. */
struct make_order {
    struct arena *arena;
    const char *repository; /* of the name that it gets; NULL or "": none */
    const char *tag;
    const char *author;
    const char *comment;
    struct string_list changes; /* instructions, see changes.h */
    const char *config;         /* of commits: a Config in Docker's words; "" or NULL: no change */
    size_t config_length;
    bool pauses; /* commits: hold the container meanwhile */
};

/* An archive of files becomes an image of one layer. */
int image_import(struct images *images, const struct make_order *order, struct job_client *client,
                 struct image_job **job, struct error *err);

/* What a container has changed becomes a layer above those of its image. */
int image_commit(struct images *images, const char *container, const struct make_order *order,
                 struct job_client *client, struct image_job **job, struct error *err);

/* Downloads: save.c, sbom.c, files.c */

/* Images as an archive. As docker does it: "busybox:1" is saved under that name, a bare "busybox"
 * is every image of the repository, and one that is named by its id is saved without a name. */
int image_save(struct images *images, const char *const *names, size_t count,
               struct job_client *client, struct image_job **job, struct error *err);

/* The packages of an image, as SPDX. */
int image_list_packages(struct images *images, const char *name, struct job_client *client,
                        struct image_job **job, struct error *err);

/* What a container has changed in its image's files, as Docker's list; all of its files, as a tar.
 */
int container_list_changes(struct images *images, const char *container, struct job_client *client,
                           struct image_job **job, struct error *err);
int container_export(struct images *images, const char *container, struct job_client *client,
                     struct image_job **job, struct error *err);

/* Files into and out of containers: copy.c */

struct copy_order {
    const char *container;
    const char *path;
    bool keeps_kind; /* into: a directory does not replace a file, nor a file a directory */
    bool keeps_user; /* into: new files belong to the container's user */
};

/* Tells of the path, as a report of REPORT_PATH. */
int container_stat_path(struct images *images, const struct copy_order *order,
                        struct job_client *client, struct image_job **job, struct error *err);

/* Tells of the path, then its content as a tar. */
int container_copy_out(struct images *images, const struct copy_order *order,
                       struct job_client *client, struct image_job **job, struct error *err);

/* Unpacks a tar below the path. A container that does not run cannot be started meanwhile, and
 * takes no second copy (ERROR_CONFLICT). */
int container_copy_in(struct images *images, const struct copy_order *order,
                      struct job_client *client, struct image_job **job, struct error *err);

/* What containers and volumes take on the disk: usage.c */

struct disk_usage;

/* Counts, which takes long. The client's `ended` may read *usage, which is freed when it
 * returns. */
int disk_usage_measure(struct images *images, struct job_client *client, struct disk_usage **usage,
                       struct image_job **job, struct error *err);

/* Bytes of what the container has changed, and of a volume; 0: not counted. */
uint64_t disk_usage_of_container(const struct disk_usage *usage, const char *id);
uint64_t disk_usage_of_volume(const struct disk_usage *usage, const char *tenant, const char *name);

#endif
