/* The image configuration: see image_config.h. */
#include "image_config.h"

#include <errno.h>
#include <string.h>

#include "base/identifier.h"

#define FIELD JSON_FIELD

static const struct json_field process_fields[] = {
    FIELD(struct image_process, user, "User", JSON_KIND_STRING),
    FIELD(struct image_process, exposed_ports, "ExposedPorts", JSON_KIND_JSON),
    FIELD(struct image_process, env, "Env", JSON_KIND_STRINGS),
    FIELD(struct image_process, entrypoint, "Entrypoint", JSON_KIND_STRINGS),
    FIELD(struct image_process, cmd, "Cmd", JSON_KIND_STRINGS),
    FIELD(struct image_process, volumes, "Volumes", JSON_KIND_JSON),
    FIELD(struct image_process, working_dir, "WorkingDir", JSON_KIND_STRING),
    FIELD(struct image_process, labels, "Labels", JSON_KIND_STRING_MAP),
    FIELD(struct image_process, stop_signal, "StopSignal", JSON_KIND_STRING),
    FIELD(struct image_process, healthcheck, "Healthcheck", JSON_KIND_JSON),
};
const struct json_struct image_process_type = JSON_STRUCT(struct image_process, process_fields);

static const struct json_field rootfs_fields[] = {
    FIELD(struct image_rootfs, type, "type", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct image_rootfs, diff_ids, "diff_ids", JSON_KIND_STRINGS, .flags = JSON_ALWAYS),
};
static const struct json_struct rootfs_type = JSON_STRUCT(struct image_rootfs, rootfs_fields);

static const struct json_field history_fields[] = {
    FIELD(struct image_history, created, "created", JSON_KIND_STRING),
    FIELD(struct image_history, created_by, "created_by", JSON_KIND_STRING),
    FIELD(struct image_history, author, "author", JSON_KIND_STRING),
    FIELD(struct image_history, comment, "comment", JSON_KIND_STRING),
    FIELD(struct image_history, is_empty_layer, "empty_layer", JSON_KIND_BOOL),
};
static const struct json_struct history_type = JSON_STRUCT(struct image_history, history_fields);

static const struct json_field config_fields[] = {
    FIELD(struct image_config, created, "created", JSON_KIND_STRING),
    FIELD(struct image_config, author, "author", JSON_KIND_STRING),
    FIELD(struct image_config, architecture, "architecture", JSON_KIND_STRING,
          .flags = JSON_REQUIRED),
    FIELD(struct image_config, variant, "variant", JSON_KIND_STRING),
    FIELD(struct image_config, os, "os", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct image_config, comment, "comment", JSON_KIND_STRING),
    FIELD(struct image_config, config, "config", JSON_KIND_INLINE, .type = &image_process_type),
    FIELD(struct image_config, rootfs, "rootfs", JSON_KIND_INLINE, .type = &rootfs_type,
          .flags = JSON_REQUIRED),
    FIELD(struct image_config, history, "history", JSON_KIND_STRUCTS, .type = &history_type),
};
const struct json_struct image_config_type = JSON_STRUCT(struct image_config, config_fields);

bool digest_is_valid(const char *digest)
{
    static const char prefix[] = "sha256:";

    return strncmp(digest, prefix, sizeof(prefix) - 1) == 0 &&
           identifier_is_valid(digest + sizeof(prefix) - 1);
}

int image_config_parse(struct arena *arena, const char *text, size_t length,
                       struct image_config *config, struct error *err)
{
    int result = json_decode_text(arena, text, length, &image_config_type, config, err);

    if (result < 0)
        return result;
    if (strcmp(config->os, "linux") != 0)
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP, "os: \"%.64s\" is not linux", config->os);
    if (strcmp(config->rootfs.type, "layers") != 0)
        return error_set(err, ERROR_INVALID, EINVAL, "rootfs.type: \"%.64s\" is not \"layers\"",
                         config->rootfs.type);
    for (size_t i = 0; i < config->rootfs.diff_ids.count; i++) {
        if (!digest_is_valid(config->rootfs.diff_ids.items[i]))
            return error_set(err, ERROR_INVALID, EINVAL,
                             "rootfs.diff_ids[%zu]: \"%.80s\" is not a sha256 digest", i,
                             config->rootfs.diff_ids.items[i]);
    }
    return 0;
}
