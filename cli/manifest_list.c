/* Lists of manifests: see manifest_list.h. */
#include "manifest_list.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/http.h"
#include "credentials_internal.h"

#define LIST_MAX (1 << 20) /* bytes of its file */
#define DIRECTORY "manifests-davit"
#define TYPE_INDEX "application/vnd.oci.image.index.v1+json"
#define TYPE_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"

static const struct json_field entry_fields[] = {
    JSON_FIELD(struct manifest_entry, reference, "reference", JSON_KIND_STRING,
               .flags = JSON_REQUIRED),
    JSON_FIELD(struct manifest_entry, media_type, "mediaType", JSON_KIND_STRING,
               .flags = JSON_REQUIRED),
    JSON_FIELD(struct manifest_entry, digest, "digest", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct manifest_entry, size, "size", JSON_KIND_INT64),
    JSON_FIELD(struct manifest_entry, architecture, "architecture", JSON_KIND_STRING),
    JSON_FIELD(struct manifest_entry, os, "os", JSON_KIND_STRING),
    JSON_FIELD(struct manifest_entry, variant, "variant", JSON_KIND_STRING),
    JSON_FIELD(struct manifest_entry, os_version, "os.version", JSON_KIND_STRING),
    JSON_FIELD(struct manifest_entry, os_features, "os.features", JSON_KIND_STRINGS),
};
static const struct json_struct entry_type = JSON_STRUCT(struct manifest_entry, entry_fields);

static const struct json_field list_fields[] = {
    JSON_FIELD(struct manifest_list, name, "name", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct manifest_list, entries, "manifests", JSON_KIND_STRUCTS, .type = &entry_type),
};
static const struct json_struct list_type = JSON_STRUCT(struct manifest_list, list_fields);

/* Where the tag begins: at the ":" behind the last slash; the end if there is none. */
static size_t tag_of(const char *image, size_t length)
{
    size_t at = length;

    while (at > 0 && image[at - 1] != '/' && image[at - 1] != ':')
        at--;
    return at > 0 && image[at - 1] == ':' ? at - 1 : length;
}

const char *manifest_list_repository(struct arena *arena, const char *image)
{
    return arena_strndup(arena, image, tag_of(image, strcspn(image, "@")));
}

static const char *with_tag(struct arena *arena, const char *image)
{
    size_t length = strlen(image);

    return tag_of(image, length) == length ? arena_printf(arena, "%s:latest", image)
                                           : arena_strdup(arena, image);
}

/* The name of a list's file in that directory. */
static int name_file(struct arena *arena, const char *name, const char **file, struct error *err)
{
    cleanup_buffer struct buffer encoded = {0};

    http_encode(&encoded, name);
    *file = arena_printf(arena, "%s.json", buffer_text(&encoded));
    if (strlen(*file) > NAME_MAX)
        return error_set(err, ERROR_INVALID, EINVAL, "\"%.64s\"...: the name is too long", name);
    return 0;
}

/* The directory of all lists, made if need be. */
static int open_directory(struct arena *arena, const char *name, const char **file,
                          struct error *err)
{
    int result = name_file(arena, name, file, err);

    return result < 0 ? result : credentials_make_directory(arena, DIRECTORY, err);
}

int manifest_list_read(struct arena *arena, const char *name, struct manifest_list *list,
                       struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    const char *directory = credentials_directory(arena);
    const char *file = NULL;
    const char *path;
    int result;

    *list = (struct manifest_list){.name = with_tag(arena, name)};
    if (strchr(name, '@') != NULL || directory == NULL)
        return 0;
    result = name_file(arena, list->name, &file, err);
    if (result < 0)
        return result;
    path = arena_printf(arena, "%s/" DIRECTORY "/%s", directory, file);
    result = file_read(AT_FDCWD, path, LIST_MAX, &text, err);
    if (result == -ENOENT) {
        *err = (struct error){0};
        return 0;
    }
    if (result == 0)
        result = json_decode_text(arena, buffer_text(&text), text.length, &list_type, list, err);
    return result < 0 ? error_prefix(err, DIRECTORY "/%s", file) : 1;
}

struct manifest_entry *manifest_list_find(const struct manifest_list *list, const char *image)
{
    for (size_t i = 0; i < list->entries.count; i++) {
        if (strcmp(list->entries.items[i].reference, image) == 0)
            return &list->entries.items[i];
    }
    return NULL;
}

static struct manifest_entry *add_entry(struct arena *arena, struct manifest_list *list,
                                        const char *image)
{
    struct manifest_entry *entry = manifest_list_find(list, image);
    struct manifest_entry *items;

    if (entry != NULL)
        return entry;
    items = arena_new(arena, list->entries.count + 1, sizeof(*items));
    if (list->entries.count > 0)
        memcpy(items, list->entries.items, list->entries.count * sizeof(*items));
    list->entries.items = items;
    return &items[list->entries.count++];
}

int manifest_list_add(struct arena *arena, struct manifest_list *list, const char *image,
                      const struct json *descriptor, const struct json *platform, struct error *err)
{
    struct manifest_entry *entry = add_entry(arena, list, image);

    *entry = (struct manifest_entry){
        .reference = arena_strdup(arena, image),
        .media_type = json_get_string(descriptor, "mediaType"),
        .digest = json_get_string(descriptor, "digest"),
        .architecture = json_get_string(platform, "architecture"),
        .os = json_get_string(platform, "os"),
        .variant = json_get_string(platform, "variant"),
    };
    if (entry->media_type == NULL || entry->digest == NULL ||
        json_get(descriptor, "size") == NULL ||
        json_to_int64(json_get(descriptor, "size"), &entry->size) < 0)
        return error_set(err, ERROR_CORRUPT, EBADMSG, "%s: davitd's answer is not a manifest's",
                         image);
    return 0;
}

int manifest_list_store(struct arena *arena, const struct manifest_list *list, struct error *err)
{
    struct json_writer *writer = json_writer_new(true);
    const char *file = NULL;
    cleanup_close int directory_fd = open_directory(arena, list->name, &file, err);
    int result = directory_fd;

    json_encode(writer, &list_type, list);
    if (result >= 0)
        result = file_replace(directory_fd, file, json_writer_text(writer),
                              strlen(json_writer_text(writer)), 0600, false, err);
    json_writer_free(writer);
    return result;
}

int manifest_list_remove(struct arena *arena, const struct manifest_list *list, struct error *err)
{
    const char *file = NULL;
    cleanup_close int directory_fd = open_directory(arena, list->name, &file, err);

    if (directory_fd < 0 || file == NULL)
        return directory_fd;
    return unlinkat(directory_fd, file, 0) < 0 ? error_errno(err, errno, DIRECTORY "/%s", file) : 0;
}

const char *manifest_list_media_type(const struct manifest_list *list)
{
    for (size_t i = 0; i < list->entries.count; i++) {
        if (strstr(list->entries.items[i].media_type, "vnd.docker.") == NULL)
            return TYPE_INDEX;
    }
    return TYPE_DOCKER_LIST;
}

void manifest_list_write_entry(struct json_writer *writer, const struct manifest_entry *entry)
{
    json_object_open(writer);
    json_member_string(writer, "mediaType", entry->media_type);
    json_member_integer(writer, "size", entry->size);
    json_member_string(writer, "digest", entry->digest);
    json_key(writer, "platform");
    json_object_open(writer);
    json_member_string(writer, "architecture",
                       entry->architecture != NULL ? entry->architecture : "");
    json_member_string(writer, "os", entry->os != NULL ? entry->os : "");
    if (entry->os_version != NULL)
        json_member_string(writer, "os.version", entry->os_version);
    if (entry->os_features.count > 0)
        json_member_strings(writer, "os.features", &entry->os_features);
    if (entry->variant != NULL)
        json_member_string(writer, "variant", entry->variant);
    json_object_close(writer);
    json_object_close(writer);
}

void manifest_list_write_index(struct json_writer *writer, const struct manifest_list *list)
{
    json_object_open(writer);
    json_member_integer(writer, "schemaVersion", 2);
    json_member_string(writer, "mediaType", manifest_list_media_type(list));
    json_key(writer, "manifests");
    json_array_open(writer);
    for (size_t i = 0; i < list->entries.count; i++)
        manifest_list_write_entry(writer, &list->entries.items[i]);
    json_array_close(writer);
    json_object_close(writer);
}
