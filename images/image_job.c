/* See image_job.h. */
#include "image_job.h"

static const struct json_field load_fields[] = {
    JSON_FIELD(struct load_job, policy, "policy", JSON_KIND_INLINE, .type = &trust_policy_type,
               .flags = JSON_REQUIRED),
};
const struct json_struct load_job_type = JSON_STRUCT(struct load_job, load_fields);

static const struct json_field save_image_fields[] = {
    JSON_FIELD(struct save_image, digest, "digest", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct save_image, media_type, "media_type", JSON_KIND_STRING,
               .flags = JSON_REQUIRED),
    JSON_FIELD(struct save_image, names, "names", JSON_KIND_STRINGS),
};
static const struct json_struct save_image_type = JSON_STRUCT(struct save_image, save_image_fields);

static const struct json_field save_fields[] = {
    JSON_FIELD(struct save_job, images, "images", JSON_KIND_STRUCTS, .type = &save_image_type,
               .flags = JSON_REQUIRED),
};
const struct json_struct save_job_type = JSON_STRUCT(struct save_job, save_fields);

static const struct json_field make_fields[] = {
    JSON_FIELD(struct make_job, name, "name", JSON_KIND_STRING),
    JSON_FIELD(struct make_job, base, "base", JSON_KIND_STRING),
    JSON_FIELD(struct make_job, container, "container", JSON_KIND_STRING),
    JSON_FIELD(struct make_job, config, "config", JSON_KIND_INLINE, .type = &image_config_type,
               .flags = JSON_REQUIRED),
};
const struct json_struct make_job_type = JSON_STRUCT(struct make_job, make_fields);

static const struct json_field container_fields[] = {
    JSON_FIELD(struct container_job, id, "id", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct container_job, layers, "layers", JSON_KIND_STRINGS, .flags = JSON_REQUIRED),
};
const struct json_struct container_job_type = JSON_STRUCT(struct container_job, container_fields);

static const struct json_field sbom_fields[] = {
    JSON_FIELD(struct sbom_job, name, "name", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct sbom_job, digest, "digest", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct sbom_job, created, "created", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct sbom_job, layers, "layers", JSON_KIND_STRINGS, .flags = JSON_REQUIRED),
};
const struct json_struct sbom_job_type = JSON_STRUCT(struct sbom_job, sbom_fields);

const struct json_struct usage_job_type = {.size = sizeof(struct usage_job)};

static const struct json_field copy_mount_fields[] = {
    JSON_FIELD(struct copy_mount, source, "source", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct copy_mount, destination, "destination", JSON_KIND_STRING,
               .flags = JSON_REQUIRED),
    JSON_FIELD(struct copy_mount, subpath, "subpath", JSON_KIND_STRING),
    JSON_FIELD(struct copy_mount, is_readonly, "is_readonly", JSON_KIND_BOOL),
};
static const struct json_struct copy_mount_type = JSON_STRUCT(struct copy_mount, copy_mount_fields);

static const struct json_field copy_fields[] = {
    JSON_FIELD(struct copy_job, container, "container", JSON_KIND_INLINE,
               .type = &container_job_type, .flags = JSON_REQUIRED),
    JSON_FIELD(struct copy_job, path, "path", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct copy_job, user, "user", JSON_KIND_STRING),
    JSON_FIELD(struct copy_job, is_running, "is_running", JSON_KIND_BOOL),
    JSON_FIELD(struct copy_job, has_user_namespace, "has_user_namespace", JSON_KIND_BOOL),
    JSON_FIELD(struct copy_job, is_root_readonly, "is_root_readonly", JSON_KIND_BOOL),
    JSON_FIELD(struct copy_job, keeps_kind, "keeps_kind", JSON_KIND_BOOL),
    JSON_FIELD(struct copy_job, mounts, "mounts", JSON_KIND_STRUCTS, .type = &copy_mount_type),
};
const struct json_struct copy_job_type = JSON_STRUCT(struct copy_job, copy_fields);
