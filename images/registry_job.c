/* See registry_job.h. */
#include "registry_job.h"

static const struct json_field pull_fields[] = {
    JSON_FIELD(struct pull_job, name, "name", JSON_KIND_STRING),
    JSON_FIELD(struct pull_job, reference, "reference", JSON_KIND_STRING),
    JSON_FIELD(struct pull_job, platform, "platform", JSON_KIND_INLINE,
               .type = &image_platform_type),
    JSON_FIELD(struct pull_job, repository, "repository", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct pull_job, policy, "policy", JSON_KIND_INLINE, .type = &trust_policy_type,
               .flags = JSON_REQUIRED),
    JSON_FIELD(struct pull_job, fetch, "fetch", JSON_KIND_INLINE, .type = &fetch_setup_type,
               .flags = JSON_REQUIRED),
};
const struct json_struct pull_job_type = JSON_STRUCT(struct pull_job, pull_fields);

static const struct json_field push_image_fields[] = {
    JSON_FIELD(struct push_image, tag, "tag", JSON_KIND_STRING),
    JSON_FIELD(struct push_image, digest, "digest", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct push_image, media_type, "media_type", JSON_KIND_STRING,
               .flags = JSON_REQUIRED),
    JSON_FIELD(struct push_image, layers, "layers", JSON_KIND_STRING),
};
static const struct json_struct push_image_type = JSON_STRUCT(struct push_image, push_image_fields);

static const struct json_field push_fields[] = {
    JSON_FIELD(struct push_job, images, "images", JSON_KIND_STRUCTS, .type = &push_image_type,
               .flags = JSON_REQUIRED),
    JSON_FIELD(struct push_job, index_tag, "index_tag", JSON_KIND_STRING),
    JSON_FIELD(struct push_job, fetch, "fetch", JSON_KIND_INLINE, .type = &fetch_setup_type,
               .flags = JSON_REQUIRED),
};
const struct json_struct push_job_type = JSON_STRUCT(struct push_job, push_fields);

static const char *const inquiry_kinds[] = {NULL, "login", "search", "manifest", "index", NULL};

static const struct json_field source_fields[] = {
    JSON_FIELD(struct inquiry_source, repository, "repository", JSON_KIND_STRING,
               .flags = JSON_REQUIRED),
    JSON_FIELD(struct inquiry_source, digest, "digest", JSON_KIND_STRING, .flags = JSON_REQUIRED),
};
static const struct json_struct source_type = JSON_STRUCT(struct inquiry_source, source_fields);

static const struct json_field inquiry_fields[] = {
    JSON_FIELD(struct inquiry_job, kind, "kind", JSON_KIND_ENUM, .flags = JSON_REQUIRED,
               .names = inquiry_kinds),
    JSON_FIELD(struct inquiry_job, reference, "reference", JSON_KIND_STRING),
    JSON_FIELD(struct inquiry_job, limit, "limit", JSON_KIND_INT32),
    JSON_FIELD(struct inquiry_job, has_raw, "has_raw", JSON_KIND_BOOL),
    JSON_FIELD(struct inquiry_job, document, "document", JSON_KIND_STRING),
    JSON_FIELD(struct inquiry_job, media_type, "media_type", JSON_KIND_STRING),
    JSON_FIELD(struct inquiry_job, sources, "sources", JSON_KIND_STRUCTS, .type = &source_type),
    JSON_FIELD(struct inquiry_job, fetch, "fetch", JSON_KIND_INLINE, .type = &fetch_setup_type,
               .flags = JSON_REQUIRED),
};
const struct json_struct inquiry_job_type = JSON_STRUCT(struct inquiry_job, inquiry_fields);
