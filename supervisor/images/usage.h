/* What containers and volumes take on the disk. Counting is an image worker's, as it takes long. */
#ifndef DAVIT_SUPERVISOR_IMAGES_USAGE_H
#define DAVIT_SUPERVISOR_IMAGES_USAGE_H

#include "supervisor/daemon.h"

struct disk_usage;

/* The answer to the request, which the caller frees, or NULL after a failure. */
typedef struct json_writer *(*disk_usage_answer)(struct daemon *daemon, struct request *request,
                                                 const struct disk_usage *usage,
                                                 const void *context, struct error *err);

/* Counts and answers the request, unless the client goes away meanwhile. */
void disk_usage_measure(struct daemon *daemon, struct request *request, disk_usage_answer answer,
                        const void *context);

/* Bytes of what the container has changed, by id, and of a volume, by name; 0: not counted. */
uint64_t disk_usage_of_container(const struct disk_usage *usage, const char *id);
uint64_t disk_usage_of_volume(const struct disk_usage *usage, const char *name);

#endif
