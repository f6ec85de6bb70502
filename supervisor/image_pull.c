/* POST /images/create: an image worker and a fetch worker, joined by a channel, pull an image. */
#include <errno.h>
#include <fcntl.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "image_worker.h"
#include "images/pull_job.h"
#include "registries.h"
#include "spawner.h"

#define AUTH_MAX 16384
#define BAR_WIDTH 50

struct pull {
    struct image_worker worker;
    struct image_reference reference;
    struct pull_job job;
    char previous[DIGEST_SIZE]; /* the image that had the name before; "" for none */
    bool has_begun;
    struct arena arena;
};

/* ---- progress, in Docker's words ---- */

/* "[=====>    ]  1.05MB/2.1MB" */
static void write_bar(struct json_writer *writer, int64_t current, int64_t total)
{
    char bar[BAR_WIDTH + 1];
    char text[128];
    int filled = (int)(current * BAR_WIDTH / total);

    memset(bar, ' ', BAR_WIDTH);
    memset(bar, '=', (size_t)filled);
    if (filled < BAR_WIDTH)
        bar[filled] = '>';
    bar[BAR_WIDTH] = '\0';
    snprintf(text, sizeof(text), "[%s]  %.4gMB/%.4gMB", bar, (double)current / 1e6,
             (double)total / 1e6);
    json_member_string(writer, "progress", text);
}

static void begin(struct pull *pull)
{
    char familiar[512];
    char text[640];

    if (pull->has_begun)
        return;
    pull->has_begun = true;
    /* The path alone, as Docker has it, official images with their "library/". */
    snprintf(familiar, sizeof(familiar), "%s",
             pull->reference.name + strcspn(pull->reference.name, "/") + 1);
    snprintf(text, sizeof(text), "Pulling from %s", familiar);
    image_worker_say_status(&pull->worker, text, pull->job.reference);
}

static void on_status(struct image_worker *worker, const struct image_report *report)
{
    struct pull *pull = worker->context;
    struct json_writer *writer = json_writer_new(false);
    bool has_bar = report->total > 0 && report->current >= 0 && report->current <= report->total;

    begin(pull);
    json_object_open(writer);
    json_member_string(writer, "status", report->status);
    json_key(writer, "progressDetail");
    json_object_open(writer);
    if (has_bar) {
        json_member_integer(writer, "current", report->current);
        json_member_integer(writer, "total", report->total);
    }
    json_object_close(writer);
    if (has_bar)
        write_bar(writer, report->current, report->total);
    if (report->id != NULL)
        json_member_string(writer, "id", report->id);
    json_object_close(writer);
    image_worker_say(worker, writer);
}

static void on_image(struct image_worker *worker, const struct image_report *report,
                     const struct image *image, const char *full_name)
{
    struct pull *pull = worker->context;
    cleanup_free char *full = memory_printf("%s@%s", pull->reference.name, report->repo_digest);
    bool is_same = strcmp(pull->previous, image->id) == 0;
    char text[640];
    char name[512];

    begin(pull);
    snprintf(text, sizeof(text), "Digest: %s", report->repo_digest);
    image_worker_say_status(worker, text, NULL);
    image_reference_familiar(full_name != NULL ? full_name : full, name, sizeof(name));
    snprintf(text, sizeof(text), "Status: %s for %s",
             is_same ? "Image is up to date" : "Downloaded newer image", name);
    image_worker_say_status(worker, text, NULL);
    image_event(worker->daemon, "pull", name, name);
}

/* ---- the request ---- */

/* What clients send with the header: base64url of a JSON object. */
struct auth_header {
    const char *username;
    const char *password;
    const char *auth; /* base64 of "user:password", from old configuration files */
    const char *identity_token;
};

static const struct json_field auth_fields[] = {
    JSON_FIELD(struct auth_header, username, "username", JSON_KIND_STRING),
    JSON_FIELD(struct auth_header, password, "password", JSON_KIND_STRING),
    JSON_FIELD(struct auth_header, auth, "auth", JSON_KIND_STRING),
    JSON_FIELD(struct auth_header, identity_token, "identitytoken", JSON_KIND_STRING),
};
static const struct json_struct auth_type = JSON_STRUCT(struct auth_header, auth_fields);

/* Both alphabets of RFC 4648, with or without padding. NULL if it is neither. */
static char *decode_base64(struct arena *arena, const char *text)
{
    size_t length = strlen(text);
    char *padded = arena_new(arena, length + 4, 1);
    char *plain = arena_new(arena, length + 4, 1);
    int count;

    for (size_t i = 0; i < length; i++)
        padded[i] = text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
    while (length % 4 != 0)
        padded[length++] = '=';
    count = b64_pton(padded, (unsigned char *)plain, length + 1);
    if (count < 0)
        return NULL;
    plain[count] = '\0';
    return plain;
}

static int read_credentials(struct pull *pull, const struct request *request, struct error *err)
{
    const char *header = http_header_get(request->message, "X-Registry-Auth");
    struct fetch_credentials *credentials = &pull->job.fetch.credentials;
    struct auth_header auth = {0};
    const char *text;

    if (header == NULL || header[0] == '\0')
        return 0;
    text = strlen(header) <= AUTH_MAX ? decode_base64(&pull->arena, header) : NULL;
    if (text == NULL ||
        json_decode_text(&pull->arena, text, strlen(text), &auth_type, &auth, NULL) < 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "X-Registry-Auth: not base64 of a JSON object");
    if (auth.identity_token != NULL && auth.identity_token[0] != '\0')
        credentials->identity_token = auth.identity_token;
    if (auth.username != NULL && auth.username[0] != '\0' && auth.password != NULL) {
        credentials->username = auth.username;
        credentials->password = auth.password;
    } else if (auth.auth != NULL && auth.auth[0] != '\0') {
        char *pair = decode_base64(&pull->arena, auth.auth);
        char *colon = pair != NULL ? strchr(pair, ':') : NULL;

        if (colon == NULL)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "X-Registry-Auth: auth is not base64 of USER:PASSWORD");
        *colon = '\0';
        credentials->username = pair;
        credentials->password = colon + 1;
    }
    return 0;
}

/* "linux/arm64/v8" */
static int read_platform(struct pull *pull, const char *text, struct error *err)
{
    struct image_platform *platform = &pull->job.platform;
    char *rest = arena_strdup(&pull->arena, text != NULL ? text : "");

    if (rest[0] == '\0')
        return 0;
    platform->os = strsep(&rest, "/");
    platform->architecture = strsep(&rest, "/");
    platform->variant = strsep(&rest, "/");
    if (platform->architecture == NULL || platform->architecture[0] == '\0' ||
        strcmp(platform->os, "linux") != 0 || rest != NULL)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "platform: \"%.64s\" is not linux/ARCHITECTURE[/VARIANT]", text);
    return 0;
}

static int read_reference(struct pull *pull, const struct request *request, struct error *err)
{
    const char *name = request_query(request, "fromImage");
    const char *tag = request_query(request, "tag");
    struct image_reference *reference = &pull->reference;
    const char *text = name;
    int result;

    if (name == NULL || name[0] == '\0')
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "importing an image (fromSrc) is not supported by this version of davit; "
                         "davit-image assemble makes one from a directory");
    if (tag != NULL && tag[0] != '\0')
        text = arena_printf(&pull->arena, "%s%s%s", name, digest_is_valid(tag) ? "@" : ":", tag);
    result = image_reference_parse(text, reference, err);
    if (result < 0)
        return result;
    if (reference->digest[0] != '\0') {
        pull->job.reference = reference->digest;
        return 0;
    }
    pull->job.reference = reference->tag;
    pull->job.name = arena_printf(&pull->arena, "%s:%s", reference->name, reference->tag);
    return 0;
}

static void note_previous(struct pull *pull)
{
    cleanup_free char *full =
        pull->job.name != NULL ? memory_strdup(pull->job.name)
                               : memory_printf("%s@%s", pull->reference.name, pull->job.reference);
    struct image *image;

    if (image_store_find(&pull->worker.daemon->images, full, &image, NULL) == 0)
        memcpy(pull->previous, image->id, sizeof(pull->previous));
}

/* ---- the workers ---- */

static void pull_free(struct pull *pull)
{
    image_worker_release(&pull->worker);
    arena_release(&pull->arena);
    free(pull);
}

static void on_end(struct image_worker *worker)
{
    pull_free(worker->context);
}

static void on_client_gone(struct request *request)
{
    struct pull *pull = request->context;

    image_worker_lose_client(&pull->worker, true);
}

/* A job is small: the pipe takes it whole. */
static int write_job(const struct pull *pull, int fd, struct error *err)
{
    struct json_writer *writer = json_writer_new(false);
    int result;

    json_encode(writer, &pull_job_type, &pull->job);
    result = file_write_fd(fd, json_writer_text(writer), strlen(json_writer_text(writer)));
    json_writer_free(writer);
    return result < 0 ? error_errno(err, -result, "write the job") : 0;
}

static int start(struct pull *pull, struct error *err)
{
    struct daemon *daemon = pull->worker.daemon;
    cleanup_close int input_fd = -1;
    cleanup_close int job_fd = -1;
    cleanup_close int output_fd = -1;
    cleanup_close int image_end = -1;
    cleanup_close int fetch_end = -1;
    int pair[2];
    int result;

    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    input_fd = pair[0];
    job_fd = pair[1];
    result = write_job(pull, job_fd, err);
    if (result < 0)
        return result;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, errno, "socketpair");
    image_end = pair[0];
    fetch_end = pair[1];
    output_fd = image_worker_begin(&pull->worker, err);
    if (output_fd < 0)
        return output_fd;
    result = spawner_request_fetch(daemon->spawner_fd, fetch_end, err);
    if (result == 0)
        result = spawner_request_pull(daemon->spawner_fd, daemon->root_fd, input_fd, output_fd,
                                      image_end, err);
    return result;
}

void api_images_create(struct daemon *daemon, struct request *request,
                       const struct route_match *match)
{
    struct pull *pull = memory_new_one(struct pull);
    struct error err = {0};
    int result;

    (void)match;
    pull->worker = (struct image_worker){.daemon = daemon,
                                         .request = request,
                                         .context = pull,
                                         .output_fd = -1,
                                         .repository = pull->reference.name,
                                         .on_status = on_status,
                                         .on_image = on_image,
                                         .on_end = on_end};
    result = read_reference(pull, request, &err);
    if (result == 0)
        result = read_platform(pull, request_query(request, "platform"), &err);
    if (result == 0)
        result = read_credentials(pull, request, &err);
    if (result == 0) {
        registries_locate(&daemon->options.registries, &pull->reference, &pull->arena,
                          &pull->job.fetch);
        note_previous(pull);
        result = start(pull, &err);
    }
    if (result < 0) {
        pull_free(pull);
        respond_error(request, &err);
        return;
    }
    image_worker_runs(&pull->worker);
    request->context = pull;
    request->on_close = on_client_gone;
}
