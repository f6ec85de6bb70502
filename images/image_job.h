/* Jobs of the image worker that need no registry: for each command the JSON object that davitd
 * writes to its standard input. */
#ifndef DAVIT_IMAGES_IMAGE_JOB_H
#define DAVIT_IMAGES_IMAGE_JOB_H

#include "images.h"
#include "trust.h"

#define IMAGE_JOB_MAX (256 << 10) /* bytes of the object */

struct load_job {
    struct trust_policy policy;
};

struct save_image {
    const char *digest; /* of the manifest */
    const char *media_type;
    struct string_list names; /* full, with tags; none is fine */
};

struct save_job {
    LIST_OF(struct save_image) images;
};

/* Makes an image of the base's layers, if there is a base, and one layer more. */
struct make_job {
    const char *name;      /* full, with tag; NULL: dangling */
    const char *base;      /* digest of a manifest; NULL: none */
    const char *container; /* its id, for commit */
    /* Everything but the layers' diff ids: the worker adds those of the base and of the new layer.
     */
    struct image_config config;
};

/* A container, and its image's layers (chain ids, from the bottom up). */
struct container_job {
    const char *id;
    struct string_list layers;
};

/* What is mounted into a container that does not run. */
struct copy_mount {
    const char *source; /* on the host */
    const char *destination;
    const char *subpath; /* or NULL */
    bool is_readonly;
};

/* A path in a container: to look at, to write as a tar, or to unpack a tar in. */
struct copy_job {
    struct container_job container;
    const char *path;
    const char *user;        /* whose the unpacked files become; NULL: as the tar says */
    bool is_running;         /* then descriptor 4 is the pidfd of its first process */
    bool has_user_namespace; /* counts only if it runs */
    bool is_root_readonly;   /* counts only if it does not run */
    bool keeps_kind;         /* a directory may not replace another file, nor a file a directory */
    /* Counts only if it does not run. */
    LIST_OF(struct copy_mount) mounts;
};

/* The packages of an image. */
struct sbom_job {
    const char *name;
    const char *digest;  /* of the manifest */
    const char *created; /* time of the document: RFC 3339 in UTC, without a fraction */
    struct string_list layers;
};

/* The bytes that all containers and volumes take. The job has no members. */
struct usage_job {
    bool unused;
};

extern const struct json_struct load_job_type;
extern const struct json_struct save_job_type;
extern const struct json_struct make_job_type;
extern const struct json_struct container_job_type;
extern const struct json_struct sbom_job_type;
extern const struct json_struct usage_job_type;
extern const struct json_struct copy_job_type;

#endif
