/* Images that come and go: pull, push, load, import, save, packages. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/cleanup.h"

struct pull_answer {
    struct job_answer answer; /* the first */
    struct pull_subject subject;
    char *wanted; /* a copy: subject.wanted points into the job, which may end first */
    bool has_begun;
};

static void say_pull_begins(struct pull_answer *pull)
{
    char text[640];

    if (pull->has_begun)
        return;
    pull->has_begun = true;
    /* The path alone, as Docker has it, official images with their "library/". */
    snprintf(text, sizeof(text), "Pulling from %s",
             pull->subject.reference.name + strcspn(pull->subject.reference.name, "/") + 1);
    job_answer_say_status(&pull->answer, text, pull->wanted);
}

static void on_pull_progress(struct job_client *client, const struct image_report *report)
{
    struct pull_answer *pull = (struct pull_answer *)(void *)client;

    say_pull_begins(pull);
    job_answer_say_progress(&pull->answer, report);
}

static void on_pulled(struct job_client *client, const struct image_report *report,
                      const struct image *image, const char *full_name)
{
    struct pull_answer *pull = (struct pull_answer *)(void *)client;
    cleanup_free char *full =
        memory_printf("%s@%s", pull->subject.reference.name, report->repo_digest);
    bool is_same = strcmp(pull->subject.previous, image->id) == 0;
    char text[640];
    char name[512];

    say_pull_begins(pull);
    snprintf(text, sizeof(text), "Digest: %s", report->repo_digest);
    job_answer_say_status(&pull->answer, text, NULL);
    image_reference_familiar(full_name != NULL ? full_name : full, name, sizeof(name));
    snprintf(text, sizeof(text), "Status: %s for %s",
             is_same ? "Image is up to date" : "Downloaded newer image", name);
    job_answer_say_status(&pull->answer, text, NULL);
}

static void release_pull(struct job_answer *answer)
{
    struct pull_answer *pull = (struct pull_answer *)(void *)answer;

    free(pull->wanted);
    free(pull);
}

static void pull_image(struct api *api, struct request *request)
{
    struct pull_answer *pull = memory_new_one(struct pull_answer);
    const struct pull_order order = {
        .name = request_query(request, "fromImage"),
        .tag = request_query(request, "tag"),
        .platform = request_query(request, "platform"),
        .auth = http_header_get(request->message, "X-Registry-Auth"),
    };
    struct error err = {0};
    int result;

    pull->answer.client.progress = on_pull_progress;
    pull->answer.client.image = on_pulled;
    pull->answer.on_release = release_pull;
    job_answer_init(&pull->answer, request, ANSWER_PROGRESS);
    if (request_query(request, "fromSrc") != NULL)
        result = error_set(&err, ERROR_UNSUPPORTED, ENOTSUP,
                           "fromSrc: only \"-\", the request's body, is supported");
    else
        result = image_pull(api->images, &order, &pull->answer.client, &pull->subject,
                            &pull->answer.job, &err);
    if (result == 0 && pull->subject.wanted != NULL)
        pull->wanted = memory_strdup(pull->subject.wanted);
    job_answer_after_start(&pull->answer, result, &err);
}

/* POST /images/create with an archive as its body. */
static bool is_import(const struct request *request)
{
    const char *source = request_query(request, "fromSrc");

    return source != NULL && strcmp(source, "-") == 0;
}

static void on_imported(struct job_client *client, const struct image_report *report,
                        const struct image *image, const char *full_name)
{
    (void)report;
    (void)full_name;
    job_answer_say_status((struct job_answer *)(void *)client, image->id, NULL);
}

static void import_image(struct api *api, struct request *request)
{
    struct job_answer *answer = memory_new_one(struct job_answer);
    const struct make_order order = {
        .arena = &request->arena,
        .repository = request_query(request, "repo"),
        .tag = request_query(request, "tag"),
        .comment = request_query(request, "message"),
        .changes = api_query_list(request, "changes"),
    };
    struct error err = {0};

    answer->client.image = on_imported;
    job_answer_init(answer, request, ANSWER_PROGRESS);
    job_answer_take_body(answer);
    job_answer_after_start(
        answer, image_import(api->images, &order, &answer->client, &answer->job, &err), &err);
}

static void serve_images_create(struct api *api, struct request *request,
                                const struct route_match *match)
{
    (void)match;
    if (is_import(request))
        import_image(api, request);
    else
        pull_image(api, request);
}

static void on_loaded(struct job_client *client, const struct image_report *report,
                      const struct image *image, const char *full_name)
{
    char text[640];
    char name[512];

    (void)report;
    if (full_name == NULL) {
        snprintf(text, sizeof(text), "Loaded image ID: %s\n", image->id);
    } else {
        image_reference_familiar(full_name, name, sizeof(name));
        snprintf(text, sizeof(text), "Loaded image: %s\n", name);
    }
    job_answer_say_stream((struct job_answer *)(void *)client, text);
}

static void serve_images_load(struct api *api, struct request *request,
                              const struct route_match *match)
{
    struct job_answer *answer = memory_new_one(struct job_answer);
    struct error err = {0};

    (void)match;
    answer->client.image = on_loaded;
    job_answer_init(answer, request, ANSWER_PROGRESS);
    job_answer_take_body(answer);
    job_answer_after_start(answer, image_load(api->images, &answer->client, &answer->job, &err),
                           &err);
}

struct push_answer {
    struct job_answer answer; /* the first */
    struct image_reference reference;
    size_t count;    /* of images */
    size_t reported; /* of them */
    bool is_index;
    bool has_begun;
};

static void say_push_begins(struct push_answer *push)
{
    char text[640];

    if (push->has_begun)
        return;
    push->has_begun = true;
    snprintf(text, sizeof(text), "The push refers to repository [%s]", push->reference.name);
    job_answer_say_status(&push->answer, text, NULL);
}

static void on_push_progress(struct job_client *client, const struct image_report *report)
{
    struct push_answer *push = (struct push_answer *)(void *)client;

    say_push_begins(push);
    job_answer_say_progress(&push->answer, report);
}

/* {"progressDetail":{},"aux":{"Tag":...}} is what programs read of it. */
static void say_aux(struct push_answer *push, const struct image_report *report)
{
    struct json_writer *writer = json_writer_new(false);

    json_object_open(writer);
    json_key(writer, "progressDetail");
    json_object_open(writer);
    json_object_close(writer);
    json_key(writer, "aux");
    json_object_open(writer);
    json_member_string(writer, "Tag", report->id);
    json_member_string(writer, "Digest", report->repo_digest);
    json_member_integer(writer, "Size", report->total);
    json_object_close(writer);
    json_object_close(writer);
    job_answer_say(&push->answer, writer);
}

static void on_pushed(struct job_client *client, const struct image_report *report,
                      const struct image *image, const char *full_name)
{
    struct push_answer *push = (struct push_answer *)(void *)client;
    char text[512];

    (void)image;
    (void)full_name;
    say_push_begins(push);
    /* All images of an index have its one tag, which is reported once, with the last image. */
    if (++push->reported < push->count && push->is_index)
        return;
    snprintf(text, sizeof(text), "%s: digest: %s size: %lld", report->id != NULL ? report->id : "",
             report->repo_digest, (long long)report->total);
    job_answer_say_status(&push->answer, text, NULL);
    say_aux(push, report);
}

static void push_images(struct api *api, struct request *request, const struct push_order *order)
{
    struct push_answer *push = memory_new_one(struct push_answer);
    struct error err = {0};
    int result;

    push->answer.client.progress = on_push_progress;
    push->answer.client.image = on_pushed;
    push->is_index = order->is_index;
    job_answer_init(&push->answer, request, ANSWER_PROGRESS);
    result = image_push(api->images, order, &push->answer.client, &push->reference, &push->count,
                        &push->answer.job, &err);
    job_answer_after_start(&push->answer, result, &err);
}

static void serve_image_push(struct api *api, struct request *request,
                             const struct route_match *match)
{
    push_images(api, request,
                &(struct push_order){
                    .name = match->name,
                    .tag = request_query(request, "tag"),
                    .auth = http_header_get(request->message, "X-Registry-Auth"),
                });
}

static void serve_image_push_index(struct api *api, struct request *request,
                                   const struct route_match *match)
{
    push_images(api, request,
                &(struct push_order){
                    .name = match->name,
                    .tag = request_query(request, "tag"),
                    .auth = http_header_get(request->message, "X-Registry-Auth"),
                    .members = api_query_list(request, "image"),
                    .is_index = true,
                });
}

static void save_images(struct api *api, struct request *request, const char *const *names,
                        size_t count)
{
    struct job_answer *answer = memory_new_one(struct job_answer);
    struct error err = {0};

    answer->content_type = "application/x-tar";
    job_answer_init(answer, request, ANSWER_BYTES);
    job_answer_after_start(
        answer, image_save(api->images, names, count, &answer->client, &answer->job, &err), &err);
}

static void serve_images_save(struct api *api, struct request *request,
                              const struct route_match *match)
{
    struct string_list names = api_query_list(request, "names");

    (void)match;
    save_images(api, request, names.items, names.count);
}

static void serve_image_save(struct api *api, struct request *request,
                             const struct route_match *match)
{
    save_images(api, request, &match->name, 1);
}

static void serve_image_sbom(struct api *api, struct request *request,
                             const struct route_match *match)
{
    struct job_answer *answer = memory_new_one(struct job_answer);
    struct error err = {0};

    answer->content_type = "application/spdx+json";
    job_answer_init(answer, request, ANSWER_BYTES);
    job_answer_after_start(
        answer, image_list_packages(api->images, match->name, &answer->client, &answer->job, &err),
        &err);
}

const struct route image_job_routes[] = {
    {"POST", "/images/create", serve_images_create, PERMISSION_OPERATE, is_import},
    {"POST", "/images/load", serve_images_load, PERMISSION_OPERATE, api_always_streams},
    {"POST", "/images/{name}/push", serve_image_push, PERMISSION_OPERATE, NULL},
    {"POST", "/davit/v1/images/{name}/push-index", serve_image_push_index, PERMISSION_OPERATE,
     NULL},
    {"GET", "/images/get", serve_images_save, PERMISSION_READ, NULL},
    {"GET", "/images/{name}/get", serve_image_save, PERMISSION_READ, NULL},
    {"GET", "/davit/v1/images/{name}/sbom", serve_image_sbom, PERMISSION_READ, NULL},
    {.method = NULL},
};
