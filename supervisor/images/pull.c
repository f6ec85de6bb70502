/* POST /images/create: an image worker and a fetch worker, joined by a channel, pull an image. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "images/registry_job.h"
#include "registries.h"
#include "registry_auth.h"
#include "supervisor/api/api.h"
#include "worker.h"

struct pull {
    struct image_worker worker;
    struct image_reference reference;
    struct pull_job job;
    char previous[DIGEST_SIZE]; /* the image that had the name before; "" for none */
    bool has_begun;
    struct arena arena;
};

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

    begin(pull);
    image_worker_say_progress(worker, report);
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

    if (request_query(request, "fromSrc") != NULL)
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "fromSrc: only \"-\", the request's body, is supported");
    if (name == NULL || name[0] == '\0')
        return error_set(err, ERROR_INVALID, EINVAL, "fromImage or fromSrc is expected");
    if (tag != NULL && tag[0] != '\0')
        text = arena_printf(&pull->arena, "%s%s%s", name, digest_is_valid(tag) ? "@" : ":", tag);
    result = image_reference_parse(text, reference, err);
    if (result < 0)
        return result;
    if (reference->digest[0] != '\0') {
        pull->job.reference = reference->digest;
        return 0;
    }
    if (!image_reference_has_tag(text)) /* all of them, as Docker has it */
        return 0;
    pull->job.reference = reference->tag;
    pull->job.name = arena_printf(&pull->arena, "%s:%s", reference->name, reference->tag);
    return 0;
}

/* What the policy rejects by its name alone is not even asked for. */
static int check_policy(struct pull *pull, struct error *err)
{
    const struct trust_policy *policy = &pull->job.policy;
    const struct trust_rule *rule;
    int result =
        trust_read(pull->worker.daemon->options.policy, &pull->arena, &pull->job.policy, err);

    if (result < 0)
        return result;
    rule = trust_find(policy, pull->reference.name);
    if ((rule != NULL ? rule->action : policy->otherwise) != TRUST_REJECT)
        return 0;
    return trust_check(policy, pull->reference.name, NULL, 0, err);
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

void api_images_create(struct daemon *daemon, struct request *request,
                       const struct route_match *match)
{
    struct pull *pull;
    struct error err = {0};
    int result;

    (void)match;
    if (api_is_import(request)) {
        api_images_import(daemon, request);
        return;
    }
    pull = memory_new_one(struct pull);
    pull->worker = (struct image_worker){.daemon = daemon,
                                         .request = request,
                                         .context = pull,
                                         .output_fd = -1,
                                         .repository = pull->reference.name,
                                         .on_status = on_status,
                                         .on_image = on_image,
                                         .on_end = on_end};
    result = read_reference(pull, request, &err);
    pull->job.repository = pull->reference.name;
    if (result == 0)
        result = check_policy(pull, &err);
    if (result == 0)
        result = read_platform(pull, request_query(request, "platform"), &err);
    if (result == 0)
        result = registry_auth_read(http_header_get(request->message, "X-Registry-Auth"),
                                    &pull->arena, &pull->job.fetch.credentials, &err);
    if (result == 0) {
        registries_locate(&daemon->options.registries, &pull->reference, true, &pull->arena,
                          &pull->job.fetch);
        if (pull->job.reference != NULL)
            note_previous(pull);
        result = image_worker_start_with_fetch(&pull->worker, WORKER_PULL, &pull_job_type,
                                               &pull->job, &err);
    }
    if (result < 0) {
        pull_free(pull);
        respond_error(request, &err);
        return;
    }
    request->context = pull;
    request->on_close = on_client_gone;
}
