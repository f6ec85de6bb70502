/* Discards what no image and no container needs: image_store_collect() of images.h. */
#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/path.h"
#include "store_internal.h"

#define PULL_KEPT_S (24 * 3600) /* for so long an interrupted pull keeps what has come */
#define PULL_MAX_BYTES (8 << 20)

/* Discards the entries of a directory that are not in `reached`. If one cannot be discarded, the
 * rest still is. */
static int discard_unreached(const struct image_store *store, const char *directory,
                             const struct string_list *reached, struct error *err)
{
    cleanup_dir DIR *dir = path_list(store->root_fd, directory);
    struct dirent *entry;
    int result = 0;

    if (dir == NULL)
        return error_errno(err, errno, "open %s", directory);
    while ((entry = readdir(dir)) != NULL) {
        int one = 0;

        if (entry->d_name[0] != '.' && !string_list_has(reached, entry->d_name))
            one = path_discard(dirfd(dir), entry->d_name, store->trash_fd, err);
        if (one < 0)
            result = error_prefix(err, "%s", directory);
    }
    return result;
}

/* The lock tells whether a worker still runs: all its processes share the lock, so a child that was
 * left behind by a killed worker, and may still write, holds it too. */
int store_sweep_ingest(const struct image_store *store, struct error *err)
{
    cleanup_close int fd = openat(store->root_fd, "ingest", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return error_errno(err, errno, "open ingest");
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return 0;
    return discard_unreached(store, "ingest", &(struct string_list){0}, err);
}

static void add_reached(struct string_list *reached, const char *hex)
{
    reached->items = memory_resize(reached->items, reached->count + 1, sizeof(*reached->items));
    reached->items[reached->count++] = hex;
}

/* Adds the names of all blobs that a manifest needs. A manifest that cannot be read, or is damaged,
 * is an error: the blobs that it needs would look unused. */
static int reach_blobs_of(const struct image_store *store, struct arena *arena, const char *digest,
                          struct string_list *reached, struct error *err)
{
    struct image_manifest manifest = {0};
    const char *text = NULL;
    size_t length = 0;
    int result = store_read_verified(store->root_fd, arena, digest, &text, &length, err);

    if (result == 0)
        result = image_manifest_parse(arena, text, length, &manifest, err);
    if (result < 0)
        return result;
    add_reached(reached, digest + 7);
    add_reached(reached, manifest.config.digest + 7);
    for (size_t i = 0; i < manifest.layers.count; i++)
        add_reached(reached, manifest.layers.items[i].digest + 7);
    return 0;
}

static int reach_blobs(const struct image_store *store, struct arena *arena,
                       struct string_list *reached, struct error *err)
{
    for (size_t i = 0; i < store->image_count; i++) {
        if (reach_blobs_of(store, arena, store->images[i]->manifest_digest, reached, err) < 0)
            return error_prefix(err, "image %s", store->images[i]->manifest_digest);
    }
    return 0;
}

/* What an interrupted pull has got is kept for a while, so that the next goes on from there: the
 * file pulls/MANIFEST holds the names of its layers. One whose manifest is gone reaches nothing. */
static void reach_pull(const struct image_store *store, struct arena *arena, int pulls_fd,
                       const char *name, struct string_list *blobs, struct string_list *layers)
{
    cleanup_buffer struct buffer text = {0};
    struct stat status;
    char *rest;

    if (fstatat(pulls_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !identifier_is_valid(name) ||
        clock_now_ns() / 1000000000 - status.st_mtim.tv_sec > PULL_KEPT_S ||
        reach_blobs_of(store, arena, arena_printf(arena, "sha256:%s", name), blobs, NULL) < 0 ||
        file_read(pulls_fd, name, PULL_MAX_BYTES, &text, NULL) < 0) {
        unlinkat(pulls_fd, name, 0);
        return;
    }
    rest = arena_strdup(arena, buffer_text(&text));
    for (char *hex = strsep(&rest, ","); hex != NULL; hex = strsep(&rest, ","))
        add_reached(layers, hex);
}

static void reach_pulls(const struct image_store *store, struct arena *arena,
                        struct string_list *blobs, struct string_list *layers)
{
    cleanup_dir DIR *dir = path_list(store->root_fd, "pulls");
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.')
            reach_pull(store, arena, dirfd(dir), arena_strdup(arena, entry->d_name), blobs, layers);
    }
}

static void reach_layers(const struct image_store *store, const struct string_list *kept,
                         struct string_list *reached)
{
    for (size_t i = 0; i < kept->count; i++)
        add_reached(reached, kept->items[i]);
    for (size_t i = 0; i < store->image_count; i++) {
        const struct string_list *layers = &store->images[i]->layers;

        for (size_t j = 0; j < layers->count; j++)
            add_reached(reached, layers->items[j]);
    }
}

static int check_roots(struct image_store *store, struct error *err)
{
    if (store->distrust != NULL)
        store_look_for_damage(store);
    if (store->distrust != NULL)
        return error_set(err, ERROR_CORRUPT, EUCLEAN, "%s", store->distrust);
    if (store->damaged.count > 0)
        return error_set(err, ERROR_CORRUPT, EUCLEAN,
                         "an image is damaged: pull it again, or remove %s",
                         store->damaged.items[0].digest);
    return 0;
}

int image_store_collect(struct image_store *store, const struct string_list *kept_layers,
                        struct error *err)
{
    cleanup_arena struct arena arena = {0};
    struct string_list blobs = {0};
    struct string_list layers = {0};
    int result;

    if (store->worker_count > 0)
        return 0;
    result = check_roots(store, err);
    reach_layers(store, kept_layers, &layers);
    if (result == 0)
        result = reach_blobs(store, &arena, &blobs, err);
    if (result == 0)
        reach_pulls(store, &arena, &blobs, &layers);
    if (result < 0)
        error_prefix(err, "nothing is collected");
    if (result == 0)
        result = discard_unreached(store, "blobs/sha256", &blobs, err);
    if (result == 0)
        result = discard_unreached(store, "layers", &layers, err);
    if (result == 0)
        result = store_sweep_ingest(store, err);
    free(blobs.items);
    free(layers.items);
    return result;
}
