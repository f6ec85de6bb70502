/* What davitd writes to the standard input of `davit-image pull` and `push`: one JSON object. */
#ifndef DAVIT_IMAGES_REGISTRY_JOB_H
#define DAVIT_IMAGES_REGISTRY_JOB_H

#include "fetch_channel.h"
#include "images.h"
#include "trust.h"

struct pull_job {
    const char *name; /* "docker.io/library/busybox:1.36"; NULL if only a digest was asked for */
    const char *reference;          /* tag or digest; NULL: all tags, and no name above */
    struct image_platform platform; /* architecture NULL: this machine's */
    const char *repository;         /* what the policy knows it by: "docker.io/library/busybox" */
    struct trust_policy policy;
    struct fetch_setup fetch;
};

/* An image of the store, on its way up. */
struct push_image {
    const char *tag;    /* NULL: the registry shall know it by its digest alone */
    const char *digest; /* of the manifest */
    const char *media_type;
    const char *layers; /* chain ids for the index, which the report repeats */
};

struct push_job {
    LIST_OF(struct push_image) images;
    const char *index_tag; /* the tag of an index of all images, which push makes; NULL: none */
    struct fetch_setup fetch;
};

extern const struct json_struct pull_job_type;
extern const struct json_struct push_job_type;

#endif
