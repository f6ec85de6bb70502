/* What davitd writes to the standard input of `davit-image pull` and `push`: one JSON object. */
#ifndef DAVIT_IMAGES_REGISTRY_JOB_H
#define DAVIT_IMAGES_REGISTRY_JOB_H

#include "fetch_channel.h"
#include "images.h"
#include "trust.h"

struct pull_job {
    const char *name; /* "docker.io/library/busybox:1.36"; NULL if only a digest was asked for */
    const char *reference;          /* tag or digest */
    struct image_platform platform; /* architecture NULL: this machine's */
    const char *repository;         /* what the policy knows it by: "docker.io/library/busybox" */
    struct trust_policy policy;
    struct fetch_setup fetch;
};

struct push_job {
    const char *tag;
    const char *digest; /* of the manifest */
    const char *media_type;
    const char *layers; /* of the store, for the report */
    struct fetch_setup fetch;
};

extern const struct json_struct pull_job_type;
extern const struct json_struct push_job_type;

#endif
