/* What davitd writes to the standard input of the image worker for work that needs no registry: one
 * JSON object, by command. */
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

/* An image of a base's layers (or none) and one more. */
struct make_job {
    const char *name;      /* full, with tag; NULL: dangling */
    const char *base;      /* digest of a manifest; NULL: none */
    const char *container; /* its id, for commit */
    /* All but the digests of layers, which are the base's and what the new one turns out to have.
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
    const char *user; /* whose the unpacked files become; NULL: as the tar says */
    bool is_running;  /* descriptor 4 is the pidfd of its first process; nothing below counts */
    bool has_user_namespace;
    bool is_root_readonly;
    bool keeps_kind; /* a directory does not replace another file, nor that a directory */
    LIST_OF(struct copy_mount) mounts;
};

/* The packages of an image. */
struct sbom_job {
    const char *name;
    const char *digest;  /* of the manifest */
    const char *created; /* when the document is: now, RFC 3339 in UTC without a fraction */
    struct string_list layers;
};

/* What all containers take: nothing needs to be said. */
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
