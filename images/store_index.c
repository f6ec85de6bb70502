/* The file index.json, which says what images there are: see store_internal.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/file_twice.h"
#include "base/number.h"
#include "store_internal.h"

#define INDEX_FILE "index.json"
#define ROOM_FILE "index.room"
#define SPARE_ROOM (64 << 10)
#define INDEX_MAX_BYTES (64 << 20)

/* `name` is NULL for an image that has none. */
static void make_index_entry(struct arena *arena, const struct image *image,
                             const struct image_name *name, struct image_descriptor *descriptor)
{
    struct string_pair *annotations = arena_new(arena, 5, sizeof(*annotations));
    cleanup_buffer struct buffer repo_digests = {0};
    size_t count = 0;

    if (name != NULL) {
        annotations[count++] = (struct string_pair){ANNOTATION_IMAGE_NAME, name->full};
        annotations[count++] =
            (struct string_pair){ANNOTATION_REF_NAME, strrchr(name->full, ':') + 1};
    }
    if (name != NULL && name->tenant[0] != '\0')
        annotations[count++] = (struct string_pair){ANNOTATION_TENANT, name->tenant};
    annotations[count++] =
        (struct string_pair){ANNOTATION_LAYERS, string_list_join(arena, &image->layers, ",")};
    for (size_t i = 0; i < image->repo_digest_count; i++)
        buffer_printf(&repo_digests, "%s%s", i > 0 ? "," : "", image->repo_digests[i]);
    if (image->repo_digest_count > 0)
        annotations[count++] = (struct string_pair){
            ANNOTATION_REPO_DIGESTS, arena_strdup(arena, buffer_text(&repo_digests))};
    *descriptor = (struct image_descriptor){
        .media_type = image->media_type,
        .digest = image->manifest_digest,
        .size = image->manifest_size,
        .annotations = {annotations, count},
    };
}

/* Keeps room for the next index, so that images can be removed from a full disk (fallocate(2)). May
 * fail: not every filesystem can do that, and the disk may be full already. */
static void keep_room(const struct image_store *store, size_t length)
{
    cleanup_close int fd =
        file_open_regular(store->root_fd, ROOM_FILE, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600);
    off_t room = (off_t)length + SPARE_ROOM;
    struct stat status;

    if (fd >= 0 && fstat(fd, &status) == 0 && status.st_blocks * 512 < room)
        fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, room);
}

static int write_index(struct image_store *store, const char *text, bool is_removal,
                       struct error *err)
{
    size_t length = strlen(text);
    int result;

    /* A longer one would not be read again. */
    if (length > INDEX_MAX_BYTES)
        return error_set(err, ERROR_TOO_LARGE, EFBIG,
                         "the list of images would have more than %d bytes", INDEX_MAX_BYTES);
    result = file_replace_twice(store->root_fd, INDEX_FILE, text, length, 0600, err);

    if ((result == -ENOSPC || result == -EDQUOT) && is_removal &&
        unlinkat(store->root_fd, ROOM_FILE, 0) == 0)
        result = file_replace_twice(store->root_fd, INDEX_FILE, text, length, 0600, err);
    keep_room(store, length);
    return result;
}

int store_save_index(struct image_store *store, bool is_removal, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    const char *revision = arena_printf(&arena, "%llu", (unsigned long long)store->revision + 1);
    struct image_index index = {
        .schema_version = 2,
        .media_type = MEDIA_TYPE_INDEX,
        .annotations = {&(struct string_pair){ANNOTATION_REVISION, revision}, 1}};
    struct json_writer *writer;
    const char *text;
    size_t count = 0;
    int result;

    for (size_t i = 0; i < store->image_count; i++)
        count += store->images[i]->name_count > 0 ? store->images[i]->name_count : 1;
    count += store->damaged.count;
    index.manifests.items = arena_new(&arena, count, sizeof(*index.manifests.items));
    for (size_t i = 0; i < store->image_count; i++) {
        const struct image *image = store->images[i];

        for (size_t j = 0; j < image->name_count; j++)
            make_index_entry(&arena, image, &image->names[j],
                             &index.manifests.items[index.manifests.count++]);
        if (image->name_count == 0)
            make_index_entry(&arena, image, NULL, &index.manifests.items[index.manifests.count++]);
    }
    for (size_t i = 0; i < store->damaged.count; i++)
        index.manifests.items[index.manifests.count++] = store->damaged.items[i];
    writer = json_writer_new(false);
    json_encode(writer, &image_index_type, &index);
    text = json_writer_text(writer);
    result = write_index(store, text, is_removal, err);
    json_writer_free(writer);
    if (result == 0)
        store->revision++;
    return result;
}

uint64_t store_index_revision(const struct image_index *index)
{
    const char *text = string_map_get(&index->annotations, ANNOTATION_REVISION);
    uint64_t revision = 0;

    if (text != NULL)
        number_parse_unsigned(text, INT64_MAX, &revision);
    return revision;
}

static int parse_index(struct image_store *store, const struct buffer *text,
                       struct image_index *index, struct error *err)
{
    if (image_index_parse(&store->damaged_arena, buffer_text(text), text->length, index, err) == 0)
        return 0;
    *index = (struct image_index){0};
    return -EBADMSG;
}

/* What is not what was written counts only where it is older than the copy: as a file that was put
 * back from a backup is. Returns -EBADMSG where it seems to be newer. */
static int doubt_index(struct image_index *index, const struct image_index *copy, struct error *err)
{
    if (store_index_revision(index) > store_index_revision(copy))
        return error_set(err, ERROR_CORRUPT, EBADMSG, INDEX_FILE " is not what was written");
    index->annotations = (struct string_map){0};
    return 0;
}

int store_read_index(struct image_store *store, struct image_index *index, struct image_index *copy,
                     struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    cleanup_buffer struct buffer second = {0};
    int result = file_read_sealed(store->root_fd, INDEX_FILE, INDEX_MAX_BYTES, &text, err);
    bool is_whole = result == 0;

    *index = *copy = (struct image_index){0};
    if (result == 0 || result == -EBADMSG)
        result = parse_index(store, &text, index, err);
    if (result < 0)
        error_prefix(err, INDEX_FILE);
    if (file_read_copy(store->root_fd, INDEX_FILE, INDEX_MAX_BYTES, &second, NULL) < 0) {
        /* Better than nothing, but not the truth. */
        *copy = *index;
        return is_whole || result < 0
                   ? result
                   : error_set(err, ERROR_CORRUPT, EBADMSG, INDEX_FILE " is not what was written");
    }
    /* Nearly always they are the same. */
    if (is_whole && result == 0 && second.length == text.length &&
        memcmp(second.data, text.data, text.length) == 0)
        *copy = *index;
    else if (parse_index(store, &second, copy, NULL) == 0 && result == 0 && !is_whole)
        result = doubt_index(index, copy, err);
    return result;
}
