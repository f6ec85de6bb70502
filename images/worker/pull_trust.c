/* Whether what is pulled is signed as the policy wants it: see pull.h. */
#include "base/buffer.h"
#include "pull.h"
#include <errno.h>
#include <string.h>

#define SIGNATURES_MAX 64 /* of an image */

/* A signature's payload is a blob of the repository. */
static int check_layer(struct pull *pull, const struct trust_rule *rule,
                       const struct image_descriptor *layer, const char *digest)
{
    const char *base64 = string_map_get(&layer->annotations, SIGNATURE_ANNOTATION);
    struct fetch_request request = {.reference = layer->digest, .size = layer->size};
    cleanup_buffer struct buffer payload = {0};
    char found[DIGEST_SIZE];
    int result;

    if (base64 == NULL || layer->size > SIGNATURE_PAYLOAD_MAX)
        return 0;
    result = pull_fetch(pull, &request, &payload);
    if (result < 0)
        return result;
    digest_of(buffer_text(&payload), payload.length, found);
    if (strcmp(found, layer->digest) != 0)
        return error_set(pull->err, ERROR_CORRUPT, EBADMSG,
                         "a signature's content does not match its digest");
    return signature_check(rule,
                           &(struct signature){.payload = buffer_text(&payload),
                                               .payload_length = payload.length,
                                               .base64 = base64},
                           digest, pull->err);
}

/* The manifest of the tag sha256-HEX.sig has a layer for each signature. 1 if one is good. */
static int check_registry(struct pull *pull, const struct trust_rule *rule, const char *digest)
{
    const char *tag = arena_printf(&pull->arena, "sha256-%s.sig", digest + strlen("sha256:"));
    struct fetch_request request = {.is_manifest = true, .reference = tag};
    cleanup_buffer struct buffer text = {0};
    struct image_manifest manifest = {0};
    int result = pull_fetch(pull, &request, &text);

    if (result < 0 && pull->err->code == ERROR_NOT_FOUND)
        return 0;
    if (result == 0)
        result = image_manifest_parse(&pull->arena, buffer_text(&text), text.length, &manifest,
                                      pull->err);
    for (size_t i = 0; result == 0 && i < manifest.layers.count && i < SIGNATURES_MAX; i++)
        result = check_layer(pull, rule, &manifest.layers.items[i], digest);
    return result;
}

int pull_check_trust(struct pull *pull, const struct image_report *report)
{
    const struct trust_policy *policy = &pull->job->policy;
    const struct trust_rule *rule = trust_find(policy, pull->job->repository);
    const char *const digests[] = {report->repo_digest, report->digest};
    size_t count = strcmp(digests[0], digests[1]) == 0 ? 1 : 2;
    int result = trust_check(policy, pull->job->repository, digests, count, pull->err);

    for (size_t i = 0; result == 0 && i < count; i++)
        result = rule->signatures != NULL ? signature_check_directory(rule, digests[i], pull->err)
                                          : check_registry(pull, rule, digests[i]);
    if (result != 0)
        return result < 0 ? result : 0;
    return error_set(pull->err, ERROR_DENIED, EPERM,
                     "%s wants a signature by one of its keys: none is found for %s in %s",
                     trust_describe(policy, rule, &pull->arena), digests[0],
                     rule->signatures != NULL ? rule->signatures : "the registry");
}
