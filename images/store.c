/* The image store: see images.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/actor.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "store_internal.h"

#define SHORT_ID 12 /* digits of a digest that are enough to name a damaged image */

static int not_found(const char *reference, struct error *err)
{
    return error_set(err, ERROR_IMAGE_NOT_FOUND, ENOENT, "No such image: %.256s", reference);
}

static const char *tagged_name_of(const struct image_descriptor *descriptor)
{
    const char *name = string_map_get(&descriptor->annotations, ANNOTATION_IMAGE_NAME);

    return name != NULL && strchr(name, ':') != NULL ? name : NULL;
}

static const char *tenant_of(const struct image_descriptor *descriptor)
{
    const char *tenant = string_map_get(&descriptor->annotations, ANNOTATION_TENANT);

    return tenant != NULL ? tenant : "";
}

/* Whether the index entry has that name. */
static bool is_named(const struct image_descriptor *descriptor, const char *tenant,
                     const char *full_name)
{
    const char *name = tagged_name_of(descriptor);

    return name != NULL && strcmp(name, full_name) == 0 && tenant_is(tenant_of(descriptor), tenant);
}

static void add_name_of(struct image *image, const struct image_descriptor *descriptor)
{
    const char *name = tagged_name_of(descriptor);

    if (name != NULL && !image_has_name(image, tenant_of(descriptor), name))
        image_add_name(image, tenant_of(descriptor), name);
}

/* Keeps the index entry of an image that cannot be read: store_save_index() writes it back. */
static void keep_damaged(struct image_store *store, const struct image_descriptor *descriptor)
{
    store->damaged.items = arena_grow(&store->damaged_arena, store->damaged.items,
                                      store->damaged.count, sizeof(*store->damaged.items));
    store->damaged.items[store->damaged.count++] = *descriptor;
}

static void drop_damaged(struct image_store *store, size_t index)
{
    store->damaged.count--;
    for (size_t i = index; i < store->damaged.count; i++)
        store->damaged.items[i] = store->damaged.items[i + 1];
}

static void unname_damaged(struct image_store *store, const char *tenant, const char *full_name)
{
    for (size_t i = 0; i < store->damaged.count; i++) {
        struct string_map *annotations = &store->damaged.items[i].annotations;
        struct string_map others = {0};

        if (!is_named(&store->damaged.items[i], tenant, full_name))
            continue;
        others.items = arena_new(&store->damaged_arena, annotations->count, sizeof(*others.items));
        for (size_t j = 0; j < annotations->count; j++) {
            if (strcmp(annotations->items[j].name, ANNOTATION_IMAGE_NAME) != 0 &&
                strcmp(annotations->items[j].name, ANNOTATION_TENANT) != 0 &&
                strcmp(annotations->items[j].name, ANNOTATION_REF_NAME) != 0)
                others.items[others.count++] = annotations->items[j];
        }
        *annotations = others;
    }
}

/* Gives an image that can be read again the names that it had while it was damaged. */
static void repair(struct image_store *store, struct image *image)
{
    for (size_t i = store->damaged.count; i > 0; i--) {
        const struct image_descriptor *damaged = &store->damaged.items[i - 1];

        if (strcmp(damaged->digest, image->manifest_digest) != 0)
            continue;
        add_name_of(image, damaged);
        drop_damaged(store, i - 1);
    }
}

static bool is_damaged_one(const struct image_descriptor *damaged, const char *tenant,
                           const char *reference)
{
    const char *hex = strncmp(reference, "sha256:", 7) == 0 ? reference + 7 : reference;
    struct image_reference parsed;
    char full[512];

    if (strlen(hex) >= SHORT_ID && strncmp(damaged->digest + 7, hex, strlen(hex)) == 0)
        return true;
    if (image_reference_parse(reference, &parsed, NULL) < 0)
        return false;
    snprintf(full, sizeof(full), "%s:%s", parsed.name, parsed.tag);
    return is_named(damaged, tenant, full);
}

/* Writes the index, or puts the names back that it still has. */
static int save_or_undo(struct image_store *store, bool is_removal, struct store_names *before,
                        struct error *err)
{
    int result = store_save_index(store, is_removal, err);

    if (result < 0)
        store_names_restore(store, before);
    store_names_free(before);
    return result;
}

int image_store_forget_damaged(struct image_store *store, const char *tenant, const char *reference,
                               struct error *err)
{
    struct store_names *before = store_names_copy(store);
    bool is_known = false;

    for (size_t i = store->damaged.count; i > 0; i--) {
        if (!is_damaged_one(&store->damaged.items[i - 1], tenant, reference))
            continue;
        drop_damaged(store, i - 1);
        is_known = true;
    }
    if (is_known)
        return save_or_undo(store, true, before, err);
    store_names_free(before);
    return not_found(reference, err);
}

struct image *store_find_manifest(const struct image_store *store, const char *digest)
{
    for (size_t i = 0; i < store->image_count; i++) {
        if (strcmp(store->images[i]->manifest_digest, digest) == 0)
            return store->images[i];
    }
    return NULL;
}

/* Finds the image of a manifest or reads it. */
static int get_image(struct image_store *store, const struct image_descriptor *descriptor,
                     struct image **found, struct error *err)
{
    struct image *image = store_find_manifest(store, descriptor->digest);
    int result;

    if (image == NULL) {
        image = memory_new_one(struct image);
        result = store_read_image(store, descriptor, image, err);
        if (result < 0) {
            image_free(image);
            return result;
        }
        store->images =
            memory_resize(store->images, store->image_count + 1, sizeof(struct image *));
        store->images[store->image_count++] = image;
        repair(store, image);
    }
    *found = image;
    return 0;
}

bool image_store_check_damage(struct image_store *store)
{
    if (store->distrust != NULL)
        store_look_for_damage(store);
    return store->distrust != NULL || store->damaged.count > 0;
}

/* The image that the index's copy has by the same name, if it is another one. NULL: none. */
static struct image *get_image_of_copy(struct image_store *store,
                                       const struct image_descriptor *descriptor,
                                       const struct image_index *copy)
{
    const char *name = tagged_name_of(descriptor);
    struct image *image;

    for (size_t i = 0; name != NULL && i < copy->manifests.count; i++) {
        const struct image_descriptor *other = &copy->manifests.items[i];

        if (is_named(other, tenant_of(descriptor), name) &&
            strcmp(other->digest, descriptor->digest) != 0 &&
            get_image(store, other, &image, NULL) == 0)
            return image;
    }
    return NULL;
}

static void take_entries(struct image_store *store, const struct image_index *index,
                         const struct image_index *copy, image_damage_report *on_damage)
{
    for (size_t i = 0; i < index->manifests.count; i++) {
        const struct image_descriptor *descriptor = &index->manifests.items[i];
        const char *name = tagged_name_of(descriptor);
        struct error damage = {0};
        struct image *image;

        if (get_image(store, descriptor, &image, &damage) < 0) {
            on_damage(name != NULL ? name : descriptor->digest, &damage);
            image = get_image_of_copy(store, descriptor, copy);
        }
        if (image != NULL)
            add_name_of(image, descriptor);
        else
            keep_damaged(store, descriptor);
    }
}

/* Other errors, such as too many open files, may be gone the next time. */
static bool is_damage(int result)
{
    return result == -EBADMSG || result == -ENOENT || result == -EIO ||
           /* Something else stands in its place. */
           result == -EINVAL || result == -EISDIR || result == -ELOOP;
}

static int load_index(struct image_store *store, image_damage_report *on_damage, struct error *err)
{
    struct image_index index;
    struct image_index copy;
    struct error damage = {0};
    int result = store_read_index(store, &index, &copy, &damage);
    bool is_lost = result < 0;
    bool is_old = !is_lost && store_index_revision(&copy) > store_index_revision(&index);

    if (result == -ENOENT && !store_has_blobs(store))
        return store_save_index(store, false, err);
    if (result < 0 && !is_damage(result)) {
        *err = damage;
        return result;
    }
    if (is_old)
        error_set(&damage, ERROR_CORRUPT, ESTALE,
                  "index.json is older than its copy, or damaged: the copy is taken");
    if (is_lost || is_old) {
        on_damage("the list of images", &damage);
        index = copy;
    }
    store->revision = store_index_revision(&index);
    take_entries(store, &index, &copy, on_damage);
    /* A copy may be older than what was lost, by one change: which images there are is not known.
     */
    result = is_lost ? store_put_index_aside(store, err) : 0;
    if (is_lost)
        store_look_for_damage(store);
    if (store->damaged.count == 0)
        arena_release(&store->damaged_arena);
    return result == 0 && (is_lost || is_old) ? store_save_index(store, false, err) : result;
}

static int make_directories(struct image_store *store, struct error *err)
{
    static const char *const names[] = {"blobs",           "blobs/sha256", "layers",
                                        STORE_EMPTY_LAYER, "pulls",        "ingest"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (mkdirat(store->root_fd, names[i], 0700) < 0 && errno != EEXIST)
            return error_errno(err, errno, "make %s", names[i]);
    }
    if (faccessat(store->root_fd, "oci-layout", F_OK, 0) == 0)
        return 0;
    return file_replace(store->root_fd, "oci-layout", IMAGE_LAYOUT, strlen(IMAGE_LAYOUT), 0600,
                        true, err);
}

int image_store_open(struct image_store *store, int root_fd, int trash_fd,
                     image_damage_report *on_damage, struct error *err)
{
    struct error leftovers = {0};
    int result;

    *store = (struct image_store){.root_fd = root_fd, .trash_fd = trash_fd, .layers_fd = -1};
    result = make_directories(store, err);
    if (result == 0 && store_sweep_ingest(store, &leftovers) < 0)
        on_damage("what interrupted work has left", &leftovers);
    if (result == 0) {
        store->layers_fd = openat(root_fd, "layers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (store->layers_fd < 0)
            result = error_errno(err, errno, "open layers");
    }
    if (result == 0) {
        store_look_for_damage(store);
        result = load_index(store, on_damage, err);
    }
    if (result < 0) {
        image_store_close(store);
        return error_prefix(err, "image store");
    }
    return 0;
}

void image_store_close(struct image_store *store)
{
    for (size_t i = 0; i < store->image_count; i++)
        image_free(store->images[i]);
    free(store->images);
    store->images = NULL;
    store->image_count = 0;
    store->damaged.count = 0;
    arena_release(&store->damaged_arena);
    free(store->distrust);
    store->distrust = NULL;
    fd_close(&store->layers_fd);
}

/* `text` is "sha256:HEX", "HEX" or the first digits of an id. A manifest digest has to be whole. */
static int find_by_digest(const struct image_store *store, const char *text, struct image **image,
                          struct error *err)
{
    const char *hex = strncmp(text, "sha256:", 7) == 0 ? text + 7 : text;
    size_t length = strlen(hex);

    *image = NULL;
    if (length < 2 || length > HEX_LENGTH || strspn(hex, "0123456789abcdef") != length)
        return -ENOENT;
    for (size_t i = 0; i < store->image_count; i++) {
        struct image *candidate = store->images[i];

        if (strncmp(candidate->id + 7, hex, length) != 0 &&
            (length < HEX_LENGTH || strcmp(candidate->manifest_digest + 7, hex) != 0))
            continue;
        if (*image != NULL && strcmp((*image)->id, candidate->id) != 0)
            return error_set(err, ERROR_CONFLICT, EEXIST, "image id %.64s is ambiguous", text);
        *image = candidate;
    }
    return *image != NULL ? 0 : -ENOENT;
}

static bool is_meant(const struct image *image, const char *tenant,
                     const struct image_reference *reference)
{
    char full[512];

    if (reference->digest[0] == '\0') {
        snprintf(full, sizeof(full), "%s:%s", reference->name, reference->tag);
        return image_has_name(image, tenant, full);
    }
    snprintf(full, sizeof(full), "%s@%s", reference->name, reference->digest);
    return image_has_repo_digest(image, full) ||
           strcmp(image->manifest_digest, reference->digest) == 0;
}

int image_store_find(const struct image_store *store, const char *tenant, const char *reference,
                     struct image **image, struct error *err)
{
    struct image_reference parsed;
    int result = -ENOENT;

    if (image_reference_parse(reference, &parsed, err) == 0) {
        for (size_t i = 0; i < store->image_count; i++) {
            *image = store->images[i];
            if (is_meant(*image, tenant, &parsed))
                return 0;
        }
    }
    result = find_by_digest(store, reference, image, err);
    return result == -ENOENT ? not_found(reference, err) : result;
}

static void move_name(struct image_store *store, const char *tenant, struct image *image,
                      const char *full_name)
{
    if (image_has_name(image, tenant, full_name))
        return;
    for (size_t i = 0; i < store->image_count; i++)
        image_remove_name(store->images[i], tenant, full_name);
    unname_damaged(store, tenant, full_name);
    image_add_name(image, tenant, full_name);
}

int image_store_tag(struct image_store *store, const char *tenant, struct image *image,
                    const char *full_name, struct error *err)
{
    struct store_names *before = store_names_copy(store);

    move_name(store, tenant, image, full_name);
    return save_or_undo(store, false, before, err);
}

int image_store_add(struct image_store *store, const char *tenant, const char *full_name,
                    const char *repo_digest, const struct image_descriptor *manifest,
                    struct image **image, struct error *err)
{
    const struct string_list names = {&full_name, full_name != NULL ? 1 : 0};

    return image_store_add_names(store, tenant, &names, repo_digest, manifest, image, err);
}

int image_store_add_names(struct image_store *store, const char *tenant,
                          const struct string_list *full_names, const char *repo_digest,
                          const struct image_descriptor *manifest, struct image **image,
                          struct error *err)
{
    struct store_names *before = store_names_copy(store);
    char pull[128];
    int result = get_image(store, manifest, image, err);

    if (result < 0) {
        store_names_free(before);
        return result;
    }
    for (size_t i = 0; i < full_names->count; i++)
        move_name(store, tenant, *image, full_names->items[i]);
    if (repo_digest != NULL)
        image_add_repo_digest(*image, repo_digest);
    result = save_or_undo(store, false, before, err);
    snprintf(pull, sizeof(pull), "pulls/%s", manifest->digest + strlen("sha256:"));
    if (result == 0)
        unlinkat(store->root_fd, pull, 0);
    return result;
}

int image_store_untag(struct image_store *store, const char *tenant, struct image *image,
                      const char *full_name, struct error *err)
{
    struct store_names *before = store_names_copy(store);

    image_remove_name(image, tenant, full_name);
    return save_or_undo(store, true, before, err);
}

int image_store_remove(struct image_store *store, struct image *image, struct error *err)
{
    struct store_names *before = store_names_copy(store);
    size_t kept = 0;
    int result;

    for (size_t i = 0; i < store->image_count; i++) {
        if (store->images[i] != image)
            store->images[kept++] = store->images[i];
    }
    store->image_count = kept;
    result = save_or_undo(store, true, before, err);
    if (result == 0)
        image_free(image);
    return result;
}

static bool has_layer(const struct image *image, const char *hex)
{
    return string_list_has(&image->layers, hex);
}

uint64_t image_store_shared_bytes(const struct image_store *store, const struct image *image)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < image->layers.count; i++) {
        bool is_shared = false;

        for (size_t j = 0; !is_shared && j < store->image_count; j++)
            is_shared =
                store->images[j] != image && has_layer(store->images[j], image->layers.items[i]);
        bytes += is_shared ? image->layer_bytes[i] : 0;
    }
    return bytes;
}

uint64_t image_store_layer_bytes(const struct image_store *store)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < store->image_count; i++) {
        const struct image *image = store->images[i];

        for (size_t j = 0; j < image->layers.count; j++) {
            bool is_counted = false;

            for (size_t k = 0; !is_counted && k < i; k++)
                is_counted = has_layer(store->images[k], image->layers.items[j]);
            bytes += is_counted ? 0 : image->layer_bytes[j];
        }
    }
    return bytes;
}
