/* davit's own probes: GET and PUT /davit/v1/containers/ID/probes. */

#include "supervisor/containers/probes.h"
#include "api.h"
#include "supervisor/containers/container.h"

struct probe_request {
    struct probe_definition *liveness;
    struct probe_definition *readiness;
};

static const struct json_field request_fields[] = {
    JSON_FIELD(struct probe_request, liveness, "Liveness", JSON_KIND_STRUCT, .type = &probe_type),
    JSON_FIELD(struct probe_request, readiness, "Readiness", JSON_KIND_STRUCT, .type = &probe_type),
};
static const struct json_struct request_type =
    JSON_CLOSED_STRUCT(struct probe_request, request_fields);

static void answer_probes(struct request *request, const struct managed_container *container)
{
    struct json_writer *writer = json_writer_new(false);

    probes_write(writer, container);
    respond_written(request, 200, writer);
}

static void serve_probes_show(struct api *api, struct request *request,
                              const struct route_match *match)
{
    struct managed_container *container;
    struct error err = {0};

    if (container_find(api->containers, request->actor.tenant, match->name, &container, &err) < 0)
        respond_error(request, &err);
    else
        answer_probes(request, container);
}

static int read_probes(struct request *request, struct probe_request *probes, struct error *err)
{
    const char *text = arena_strndup(&request->arena, request->body, request->body_length);
    int result =
        json_decode_text(&request->arena, text, request->body_length, &request_type, probes, err);

    if (result == 0)
        result = probe_check(probes->liveness, "Liveness", err);
    return result == 0 ? probe_check(probes->readiness, "Readiness", err) : result;
}

/* Replaces davit's own probes: one that the request does not name is removed. */
static void serve_probes_set(struct api *api, struct request *request,
                             const struct route_match *match)
{
    struct managed_container *container;
    struct probe_request probes = {0};
    struct error err = {0};
    int result =
        container_find(api->containers, request->actor.tenant, match->name, &container, &err);

    if (result == 0)
        result = read_probes(request, &probes, &err);
    if (result == 0)
        result = container_set_probes(container, &request->actor, probes.liveness, probes.readiness,
                                      &err);
    if (result < 0)
        respond_error(request, &err);
    else
        answer_probes(request, container);
}

const struct route probe_routes[] = {
    {"GET", "/davit/v1/containers/{id}/probes", serve_probes_show, PERMISSION_READ, NULL},
    {"PUT", "/davit/v1/containers/{id}/probes", serve_probes_set, PERMISSION_OPERATE, NULL},
    {.method = NULL},
};
