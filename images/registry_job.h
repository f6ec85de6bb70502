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

/* What is asked of a registry without an image of the store: inquiry.c. */
enum inquiry_kind {
    INQUIRY_LOGIN = 1, /* whether the credentials are taken */
    INQUIRY_SEARCH,    /* repositories by a word of their name or description */
    INQUIRY_MANIFEST,  /* a manifest or index, and the platforms that it is for */
    INQUIRY_INDEX,     /* puts an index there */
};

/* A manifest that an index names and that lies in another repository of its registry. */
struct inquiry_source {
    const char *repository;
    const char *digest;
};

struct inquiry_job {
    int kind;              /* enum inquiry_kind */
    const char *reference; /* tag or digest; of a search: the word */
    int32_t limit;         /* how many a search finds at most */
    bool has_raw;          /* the manifest itself, besides what it is */
    const char *document;  /* an index that is put */
    const char *media_type;
    LIST_OF(struct inquiry_source) sources;
    struct fetch_setup fetch;
};

extern const struct json_struct inquiry_job_type;
extern const struct json_struct pull_job_type;
extern const struct json_struct push_job_type;

#endif
