/* Registries, without an image of the store: logins, searches, manifests. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/cleanup.h"
#include "base/number.h"
#include "supervisor/images/registry_auth.h"

#define SEARCH_DEFAULT 25
#define SEARCH_MAX 100

struct inquiry_answer {
    struct job_answer answer; /* the first */
    char *document;
};

static void on_document(struct job_client *client, const struct image_report *report)
{
    struct inquiry_answer *inquiry = (struct inquiry_answer *)(void *)client;

    if (report->document == NULL)
        return;
    free(inquiry->document);
    inquiry->document = memory_strdup(report->document);
}

static void on_done(struct job_answer *answer)
{
    const struct inquiry_answer *inquiry = (const struct inquiry_answer *)(void *)answer;
    struct json_writer *writer = json_writer_new(false);
    const char *document = inquiry->document != NULL ? inquiry->document : "null";

    json_raw(writer, document, strlen(document));
    respond_written(answer->request, 200, writer);
}

static void on_release(struct job_answer *answer)
{
    struct inquiry_answer *inquiry = (struct inquiry_answer *)(void *)answer;

    free(inquiry->document);
    free(inquiry);
}

static void inquire(struct api *api, struct request *request, const struct inquiry_order *order)
{
    struct inquiry_answer *inquiry = memory_new_one(struct inquiry_answer);
    struct error err = {0};
    int result;

    inquiry->answer.client.progress = on_document;
    inquiry->answer.on_done = on_done;
    inquiry->answer.is_login = order->kind == INQUIRY_LOGIN;
    inquiry->answer.on_release = on_release;
    job_answer_init(&inquiry->answer, request, ANSWER_EMPTY);
    result = image_inquire(api->images, order, &inquiry->answer.client, &inquiry->answer.job, &err);
    job_answer_after_start(&inquiry->answer, result, &err);
}

static void serve_auth(struct api *api, struct request *request, const struct route_match *match)
{
    struct fetch_credentials credentials = {0};
    struct inquiry_order order = {.kind = INQUIRY_LOGIN, .credentials = &credentials};
    struct error err = {0};

    (void)match;
    if (registry_auth_parse(request->body, request->body_length, &request->arena, &credentials,
                            &order.name, &err) < 0)
        respond_error(request, &err);
    else
        inquire(api, request, &order);
}

static void serve_search(struct api *api, struct request *request, const struct route_match *match)
{
    const char *limit = request_query(request, "limit");
    struct inquiry_order order = {.kind = INQUIRY_SEARCH,
                                  .name = request_query(request, "term"),
                                  .auth = http_header_get(request->message, "X-Registry-Auth")};
    int64_t count = SEARCH_DEFAULT;

    (void)match;
    if (limit != NULL && limit[0] != '\0' && strcmp(limit, "0") != 0 &&
        !number_parse(limit, 1, SEARCH_MAX, &count)) {
        respond_failure(request, 400, "limit: 1 to 100 is expected");
        return;
    }
    if (order.name == NULL || order.name[0] == '\0') {
        respond_failure(request, 400, "term: what to search for is expected");
        return;
    }
    order.limit = (int32_t)count;
    inquire(api, request, &order);
}

static void serve_distribution(struct api *api, struct request *request,
                               const struct route_match *match)
{
    inquire(api, request,
            &(struct inquiry_order){.kind = INQUIRY_MANIFEST,
                                    .name = match->name,
                                    .auth = http_header_get(request->message, "X-Registry-Auth")});
}

static void serve_manifest(struct api *api, struct request *request,
                           const struct route_match *match)
{
    inquire(api, request,
            &(struct inquiry_order){.kind = INQUIRY_MANIFEST,
                                    .name = match->name,
                                    .auth = http_header_get(request->message, "X-Registry-Auth"),
                                    .has_raw = true});
}

/* The body of a request to put an index: the text of the index, whose digest is what it has to
 * stay, and where its manifests are. */
struct index_body {
    const char *manifest;
    const char *media_type;
    struct string_list sources;
};

static const struct json_field index_fields[] = {
    JSON_FIELD(struct index_body, manifest, "Manifest", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct index_body, media_type, "MediaType", JSON_KIND_STRING,
               .flags = JSON_REQUIRED),
    JSON_FIELD(struct index_body, sources, "Sources", JSON_KIND_STRINGS),
};
static const struct json_struct index_type = JSON_CLOSED_STRUCT(struct index_body, index_fields);

static int read_index(struct request *request, struct index_body *body, struct error *err)
{
    struct image_index index = {0};
    int result = json_decode_text(&request->arena, request->body, request->body_length, &index_type,
                                  body, err);

    if (result < 0)
        return result;
    if (strcmp(body->media_type, MEDIA_TYPE_INDEX) != 0 &&
        strcmp(body->media_type, MEDIA_TYPE_DOCKER_LIST) != 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "MediaType \"%.64s\": " MEDIA_TYPE_INDEX " or " MEDIA_TYPE_DOCKER_LIST
                         " is expected",
                         body->media_type);
    result =
        image_index_parse(&request->arena, body->manifest, strlen(body->manifest), &index, err);
    return result < 0 ? error_prefix(err, "Manifest") : 0;
}

static void serve_put_manifest(struct api *api, struct request *request,
                               const struct route_match *match)
{
    struct index_body body = {0};
    struct error err = {0};

    if (read_index(request, &body, &err) < 0)
        respond_error(request, &err);
    else
        inquire(
            api, request,
            &(struct inquiry_order){.kind = INQUIRY_INDEX,
                                    .name = match->name,
                                    .auth = http_header_get(request->message, "X-Registry-Auth"),
                                    .document = body.manifest,
                                    .media_type = body.media_type,
                                    .sources = body.sources});
}

const struct route registry_routes[] = {
    {"POST", "/auth", serve_auth, PERMISSION_OPERATE, NULL},
    {"GET", "/images/search", serve_search, PERMISSION_READ, NULL},
    {"GET", "/distribution/{name}/json", serve_distribution, PERMISSION_READ, NULL},
    {"GET", "/davit/v1/distribution/{name}/manifest", serve_manifest, PERMISSION_READ, NULL},
    {"PUT", "/davit/v1/distribution/{name}/manifest", serve_put_manifest, PERMISSION_OPERATE, NULL},
    {.method = NULL},
};
