/* Documents of a pull: manifests, indexes, configuration. See pull.h. */
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "pull.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define INDEX_DEPTH_MAX 3

static int read_pipe(struct pull *pull, int pipe_fd, size_t maximum, struct buffer *content)
{
    int result = file_read_fd(pipe_fd, maximum, content);

    return result < 0 ? error_errno(pull->err, -result, "read from the fetch worker") : 0;
}

int pull_fetch(struct pull *pull, struct fetch_request *request, struct buffer *content)
{
    cleanup_close int read_fd = -1;
    int result;

    request->id = ++pull->last_id;
    read_fd = channel_request(pull->channel_fd, request, pull->err);
    if (read_fd < 0)
        return read_fd;
    result = read_pipe(pull, read_fd, FETCH_DOCUMENT_MAX, content);
    return result < 0 ? result : channel_await(pull->channel_fd, pull->err);
}

/* Fetches and stores a document, which has to be `expected` if that is not NULL. */
static int fetch_and_store(struct pull *pull, struct fetch_request *request, const char *expected,
                           char digest[DIGEST_SIZE], const char **text, size_t *length)
{
    cleanup_buffer struct buffer content = {0};
    int result = pull_fetch(pull, request, &content);

    if (result == 0)
        result =
            blob_put(pull->store_fd, content.data, content.length, expected, digest, pull->err);
    *text = arena_strndup(&pull->arena, buffer_text(&content), content.length);
    *length = content.length;
    return result;
}

/* A document by its digest: what the store has is not fetched. */
static int get_document(struct pull *pull, struct fetch_request *request, const char **text,
                        size_t *length)
{
    cleanup_close int present_fd = blob_open(pull->store_fd, request->reference);
    char digest[DIGEST_SIZE];

    if (present_fd >= 0)
        return image_store_read_blob(pull->store_fd, &pull->arena, request->reference, text, length,
                                     pull->err);
    return fetch_and_store(pull, request, request->reference, digest, text, length);
}

static struct image_platform wanted_platform(const struct pull *pull)
{
    struct image_platform wanted = pull->job->platform;

    if (wanted.architecture == NULL)
        wanted.architecture = image_host_architecture();
    if (wanted.os == NULL)
        wanted.os = "linux";
    return wanted;
}

static int no_such_platform(struct pull *pull)
{
    struct image_platform wanted = wanted_platform(pull);

    return error_set(pull->err, ERROR_NOT_FOUND, ENOENT,
                     "no matching manifest for %s/%s%s%s in the manifest list entries", wanted.os,
                     wanted.architecture, wanted.variant != NULL ? "/" : "",
                     wanted.variant != NULL ? wanted.variant : "");
}

/* An index has "manifests". The media type would tell as well, but not every document has one. */
static bool is_index(struct arena *arena, const char *text, size_t length)
{
    const struct json *json = NULL;

    return json_parse(arena, text, length, &json_default_limits, &json, NULL) == 0 &&
           json_get(json, "manifests") != NULL && json_get(json, "layers") == NULL;
}

int pull_follow_indexes(struct pull *pull, const char **text, size_t *length, char *digest)
{
    struct image_platform wanted = wanted_platform(pull);

    for (int depth = 0; is_index(&pull->arena, *text, *length); depth++) {
        struct image_index *index = arena_new(&pull->arena, 1, sizeof(*index));
        const struct image_descriptor *chosen;
        struct fetch_request request = {.is_manifest = true};
        int result = image_index_parse(&pull->arena, *text, *length, index, pull->err);

        if (result < 0)
            return result;
        chosen = image_index_choose(index, &wanted);
        if (chosen == NULL || depth == INDEX_DEPTH_MAX)
            return no_such_platform(pull);
        request.reference = chosen->digest;
        result = get_document(pull, &request, text, length);
        if (result < 0)
            return result;
        memcpy(digest, chosen->digest, DIGEST_SIZE);
    }
    return 0;
}

int pull_get_named_document(struct pull *pull, const char **text, size_t *length,
                            char digest[DIGEST_SIZE])
{
    struct fetch_request request = {.is_manifest = true, .reference = pull->reference};

    if (digest_is_valid(pull->reference)) {
        memcpy(digest, pull->reference, DIGEST_SIZE);
        return get_document(pull, &request, text, length);
    }
    return fetch_and_store(pull, &request, NULL, digest, text, length);
}

int pull_get_config(struct pull *pull)
{
    struct image_platform wanted = wanted_platform(pull);
    struct fetch_request request = {.reference = pull->manifest.config.digest,
                                    .size = pull->manifest.config.size};
    struct image_platform offered;
    const char *text;
    size_t length;
    int result;

    if (request.size > FETCH_DOCUMENT_MAX)
        return error_set(pull->err, ERROR_TOO_LARGE, EFBIG, "the configuration is too large");
    result = get_document(pull, &request, &text, &length);
    if (result == 0)
        result = image_config_parse(&pull->arena, text, length, &pull->config, pull->err);
    if (result < 0)
        return result;
    offered =
        (struct image_platform){.architecture = pull->config.architecture, .os = pull->config.os};
    wanted.variant = NULL;
    return image_platform_fits(&wanted, &offered) ? 0 : no_such_platform(pull);
}
