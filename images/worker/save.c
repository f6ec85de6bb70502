/*
 * Images as one archive that every tool of the field reads: an OCI layout (image-spec
 * image-layout.md) with the manifest.json of `docker save` beside its index. Its bytes depend on
 * the images and their names alone. Documents come before layers, so that a reader of the stream
 * knows what the layers are; a blob that several images share is in it once.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "worker.h"

#define CHUNK_BYTES (256 << 10)

struct saved_image {
    int64_t size; /* of the manifest */
    struct image_manifest manifest;
};

struct save {
    int store_fd;
    const struct save_job *job;
    struct saved_image *images; /* of job->images */
    struct archive *archive;
    struct string_list written; /* digests */
    struct error *err;
    struct arena arena;
};

static int add_header(struct save *save, const char *name, int64_t size)
{
    struct archive_entry *entry = archive_entry_new();
    int code;

    archive_entry_set_pathname(entry, name);
    archive_entry_set_mode(entry, AE_IFREG | 0644);
    archive_entry_set_mtime(entry, 0, 0);
    archive_entry_set_size(entry, size);
    code = archive_write_header(save->archive, entry);
    archive_entry_free(entry);
    return code == ARCHIVE_OK ? 0 : tar_write_error(save->archive, save->err);
}

static int add_document(struct save *save, const char *name, struct json_writer *writer)
{
    const char *text = json_writer_text(writer);
    size_t length = strlen(text);
    int result = add_header(save, name, (int64_t)length);

    if (result == 0 && archive_write_data(save->archive, text, length) != (la_ssize_t)length)
        result = tar_write_error(save->archive, save->err);
    json_writer_free(writer);
    return result;
}

static int copy_blob(struct save *save, int fd, int64_t size, const char *digest)
{
    cleanup_free char *bytes = memory_new(CHUNK_BYTES, 1);
    struct digest_context *context = digest_new();
    char found[DIGEST_SIZE];
    ssize_t count;

    while ((count = read(fd, bytes, CHUNK_BYTES)) > 0) {
        digest_update(context, bytes, (size_t)count);
        size -= count;
        if (size < 0 || archive_write_data(save->archive, bytes, (size_t)count) != count)
            break;
    }
    digest_finish(context, found);
    if (count < 0)
        return error_errno(save->err, errno, "read");
    if (count > 0)
        return tar_write_error(save->archive, save->err);
    if (size != 0 || strcmp(found, digest) != 0)
        return error_set(save->err, ERROR_CORRUPT, EBADMSG,
                         "the store is damaged: the content does not match its digest");
    return 0;
}

static int add_blob(struct save *save, const char *digest)
{
    cleanup_close int fd = -1;
    struct stat status;
    char name[128];
    int result;

    if (string_list_has(&save->written, digest))
        return 0;
    string_list_append(&save->arena, &save->written, digest);
    fd = blob_open(save->store_fd, digest);
    if (fd < 0 || fstat(fd, &status) < 0)
        return error_errno(save->err, fd < 0 ? -fd : errno, "blob %s", digest);
    snprintf(name, sizeof(name), "blobs/sha256/%s", digest + strlen("sha256:"));
    result = add_header(save, name, status.st_size);
    if (result == 0)
        result = copy_blob(save, fd, status.st_size, digest);
    return result < 0 ? error_prefix(save->err, "blob %s", digest) : 0;
}

static void make_saved_entry(struct save *save, const struct save_image *image, const char *name,
                             int64_t size, struct image_descriptor *descriptor)
{
    struct string_pair *annotations = arena_new(&save->arena, 2, sizeof(*annotations));

    *descriptor = (struct image_descriptor){
        .media_type = image->media_type, .digest = image->digest, .size = size};
    if (name == NULL)
        return;
    annotations[0] = (struct string_pair){ANNOTATION_IMAGE_NAME, name};
    annotations[1] = (struct string_pair){ANNOTATION_REF_NAME, strrchr(name, ':') + 1};
    descriptor->annotations = (struct string_map){annotations, 2};
}

static int write_index(struct save *save)
{
    struct image_index index = {.schema_version = 2, .media_type = MEDIA_TYPE_INDEX};
    struct json_writer *writer = json_writer_new(false);
    size_t count = 0;

    for (size_t i = 0; i < save->job->images.count; i++)
        count += save->job->images.items[i].names.count + 1;
    index.manifests.items = arena_new(&save->arena, count, sizeof(*index.manifests.items));
    for (size_t i = 0; i < save->job->images.count; i++) {
        const struct save_image *image = &save->job->images.items[i];
        int64_t size = save->images[i].size;

        for (size_t j = 0; j < image->names.count; j++)
            make_saved_entry(save, image, image->names.items[j], size,
                             &index.manifests.items[index.manifests.count++]);
        if (image->names.count == 0)
            make_saved_entry(save, image, NULL, size,
                             &index.manifests.items[index.manifests.count++]);
    }
    json_encode(writer, &image_index_type, &index);
    return add_document(save, "index.json", writer);
}

static void write_path(struct json_writer *writer, const char *digest)
{
    char path[128];

    snprintf(path, sizeof(path), "blobs/sha256/%s", digest + strlen("sha256:"));
    json_string(writer, path);
}

static int write_docker_manifest(struct save *save)
{
    struct json_writer *writer = json_writer_new(false);

    json_array_open(writer);
    for (size_t i = 0; i < save->job->images.count; i++) {
        const struct string_list *names = &save->job->images.items[i].names;
        const struct image_manifest *manifest = &save->images[i].manifest;

        json_object_open(writer);
        json_key(writer, "Config");
        write_path(writer, manifest->config.digest);
        json_key(writer, "RepoTags");
        json_array_open(writer);
        for (size_t j = 0; j < names->count; j++) {
            char familiar[512];

            image_reference_familiar(names->items[j], familiar, sizeof(familiar));
            json_string(writer, familiar);
        }
        json_array_close(writer);
        json_key(writer, "Layers");
        json_array_open(writer);
        for (size_t j = 0; j < manifest->layers.count; j++)
            write_path(writer, manifest->layers.items[j].digest);
        json_array_close(writer);
        json_object_close(writer);
    }
    json_array_close(writer);
    return add_document(save, "manifest.json", writer);
}

static int write_blobs(struct save *save)
{
    size_t count = save->job->images.count;
    int result = 0;

    for (size_t i = 0; result == 0 && i < count; i++) {
        result = add_blob(save, save->job->images.items[i].digest);
        if (result == 0)
            result = add_blob(save, save->images[i].manifest.config.digest);
    }
    for (size_t i = 0; result == 0 && i < count; i++) {
        const struct image_manifest *manifest = &save->images[i].manifest;

        for (size_t j = 0; result == 0 && j < manifest->layers.count; j++)
            result = add_blob(save, manifest->layers.items[j].digest);
    }
    return result;
}

static int write_all(struct save *save)
{
    struct json_writer *layout = json_writer_new(false);
    int result;

    json_object_open(layout);
    json_member_string(layout, "imageLayoutVersion", "1.0.0");
    json_object_close(layout);
    result = add_document(save, "oci-layout", layout);
    if (result == 0)
        result = write_index(save);
    if (result == 0)
        result = write_docker_manifest(save);
    if (result == 0)
        result = write_blobs(save);
    return result;
}

/* Reads all manifests before the first byte goes out: after it an error can only cut the archive
 * off. */
static int read_manifests(struct save *save)
{
    size_t count = save->job->images.count;
    int result = 0;

    save->images = arena_new(&save->arena, count, sizeof(*save->images));
    for (size_t i = 0; result == 0 && i < count; i++) {
        const char *digest = save->job->images.items[i].digest;
        const char *text;
        size_t length;

        result =
            image_store_read_blob(save->store_fd, &save->arena, digest, &text, &length, save->err);
        if (result == 0)
            result = image_manifest_parse(&save->arena, text, length, &save->images[i].manifest,
                                          save->err);
        if (result < 0)
            return error_prefix(save->err, "manifest %s", digest);
        save->images[i].size = (int64_t)length;
    }
    return result;
}

int archive_save(int store_fd, int out_fd, const struct save_job *job, struct error *err)
{
    struct save save = {.store_fd = store_fd, .job = job, .err = err};
    int result = read_manifests(&save);

    if (result == 0) {
        save.archive = tar_create(out_fd, TAR_PLAIN, err);
        result = save.archive == NULL ? -EIO : tar_finish(save.archive, write_all(&save), err);
    }
    arena_release(&save.arena);
    return result;
}
