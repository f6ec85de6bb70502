/* What a container may reach: GET and PUT /davit/v1/containers/ID/egress. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "supervisor/containers/container.h"
#include "supervisor/networks/connections.h"
#include "supervisor/networks/egress.h"
#include "supervisor/networks/networks.h"

static void answer_egress_rules(struct request *request, const struct managed_container *container)
{
    struct json_writer *writer = json_writer_new(false);

    egress_write_rules(writer, container_network(container));
    respond_written(request, 200, writer);
}

static void serve_egress_show(struct api *api, struct request *request,
                              const struct route_match *match)
{
    struct managed_container *container;
    struct error err = {0};

    if (container_find(api->containers, request->actor.tenant, match->name, &container, &err) < 0)
        respond_error(request, &err);
    else
        answer_egress_rules(request, container);
}

/* Without the list Allow the container may reach everything, with an empty list nothing, unless it
 * is to learn. */
static int read_rules(struct request *request, const struct docker_egress **egress,
                      struct error *err)
{
    const char *text = arena_strndup(&request->arena, request->body, request->body_length);
    struct docker_egress *rules = arena_new(&request->arena, 1, sizeof(*rules));
    const struct json *body;
    const struct json *list;
    int result =
        json_parse(&request->arena, text, request->body_length, &json_default_limits, &body, err);

    if (result == 0)
        result = json_decode(&request->arena, body, &docker_egress_type, "", rules, err);
    if (result < 0)
        return result;
    list = json_get(body, "Allow");
    *egress = rules->learns || (list != NULL && list->type == JSON_ARRAY) ? rules : NULL;
    return 0;
}

/* Answered when the kernel has ended what the rules refuse, and has the rules. */
struct egress_change {
    struct completion completion;
    struct completion connections;
    struct api *api;
    struct request *request; /* NULL: the client has gone */
    char id[IDENTIFIER_SIZE];
};

static void on_client_gone(struct request *request)
{
    struct egress_change *change = request->context;

    change->request = NULL;
}

static void on_rules_set(struct completion *completion, const struct error *err)
{
    struct egress_change *change = (struct egress_change *)(void *)completion;
    struct request *request = change->request;
    struct managed_container *container = container_by_id(change->api->containers, change->id);
    struct error problem = {0};

    if (err != NULL)
        problem = *err;
    else if (container == NULL)
        error_set(&problem, ERROR_NOT_FOUND, ENOENT, "No such container: %s", change->id);
    if (request != NULL) {
        request_forget(request);
        if (problem.errnum == 0)
            answer_egress_rules(request, container);
        else
            respond_error(request, &problem);
    }
    free(change);
}

/* Not all that is due may have been under way. */
static void on_connections_ended(struct completion *completion, const struct error *err)
{
    struct egress_change *change =
        (struct egress_change *)(void *)((char *)completion -
                                         offsetof(struct egress_change, connections));
    const struct managed_container *container =
        container_by_id(change->api->containers, change->id);
    bool is_due =
        container != NULL && container_network(container)->connections != CONNECTIONS_RIGHT;

    if (err != NULL)
        on_rules_set(&change->completion, err);
    else if (!is_due || !connections_await(change->api->networks, &change->connections))
        firewall_await(change->api->networks, &change->completion);
}

static void serve_egress_set(struct api *api, struct request *request,
                             const struct route_match *match)
{
    struct managed_container *container;
    const struct docker_egress *egress = NULL;
    struct egress_change *change;
    struct error err = {0};
    int result =
        container_find(api->containers, request->actor.tenant, match->name, &container, &err);

    if (result == 0)
        result = read_rules(request, &egress, &err);
    if (result == 0)
        result = container_set_egress(container, &request->actor, egress, &err);
    if (result < 0) {
        respond_error(request, &err);
        return;
    }
    change = memory_new_one(struct egress_change);
    change->completion.done = on_rules_set;
    change->api = api;
    change->request = request;
    strcpy(change->id, container->definition->id);
    request->context = change;
    request->on_close = on_client_gone;
    change->connections.done = on_connections_ended;
    on_connections_ended(&change->connections, NULL);
}

const struct route egress_routes[] = {
    {"GET", "/davit/v1/containers/{id}/egress", serve_egress_show, PERMISSION_READ, NULL},
    {"PUT", "/davit/v1/containers/{id}/egress", serve_egress_set, PERMISSION_OPERATE, NULL},
    {.method = NULL},
};
