/* Pruning containers: a few at a time, since each removal is synced to the disk and others are
 * served meanwhile. */
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/cleanup.h"

#define REMOVED_AT_ONCE 4

struct prunable {
    const char *id;
    uint64_t bytes;
};

struct container_prune {
    struct api *api;
    struct request *request;
    struct arena arena;
    struct filters filters;
    int64_t until_ns;
    LIST_OF(struct prunable) found;
    size_t next;
    struct json_writer *writer;
    uint64_t bytes;
    sd_event_source *step;
};

static void free_prune(struct container_prune *prune)
{
    sd_event_source_disable_unref(prune->step);
    json_writer_free(prune->writer);
    arena_release(&prune->arena);
    free(prune);
}

static void on_client_gone(struct request *request)
{
    free_prune(request->context);
}

static const char *const known_filters[] = {"until", "label", "label!", NULL};

static bool is_prunable(const struct container_prune *prune,
                        const struct managed_container *container)
{
    return (container->status == CONTAINER_CREATED || container->status == CONTAINER_EXITED) &&
           tenant_is(container->definition->tenant, prune->request->actor.tenant) &&
           (prune->until_ns == 0 || container->definition->created_ns < prune->until_ns) &&
           filters_match_labels(&prune->filters, &container->definition->config.labels);
}

static void find_prunable(struct container_prune *prune, const struct disk_usage *usage)
{
    for (const struct managed_container *one = prune->api->containers->list; one != NULL;
         one = one->next) {
        if (!is_prunable(prune, one))
            continue;
        prune->found.items = arena_grow(&prune->arena, prune->found.items, prune->found.count,
                                        sizeof(*prune->found.items));
        prune->found.items[prune->found.count++] =
            (struct prunable){arena_strdup(&prune->arena, one->definition->id),
                              disk_usage_of_container(usage, one->definition->id)};
    }
}

/* Somebody else may have removed it by now, or started it. */
static int prune_one(struct container_prune *prune, const struct prunable *one, struct error *err)
{
    struct managed_container *container = container_by_id(prune->api->containers, one->id);
    int result;

    if (container == NULL || !is_prunable(prune, container))
        return 0;
    result = container_remove(container, &prune->request->actor, false, err);
    if (result < 0)
        return result;
    prune->bytes += one->bytes;
    json_string(prune->writer, one->id);
    return 0;
}

static void answer_prune(struct container_prune *prune, const struct error *err)
{
    struct request *request = prune->request;

    request_forget(request);
    if (err != NULL) {
        respond_error(request, err);
    } else {
        json_array_close(prune->writer);
        json_member_unsigned(prune->writer, "SpaceReclaimed", prune->bytes);
        json_object_close(prune->writer);
        respond_written(request, 200, take_pointer(&prune->writer));
    }
    free_prune(prune);
}

static int on_step(sd_event_source *source, void *context)
{
    struct container_prune *prune = context;
    struct error err = {0};
    int result = 0;

    for (int i = 0; i < REMOVED_AT_ONCE && result == 0 && prune->next < prune->found.count; i++)
        result = prune_one(prune, &prune->found.items[prune->next++], &err);
    if (result == 0 && prune->next < prune->found.count)
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    answer_prune(prune, result < 0 ? &err : NULL);
    return 0;
}

static struct json_writer *begin_prune(struct api *api, struct request *request,
                                       const struct disk_usage *usage, const void *context,
                                       struct error *err)
{
    struct container_prune *prune = memory_new_one(struct container_prune);
    int result;

    (void)context;
    prune->api = api;
    prune->request = request;
    result =
        api_parse_prune_filters(request, known_filters, &prune->filters, &prune->until_ns, err);
    if (result == 0 && sd_event_add_defer(api->containers->loop, &prune->step, on_step, prune) < 0)
        result = error_set(err, ERROR_INTERNAL, ENOMEM, "prune");
    if (result < 0) {
        free_prune(prune);
        return NULL;
    }
    find_prunable(prune, usage);
    prune->writer = json_writer_new(false);
    json_object_open(prune->writer);
    json_key(prune->writer, "ContainersDeleted");
    json_array_open(prune->writer);
    request->context = prune;
    request->on_close = on_client_gone;
    return NULL;
}

static void serve_containers_prune(struct api *api, struct request *request,
                                   const struct route_match *match)
{
    struct filters filters;
    struct error err = {0};
    int64_t until_ns;

    (void)match;
    if (api_parse_prune_filters(request, known_filters, &filters, &until_ns, &err) < 0)
        respond_error(request, &err);
    else
        api_measure_usage(api, request, begin_prune, NULL);
}

const struct route container_prune_routes[] = {
    {"POST", "/containers/prune", serve_containers_prune, PERMISSION_OPERATE, NULL},
    {.method = NULL},
};
