/*
 * Pushing: the registry gets the blobs that it has not, each from a process that does nothing but
 * read it, and then the manifest, whose digest is what the image is called there. Several images
 * may become one index, which is made here.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "worker.h"

#define PARALLEL_BLOBS 3
#define TRIES_MAX 3

struct blob_job {
    int32_t id; /* of the request; 0: free */
    const struct image_descriptor *blob;
    pid_t pid; /* of the process that reads it */
    unsigned int tries;
};

struct push {
    int store_fd;
    int channel_fd;
    int out_fd;
    const struct push_job *job;
    struct error *err;
    int32_t last_id;
    struct image_manifest manifest;
    struct blob_job jobs[PARALLEL_BLOBS];
    struct arena arena;
};

static _Noreturn void feed(int blob_fd, int pipe_fd)
{
    process_keep_only((int *const[]){&blob_fd, &pipe_fd}, 2);
    while (sendfile(pipe_fd, blob_fd, NULL, 1 << 20) > 0)
        continue;
    _exit(0);
}

/* Asks the fetch worker to upload a blob or document, and starts a process that feeds it. */
static int request_upload(struct push *push, const char *digest, struct fetch_request *request,
                          pid_t *pid)
{
    cleanup_close int blob_fd = blob_open(push->store_fd, digest);
    cleanup_close int read_fd = -1;
    cleanup_close int write_fd = -1;
    struct stat status;
    int pair[2];
    int result;

    if (blob_fd < 0 || fstat(blob_fd, &status) < 0)
        return error_errno(push->err, blob_fd < 0 ? -blob_fd : errno, "blob %s", digest);
    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_errno(push->err, errno, "pipe");
    read_fd = pair[0];
    write_fd = pair[1];
    request->id = ++push->last_id;
    request->is_upload = true;
    request->size = status.st_size;
    *pid = fork();
    if (*pid == 0)
        feed(blob_fd, write_fd);
    if (*pid < 0)
        return error_errno(push->err, errno, "fork");
    fd_close(&write_fd);
    result = channel_send(push->channel_fd, &fetch_request_type, request, read_fd, push->err);
    if (result < 0) {
        fd_close(&read_fd);
        waitpid(*pid, NULL, 0);
    }
    return result;
}

static int start_blob(struct push *push, struct blob_job *job)
{
    struct fetch_request request = {.reference = job->blob->digest};
    int result = request_upload(push, job->blob->digest, &request, &job->pid);

    job->id = result < 0 ? 0 : request.id;
    job->tries++;
    return result;
}

/* ERROR_INTERNAL may be a failure of the connection: tries again, with the blob from its start. */
static int handle_failure(struct push *push, struct blob_job *job,
                          const struct fetch_answer *answer)
{
    waitpid(job->pid, NULL, 0);
    channel_failure(answer, push->err);
    if (push->err->code == ERROR_INTERNAL && job->tries < TRIES_MAX)
        return start_blob(push, job);
    job->id = 0;
    return error_prefix(push->err, "blob %s", job->blob->digest);
}

static int handle_blob_answer(struct push *push, struct blob_job *job,
                              const struct fetch_answer *answer)
{
    if (answer->error != NULL)
        return handle_failure(push, job, answer);
    if (!answer->is_done) {
        report_progress(push->out_fd, job->blob->digest, "Pushing", answer->received,
                        job->blob->size);
        return 0;
    }
    waitpid(job->pid, NULL, 0);
    report_progress(push->out_fd, job->blob->digest,
                    answer->was_there ? "Layer already exists" : "Pushed", 0, 0);
    job->id = 0;
    return 0;
}

static int wait_for_answer(struct push *push)
{
    struct pollfd events[] = {{.fd = push->channel_fd, .events = POLLIN},
                              {.fd = push->out_fd}}; /* an error: nobody reads it any more */
    cleanup_arena struct arena arena = {0};
    struct fetch_answer answer = {0};
    int result;

    if (poll(events, 2, -1) < 0)
        return errno == EINTR ? 0 : error_errno(push->err, errno, "poll");
    if (events[1].revents != 0)
        return error_set(push->err, ERROR_CONFLICT, ECANCELED, "the push was cancelled");
    result = channel_receive(push->channel_fd, &arena, &answer, push->err);
    for (size_t i = 0; result == 0 && i < PARALLEL_BLOBS; i++) {
        if (push->jobs[i].id != 0 && push->jobs[i].id == answer.id)
            return handle_blob_answer(push, &push->jobs[i], &answer);
    }
    return result;
}

static struct blob_job *find_job(struct push *push, bool is_free)
{
    for (size_t i = 0; i < PARALLEL_BLOBS; i++) {
        if ((push->jobs[i].id == 0) == is_free)
            return &push->jobs[i];
    }
    return NULL;
}

static int push_blob(struct push *push, const struct image_descriptor *blob)
{
    struct blob_job *job;
    int result = 0;

    while (result == 0 && (job = find_job(push, true)) == NULL)
        result = wait_for_answer(push);
    if (result < 0)
        return result;
    *job = (struct blob_job){.blob = blob};
    report_progress(push->out_fd, blob->digest, "Preparing", 0, 0);
    return start_blob(push, job);
}

/* The same layer may stand in an image twice. */
static bool was_pushed(const struct push *push, size_t number)
{
    for (size_t i = 0; i < number; i++) {
        if (strcmp(push->manifest.layers.items[i].digest,
                   push->manifest.layers.items[number].digest) == 0)
            return true;
    }
    return false;
}

static int push_blobs(struct push *push)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < push->manifest.layers.count; i++) {
        if (!was_pushed(push, i))
            result = push_blob(push, &push->manifest.layers.items[i]);
    }
    if (result == 0)
        result = push_blob(push, &push->manifest.config);
    while (result == 0 && find_job(push, false) != NULL)
        result = wait_for_answer(push);
    return result;
}

/* A manifest or an index, once all that it names is there. */
static int push_document(struct push *push, const char *digest, const char *media_type,
                         const char *tag)
{
    struct fetch_request request = {
        .is_manifest = true, .reference = tag != NULL ? tag : digest, .media_type = media_type};
    pid_t pid = -1;
    int result = request_upload(push, digest, &request, &pid);

    if (result < 0)
        return result;
    result = channel_await(push->channel_fd, push->err);
    waitpid(pid, NULL, 0);
    return result;
}

static int push_image(struct push *push, const struct push_image *image, int64_t *size)
{
    const char *text = NULL;
    size_t length = 0;
    int result = image_store_read_blob(push->store_fd, &push->arena, image->digest, &text, &length,
                                       push->err);

    push->manifest = (struct image_manifest){0};
    if (result == 0)
        result = image_manifest_parse(&push->arena, text, length, &push->manifest, push->err);
    if (result == 0)
        result = push_blobs(push);
    if (result == 0)
        result = push_document(push, image->digest, image->media_type, image->tag);
    *size = (int64_t)length;
    return result;
}

/* The tag stands for what has the digest `named` and `total` bytes: the manifest, or an index. */
static int report_image(struct push *push, const struct push_image *image, int64_t size,
                        const char *tag, const char *named, int64_t total)
{
    const struct image_report report = {
        .digest = image->digest,
        .repo_digest = named,
        .media_type = image->media_type,
        .layers = image->layers != NULL ? image->layers : "",
        .size = size,
        .id = tag,
        .total = total,
    };

    return report_write(push->out_fd, &report, push->err);
}

static int push_images(struct push *push)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < push->job->images.count; i++) {
        const struct push_image *image = &push->job->images.items[i];
        int64_t size;

        result = push_image(push, image, &size);
        if (result == 0)
            result = report_image(push, image, size, image->tag, image->digest, size);
    }
    return result;
}

static bool is_same_text(const char *one, const char *other)
{
    return strcmp(one != NULL ? one : "", other != NULL ? other : "") == 0;
}

static int check_platform(struct push *push, const struct image_index *index,
                          const struct image_platform *platform)
{
    for (size_t i = 0; i < index->manifests.count; i++) {
        const struct image_platform *other = index->manifests.items[i].platform;

        if (is_same_text(other->os, platform->os) &&
            is_same_text(other->architecture, platform->architecture) &&
            is_same_text(other->variant, platform->variant))
            return error_set(push->err, ERROR_INVALID, EINVAL,
                             "two images for %s/%s%s%s: an index has one for each platform",
                             platform->os, platform->architecture,
                             platform->variant != NULL ? "/" : "",
                             platform->variant != NULL ? platform->variant : "");
    }
    return 0;
}

/* Adds the image to the index. Refuses a second image for the same platform. */
static int describe_image(struct push *push, const struct push_image *image,
                          struct image_index *index)
{
    struct image_platform *platform = arena_new(&push->arena, 1, sizeof(*platform));
    struct image_manifest manifest = {0};
    struct image_config config = {0};
    const char *text = NULL;
    size_t length = 0;
    int64_t size;
    int result = image_store_read_blob(push->store_fd, &push->arena, image->digest, &text, &length,
                                       push->err);

    size = (int64_t)length;
    if (result == 0)
        result = image_manifest_parse(&push->arena, text, length, &manifest, push->err);
    if (result == 0)
        result = image_store_read_blob(push->store_fd, &push->arena, manifest.config.digest, &text,
                                       &length, push->err);
    if (result == 0)
        result = image_config_parse(&push->arena, text, length, &config, push->err);
    if (result < 0)
        return result;
    *platform = (struct image_platform){
        .architecture = config.architecture, .os = config.os, .variant = config.variant};
    result = check_platform(push, index, platform);
    index->manifests.items[index->manifests.count++] =
        (struct image_descriptor){.media_type = image->media_type,
                                  .digest = image->digest,
                                  .size = size,
                                  .platform = platform};
    return result;
}

/* Docker's list if all images have Docker's manifests, otherwise OCI's index. */
static const char *index_media_type(const struct push_job *job)
{
    for (size_t i = 0; i < job->images.count; i++) {
        if (strcmp(job->images.items[i].media_type, MEDIA_TYPE_DOCKER_MANIFEST) != 0)
            return MEDIA_TYPE_INDEX;
    }
    return MEDIA_TYPE_DOCKER_LIST;
}

/* Stores the index, since request_upload() reads from the store. */
static int store_index(struct push *push, const struct image_index *index, char digest[DIGEST_SIZE],
                       int64_t *size)
{
    struct json_writer *writer = json_writer_new(false);
    int result;

    json_encode(writer, &image_index_type, index);
    *size = (int64_t)strlen(json_writer_text(writer));
    result =
        blob_put(push->store_fd, json_writer_text(writer), (size_t)*size, NULL, digest, push->err);
    json_writer_free(writer);
    return result;
}

static int push_index(struct push *push)
{
    const struct push_job *job = push->job;
    struct image_index index = {.schema_version = 2, .media_type = index_media_type(job)};
    char digest[DIGEST_SIZE];
    int64_t total = 0;
    int result = 0;

    index.manifests.items =
        arena_new(&push->arena, job->images.count + 1, sizeof(*index.manifests.items));
    for (size_t i = 0; result == 0 && i < job->images.count; i++)
        result = describe_image(push, &job->images.items[i], &index);
    for (size_t i = 0; result == 0 && i < job->images.count; i++)
        result = push_image(push, &job->images.items[i], &index.manifests.items[i].size);
    if (result == 0)
        result = store_index(push, &index, digest, &total);
    if (result < 0)
        return result;
    result = push_document(push, digest, index.media_type, job->index_tag);
    for (size_t i = 0; result == 0 && i < job->images.count; i++)
        result = report_image(push, &job->images.items[i], index.manifests.items[i].size,
                              job->index_tag, digest, total);
    return result;
}

static int push_all(struct push *push)
{
    int result =
        channel_send(push->channel_fd, &fetch_setup_type, &push->job->fetch, -1, push->err);

    if (result < 0)
        return result;
    return push->job->index_tag != NULL ? push_index(push) : push_images(push);
}

int job_run_push(int store_fd, int channel_fd, int out_fd, const struct push_job *job,
                 struct error *err)
{
    struct push *push = memory_new_one(struct push);
    struct error local = {0};
    int result;

    push->store_fd = store_fd;
    push->channel_fd = channel_fd;
    push->out_fd = out_fd;
    push->job = job;
    push->err = err != NULL ? err : &local;
    result = push_all(push);
    arena_release(&push->arena);
    free(push);
    return result;
}
