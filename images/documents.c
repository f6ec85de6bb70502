/* Manifests and indexes: image-spec manifest.md, image-index.md, descriptor.md. */
#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

#include "images.h"

#define FIELD JSON_FIELD

static const struct json_field platform_fields[] = {
    FIELD(struct image_platform, architecture, "architecture", JSON_KIND_STRING),
    FIELD(struct image_platform, os, "os", JSON_KIND_STRING),
    FIELD(struct image_platform, variant, "variant", JSON_KIND_STRING),
};
const struct json_struct image_platform_type = JSON_STRUCT(struct image_platform, platform_fields);

static const struct json_field descriptor_fields[] = {
    FIELD(struct image_descriptor, media_type, "mediaType", JSON_KIND_STRING,
          .flags = JSON_REQUIRED),
    FIELD(struct image_descriptor, digest, "digest", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct image_descriptor, size, "size", JSON_KIND_INT64, .maximum = INT64_MAX,
          .flags = JSON_REQUIRED | JSON_ALWAYS),
    FIELD(struct image_descriptor, platform, "platform", JSON_KIND_STRUCT,
          .type = &image_platform_type),
    FIELD(struct image_descriptor, annotations, "annotations", JSON_KIND_STRING_MAP),
};
static const struct json_struct descriptor_type =
    JSON_STRUCT(struct image_descriptor, descriptor_fields);

static const struct json_field manifest_fields[] = {
    FIELD(struct image_manifest, schema_version, "schemaVersion", JSON_KIND_INT32,
          .flags = JSON_REQUIRED),
    FIELD(struct image_manifest, media_type, "mediaType", JSON_KIND_STRING),
    FIELD(struct image_manifest, config, "config", JSON_KIND_INLINE, .type = &descriptor_type,
          .flags = JSON_REQUIRED),
    FIELD(struct image_manifest, layers, "layers", JSON_KIND_STRUCTS, .type = &descriptor_type,
          .flags = JSON_REQUIRED | JSON_ALWAYS),
    FIELD(struct image_manifest, annotations, "annotations", JSON_KIND_STRING_MAP),
};
const struct json_struct image_manifest_type = JSON_STRUCT(struct image_manifest, manifest_fields);

static const struct json_field index_fields[] = {
    FIELD(struct image_index, schema_version, "schemaVersion", JSON_KIND_INT32,
          .flags = JSON_REQUIRED),
    FIELD(struct image_index, media_type, "mediaType", JSON_KIND_STRING),
    FIELD(struct image_index, manifests, "manifests", JSON_KIND_STRUCTS, .type = &descriptor_type,
          .flags = JSON_REQUIRED | JSON_ALWAYS),
    FIELD(struct image_index, annotations, "annotations", JSON_KIND_STRING_MAP),
};
const struct json_struct image_index_type = JSON_STRUCT(struct image_index, index_fields);

static int check_digest(const char *digest, const char *where, size_t index, struct error *err)
{
    if (digest_is_valid(digest))
        return 0;
    return error_set(err, ERROR_INVALID, EINVAL, "%s[%zu].digest: \"%.80s\" is not a sha256 digest",
                     where, index, digest);
}

static int check_schema(int32_t version, struct error *err)
{
    if (version == 2)
        return 0;
    return error_set(err, ERROR_UNSUPPORTED, ENOTSUP, "schemaVersion: %d, only 2 is supported",
                     (int)version);
}

int image_manifest_parse(struct arena *arena, const char *text, size_t length,
                         struct image_manifest *manifest, struct error *err)
{
    int result = json_decode_text(arena, text, length, &image_manifest_type, manifest, err);

    if (result == 0)
        result = check_schema(manifest->schema_version, err);
    if (result == 0)
        result = check_digest(manifest->config.digest, "config", 0, err);
    for (size_t i = 0; result == 0 && i < manifest->layers.count; i++)
        result = check_digest(manifest->layers.items[i].digest, "layers", i, err);
    return result < 0 ? error_prefix(err, "manifest") : 0;
}

int image_index_parse(struct arena *arena, const char *text, size_t length,
                      struct image_index *index, struct error *err)
{
    int result = json_decode_text(arena, text, length, &image_index_type, index, err);

    if (result == 0)
        result = check_schema(index->schema_version, err);
    for (size_t i = 0; result == 0 && i < index->manifests.count; i++)
        result = check_digest(index->manifests.items[i].digest, "manifests", i, err);
    return result < 0 ? error_prefix(err, "index") : 0;
}

int image_platform_parse(struct arena *arena, const char *text, struct image_platform *platform,
                         struct error *err)
{
    char *rest = arena_strdup(arena, text != NULL ? text : "");

    if (rest[0] == '\0')
        return 0;
    platform->os = strsep(&rest, "/");
    platform->architecture = strsep(&rest, "/");
    platform->variant = strsep(&rest, "/");
    if (platform->architecture == NULL || platform->architecture[0] == '\0' ||
        strcmp(platform->os, "linux") != 0 || rest != NULL)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "platform: \"%.64s\" is not linux/ARCHITECTURE[/VARIANT]", text);
    return 0;
}

bool image_platform_fits(const struct image_platform *wanted, const struct image_platform *offered)
{
    if (offered == NULL || offered->architecture == NULL)
        return true;
    return strcmp(offered->architecture, wanted->architecture) == 0 &&
           (offered->os == NULL || strcmp(offered->os, wanted->os) == 0) &&
           (wanted->variant == NULL ||
            (offered->variant != NULL && strcmp(offered->variant, wanted->variant) == 0));
}

const struct image_descriptor *image_index_choose(const struct image_index *index,
                                                  const struct image_platform *wanted)
{
    for (size_t i = 0; i < index->manifests.count; i++) {
        if (image_platform_fits(wanted, index->manifests.items[i].platform))
            return &index->manifests.items[i];
    }
    return NULL;
}

const char *image_host_architecture(void)
{
    static const struct {
        const char *machine; /* uname(2) */
        const char *architecture;
    } known[] = {
        {"x86_64", "amd64"},    {"aarch64", "arm64"}, {"riscv64", "riscv64"},
        {"ppc64le", "ppc64le"}, {"s390x", "s390x"},
    };
    struct utsname names;

    uname(&names);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(known[i].machine, names.machine) == 0)
            return known[i].architecture;
    }
    return "unknown";
}
