/* A pull under way, as the files about it share it. */
#ifndef DAVIT_IMAGES_WORKER_PULL_H
#define DAVIT_IMAGES_WORKER_PULL_H

#include "worker.h"

#define PARALLEL_LAYERS 3

/* A layer on its way. */
struct layer_job {
    int32_t id; /* of the request; 0: free */
    size_t layer;
    struct child receiver;
    bool is_fetch_over;   /* the fetch worker has sent its last answer */
    struct error failure; /* of the fetch worker, which knows why the pipe ended */
};

struct pull {
    int store_fd;
    int channel_fd;
    int out_fd;
    const struct pull_job *job;
    const struct worker_limits *limits;
    struct error *err;
    int32_t last_id;
    const char *reference; /* the tag or digest under way */
    struct image_manifest manifest;
    struct image_config config;
    struct string_list chain_ids;
    struct layer_job jobs[PARALLEL_LAYERS];
    struct layer_unpack **unpacks; /* of the manifest's layers; NULL: none */
    struct arena arena;
};

/* Fetches something small as a whole; nothing else is under way. */
int pull_fetch(struct pull *pull, struct fetch_request *request, struct buffer *content);

/* While *text is an index, replaces it by the document that the index names for the wanted
 * platform. *digest becomes that document's. */
int pull_follow_indexes(struct pull *pull, const char **text, size_t *length, char *digest);

int pull_get_config(struct pull *pull);

/* Gets the document that pull->reference names. If that is a digest, the document is checked
 * against it; what a tag stands for is the registry's to say. */
int pull_get_named_document(struct pull *pull, const char **text, size_t *length,
                            char digest[DIGEST_SIZE]);

/* Applies the policy, before anything of the image but its manifest is fetched. A signature of the
 * index that led to the manifest counts for the image. */
int pull_check_trust(struct pull *pull, const struct image_report *report);

#endif
