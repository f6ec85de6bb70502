/* What is damaged on the disk, and its repair. */
#include "api.h"

static void answer(struct api *api, struct request *request, enum repair how)
{
    struct json_writer *writer = json_writer_new(false);
    struct findings findings = {0};

    containers_repair(api->containers, how, &findings);
    volumes_repair(api->volumes, how, &findings);
    networks_repair(api->networks, how, &findings);
    image_store_repair(api->store, how, &findings);
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
    answer(api, request, REPAIR_LOOK);
}

static void serve_repair(struct api *api, struct request *request, const struct route_match *match)
{
    (void)match;
    answer(api, request, request_query_bool(request, "prune") ? REPAIR_PRUNE : REPAIR_MEND);
}

const struct route repair_routes[] = {
    {"GET", "/davit/v1/system/check", serve_check, PERMISSION_READ, NULL},
    {"POST", "/davit/v1/system/repair", serve_repair, PERMISSION_OPERATE, NULL},
    {.method = NULL},
};
