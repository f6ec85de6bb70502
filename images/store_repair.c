/* What is damaged in the store of images, and what can be done: image_store_repair() of images.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "store_internal.h"

#define DAMAGED_BLOB ".damaged-"
#define MANIFEST_MAX_BYTES (4 << 20) /* a larger blob is a layer */

/* Whether the blob is the manifest of an image that is all there. */
static bool read_as_manifest(struct image_store *store, struct arena *arena, const char *digest,
                             int64_t size, struct image_descriptor *descriptor)
{
    struct string_pair *annotation = arena_new(arena, 1, sizeof(*annotation));
    struct image_manifest manifest = {0};
    struct image_config config = {0};
    struct string_list chain_ids = {0};
    const char *text;
    size_t length;

    if (store_read_verified(store->root_fd, arena, digest, &text, &length, NULL) < 0 ||
        image_manifest_parse(arena, text, length, &manifest, NULL) < 0 ||
        store_read_verified(store->root_fd, arena, manifest.config.digest, &text, &length, NULL) <
            0 ||
        image_config_parse(arena, text, length, &config, NULL) < 0 ||
        image_list_chain_ids(arena, &manifest, &config, &chain_ids, NULL) < 0)
        return false;
    *annotation = (struct string_pair){ANNOTATION_LAYERS, string_list_join(arena, &chain_ids, ",")};
    *descriptor = (struct image_descriptor){
        .media_type = manifest.media_type != NULL ? manifest.media_type : MEDIA_TYPE_MANIFEST,
        .digest = digest,
        .size = size,
        .annotations = {annotation, 1},
    };
    return true;
}

struct image_search {
    struct image_store *store;
    struct arena arena;
    struct string_list names; /* of blobs */
    size_t next;
    size_t found;
};

struct image_search *image_search_new(struct image_store *store)
{
    struct image_search *search = memory_new_one(struct image_search);
    cleanup_dir DIR *dir = NULL;
    struct dirent *entry;

    search->store = store;
    if (store_has_lost_index(store))
        dir = path_list(store->root_fd, "blobs/sha256");
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (identifier_is_valid(entry->d_name))
            string_list_append(&search->arena, &search->names,
                               arena_strdup(&search->arena, entry->d_name));
    }
    return search;
}

void image_search_free(struct image_search *search)
{
    if (search == NULL)
        return;
    arena_release(&search->arena);
    free(search);
}

static bool take_back(struct image_store *store, const char *name)
{
    cleanup_arena struct arena arena = {0};
    cleanup_free char *path = memory_printf("blobs/sha256/%s", name);
    const char *digest = arena_printf(&arena, "sha256:%s", name);
    struct image_descriptor descriptor;
    struct image *image;
    struct stat status;

    return store_find_manifest(store, digest) == NULL &&
           fstatat(store->root_fd, path, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           status.st_size <= MANIFEST_MAX_BYTES &&
           read_as_manifest(store, &arena, digest, status.st_size, &descriptor) &&
           image_store_add(store, "", NULL, NULL, &descriptor, &image, NULL) == 0;
}

bool image_search_step(struct image_search *search)
{
    if (search->next >= search->names.count)
        return false;
    search->found += take_back(search->store, search->names.items[search->next++]);
    return true;
}

/* How a repair is done. */
struct repair_order {
    struct image_store *store;
    const struct image_search *search; /* NULL: nobody has searched */
    enum repair how;
    struct findings *findings;
};

static void repair_index(const struct repair_order *order, int root_fd, const char *name)
{
    struct finding *finding =
        findings_add(order->findings, arena_strdup(&order->findings->arena, name),
                     "the list of images was lost or damaged: nothing is collected",
                     "davit system repair looks for images that it does not name");

    if (order->how == REPAIR_LOOK || order->search == NULL)
        return;
    if (unlinkat(root_fd, name, 0) == 0)
        finding->done = arena_printf(&order->findings->arena, "%zu more images were found",
                                     order->search->found);
}

static void repair_blob(const struct repair_order *order, int blobs_fd, const char *name)
{
    struct findings *findings = order->findings;
    const char *good = name + strlen(DAMAGED_BLOB);
    bool has_good = faccessat(blobs_fd, good, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    const char *path = arena_printf(&findings->arena, "blobs/sha256/%s", name);
    struct finding *finding = findings_add(
        findings, path,
        has_good ? "its content is not what its name says, and it is there anew"
                 : "its content is not what its name says",
        has_good ? "davit system repair removes it" : "davit system repair --prune removes it");

    if ((order->how == REPAIR_PRUNE || (order->how == REPAIR_MEND && has_good)) &&
        unlinkat(blobs_fd, name, 0) == 0)
        finding->done = "removed";
}

static void repair_images(struct image_store *store, enum repair how, struct findings *findings)
{
    for (size_t i = store->damaged.count; i > 0; i--) {
        const char *digest = store->damaged.items[i - 1].digest;
        const char *name =
            string_map_get(&store->damaged.items[i - 1].annotations, ANNOTATION_IMAGE_NAME);
        struct finding *finding = findings_add(
            findings,
            arena_printf(&findings->arena, "index.json: %s", name != NULL ? name : digest),
            "the image cannot be read: nothing is collected",
            "pull or load it again; davit system repair --prune gives it up");

        if (how == REPAIR_PRUNE && image_store_forget_damaged(store, "", digest, NULL) == 0)
            finding->done = "given up";
    }
}

typedef void repair_entry(const struct repair_order *order, int directory_fd, const char *name);

/* Calls `one` for the entries of a directory whose names begin so. */
static void repair_each(const struct repair_order *order, const char *directory, const char *prefix,
                        repair_entry *one)
{
    cleanup_dir DIR *dir = path_list(order->store->root_fd, directory);
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
            one(order, dirfd(dir), entry->d_name);
    }
}

void image_store_repair(struct image_store *store, const struct image_search *search,
                        enum repair how, struct findings *findings)
{
    const struct repair_order order = {store, search, how, findings};

    repair_each(&order, ".", DAMAGED_INDEX, repair_index);
    repair_each(&order, "blobs/sha256", DAMAGED_BLOB, repair_blob);
    repair_images(store, how, findings);
    store_look_for_damage(store);
}
