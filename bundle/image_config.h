/*
 * The image configuration (image-spec config.md), which Docker's image JSON agrees with, and the
 * process options of an image that a container starts from.
 */
#ifndef DAVIT_BUNDLE_IMAGE_CONFIG_H
#define DAVIT_BUNDLE_IMAGE_CONFIG_H

#include "base/json_table.h"

struct image_process {
    const char *user;
    struct string_list env;
    struct string_list entrypoint;
    struct string_list cmd;
    const char *working_dir;
    struct string_map labels;
    const char *stop_signal;
    const struct json *exposed_ports;
    const struct json *volumes;
    const struct json *healthcheck;
};

struct image_rootfs {
    const char *type;
    struct string_list diff_ids;
};

struct image_history {
    const char *created;
    const char *created_by;
    const char *author;
    const char *comment;
    bool is_empty_layer;
};

struct image_config {
    const char *created;
    const char *author;
    const char *architecture;
    const char *variant;
    const char *os;
    const char *comment;
    struct image_process config;
    struct image_rootfs rootfs;
    LIST_OF(struct image_history) history;
};

extern const struct json_struct image_config_type;
extern const struct json_struct image_process_type;

/* Parses and checks: a layers rootfs, digests of the right form. */
int image_config_parse(struct arena *arena, const char *text, size_t length,
                       struct image_config *config, struct error *err);

/* True for "sha256:" and 64 lower-case hexadecimal digits: what may become a file name. */
bool digest_is_valid(const char *digest);

#endif
