/* One image of the store: see store_internal.h. */
#include "base/actor.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/number.h"
#include "base/path.h"
#include "store_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

static void free_name(struct image_name *name)
{
    free(name->tenant);
    free(name->full);
}

static bool is_name(const struct image_name *name, const char *tenant, const char *full)
{
    return tenant_is(name->tenant, tenant) && strcmp(name->full, full) == 0;
}

void image_free(struct image *image)
{
    for (size_t i = 0; i < image->name_count; i++)
        free_name(&image->names[i]);
    free(image->names);
    for (size_t i = 0; i < image->repo_digest_count; i++)
        free(image->repo_digests[i]);
    free(image->repo_digests);
    arena_release(&image->arena);
    free(image);
}

void image_add_name(struct image *image, const char *tenant, const char *full)
{
    image->names = memory_resize(image->names, image->name_count + 1, sizeof(*image->names));
    image->names[image->name_count++] = (struct image_name){
        .tenant = memory_strdup(tenant != NULL ? tenant : ""), .full = memory_strdup(full)};
}

bool image_has_name(const struct image *image, const char *tenant, const char *full)
{
    for (size_t i = 0; i < image->name_count; i++) {
        if (is_name(&image->names[i], tenant, full))
            return true;
    }
    return false;
}

static size_t count_names(const struct image *image, const char *tenant)
{
    size_t count = 0;

    for (size_t i = 0; i < image->name_count; i++)
        count += tenant_is(image->names[i].tenant, tenant);
    return count;
}

bool image_is_of(const struct image *image, const char *tenant)
{
    return image->name_count == 0 || count_names(image, tenant) > 0;
}

bool image_is_only_of(const struct image *image, const char *tenant)
{
    return count_names(image, tenant) == image->name_count;
}

const char *image_name_of(const struct image *image, const char *tenant)
{
    for (size_t i = 0; i < image->name_count; i++) {
        if (tenant_is(image->names[i].tenant, tenant))
            return image->names[i].full;
    }
    return image->id;
}

void image_remove_name(struct image *image, const char *tenant, const char *full)
{
    for (size_t i = 0; i < image->name_count; i++) {
        struct image_name removed = image->names[i];

        if (!is_name(&removed, tenant, full))
            continue;
        image->name_count--;
        memmove(&image->names[i], &image->names[i + 1],
                (image->name_count - i) * sizeof(*image->names));
        /* `tenant` and `full` may be these. */
        free_name(&removed);
        return;
    }
}

bool image_has_repo_digest(const struct image *image, const char *repo_digest)
{
    for (size_t i = 0; i < image->repo_digest_count; i++) {
        if (strcmp(image->repo_digests[i], repo_digest) == 0)
            return true;
    }
    return false;
}

void image_add_repo_digest(struct image *image, const char *repo_digest)
{
    if (image_has_repo_digest(image, repo_digest))
        return;
    image->repo_digests =
        memory_resize(image->repo_digests, image->repo_digest_count + 1, sizeof(char *));
    image->repo_digests[image->repo_digest_count++] = memory_strdup(repo_digest);
}

/* Reads "name@digest,..." of the index. Skips what is no reference with a digest. */
static void parse_repo_digests(struct image *image, const char *list)
{
    char *rest = arena_strdup(&image->arena, list != NULL ? list : "");

    for (char *one = strsep(&rest, ","); one != NULL; one = strsep(&rest, ",")) {
        struct image_reference reference;

        if (strchr(one, '@') != NULL && image_reference_parse(one, &reference, NULL) == 0)
            image_add_repo_digest(image, one);
    }
}

/* "hex,hex,..." from the index; every one a directory in layers/. */
static int parse_layers(struct image_store *store, struct image *image, const char *list,
                        struct error *err)
{
    size_t count = image->config.rootfs.diff_ids.count;
    char *rest = arena_strdup(&image->arena, list != NULL ? list : "");

    image->layers.items = arena_new(&image->arena, count, sizeof(char *));
    for (char *hex = strsep(&rest, ","); hex != NULL && hex[0] != '\0'; hex = strsep(&rest, ",")) {
        if (!identifier_is_valid(hex) || image->layers.count == count)
            return error_set(err, ERROR_CORRUPT, EINVAL, "index.json: bad list of layers");
        if (faccessat(store->layers_fd, hex, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
            return error_set(err, ERROR_CORRUPT, ENOENT, "layer %s is missing", hex);
        image->layers.items[image->layers.count++] = hex;
    }
    if (image->layers.count != count)
        return error_set(err, ERROR_CORRUPT, EINVAL, "index.json: %zu layers for %zu diff ids",
                         image->layers.count, count);
    return 0;
}

/* The bytes that the worker noted when it unpacked the layer; 0 if the note is missing. */
static uint64_t unpacked_bytes(const struct image_store *store, const char *hex)
{
    char storage[PATH_FD_SIZE];
    cleanup_free char *path = memory_printf("%s/%s", path_of_fd(storage, store->layers_fd), hex);
    uint64_t bytes = 0;
    char text[24];
    ssize_t length = lgetxattr(path, LAYER_BYTES_XATTR, text, sizeof(text) - 1);

    text[length > 0 ? length : 0] = '\0';
    number_parse_unsigned(text, INT64_MAX, &bytes);
    return bytes;
}

static void add_up(const struct image_store *store, struct image *image,
                   const struct image_manifest *manifest)
{
    image->size = (uint64_t)manifest->config.size + (uint64_t)image->manifest_size;
    image->layer_bytes = arena_new(&image->arena, image->layers.count, sizeof(uint64_t));
    for (size_t i = 0; i < image->layers.count; i++) {
        image->layer_bytes[i] = unpacked_bytes(store, image->layers.items[i]);
        if (i < manifest->layers.count)
            image->layer_bytes[i] += (uint64_t)manifest->layers.items[i].size;
        image->size += image->layer_bytes[i];
    }
}

int store_read_image(struct image_store *store, const struct image_descriptor *descriptor,
                     struct image *image, struct error *err)
{
    struct image_manifest manifest = {0};
    const char *text = NULL;
    size_t length = 0;
    int result =
        store_read_verified(store->root_fd, &image->arena, descriptor->digest, &text, &length, err);

    if (result == 0)
        result = image_manifest_parse(&image->arena, text, length, &manifest, err);
    if (result == 0)
        result = store_read_verified(store->root_fd, &image->arena, manifest.config.digest, &text,
                                     &length, err);
    if (result == 0)
        result = image_config_parse(&image->arena, text, length, &image->config, err);
    if (result == 0)
        result = parse_layers(store, image,
                              string_map_get(&descriptor->annotations, ANNOTATION_LAYERS), err);
    if (result < 0)
        return error_prefix(err, "image %s", descriptor->digest);
    parse_repo_digests(image, string_map_get(&descriptor->annotations, ANNOTATION_REPO_DIGESTS));
    image->media_type = strcmp(descriptor->media_type, MEDIA_TYPE_DOCKER_MANIFEST) == 0
                            ? MEDIA_TYPE_DOCKER_MANIFEST
                            : MEDIA_TYPE_MANIFEST;
    snprintf(image->id, sizeof(image->id), "%s", manifest.config.digest);
    snprintf(image->manifest_digest, sizeof(image->manifest_digest), "%s", descriptor->digest);
    image->manifest_size = descriptor->size;
    add_up(store, image, &manifest);
    if (image->config.created == NULL ||
        clock_parse_rfc3339(image->config.created, &image->created_ns) < 0)
        image->created_ns = 0;
    return 0;
}
