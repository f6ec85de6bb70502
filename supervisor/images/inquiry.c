/* What is asked of registries without an image of the store: see images.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "job.h"
#include "registry_auth.h"

#define INQUIRIES_MAX 32 /* each is two processes */

/* Docker's registry answers searches by another host than pulls. */
#define DOCKER_DOMAIN "docker.io"
#define DOCKER_SEARCH "https://index.docker.io"

struct inquiry {
    struct image_job job;
    struct inquiry_job parameters;
    struct image_reference reference;
    struct arena arena;
};

static void on_status(struct image_job *job, const struct image_report *report)
{
    if (strcmp(report->status, REPORT_DONE) == 0)
        job->has_result = true;
    else
        image_job_progress(job, report);
}

static void on_release(struct image_job *job)
{
    struct inquiry *inquiry = (struct inquiry *)(void *)job;

    job->images->inquiry_count--;
    image_job_close(job);
    arena_release(&inquiry->arena);
    free(inquiry);
}

/* "https://index.docker.io/v1/" and "localhost:5000" are registries as clients write them. */
static const char *domain_of(struct arena *arena, const char *server)
{
    const char *host = server != NULL ? server : "";
    const char *domain;

    host += strncmp(host, "https://", 8) == 0 ? 8 : strncmp(host, "http://", 7) == 0 ? 7 : 0;
    domain = arena_strndup(arena, host, strcspn(host, "/"));
    if (domain[0] == '\0' || strcmp(domain, "index.docker.io") == 0 ||
        strcmp(domain, "registry-1.docker.io") == 0)
        return DOCKER_DOMAIN;
    return domain;
}

/* A reference into the registry, for what has no repository. */
static int refer_to_registry(struct inquiry *inquiry, const char *domain, struct error *err)
{
    cleanup_free char *name = memory_printf("%s/any", domain);
    int result = image_reference_parse(name, &inquiry->reference, NULL);

    if (result < 0 || strncmp(inquiry->reference.name, domain, strlen(domain)) != 0 ||
        inquiry->reference.name[strlen(domain)] != '/')
        return error_set(err, ERROR_INVALID, EINVAL,
                         "\"%.128s\" is not a registry: HOST[:PORT] is expected", domain);
    return 0;
}

/* "localhost:5000/word" is searched for there, "word" in Docker's registry. */
static int read_search(struct inquiry *inquiry, const struct inquiry_order *order,
                       struct error *err)
{
    size_t length = strcspn(order->name, "/");
    const char *host = arena_strndup(&inquiry->arena, order->name, length);
    bool has_host = order->name[length] == '/' &&
                    (strpbrk(host, ".:") != NULL || strcmp(host, "localhost") == 0);

    inquiry->parameters.reference =
        arena_strdup(&inquiry->arena, order->name + (has_host ? length + 1 : 0));
    return refer_to_registry(inquiry, domain_of(&inquiry->arena, has_host ? host : NULL), err);
}

static int read_reference(struct inquiry *inquiry, const char *name, struct error *err)
{
    struct image_reference *reference = &inquiry->reference;
    int result = image_reference_parse(name, reference, err);

    inquiry->parameters.reference = reference->digest[0] != '\0' ? reference->digest
                                    : reference->tag[0] != '\0'  ? reference->tag
                                                                 : "latest";
    return result;
}

/* A manifest that is elsewhere in the registry of the index; one that is in its repository is there
 * already. */
static int add_source(struct inquiry *inquiry, const char *name, struct error *err)
{
    struct image_reference source;
    size_t domain = strcspn(inquiry->reference.name, "/") + 1;
    int result = image_reference_parse(name, &source, err);

    if (result < 0)
        return result;
    if (source.digest[0] == '\0')
        return error_set(err, ERROR_INVALID, EINVAL, "source \"%.128s\": a digest is expected",
                         name);
    if (strncmp(source.name, inquiry->reference.name, domain) != 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "%.128s is in another registry than %.128s: an index names what its own "
                         "registry has",
                         source.name, inquiry->reference.name);
    if (strcmp(source.name, inquiry->reference.name) == 0)
        return 0;
    inquiry->parameters.sources.items[inquiry->parameters.sources.count++] =
        (struct inquiry_source){.repository = arena_strdup(&inquiry->arena, source.name + domain),
                                .digest = arena_strdup(&inquiry->arena, source.digest)};
    return 0;
}

static int add_sources(struct inquiry *inquiry, const struct string_list *sources,
                       struct error *err)
{
    int result = 0;

    inquiry->parameters.sources.items =
        arena_new(&inquiry->arena, sources->count + 1, sizeof(*inquiry->parameters.sources.items));
    for (size_t i = 0; result == 0 && i < sources->count; i++)
        result = add_source(inquiry, sources->items[i], err);
    return result;
}

static int read_order(struct inquiry *inquiry, const struct inquiry_order *order, struct error *err)
{
    struct inquiry_job *parameters = &inquiry->parameters;
    int result;

    parameters->kind = (int)order->kind;
    parameters->limit = order->limit;
    parameters->has_raw = order->has_raw;
    parameters->document = order->document;
    parameters->media_type = order->media_type;
    if (order->kind == INQUIRY_LOGIN)
        result = refer_to_registry(inquiry, domain_of(&inquiry->arena, order->name), err);
    else if (order->kind == INQUIRY_SEARCH)
        result = read_search(inquiry, order, err);
    else
        result = read_reference(inquiry, order->name, err);
    if (result == 0)
        result = add_sources(inquiry, &order->sources, err);
    if (result == 0 && order->credentials != NULL)
        parameters->fetch.credentials = *order->credentials;
    else if (result == 0)
        result =
            registry_auth_read(order->auth, &inquiry->arena, &parameters->fetch.credentials, err);
    return result;
}

static int begin_inquiry(struct inquiry *inquiry, const struct inquiry_order *order,
                         struct error *err)
{
    struct fetch_setup *setup = &inquiry->parameters.fetch;
    int result = read_order(inquiry, order, err);

    if (result < 0)
        return result;
    registries_locate(inquiry->job.images->registries, &inquiry->reference, false, &inquiry->arena,
                      setup);
    if (order->kind == INQUIRY_SEARCH &&
        strncmp(inquiry->reference.name, DOCKER_DOMAIN "/", sizeof(DOCKER_DOMAIN)) == 0)
        setup->endpoints.items[0].url = DOCKER_SEARCH;
    return image_job_start_with_fetch(&inquiry->job, WORKER_INQUIRE, &inquiry_job_type,
                                      &inquiry->parameters, err);
}

int image_inquire(struct images *images, const struct inquiry_order *order,
                  struct job_client *client, struct image_job **job, struct error *err)
{
    struct inquiry *inquiry;
    int result;

    if (images->inquiry_count == INQUIRIES_MAX)
        return error_set(err, ERROR_BUSY, EBUSY,
                         "registries are asked by %d clients already: try again", INQUIRIES_MAX);
    inquiry = memory_new_one(struct inquiry);
    images->inquiry_count++;
    inquiry->job = (struct image_job){.images = images,
                                      .client = client,
                                      .actor = client->actor,
                                      .output_fd = -1,
                                      .outlives_client = order->kind == INQUIRY_INDEX,
                                      .on_status = on_status,
                                      .on_release = on_release};
    result = begin_inquiry(inquiry, order, err);
    if (result < 0)
        on_release(&inquiry->job);
    else
        *job = &inquiry->job;
    return result;
}
