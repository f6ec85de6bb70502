/* Volumes: create, list, inspect, remove, prune. */

#include "supervisor/volumes/volumes.h"
#include "api.h"

static const struct json_field order_fields[] = {
    JSON_FIELD(struct volume_order, name, "Name", JSON_KIND_STRING),
    JSON_FIELD(struct volume_order, driver, "Driver", JSON_KIND_STRING),
    JSON_FIELD(struct volume_order, labels, "Labels", JSON_KIND_STRING_MAP),
    JSON_FIELD(struct volume_order, options, "DriverOpts", JSON_KIND_STRING_MAP),
};
static const struct json_struct order_type = JSON_CLOSED_STRUCT(struct volume_order, order_fields);

static void serve_volume_create(struct api *api, struct request *request,
                                const struct route_match *match)
{
    struct volume_order order = {0};
    struct volume *volume = NULL;
    struct json_writer *writer;
    struct error err = {0};
    bool is_new;
    int result = 0;

    (void)match;
    if (request->body_length > 0)
        result = json_decode_text(&request->arena, request->body, request->body_length, &order_type,
                                  &order, &err);
    if (result == 0)
        result = volume_make(api->volumes, request->actor.tenant, &order, &volume, &is_new, &err);
    if (result < 0) {
        respond_error(request, &err);
        return;
    }
    writer = json_writer_new(false);
    volume_write(writer, api->volumes, volume, -1);
    respond_written(request, 201, writer);
}

static void serve_volume_inspect(struct api *api, struct request *request,
                                 const struct route_match *match)
{
    struct volume *volume;
    struct json_writer *writer;
    struct error err = {0};

    if (volume_find(api->volumes, request->actor.tenant, match->name, &volume, &err) < 0) {
        respond_error(request, &err);
        return;
    }
    writer = json_writer_new(false);
    volume_write(writer, api->volumes, volume, -1);
    respond_written(request, 200, writer);
}

static bool is_listed(const struct filters *filters, const struct volume *volume)
{
    if (filters_get(filters, "dangling") != NULL &&
        filters_is_on(filters, "dangling") != (volume->user_count == 0))
        return false;
    return filters_match_part(filters, "name", volume->name) &&
           filters_match(filters, "driver", "local") &&
           filters_match_labels(filters, &volume->labels);
}

static void serve_volumes_list(struct api *api, struct request *request,
                               const struct route_match *match)
{
    static const char *const known[] = {"dangling", "driver", "label", "name", NULL};
    struct json_writer *writer;
    struct filters filters;

    (void)match;
    if (!api_read_filters(request, known, &filters))
        return;
    writer = json_writer_new(false);
    json_object_open(writer);
    json_key(writer, "Volumes");
    json_array_open(writer);
    for (const struct volume *one = api->volumes->list; one != NULL; one = one->next) {
        if (tenant_is(one->tenant, request->actor.tenant) && is_listed(&filters, one))
            volume_write(writer, api->volumes, one, -1);
    }
    json_array_close(writer);
    json_key(writer, "Warnings");
    json_array_open(writer);
    json_array_close(writer);
    json_object_close(writer);
    respond_written(request, 200, writer);
}

static void serve_volume_remove(struct api *api, struct request *request,
                                const struct route_match *match)
{
    struct volume *volume;
    struct error err = {0};
    int result = volume_find(api->volumes, request->actor.tenant, match->name, &volume, &err);

    if (result < 0 && request_query_bool(request, "force")) {
        respond_empty(request, 204);
        return;
    }
    if (result == 0)
        result = volume_remove(api->volumes, volume, &err);
    if (result < 0)
        respond_error(request, &err);
    else
        respond_empty(request, 204);
}

static int remove_unused_volumes(struct api *api, const struct actor *actor,
                                 const struct filters *filters, bool has_all,
                                 const struct disk_usage *usage, struct json_writer *writer,
                                 uint64_t *bytes, struct error *err)
{
    struct volume *next;

    for (struct volume *one = api->volumes->list; one != NULL; one = next) {
        int result;

        next = one->next;
        if (!tenant_is(one->tenant, actor->tenant) || (!has_all && !one->is_anonymous) ||
            one->user_count > 0 || !filters_match_labels(filters, &one->labels))
            continue;
        *bytes += disk_usage_of_volume(usage, one->tenant, one->name);
        json_string(writer, one->name);
        result = volume_remove(api->volumes, one, err);
        if (result < 0)
            return result;
    }
    return 0;
}

static int prune_all(struct api *api, const struct actor *actor, const struct filters *filters,
                     int64_t until_ns, const struct disk_usage *usage, struct json_writer *writer,
                     uint64_t *bytes, struct error *err)
{
    (void)until_ns;
    return remove_unused_volumes(api, actor, filters, true, usage, writer, bytes, err);
}

/* Anonymous ones, and others only if the filter "all" says so. */
static int prune_anonymous(struct api *api, const struct actor *actor,
                           const struct filters *filters, int64_t until_ns,
                           const struct disk_usage *usage, struct json_writer *writer,
                           uint64_t *bytes, struct error *err)
{
    (void)until_ns;
    return remove_unused_volumes(api, actor, filters, filters_is_on(filters, "all"), usage, writer,
                                 bytes, err);
}

/* Before API version 1.42 a prune removed named volumes too. */
static void serve_volumes_prune(struct api *api, struct request *request,
                                const struct route_match *match)
{
    static const char *const known[] = {"all", "label", "label!", NULL};
    static const struct prune_kind all = {known, "VolumesDeleted", true, prune_all};
    static const struct prune_kind anonymous = {known, "VolumesDeleted", true, prune_anonymous};
    bool is_old = request->version >= 0 && request->version < 42;

    (void)match;
    api_prune(api, request, is_old ? &all : &anonymous);
}

const struct route volume_routes[] = {
    {"GET", "/volumes", serve_volumes_list, PERMISSION_READ, NULL},
    {"POST", "/volumes/create", serve_volume_create, PERMISSION_OPERATE, NULL},
    {"GET", "/volumes/{volume}", serve_volume_inspect, PERMISSION_READ, NULL},
    {"DELETE", "/volumes/{volume}", serve_volume_remove, PERMISSION_OPERATE, NULL},
    {"POST", "/volumes/prune", serve_volumes_prune, PERMISSION_OPERATE, NULL},
    {.method = NULL},
};
