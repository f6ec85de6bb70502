/* Lists of manifests: see manifest_list.h. */
#include "manifest_list.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
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

/* The directory of all lists, and the name of the file in it. */
static int open_directory(struct arena *arena, const char *name, bool makes_it, const char **file,
                          struct error *err)
{
    cleanup_buffer struct buffer encoded = {0};
    const char *config = credentials_path(arena);
    const char *parent;
    const char *path;
    int fd;

    if (config == NULL)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "neither DOCKER_CONFIG nor HOME says where manifest lists are kept");
    parent = dirname(arena_strdup(arena, config));
    path = arena_printf(arena, "%s/" DIRECTORY, parent);
    http_encode(&encoded, name);
    *file = arena_printf(arena, "%s.json", buffer_text(&encoded));
    if (strlen(*file) > NAME_MAX)
        return error_set(err, ERROR_INVALID, EINVAL, "\"%.64s\"...: the name is too long", name);
    if (makes_it && ((mkdir(parent, 0700) < 0 && errno != EEXIST) ||
                     (mkdir(path, 0700) < 0 && errno != EEXIST)))
        return error_errno(err, errno, "%s", path);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? error_errno(err, errno, "%s", path) : fd;
}

int manifest_list_read(struct arena *arena, const char *name, struct manifest_list *list,
                       struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    cleanup_close int directory_fd = -1;
    const char *file = NULL;
    int result;

    *list = (struct manifest_list){.name = with_tag(arena, name)};
    if (strchr(name, '@') != NULL)
        return 0;
    directory_fd = open_directory(arena, list->name, false, &file, err);
    if (directory_fd == -ENOENT) {
        *err = (struct error){0};
        return 0;
    }
    if (directory_fd < 0)
        return directory_fd;
    result = file_read(directory_fd, file, LIST_MAX, &text, err);
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
    cleanup_close int directory_fd = open_directory(arena, list->name, true, &file, err);
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
    cleanup_close int directory_fd = open_directory(arena, list->name, true, &file, err);

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
