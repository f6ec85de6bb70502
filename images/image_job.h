/* What davitd writes to the standard input of the image worker for work that needs no registry: one
 * JSON object, by command. */
#ifndef DAVIT_IMAGES_IMAGE_JOB_H
#define DAVIT_IMAGES_IMAGE_JOB_H

#include "images.h"

struct save_image {
    const char *digest; /* of the manifest */
    const char *media_type;
    struct string_list names; /* full, with tags; none is fine */
};

struct save_job {
    LIST_OF(struct save_image) images;
};

extern const struct json_struct save_job_type;

#endif
