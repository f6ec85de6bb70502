/* Damage to the image store, how it is found and put aside: see store_internal.h. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/path.h"
#include "store_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool has_digest(const char *text, size_t length, const char *digest)
{
    char hex[SHA256_DIGEST_STRING_LENGTH];

    SHA256Data((const uint8_t *)text, length, hex);
    return strcmp(hex, digest + strlen("sha256:")) == 0;
}

int store_read_verified(int root_fd, struct arena *arena, const char *digest, const char **text,
                        size_t *length, struct error *err)
{
    int result = image_store_read_blob(root_fd, arena, digest, text, length, err);
    char path[128];
    char aside[128];

    if (result < 0 || has_digest(*text, *length, digest))
        return result;
    snprintf(path, sizeof(path), "blobs/sha256/%s", digest + strlen("sha256:"));
    snprintf(aside, sizeof(aside), "blobs/sha256/.damaged-%s", digest + strlen("sha256:"));
    renameat(root_fd, path, root_fd, aside);
    return error_set(err, ERROR_CORRUPT, EBADMSG, "blob %s is damaged", digest);
}

bool store_has_blobs(const struct image_store *store)
{
    cleanup_dir DIR *dir = path_list(store->root_fd, "blobs/sha256");
    struct dirent *entry = NULL;

    while (dir != NULL && (entry = readdir(dir)) != NULL && entry->d_name[0] == '.')
        continue;
    return entry != NULL;
}

int store_put_index_aside(const struct image_store *store, struct error *err)
{
    char name[64];
    int result;

    snprintf(name, sizeof(name), DAMAGED_INDEX "%lld", (long long)clock_now_ns());
    result = path_move_unique(store->root_fd, "index.json", store->root_fd, name, err);
    return result == -ENOENT ? file_replace(store->root_fd, name, "", 0, 0600, true, err) : result;
}

static bool is_damaged_index(const char *name)
{
    return strncmp(name, DAMAGED_INDEX, strlen(DAMAGED_INDEX)) == 0;
}

static struct dirent *find_lost_index(DIR *dir)
{
    struct dirent *entry = NULL;

    while (dir != NULL && (entry = readdir(dir)) != NULL && !is_damaged_index(entry->d_name))
        ;
    return entry;
}

bool store_has_lost_index(const struct image_store *store)
{
    cleanup_dir DIR *dir = path_list(store->root_fd, ".");

    return find_lost_index(dir) != NULL;
}

void store_look_for_damage(struct image_store *store)
{
    cleanup_dir DIR *dir = path_list(store->root_fd, ".");
    const struct dirent *entry = find_lost_index(dir);

    free(take_pointer(&store->distrust));
    if (dir == NULL) {
        store->distrust = memory_strdup("the store's directory cannot be read");
        return;
    }
    if (entry != NULL)
        store->distrust = memory_printf("index.json was lost or damaged: remove %s when all images "
                                        "that are wanted are there again",
                                        entry->d_name);
}
