/* An image from a directory: one layer, a configuration, a manifest, an index, all in one tar whose
 * bytes depend on the directory's content and the options only. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "worker.h"

#define DEPTH_MAX 128
/* The trees this is for are small: a layer is held in memory until its digest is known. */
#define LAYER_BYTES_MAX (UINT64_C(1) << 30)

struct assembly {
    const struct assemble_options *options;
    struct archive *archive;
    struct error *err;
};

static int archive_failure(struct assembly *assembly)
{
    const char *message = archive_error_string(assembly->archive);

    return error_set(assembly->err, ERROR_INTERNAL, EIO, "write the archive: %s",
                     message != NULL ? message : "failed");
}

static la_ssize_t append_output(struct archive *archive, void *context, const void *bytes,
                                size_t length)
{
    struct buffer *output = context;

    if (output->length + length > LAYER_BYTES_MAX) {
        archive_set_error(archive, EFBIG, "the layer is larger than 1 GiB");
        return -1;
    }
    buffer_append(output, bytes, length);
    return (la_ssize_t)length;
}

static int open_writer(struct assembly *assembly, struct buffer *output)
{
    assembly->archive = archive_write_new();
    archive_write_set_format_pax_restricted(assembly->archive);
    archive_write_set_bytes_in_last_block(assembly->archive, 1);
    if (archive_write_open(assembly->archive, output, NULL, append_output, NULL) != ARCHIVE_OK)
        return archive_failure(assembly);
    return 0;
}

static int close_writer(struct assembly *assembly, int result)
{
    if (result == 0 && archive_write_close(assembly->archive) != ARCHIVE_OK)
        result = archive_failure(assembly);
    archive_write_free(assembly->archive);
    assembly->archive = NULL;
    return result;
}

static int copy_file(struct assembly *assembly, int directory_fd, const char *name)
{
    cleanup_close int fd = openat(directory_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    char bytes[65536];
    ssize_t count;

    if (fd < 0)
        return error_errno(assembly->err, errno, "%s", name);
    while ((count = read(fd, bytes, sizeof(bytes))) > 0) {
        if (archive_write_data(assembly->archive, bytes, (size_t)count) != count)
            return archive_failure(assembly);
    }
    return count < 0 ? error_errno(assembly->err, errno, "%s", name) : 0;
}

static int add_directory(struct assembly *assembly, int directory_fd, const char *path, int depth);

static int add_entry(struct assembly *assembly, int directory_fd, const char *path,
                     const char *name, int depth)
{
    struct archive_entry *entry;
    struct stat status;
    char link[PATH_MAX] = "";
    int result = 0;

    if (fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(assembly->err, errno, "%s", path);
    if (S_ISLNK(status.st_mode) && readlinkat(directory_fd, name, link, sizeof(link) - 1) < 0)
        return error_errno(assembly->err, errno, "%s", path);
    entry = archive_entry_new();
    archive_entry_set_pathname(entry, path);
    archive_entry_set_mode(entry, status.st_mode);
    archive_entry_set_uid(entry, status.st_uid);
    archive_entry_set_gid(entry, status.st_gid);
    archive_entry_set_mtime(entry, assembly->options->created_s, 0);
    archive_entry_set_size(entry, S_ISREG(status.st_mode) ? status.st_size : 0);
    if (S_ISLNK(status.st_mode))
        archive_entry_set_symlink(entry, link);
    if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode))
        archive_entry_set_rdev(entry, status.st_rdev);
    if (archive_write_header(assembly->archive, entry) != ARCHIVE_OK)
        result = archive_failure(assembly);
    archive_entry_free(entry);
    if (result == 0 && S_ISREG(status.st_mode))
        result = copy_file(assembly, directory_fd, name);
    if (result == 0 && S_ISDIR(status.st_mode)) {
        cleanup_close int child =
            openat(directory_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        result = child < 0 ? error_errno(assembly->err, errno, "%s", path)
                           : add_directory(assembly, child, path, depth + 1);
    }
    return result;
}

static int is_visible(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_name(const struct dirent **left, const struct dirent **right)
{
    return strcmp((*left)->d_name, (*right)->d_name);
}

static int add_directory(struct assembly *assembly, int directory_fd, const char *path, int depth)
{
    struct dirent **entries = NULL;
    int count = scandirat(directory_fd, ".", &entries, is_visible, by_name);
    int result = 0;

    if (count < 0)
        return error_errno(assembly->err, errno, "read directory %s", path);
    if (depth == DEPTH_MAX)
        result = error_set(assembly->err, ERROR_TOO_LARGE, ELOOP, "%s: nested too deeply", path);
    for (int i = 0; i < count; i++) {
        cleanup_free char *child =
            memory_printf("%s%s%s", path, path[0] != '\0' ? "/" : "", entries[i]->d_name);

        if (result == 0)
            result = add_entry(assembly, directory_fd, child, entries[i]->d_name, depth);
        free(entries[i]);
    }
    free(entries);
    return result;
}

static int add_bytes(struct assembly *assembly, const char *name, const void *bytes, size_t length)
{
    struct archive_entry *entry = archive_entry_new();
    int result = 0;

    archive_entry_set_pathname(entry, name);
    archive_entry_set_mode(entry, AE_IFREG | 0644);
    archive_entry_set_mtime(entry, assembly->options->created_s, 0);
    archive_entry_set_size(entry, (la_int64_t)length);
    if (archive_write_header(assembly->archive, entry) != ARCHIVE_OK ||
        archive_write_data(assembly->archive, bytes, length) != (la_ssize_t)length)
        result = archive_failure(assembly);
    archive_entry_free(entry);
    return result;
}

static int add_blob(struct assembly *assembly, const char *digest, const void *bytes, size_t length)
{
    char name[128];

    snprintf(name, sizeof(name), "blobs/sha256/%s", digest + 7);
    return add_bytes(assembly, name, bytes, length);
}

static struct json_writer *make_config(const struct assemble_options *options, const char *diff_id)
{
    struct json_writer *writer = json_writer_new(false);
    char created[CLOCK_RFC3339_SIZE];
    struct image_history history = {.created_by = "davit-image assemble"};
    struct image_config config = {
        .architecture = image_host_architecture(),
        .os = "linux",
        .config = {.user = options->user,
                   .env = options->env,
                   .cmd = options->cmd,
                   .working_dir = options->working_dir,
                   .labels = options->labels},
        .rootfs = {.type = "layers", .diff_ids = {&diff_id, 1}},
        .history = {&history, 1},
    };

    clock_format_rfc3339(options->created_s * 1000000000, created);
    config.created = options->created_s > 0 ? created : "1970-01-01T00:00:00Z";
    history.created = config.created;
    json_encode(writer, &image_config_type, &config);
    return writer;
}

static struct json_writer *make_manifest(const char *config_digest, size_t config_size,
                                         const char *layer_digest, size_t layer_size)
{
    struct json_writer *writer = json_writer_new(false);
    struct image_descriptor layer = {
        .media_type = MEDIA_TYPE_LAYER, .digest = layer_digest, .size = (int64_t)layer_size};
    const struct image_manifest manifest = {
        .schema_version = 2,
        .media_type = MEDIA_TYPE_MANIFEST,
        .config = {.media_type = MEDIA_TYPE_CONFIG,
                   .digest = config_digest,
                   .size = (int64_t)config_size},
        .layers = {&layer, 1},
    };

    json_encode(writer, &image_manifest_type, &manifest);
    return writer;
}

static struct json_writer *make_index(const struct assemble_options *options, const char *digest,
                                      size_t size)
{
    struct json_writer *writer = json_writer_new(false);
    struct string_pair annotations[] = {
        {ANNOTATION_IMAGE_NAME, options->name},
        {ANNOTATION_REF_NAME, strrchr(options->name, ':') + 1},
    };
    struct image_descriptor descriptor = {
        .media_type = MEDIA_TYPE_MANIFEST,
        .digest = digest,
        .size = (int64_t)size,
        .annotations = {annotations, ARRAY_SIZE(annotations)},
    };
    const struct image_index index = {
        .schema_version = 2, .media_type = MEDIA_TYPE_INDEX, .manifests = {&descriptor, 1}};

    json_encode(writer, &image_index_type, &index);
    return writer;
}

static int write_image(struct assembly *assembly, const struct buffer *layer)
{
    char layer_digest[DIGEST_SIZE];
    char config_digest[DIGEST_SIZE];
    char manifest_digest[DIGEST_SIZE];
    struct json_writer *writers[3];
    const char *texts[3];
    int result;

    digest_of(buffer_text(layer), layer->length, layer_digest);
    writers[0] = make_config(assembly->options, layer_digest);
    texts[0] = json_writer_text(writers[0]);
    digest_of(texts[0], strlen(texts[0]), config_digest);
    writers[1] = make_manifest(config_digest, strlen(texts[0]), layer_digest, layer->length);
    texts[1] = json_writer_text(writers[1]);
    digest_of(texts[1], strlen(texts[1]), manifest_digest);
    writers[2] = make_index(assembly->options, manifest_digest, strlen(texts[1]));
    texts[2] = json_writer_text(writers[2]);
    result = add_bytes(assembly, "oci-layout", IMAGE_LAYOUT, strlen(IMAGE_LAYOUT));
    if (result == 0)
        result = add_bytes(assembly, "index.json", texts[2], strlen(texts[2]));
    if (result == 0)
        result = add_blob(assembly, manifest_digest, texts[1], strlen(texts[1]));
    if (result == 0)
        result = add_blob(assembly, config_digest, texts[0], strlen(texts[0]));
    if (result == 0)
        result = add_blob(assembly, layer_digest, layer->data, layer->length);
    for (size_t i = 0; i < ARRAY_SIZE(writers); i++)
        json_writer_free(writers[i]);
    return result;
}

int archive_assemble(int directory_fd, const struct assemble_options *options, int out_fd,
                     struct error *err)
{
    struct assembly assembly = {.options = options, .err = err};
    cleanup_buffer struct buffer layer = {0};
    cleanup_buffer struct buffer image = {0};
    int result = open_writer(&assembly, &layer);

    if (result == 0)
        result = close_writer(&assembly, add_directory(&assembly, directory_fd, "", 0));
    if (result == 0)
        result = open_writer(&assembly, &image);
    if (result == 0)
        result = close_writer(&assembly, write_image(&assembly, &layer));
    if (result == 0)
        result = file_write_fd(out_fd, buffer_text(&image), image.length);
    return result;
}
