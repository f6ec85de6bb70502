/* What the image worker reports: a JSON object a line. A line is progress or one of the statuses
 * below (status), an image (digest) or, as the last, an error. */
#ifndef DAVIT_IMAGES_REPORT_H
#define DAVIT_IMAGES_REPORT_H

#include "base/json_table.h"

/* The status of the last line of a worker that makes no image: all is done. */
#define REPORT_DONE "done"
/* `total` bytes are what the container `id` has changed. */
#define REPORT_CONTAINER "container"
/* `path_stat` is of the path that was asked for. */
#define REPORT_PATH "path"
/* `document` is what was asked of a registry. */
#define REPORT_DOCUMENT "document"
/* `total` bytes are in the volume `id`. */
#define REPORT_VOLUME "volume"

struct image_report {
    struct string_list names; /* as the archive says them; checked by the reader */
    const char *digest;       /* of the manifest */
    const char *media_type;   /* of the manifest */
    const char *repo_digest;  /* what the registry calls it: the manifest or an index */
    int64_t size;
    const char *layers;    /* chain ids, for the index */
    const char *status;    /* in Docker's words, of the layer `id` or of all */
    const char *id;        /* of a layer, container or volume; of a pushed image: its tag */
    int64_t current;       /* bytes */
    int64_t total;         /* bytes; of a pushed image: the size of its manifest or index */
    const char *path_stat; /* of a path in a container: Docker's ContainerPathStat, as JSON */
    const char *document;  /* what was asked of a registry, as JSON */
    const char *error;     /* a failure's message */
    const char *code;      /* error_code_name() */
};

extern const struct json_struct image_report_type;

#endif
