/* Networks: create, list, inspect, connect, disconnect, remove, prune. */
#include <assert.h>
#include <string.h>

#include "api.h"
#include "base/cleanup.h"
#include "supervisor/containers/container.h"
#include "supervisor/networks/networks.h"

static const struct json_field pool_fields[] = {
    JSON_FIELD(struct network_pool_order, subnet, "Subnet", JSON_KIND_STRING),
    JSON_FIELD(struct network_pool_order, range, "IPRange", JSON_KIND_STRING),
    JSON_FIELD(struct network_pool_order, gateway, "Gateway", JSON_KIND_STRING),
    JSON_FIELD(struct network_pool_order, reserved, "AuxiliaryAddresses", JSON_KIND_STRING_MAP),
    {.name = "AuxAddress", .kind = JSON_KIND_UNSUPPORTED},
};
static const struct json_struct pool_type =
    JSON_CLOSED_STRUCT(struct network_pool_order, pool_fields);

static const struct json_field ipam_fields[] = {
    JSON_FIELD(struct network_ipam, driver, "Driver", JSON_KIND_STRING),
    JSON_FIELD(struct network_ipam, pools, "Config", JSON_KIND_STRUCTS, .type = &pool_type),
    {.name = "Options", .kind = JSON_KIND_UNSUPPORTED},
};
static const struct json_struct ipam_type = JSON_CLOSED_STRUCT(struct network_ipam, ipam_fields);

static const struct json_field order_fields[] = {
    JSON_FIELD(struct network_order, name, "Name", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct network_order, driver, "Driver", JSON_KIND_STRING),
    JSON_FIELD(struct network_order, is_internal, "Internal", JSON_KIND_BOOL),
    JSON_FIELD(struct network_order, has_ipv6, "EnableIPv6", JSON_KIND_BOOL),
    JSON_FIELD(struct network_order, ipam, "IPAM", JSON_KIND_INLINE, .type = &ipam_type),
    JSON_FIELD(struct network_order, options, "Options", JSON_KIND_STRING_MAP),
    JSON_FIELD(struct network_order, labels, "Labels", JSON_KIND_STRING_MAP),
    /* Names are always checked, and without a swarm every network can be attached to. */
    {.name = "CheckDuplicate", .kind = JSON_KIND_IGNORED},
    {.name = "Attachable", .kind = JSON_KIND_IGNORED},
    JSON_FIELD(struct network_order, has_ipv4, "EnableIPv4", JSON_KIND_OPTIONAL_BOOL),
    JSON_FIELD(struct network_order, scope, "Scope", JSON_KIND_STRING),
    {.name = "Ingress", .kind = JSON_KIND_UNSUPPORTED},
    {.name = "ConfigOnly", .kind = JSON_KIND_UNSUPPORTED},
    {.name = "ConfigFrom", .kind = JSON_KIND_UNSUPPORTED},
};
static const struct json_struct order_type = JSON_CLOSED_STRUCT(struct network_order, order_fields);

static void network_event(struct api *api, const char *action, const struct network *network)
{
    struct string_pair pairs[] = {{"name", network->name}, {"type", network_driver_name(network)}};

    events_publish(api->events, "network", action, network->id,
                   &(struct string_map){pairs, ARRAY_SIZE(pairs)});
}

static int check_order(const struct network_order *order, struct error *err)
{
    if (order->has_ipv4.is_set && !order->has_ipv4.value)
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "EnableIPv4: networks without IPv4 are not in this version of davit");
    if (order->scope != NULL && order->scope[0] != '\0' && strcmp(order->scope, "local") != 0)
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "Scope: \"%.32s\" is not supported; networks are local", order->scope);
    return 0;
}

static void serve_network_create(struct api *api, struct request *request,
                                 const struct route_match *match)
{
    struct network_order order = {0};
    struct network *network = NULL;
    struct json_writer *writer;
    struct error err = {0};
    int result = json_decode_text(&request->arena, request->body, request->body_length, &order_type,
                                  &order, &err);

    (void)match;
    if (result == 0)
        result = check_order(&order, &err);
    if (result == 0)
        result = network_create(api->networks, request->actor.tenant, &order, &network, &err);
    if (result < 0) {
        respond_error(request, &err);
        return;
    }
    assert(network != NULL);
    network_event(api, "create", network);
    writer = json_writer_new(false);
    json_object_open(writer);
    json_member_string(writer, "Id", network->id);
    json_member_string(writer, "Warning", "");
    json_object_close(writer);
    respond_written(request, 201, writer);
}

/* Modes that are no networks of davitd: clients expect them in the list, as with Docker. */
static const char *const built_in[] = {"host", "none"};

static void write_built_in(struct json_writer *writer, const char *name)
{
    json_object_open(writer);
    json_member_string(writer, "Name", name);
    json_member_string(writer, "Id", name);
    json_member_string(writer, "Scope", "local");
    json_member_string(writer, "Driver", strcmp(name, "none") == 0 ? "null" : name);
    json_key(writer, "IPAM");
    json_object_open(writer);
    json_member_string(writer, "Driver", "default");
    json_key(writer, "Config");
    json_array_open(writer);
    json_array_close(writer);
    json_object_close(writer);
    json_key(writer, "Containers");
    json_object_open(writer);
    json_object_close(writer);
    json_key(writer, "Options");
    json_object_open(writer);
    json_object_close(writer);
    json_key(writer, "Labels");
    json_object_open(writer);
    json_object_close(writer);
    json_object_close(writer);
}

static void serve_network_inspect(struct api *api, struct request *request,
                                  const struct route_match *match)
{
    struct network *network;
    struct json_writer *writer = json_writer_new(false);
    struct error err = {0};

    for (size_t i = 0; i < ARRAY_SIZE(built_in); i++) {
        if (strcmp(built_in[i], match->name) == 0) {
            write_built_in(writer, built_in[i]);
            respond_written(request, 200, writer);
            return;
        }
    }
    if (network_find(api->networks, request->actor.tenant, match->name, &network, &err) < 0) {
        json_writer_free(writer);
        respond_error(request, &err);
        return;
    }
    network_write(writer, api->networks, network);
    respond_written(request, 200, writer);
}

static bool is_listed(const struct api *api, const struct filters *filters,
                      const struct network *network)
{
    bool is_built_in = strcmp(network->name, NETWORK_DEFAULT) == 0;

    return filters_match_part(filters, "name", network->name) &&
           filters_match_part(filters, "id", network->id) &&
           filters_match(filters, "driver", network_driver_name(network)) &&
           filters_match(filters, "scope", "local") &&
           filters_match(filters, "type", is_built_in ? "builtin" : "custom") &&
           filters_match_labels(filters, &network->labels) &&
           (filters_get(filters, "dangling") == NULL ||
            filters_is_on(filters, "dangling") ==
                (!is_built_in && !network_is_used(api->networks, network)));
}

static void serve_networks_list(struct api *api, struct request *request,
                                const struct route_match *match)
{
    static const char *const known[] = {"name", "id",       "driver", "scope",
                                        "type", "dangling", "label",  NULL};
    struct json_writer *writer;
    struct filters filters;

    (void)match;
    if (!api_read_filters(request, known, &filters))
        return;
    writer = json_writer_new(false);
    json_array_open(writer);
    for (const struct network *one = api->networks->list; one != NULL; one = one->next) {
        if (network_is_visible(one, request->actor.tenant) && is_listed(api, &filters, one))
            network_write(writer, api->networks, one);
    }
    for (size_t i = 0; i < ARRAY_SIZE(built_in); i++) {
        if (filters_match_part(&filters, "name", built_in[i]) &&
            filters_match_part(&filters, "id", built_in[i]) &&
            filters_match(&filters, "driver", i == 0 ? "host" : "null") &&
            filters_match(&filters, "scope", "local") &&
            filters_match(&filters, "type", "builtin") &&
            filters_get(&filters, "dangling") == NULL &&
            filters_match_labels(&filters, &(struct string_map){0}))
            write_built_in(writer, built_in[i]);
    }
    json_array_close(writer);
    respond_written(request, 200, writer);
}

struct network_member {
    const char *container;
    struct endpoint endpoint; /* for connect */
};

static const struct json_field membership_fields[] = {
    JSON_FIELD(struct network_member, container, "Container", JSON_KIND_STRING,
               .flags = JSON_REQUIRED),
    JSON_FIELD(struct network_member, endpoint, "EndpointConfig", JSON_KIND_INLINE,
               .type = &endpoint_type),
    /* There is nothing that would have to be forced. */
    {.name = "Force", .kind = JSON_KIND_IGNORED},
};
static const struct json_struct membership_type =
    JSON_CLOSED_STRUCT(struct network_member, membership_fields);

static int leave_network(struct api *api, struct managed_container *container,
                         const struct actor *actor, const char *name, struct error *err)
{
    struct network *network = network_look_up(api->networks, actor->tenant, name);

    return network != NULL ? container_disconnect(container, actor, network, err)
                           : container_disconnect_lost(container, actor, name, err);
}

static int join_network(struct api *api, struct managed_container *container,
                        const struct actor *actor, const char *name,
                        const struct endpoint *endpoint, struct error *err)
{
    struct network *network = NULL;
    int result = network_find(api->networks, actor->tenant, name, &network, err);

    return result < 0 ? result : container_connect(container, actor, network, endpoint, err);
}

static void change_membership(struct api *api, struct request *request,
                              const struct route_match *match, bool connects)
{
    struct network_member membership = {0};
    struct managed_container *container = NULL;
    struct error err = {0};
    int result = json_decode_text(&request->arena, request->body, request->body_length,
                                  &membership_type, &membership, &err);

    if (result == 0)
        result = container_find(api->containers, request->actor.tenant, membership.container,
                                &container, &err);
    if (result == 0)
        result = connects ? join_network(api, container, &request->actor, match->name,
                                         &membership.endpoint, &err)
                          : leave_network(api, container, &request->actor, match->name, &err);
    if (result < 0)
        respond_error(request, &err);
    else
        respond_text(request, 200, "");
}

static void serve_network_connect(struct api *api, struct request *request,
                                  const struct route_match *match)
{
    change_membership(api, request, match, true);
}

static void serve_network_disconnect(struct api *api, struct request *request,
                                     const struct route_match *match)
{
    change_membership(api, request, match, false);
}

static int remove_network(struct api *api, struct network *network, struct error *err)
{
    cleanup_free char *id = memory_strdup(network->id);
    cleanup_free char *name = memory_strdup(network->name);
    int driver = network->driver;
    int result = network_remove(api->networks, network, err);

    if (result == 0)
        network_event(api, "destroy", &(struct network){.id = id, .name = name, .driver = driver});
    return result;
}

static void serve_network_remove(struct api *api, struct request *request,
                                 const struct route_match *match)
{
    struct network *network;
    struct error err = {0};
    int result = network_find(api->networks, request->actor.tenant, match->name, &network, &err);

    if (result == 0)
        result = remove_network(api, network, &err);
    if (result < 0)
        respond_error(request, &err);
    else
        respond_empty(request, 204);
}

static int remove_unused_networks(struct api *api, const struct actor *actor,
                                  const struct filters *filters, int64_t until_ns,
                                  const struct disk_usage *usage, struct json_writer *writer,
                                  uint64_t *bytes, struct error *err)
{
    struct network *next;

    (void)usage;
    (void)bytes;
    for (struct network *one = api->networks->list; one != NULL; one = next) {
        next = one->next;
        if (!tenant_is(one->tenant, actor->tenant) || strcmp(one->name, NETWORK_DEFAULT) == 0 ||
            network_is_used(api->networks, one) || (until_ns != 0 && one->created_ns >= until_ns) ||
            !filters_match_labels(filters, &one->labels))
            continue;
        json_string(writer, one->name);
        if (remove_network(api, one, err) < 0)
            return -err->errnum;
    }
    return 0;
}

static void serve_networks_prune(struct api *api, struct request *request,
                                 const struct route_match *match)
{
    static const char *const known[] = {"until", "label", "label!", NULL};
    static const struct prune_kind kind = {known, "NetworksDeleted", false, remove_unused_networks};

    (void)match;
    api_prune(api, request, &kind);
}

const struct route network_routes[] = {
    {"GET", "/networks", serve_networks_list, PERMISSION_READ, NULL},
    {"POST", "/networks/create", serve_network_create, PERMISSION_OPERATE, NULL},
    {"GET", "/networks/{id}", serve_network_inspect, PERMISSION_READ, NULL},
    {"DELETE", "/networks/{id}", serve_network_remove, PERMISSION_OPERATE, NULL},
    {"POST", "/networks/{id}/connect", serve_network_connect, PERMISSION_OPERATE, NULL},
    {"POST", "/networks/{id}/disconnect", serve_network_disconnect, PERMISSION_OPERATE, NULL},
    {"POST", "/networks/prune", serve_networks_prune, PERMISSION_OPERATE, NULL},
    {.method = NULL},
};
