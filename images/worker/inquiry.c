/*
 * What is asked of a registry without an image of the store: whether a login is taken, which
 * repositories there are, what a manifest says, and an index that is put there. The answer is a
 * document that davitd hands to its client as it is.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "worker.h"

#define CATALOG_PAGE 1000
#define CATALOG_PAGES_MAX 100
#define PLATFORMS_MAX 1000
#define NAME_SIZE 512 /* of a repository */
#define PIECE_BYTES (64 << 10)
#define TIMEOUT_S 60      /* of all that one inquiry asks for, */
#define PUT_TIMEOUT_S 600 /* and of one that puts an index with what it names */

struct inquiry {
    int channel_fd;
    int out_fd;
    const struct inquiry_job *job;
    struct error *err;
    int32_t last_id;
    uint64_t deadline_us;
    struct arena arena;
};

/* Waits until something can be read. Nobody waits for a registry for ever, nor for a client that
 * has gone. */
static int await_readable(struct inquiry *inquiry, int fd)
{
    struct pollfd events[] = {{.fd = fd, .events = POLLIN}, {.fd = inquiry->out_fd}};

    for (;;) {
        uint64_t now_us = clock_monotonic_us();
        int left_ms =
            now_us < inquiry->deadline_us ? (int)((inquiry->deadline_us - now_us) / 1000) + 1 : 0;
        int count = poll(events, 2, left_ms);

        if (count < 0 && errno != EINTR)
            return error_errno(inquiry->err, errno, "poll");
        if (count > 0 && events[1].revents != 0)
            return error_set(inquiry->err, ERROR_CONFLICT, ECANCELED, "nobody asks any more");
        if (count > 0)
            return 0;
        if (left_ms == 0)
            return error_set(inquiry->err, ERROR_INTERNAL, ETIMEDOUT,
                             "the registry has not answered in time");
    }
}

/* The last answer to the only request under way. */
static int await_answer(struct inquiry *inquiry)
{
    cleanup_arena struct arena arena = {0};
    struct fetch_answer answer = {0};
    int result = 0;

    while (result == 0 && !answer.is_done && answer.error == NULL) {
        answer = (struct fetch_answer){0};
        result = await_readable(inquiry, inquiry->channel_fd);
        if (result == 0)
            result = channel_receive(inquiry->channel_fd, &arena, &answer, inquiry->err);
    }
    if (result < 0 || answer.error == NULL)
        return result;
    channel_failure(&answer, inquiry->err);
    return -EIO;
}

static int await_text(struct inquiry *inquiry, struct arena *arena, int pipe_fd, const char **text,
                      size_t *length)
{
    cleanup_buffer struct buffer content = {0};

    for (;;) {
        int result = await_readable(inquiry, pipe_fd);
        ssize_t count;

        if (result < 0)
            return result;
        count = read(pipe_fd, buffer_reserve(&content, PIECE_BYTES), PIECE_BYTES);
        if (count < 0 && errno != EINTR)
            return error_errno(inquiry->err, errno, "read from the fetch worker");
        if (count == 0)
            break;
        content.length += count > 0 ? (size_t)count : 0;
        if (content.length > FETCH_DOCUMENT_MAX)
            return error_set(inquiry->err, ERROR_TOO_LARGE, EFBIG, "the answer is too large");
    }
    *text = arena_strndup(arena, buffer_text(&content), content.length);
    *length = content.length;
    return await_answer(inquiry);
}

/* Gets a document, into the arena. */
static int fetch_in(struct inquiry *inquiry, struct arena *arena, struct fetch_request *request,
                    const char **text, size_t *length)
{
    cleanup_close int read_fd = -1;

    request->id = ++inquiry->last_id;
    read_fd = channel_request(inquiry->channel_fd, request, inquiry->err);
    return read_fd < 0 ? read_fd : await_text(inquiry, arena, read_fd, text, length);
}

/* Gets one that is kept to the end. */
static int fetch(struct inquiry *inquiry, struct fetch_request *request, const char **text,
                 size_t *length)
{
    return fetch_in(inquiry, &inquiry->arena, request, text, length);
}

/* Puts a document, or asks the registry to take a blob from where the request says. */
static int put(struct inquiry *inquiry, struct fetch_request *request, const char *text)
{
    cleanup_close int content_fd = -1;
    int result;

    request->id = ++inquiry->last_id;
    request->is_upload = true;
    request->size = (int64_t)strlen(text);
    content_fd = file_in_memory("document", text, strlen(text));
    if (content_fd < 0)
        return error_errno(inquiry->err, -content_fd, "memfd_create");
    result =
        channel_send(inquiry->channel_fd, &fetch_request_type, request, content_fd, inquiry->err);
    return result < 0 ? result : await_answer(inquiry);
}

static int report_document(struct inquiry *inquiry, struct json_writer *writer)
{
    const struct image_report report = {.status = REPORT_DOCUMENT,
                                        .document = json_writer_text(writer)};
    int result = report_write(inquiry->out_fd, &report, inquiry->err);

    json_writer_free(writer);
    return result;
}

static int check_login(struct inquiry *inquiry)
{
    struct fetch_request request = {.path = "/v2/", .reference = ""};
    struct json_writer *writer;
    const char *text;
    size_t length;
    int result = fetch(inquiry, &request, &text, &length);

    if (result < 0)
        return result;
    writer = json_writer_new(false);
    json_object_open(writer);
    json_member_string(writer, "Status", "Login Succeeded");
    json_member_string(writer, "IdentityToken", "");
    json_object_close(writer);
    return report_document(inquiry, writer);
}

/* Searching: Docker's registry has an index with a search of its own (the first version of the
 * registry's API); others list the names of their repositories. */

static void write_found(struct json_writer *writer, const char *name, const char *description,
                        int64_t stars, bool is_official)
{
    json_object_open(writer);
    json_member_string(writer, "name", name);
    json_member_string(writer, "description", description != NULL ? description : "");
    json_member_integer(writer, "star_count", stars);
    json_member_boolean(writer, "is_official", is_official);
    json_member_boolean(writer, "is_automated", false);
    json_object_close(writer);
}

static bool is_true(const struct json *object, const char *name)
{
    const struct json *value = json_get(object, name);

    return value != NULL && value->type == JSON_BOOLEAN && value->boolean;
}

static void write_results(const struct inquiry *inquiry, struct json_writer *writer,
                          const struct json *results)
{
    for (size_t i = 0; results != NULL && results->type == JSON_ARRAY && i < results->count &&
                       i < (size_t)inquiry->job->limit;
         i++) {
        const struct json *one = &results->items[i];
        const struct json *stars = json_get(one, "star_count");
        const char *name = json_get_string(one, "name");
        int64_t count = 0;

        if (stars != NULL && stars->type == JSON_NUMBER && json_to_int64(stars, &count) < 0)
            count = 0;
        if (name != NULL)
            write_found(writer, name, json_get_string(one, "description"), count,
                        is_true(one, "is_official"));
    }
}

static int search_index(struct inquiry *inquiry, struct json_writer *writer)
{
    cleanup_buffer struct buffer path = {0};
    struct fetch_request request = {.reference = ""};
    const struct json *answer = NULL;
    const char *text = NULL;
    size_t length = 0;
    int result;

    buffer_append_string(&path, "/v1/search?q=");
    http_encode(&path, inquiry->job->reference);
    buffer_printf(&path, "&n=%d", inquiry->job->limit);
    request.path = buffer_text(&path);
    result = fetch(inquiry, &request, &text, &length);
    if (result == 0)
        result =
            json_parse(&inquiry->arena, text, length, &json_default_limits, &answer, inquiry->err);
    if (result == 0)
        write_results(inquiry, writer, json_get(answer, "results"));
    return result;
}

/* One page of the catalog. *last becomes the name that the next page begins behind; NULL: there is
 * none. */
static int read_page(struct inquiry *inquiry, struct arena *arena, const char **last,
                     const struct json **names)
{
    cleanup_buffer struct buffer path = {0};
    struct fetch_request request = {.reference = ""};
    const struct json *answer = NULL;
    const char *text = NULL;
    size_t length = 0;
    int result;

    buffer_printf(&path, "/v2/_catalog?n=%d", CATALOG_PAGE);
    if (*last != NULL) {
        buffer_append_string(&path, "&last=");
        http_encode(&path, *last);
    }
    *last = NULL;
    request.path = buffer_text(&path);
    result = fetch_in(inquiry, arena, &request, &text, &length);
    if (result == 0)
        result = json_parse(arena, text, length, &json_default_limits, &answer, inquiry->err);
    if (result < 0)
        return result;
    *names = json_get(answer, "repositories");
    if (*names == NULL || (*names)->type != JSON_ARRAY || (*names)->count == 0)
        *names = NULL;
    else if ((*names)->items[(*names)->count - 1].type == JSON_STRING)
        *last = (*names)->items[(*names)->count - 1].text;
    return 0;
}

/* Writes what a page has of the word, and notes where the next one begins: "" is nowhere. */
static int search_page(struct inquiry *inquiry, struct json_writer *writer, char last[NAME_SIZE],
                       int32_t *found)
{
    cleanup_arena struct arena arena = {0};
    const char *end = last[0] != '\0' ? last : NULL;
    const struct json *names = NULL;
    int result = read_page(inquiry, &arena, &end, &names);

    for (size_t i = 0; result == 0 && names != NULL && i < names->count; i++) {
        const struct json *name = &names->items[i];

        if (*found == inquiry->job->limit)
            break;
        if (name->type != JSON_STRING || strstr(name->text, inquiry->job->reference) == NULL)
            continue;
        write_found(writer, name->text, NULL, 0, false);
        ++*found;
    }
    /* One that does not go on is at its end. */
    if (result < 0 || end == NULL || strlen(end) >= NAME_SIZE || strcmp(end, last) == 0)
        last[0] = '\0';
    else
        strcpy(last, end);
    return result;
}

static int search_catalog(struct inquiry *inquiry, struct json_writer *writer)
{
    char last[NAME_SIZE] = "";
    int32_t found = 0;
    int page = 0;
    int result;

    do
        result = search_page(inquiry, writer, last, &found);
    while (result == 0 && last[0] != '\0' && found < inquiry->job->limit &&
           ++page < CATALOG_PAGES_MAX);
    return result;
}

static int search(struct inquiry *inquiry)
{
    struct json_writer *writer = json_writer_new(false);
    int result;

    json_array_open(writer);
    result = search_index(inquiry, writer);
    if (result < 0 && inquiry->err->code == ERROR_NOT_FOUND) {
        *inquiry->err = (struct error){0};
        result = search_catalog(inquiry, writer);
    }
    json_array_close(writer);
    if (result == 0)
        return report_document(inquiry, writer);
    json_writer_free(writer);
    return result;
}

/* Manifests. */

struct document {
    const char *text;
    size_t length;
    char digest[DIGEST_SIZE];
    const char *media_type;
    const struct json *json;
    bool is_index;
};

/* It goes into a header: RFC 6838, 4.2. */
static bool is_media_type(const char *text)
{
    static const char characters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$&-^_.+/";

    return text[0] != '\0' && text[strspn(text, characters)] == '\0';
}

static int get_document(struct inquiry *inquiry, const char *reference, const char *repository,
                        struct document *document)
{
    struct fetch_request request = {
        .is_manifest = true, .reference = reference, .repository = repository};
    int result = fetch(inquiry, &request, &document->text, &document->length);

    if (result == 0)
        result = json_parse(&inquiry->arena, document->text, document->length, &json_default_limits,
                            &document->json, inquiry->err);
    if (result < 0)
        return result;
    digest_of(document->text, document->length, document->digest);
    if (digest_is_valid(reference) && strcmp(reference, document->digest) != 0)
        return error_set(inquiry->err, ERROR_CORRUPT, EBADMSG,
                         "the registry sent %s in place of %s", document->digest, reference);
    document->is_index = json_get(document->json, "manifests") != NULL;
    /* What is one thing to who asks and another to who pulls is neither. */
    if (document->is_index &&
        (json_get(document->json, "layers") != NULL || json_get(document->json, "config") != NULL))
        return error_set(inquiry->err, ERROR_CORRUPT, EBADMSG,
                         "%s is a manifest and an index at once", document->digest);
    document->media_type = json_get_string(document->json, "mediaType");
    if (document->media_type == NULL)
        document->media_type = document->is_index ? MEDIA_TYPE_INDEX : MEDIA_TYPE_MANIFEST;
    if (!is_media_type(document->media_type))
        return error_set(inquiry->err, ERROR_CORRUPT, EBADMSG, "%s: its mediaType is none",
                         document->digest);
    return 0;
}

static void write_platform(struct json_writer *writer, const struct image_platform *platform)
{
    json_object_open(writer);
    json_member_string(writer, "architecture",
                       platform->architecture != NULL ? platform->architecture : "");
    json_member_string(writer, "os", platform->os != NULL ? platform->os : "");
    if (platform->variant != NULL)
        json_member_string(writer, "variant", platform->variant);
    json_object_close(writer);
}

static int write_index_platforms(struct inquiry *inquiry, const struct document *document,
                                 struct json_writer *writer)
{
    struct image_index index = {0};
    int result =
        image_index_parse(&inquiry->arena, document->text, document->length, &index, inquiry->err);

    for (size_t i = 0; result == 0 && i < index.manifests.count && i < PLATFORMS_MAX; i++) {
        if (index.manifests.items[i].platform != NULL)
            write_platform(writer, index.manifests.items[i].platform);
    }
    return result;
}

/* A manifest's platform stands in its configuration. */
static int write_own_platform(struct inquiry *inquiry, const struct document *document,
                              struct json_writer *writer)
{
    struct image_manifest manifest = {0};
    struct image_config config = {0};
    char digest[DIGEST_SIZE];
    const char *text = NULL;
    size_t length = 0;
    int result = image_manifest_parse(&inquiry->arena, document->text, document->length, &manifest,
                                      inquiry->err);
    struct fetch_request request = {.reference = manifest.config.digest,
                                    .size = manifest.config.size};

    if (result == 0 && request.size > FETCH_DOCUMENT_MAX)
        return error_set(inquiry->err, ERROR_TOO_LARGE, EFBIG, "the configuration is too large");
    if (result == 0)
        result = fetch(inquiry, &request, &text, &length);
    if (result < 0)
        return result;
    digest_of(text, length, digest);
    if (strcmp(digest, manifest.config.digest) != 0)
        return error_set(inquiry->err, ERROR_CORRUPT, EBADMSG,
                         "the registry sent %s in place of %s", digest, manifest.config.digest);
    result = image_config_parse(&inquiry->arena, text, length, &config, inquiry->err);
    if (result < 0)
        return result;
    write_platform(writer, &(struct image_platform){.architecture = config.architecture,
                                                    .os = config.os,
                                                    .variant = config.variant});
    return 0;
}

static void write_descriptor(struct json_writer *writer, const char *media_type, const char *digest,
                             size_t size)
{
    json_key(writer, "Descriptor");
    json_object_open(writer);
    json_member_string(writer, "mediaType", media_type);
    json_member_string(writer, "digest", digest);
    json_member_unsigned(writer, "size", size);
    json_object_close(writer);
}

static int describe_manifest(struct inquiry *inquiry)
{
    struct document document = {0};
    struct json_writer *writer;
    int result = get_document(inquiry, inquiry->job->reference, NULL, &document);

    if (result < 0)
        return result;
    writer = json_writer_new(false);
    json_object_open(writer);
    write_descriptor(writer, document.media_type, document.digest, document.length);
    json_key(writer, "Platforms");
    json_array_open(writer);
    result = document.is_index ? write_index_platforms(inquiry, &document, writer)
                               : write_own_platform(inquiry, &document, writer);
    json_array_close(writer);
    if (inquiry->job->has_raw) {
        cleanup_free char *raw = base64_encode(document.text);

        json_member_string(writer, "Raw", raw);
    }
    json_object_close(writer);
    if (result == 0)
        return report_document(inquiry, writer);
    json_writer_free(writer);
    return result;
}

/* Putting an index. */

static int take_blob(struct inquiry *inquiry, const char *digest, const char *repository)
{
    struct fetch_request request = {.reference = digest, .repository = repository};

    return put(inquiry, &request, "");
}

/* A manifest of another repository of the registry, and what it names, come into this one. */
static int take_manifest(struct inquiry *inquiry, const struct inquiry_source *source)
{
    struct document document = {0};
    struct image_manifest manifest = {0};
    struct fetch_request request = {.is_manifest = true, .reference = source->digest};
    int result = get_document(inquiry, source->digest, source->repository, &document);

    if (result == 0)
        result = image_manifest_parse(&inquiry->arena, document.text, document.length, &manifest,
                                      inquiry->err);
    if (result == 0)
        result = take_blob(inquiry, manifest.config.digest, source->repository);
    for (size_t i = 0; result == 0 && i < manifest.layers.count; i++)
        result = take_blob(inquiry, manifest.layers.items[i].digest, source->repository);
    request.media_type = document.media_type;
    return result < 0 ? error_prefix(inquiry->err, "take %s@%s", source->repository, source->digest)
                      : put(inquiry, &request, document.text);
}

static int put_index(struct inquiry *inquiry)
{
    const struct inquiry_job *job = inquiry->job;
    struct fetch_request request = {
        .is_manifest = true, .reference = job->reference, .media_type = job->media_type};
    char digest[DIGEST_SIZE];
    struct json_writer *writer;
    int result = 0;

    for (size_t i = 0; result == 0 && i < job->sources.count; i++)
        result = take_manifest(inquiry, &job->sources.items[i]);
    if (result == 0)
        result = put(inquiry, &request, job->document);
    if (result < 0)
        return result;
    digest_of(job->document, strlen(job->document), digest);
    writer = json_writer_new(false);
    json_object_open(writer);
    write_descriptor(writer, job->media_type, digest, strlen(job->document));
    json_object_close(writer);
    return report_document(inquiry, writer);
}

int job_run_inquiry(int channel_fd, int out_fd, const struct inquiry_job *job, struct error *err)
{
    struct error local = {0};
    struct inquiry inquiry = {
        .channel_fd = channel_fd, .out_fd = out_fd, .job = job, .err = err != NULL ? err : &local};
    const int timeout_s = job->kind == INQUIRY_INDEX ? PUT_TIMEOUT_S : TIMEOUT_S;
    int result = channel_send(channel_fd, &fetch_setup_type, &job->fetch, -1, inquiry.err);

    inquiry.deadline_us = clock_monotonic_us() + (uint64_t)timeout_s * 1000000;
    if (result == 0)
        result = job->kind == INQUIRY_LOGIN      ? check_login(&inquiry)
                 : job->kind == INQUIRY_SEARCH   ? search(&inquiry)
                 : job->kind == INQUIRY_MANIFEST ? describe_manifest(&inquiry)
                                                 : put_index(&inquiry);
    arena_release(&inquiry.arena);
    return result;
}
