/* An image worker and a fetch worker, joined by a channel, pull an image: see images.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "images/registry_job.h"
#include "images/trust.h"
#include "job.h"
#include "registry_auth.h"

struct pull {
    struct image_job job;
    struct image_reference reference;
    struct pull_job parameters;
    struct arena arena;
};

static void on_image(struct image_job *job, const struct image_report *report,
                     const struct image *image, const char *full_name)
{
    const struct pull *pull = (const struct pull *)(void *)job;
    cleanup_free char *full = memory_printf("%s@%s", pull->reference.name, report->repo_digest);
    char name[512];

    (void)image;
    image_reference_familiar(full_name != NULL ? full_name : full, name, sizeof(name));
    image_event(job->images, "pull", name, name);
}

static void on_release(struct image_job *job)
{
    struct pull *pull = (struct pull *)(void *)job;

    image_job_close(job);
    arena_release(&pull->arena);
    free(pull);
}

/* "linux/arm64/v8" */
static int read_reference(struct pull *pull, const struct pull_order *order, struct error *err)
{
    const char *name = order->name;
    const char *tag = order->tag;
    struct image_reference *reference = &pull->reference;
    const char *text = name;
    int result;

    if (name == NULL || name[0] == '\0')
        return error_set(err, ERROR_INVALID, EINVAL, "fromImage or fromSrc is expected");
    if (tag != NULL && tag[0] != '\0')
        text = arena_printf(&pull->arena, "%s%s%s", name, digest_is_valid(tag) ? "@" : ":", tag);
    result = image_reference_parse(text, reference, err);
    if (result < 0)
        return result;
    if (reference->digest[0] != '\0') {
        pull->parameters.reference = reference->digest;
        return 0;
    }
    if (!image_reference_has_tag(text)) /* all of them, as Docker has it */
        return 0;
    pull->parameters.reference = reference->tag;
    pull->parameters.name = arena_printf(&pull->arena, "%s:%s", reference->name, reference->tag);
    return 0;
}

/* Refuses a name that the policy rejects before any registry is asked. */
static int check_policy(struct pull *pull, struct error *err)
{
    const struct trust_policy *policy = &pull->parameters.policy;
    const struct trust_rule *rule;
    int result = trust_read(pull->job.images->policy, &pull->arena, &pull->parameters.policy, err);

    if (result < 0)
        return result;
    rule = trust_find(policy, pull->reference.name);
    if ((rule != NULL ? rule->action : policy->otherwise) != TRUST_REJECT)
        return 0;
    return trust_check(policy, pull->reference.name, NULL, 0, err);
}

static void note_previous(struct pull *pull, char previous[DIGEST_SIZE])
{
    cleanup_free char *full =
        pull->parameters.name != NULL
            ? memory_strdup(pull->parameters.name)
            : memory_printf("%s@%s", pull->reference.name, pull->parameters.reference);
    struct image *image;

    if (image_store_find(pull->job.images->store, pull->job.actor.tenant, full, &image, NULL) == 0)
        memcpy(previous, image->id, DIGEST_SIZE);
}

static int begin_pull(struct pull *pull, const struct pull_order *order,
                      struct pull_subject *subject, struct error *err)
{
    int result = read_reference(pull, order, err);

    pull->parameters.repository = pull->reference.name;
    if (result == 0)
        result = check_policy(pull, err);
    if (result == 0)
        result =
            image_platform_parse(&pull->arena, order->platform, &pull->parameters.platform, err);
    if (result == 0)
        result =
            registry_auth_read(order->auth, &pull->arena, &pull->parameters.fetch.credentials, err);
    if (result < 0)
        return result;
    registries_locate(pull->job.images->registries, &pull->reference, true, &pull->arena,
                      &pull->parameters.fetch);
    subject->reference = pull->reference;
    subject->wanted = pull->parameters.reference;
    if (pull->parameters.reference != NULL)
        note_previous(pull, subject->previous);
    return image_job_start_with_fetch(&pull->job, WORKER_PULL, &pull_job_type, &pull->parameters,
                                      err);
}

int image_pull(struct images *images, const struct pull_order *order, struct job_client *client,
               struct pull_subject *subject, struct image_job **job, struct error *err)
{
    struct pull *pull = memory_new_one(struct pull);
    int result;

    pull->job = (struct image_job){.images = images,
                                   .client = client,
                                   .actor = client->actor,
                                   .output_fd = -1,
                                   .repository = pull->reference.name,
                                   .on_image = on_image,
                                   .on_release = on_release};
    result = begin_pull(pull, order, subject, err);
    if (result < 0)
        on_release(&pull->job);
    else
        *job = &pull->job;
    return result;
}
