/* An image from a directory: one layer, a configuration, a manifest, an index, all in one tar whose
 * bytes depend on the directory's content and the options only. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "worker.h"

/* The trees this is for are small: a layer is held in memory until its digest is known. */
#define LAYER_BYTES_MAX (UINT64_C(1) << 30)

struct assembly {
    const struct assemble_options *options;
    struct archive *archive;
    struct error *err;
};

static int archive_failure(struct assembly *assembly)
{
    return tar_write_error(assembly->archive, assembly->err);
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
    return tar_finish(assembly->archive, result, assembly->err);
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
    const struct tree_options tree = {.has_fixed_time = true, .time_s = options->created_s};
    struct assembly assembly = {.options = options, .err = err};
    cleanup_buffer struct buffer layer = {0};
    cleanup_buffer struct buffer image = {0};
    int result = open_writer(&assembly, &layer);

    if (result == 0)
        result = close_writer(&assembly, tree_write(assembly.archive, directory_fd, &tree, err));
    if (result == 0)
        result = open_writer(&assembly, &image);
    if (result == 0)
        result = close_writer(&assembly, write_image(&assembly, &layer));
    if (result == 0)
        result = file_write_fd(out_fd, buffer_text(&image), image.length);
    return result;
}
