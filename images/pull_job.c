/* See pull_job.h. */
#include "pull_job.h"

static const struct json_field fields[] = {
    JSON_FIELD(struct pull_job, name, "name", JSON_KIND_STRING),
    JSON_FIELD(struct pull_job, reference, "reference", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct pull_job, platform, "platform", JSON_KIND_INLINE,
               .type = &image_platform_type),
    JSON_FIELD(struct pull_job, fetch, "fetch", JSON_KIND_INLINE, .type = &fetch_setup_type,
               .flags = JSON_REQUIRED),
};
const struct json_struct pull_job_type = JSON_STRUCT(struct pull_job, fields);
