/* What is damaged on the disk, and its repair. */
#include <stdlib.h>

#include "api.h"

/* A repair that searches for images first. */
struct repair_wait {
    struct api *api;
    struct request *request;
    enum repair how;
    struct image_search *search;
    sd_event_source *step;
};

static void answer(struct api *api, struct request *request, enum repair how,
                   const struct image_search *search)
{
    struct json_writer *writer = json_writer_new(false);
    struct findings findings = {0};

    containers_repair(api->containers, how, &findings);
    volumes_repair(api->volumes, how, &findings);
    networks_repair(api->networks, how, &findings);
    image_store_repair(api->store, search, how, &findings);
    json_object_open(writer);
    json_key(writer, "Findings");
    json_array_open(writer);
    for (size_t i = 0; i < findings.list.count; i++)
        json_encode(writer, &finding_type, &findings.list.items[i]);
    json_array_close(writer);
    json_object_close(writer);
    findings_release(&findings);
    respond_written(request, 200, writer);
}

static void serve_check(struct api *api, struct request *request, const struct route_match *match)
{
    (void)match;
    answer(api, request, REPAIR_LOOK, NULL);
}

static void free_wait(struct repair_wait *wait)
{
    sd_event_source_disable_unref(wait->step);
    image_search_free(wait->search);
    free(wait);
}

static void on_client_gone(struct request *request)
{
    free_wait(request->context);
}

static int on_step(sd_event_source *source, void *context)
{
    struct repair_wait *wait = context;

    if (image_search_step(wait->search))
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    request_forget(wait->request);
    answer(wait->api, wait->request, wait->how, wait->search);
    free_wait(wait);
    return 0;
}

static void serve_repair(struct api *api, struct request *request, const struct route_match *match)
{
    struct repair_wait *wait = memory_new_one(struct repair_wait);

    (void)match;
    *wait = (struct repair_wait){
        .api = api,
        .request = request,
        .how = request_query_bool(request, "prune") ? REPAIR_PRUNE : REPAIR_MEND,
        .search = image_search_new(api->store),
    };
    if (sd_event_add_defer(api->containers->loop, &wait->step, on_step, wait) < 0) {
        free_wait(wait);
        respond_failure(request, 500, "repair: out of memory");
        return;
    }
    request->context = wait;
    request->on_close = on_client_gone;
}

const struct route repair_routes[] = {
    {"GET", "/davit/v1/system/check", serve_check, PERMISSION_READ, NULL},
    {"POST", "/davit/v1/system/repair", serve_repair, PERMISSION_OPERATE, NULL},
    {.method = NULL},
};
