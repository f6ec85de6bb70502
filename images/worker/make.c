/*
 * Making images: one layer more than a base has, or the only one. The layer is a tar that comes
 * from outside (import), or what a container has changed (commit), which a process of its own
 * writes.
 */
#include <archive.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "worker.h"

#define CHUNK_BYTES (256 << 10)

struct make {
    int store_fd;
    int out_fd;
    const struct make_job *job;
    const struct worker_limits *limits;
    struct child *writer; /* of the layer; NULL: it comes from outside */
    struct error *err;
    struct image_manifest manifest;
    struct image_config config;
    struct string_list chain_ids;
    struct arena arena;
};

/* Turns Docker's type of a layer into OCI's. Refuses other types, such as that of layers that may
 * only be fetched from their own server. */
static int translate_layer(struct make *make, struct image_descriptor *layer)
{
    if (strcmp(layer->media_type, MEDIA_TYPE_DOCKER_LAYER_GZIP) == 0)
        layer->media_type = MEDIA_TYPE_LAYER_GZIP;
    if (strncmp(layer->media_type, MEDIA_TYPE_LAYER, strlen(MEDIA_TYPE_LAYER)) != 0)
        return error_set(make->err, ERROR_UNSUPPORTED, ENOTSUP,
                         "the base has a layer of type \"%.128s\"", layer->media_type);
    return 0;
}

static int read_base(struct make *make)
{
    struct image_config base = {0};
    const char *text;
    size_t length;
    int result = image_store_read_blob(make->store_fd, &make->arena, make->job->base, &text,
                                       &length, make->err);

    if (result == 0)
        result = image_manifest_parse(&make->arena, text, length, &make->manifest, make->err);
    if (result == 0)
        result = image_store_read_blob(make->store_fd, &make->arena, make->manifest.config.digest,
                                       &text, &length, make->err);
    if (result == 0)
        result = image_config_parse(&make->arena, text, length, &base, make->err);
    if (result == 0)
        result =
            image_list_chain_ids(&make->arena, &make->manifest, &base, &make->chain_ids, make->err);
    for (size_t i = 0; result == 0 && i < make->manifest.layers.count; i++)
        result = translate_layer(make, &make->manifest.layers.items[i]);
    make->config.rootfs.diff_ids = base.rootfs.diff_ids;
    return result < 0 ? error_prefix(make->err, "base %s", make->job->base) : 0;
}

static int take_layer(struct make *make, struct blob_writer *blob, int fd)
{
    cleanup_free char *bytes = memory_new(CHUNK_BYTES, 1);
    ssize_t count;

    while ((count = read(fd, bytes, CHUNK_BYTES)) > 0) {
        int result = blob_write(blob, bytes, (size_t)count, make->err);

        if (result == 0 && blob->size > make->limits->archive_bytes)
            result =
                error_set(make->err, ERROR_TOO_LARGE, EFBIG, "the archive has more than %llu bytes",
                          (unsigned long long)make->limits->archive_bytes);
        if (result < 0)
            return result;
    }
    return count < 0 ? error_errno(make->err, errno, "read the layer") : 0;
}

/* Publishes the layer, whose blob is stored already, and adds it to manifest and configuration. */
static int add_layer(struct make *make, struct layer_unpack *unpack, const char *digest,
                     int64_t size, const char *media_type)
{
    size_t count = make->manifest.layers.count;
    int result = layer_unpack_wait(unpack, make->err);

    if (result < 0)
        return result;
    string_list_append(&make->arena, &make->config.rootfs.diff_ids,
                       arena_strdup(&make->arena, unpack->diff_id));
    make->manifest.layers.items = arena_grow(&make->arena, make->manifest.layers.items, count,
                                             sizeof(struct image_descriptor));
    make->manifest.layers.items[count] = (struct image_descriptor){
        .media_type = media_type, .digest = arena_strdup(&make->arena, digest), .size = size};
    make->manifest.layers.count = count + 1;
    make->chain_ids.count = 0;
    result = image_list_chain_ids(&make->arena, &make->manifest, &make->config, &make->chain_ids,
                                  make->err);
    return result < 0
               ? result
               : layer_unpack_publish(unpack, unpack->diff_id, &make->chain_ids, count, make->err);
}

/* Tells the layer's type by its first bytes, as decompressor_open() does. */
static int media_type_of(struct make *make, const char *digest, const char **media_type)
{
    cleanup_close int fd = blob_open(make->store_fd, digest);
    unsigned char magic[2] = {0, 0};

    if (fd < 0 || pread(fd, magic, sizeof(magic), 0) < 0)
        return error_errno(make->err, fd < 0 ? -fd : errno, "blob %s", digest);
    *media_type = magic[0] == 0x1f && magic[1] == 0x8b   ? MEDIA_TYPE_LAYER_GZIP
                  : magic[0] == 0x28 && magic[1] == 0xb5 ? MEDIA_TYPE_LAYER_ZSTD
                                                         : MEDIA_TYPE_LAYER;
    return 0;
}

static int put_document(struct make *make, struct json_writer *writer, char digest[DIGEST_SIZE],
                        int64_t *size)
{
    const char *text = json_writer_text(writer);
    int result;

    *size = (int64_t)strlen(text);
    result = blob_put(make->store_fd, text, (size_t)*size, NULL, digest, make->err);
    json_writer_free(writer);
    return result;
}

static int store_and_report_image(struct make *make)
{
    struct json_writer *writer = json_writer_new(false);
    struct image_report report = {.media_type = MEDIA_TYPE_MANIFEST};
    char *config_digest = arena_new(&make->arena, DIGEST_SIZE, 1);
    char manifest_digest[DIGEST_SIZE];
    int result;

    json_encode(writer, &image_config_type, &make->config);
    make->manifest.config = (struct image_descriptor){.media_type = MEDIA_TYPE_CONFIG};
    result = put_document(make, writer, config_digest, &make->manifest.config.size);
    if (result < 0)
        return result;
    make->manifest.config.digest = config_digest;
    make->manifest.schema_version = 2;
    make->manifest.media_type = MEDIA_TYPE_MANIFEST;
    make->manifest.annotations = (struct string_map){0};
    writer = json_writer_new(false);
    json_encode(writer, &image_manifest_type, &make->manifest);
    result = put_document(make, writer, manifest_digest, &report.size);
    if (result < 0)
        return result;
    report.digest = manifest_digest;
    report.layers = string_list_join(&make->arena, &make->chain_ids, ",");
    if (make->job->name != NULL)
        string_list_append(&make->arena, &report.names, make->job->name);
    return report_write(make->out_fd, &report, make->err);
}

/* Stores the layer and unpacks it at the same time. */
static int store_layer(struct make *make, int layer_fd, struct layer_unpack *unpack,
                       char digest[DIGEST_SIZE], int64_t *size)
{
    struct child_outcome outcome;
    struct blob_writer blob;
    int result = blob_begin(&blob, make->store_fd, make->err);

    if (result < 0)
        return result;
    result = blob.copy_fd =
        layer_unpack_begin_pipe(unpack, make->store_fd, make->limits, make->err);
    if (result >= 0)
        result = take_layer(make, &blob, layer_fd);
    /* The pipe ends also if the writer has failed: only its outcome tells. */
    if (result == 0 && make->writer != NULL)
        result = child_await(make->writer, &outcome, make->err);
    *size = (int64_t)blob.size;
    if (result < 0)
        blob_abort(&blob);
    return result < 0 ? result : blob_commit(&blob, NULL, digest, make->err);
}

static int make_image(struct make *make, int layer_fd)
{
    struct layer_unpack unpack = {.child = {-1, -1}, .directory_fd = -1, .implicit_fd = -1};
    const char *media_type = NULL;
    char digest[DIGEST_SIZE];
    int64_t size = 0;
    int result = make->job->base != NULL ? read_base(make) : 0;

    if (result < 0)
        return result;
    result = store_layer(make, layer_fd, &unpack, digest, &size);
    if (result == 0)
        result = media_type_of(make, digest, &media_type);
    if (result == 0)
        result = add_layer(make, &unpack, digest, size, media_type);
    if (unpack.temporary[0] != '\0')
        layer_unpack_abort(&unpack);
    return result < 0 ? result : store_and_report_image(make);
}

int job_run_import(int store_fd, int layer_fd, int out_fd, const struct make_job *job,
                   const struct worker_limits *limits, struct error *err)
{
    struct make make = {.store_fd = store_fd,
                        .out_fd = out_fd,
                        .job = job,
                        .limits = limits,
                        .err = err,
                        .config = job->config};
    int result = make_image(&make, layer_fd);

    arena_release(&make.arena);
    return result;
}

static int write_upper(int container_fd, int out_fd, struct error *err)
{
    const struct tree_options options = {.is_upper = true};
    cleanup_close int upper_fd =
        openat(container_fd, "upper", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct archive *archive;
    int result = 0;

    if (upper_fd < 0 && errno != ENOENT)
        return error_errno(err, errno, "open upper");
    archive = tar_create(out_fd, TAR_EXACT_GZIP, err);
    if (archive == NULL)
        return -EIO;
    /* Without it the container has never been started: its layer is empty. */
    if (upper_fd >= 0)
        result = tree_write(archive, upper_fd, &options, err);
    return tar_finish(archive, result, err);
}

static int start_writer(int container_fd, struct child *child, int *layer_fd, struct error *err)
{
    int pair[2];
    pid_t pid;

    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    fcntl(pair[1], F_SETPIPE_SZ, 1 << 20);
    pid = child_fork(child, (int *const[]){&container_fd, &pair[1]}, 2, err);
    if (pid == 0) {
        struct child_outcome outcome = {0};

        write_upper(container_fd, pair[1], &outcome.error);
        child_exit(child, &outcome);
    }
    close(pair[1]);
    *layer_fd = pair[0];
    return pid < 0 ? (int)pid : 0;
}

int job_run_commit(int store_fd, int out_fd, const struct make_job *job,
                   const struct worker_limits *limits, struct error *err)
{
    struct child writer = {-1, -1};
    struct make make = {.store_fd = store_fd,
                        .out_fd = out_fd,
                        .job = job,
                        .limits = limits,
                        .writer = &writer,
                        .err = err,
                        .config = job->config};
    cleanup_close int container_fd = container_open(store_fd, job->container, err);
    cleanup_close int layer_fd = -1;
    int result =
        container_fd < 0 ? container_fd : start_writer(container_fd, &writer, &layer_fd, err);

    if (result == 0)
        result = make_image(&make, layer_fd);
    child_kill(&writer);
    arena_release(&make.arena);
    return result;
}
