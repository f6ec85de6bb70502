/* Containers: create, list, inspect, attach, change. */
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/cleanup.h"
#include "base/number.h"
#include "supervisor/containers/container.h"
#include "supervisor/containers/probes.h"
#include "supervisor/http/filters.h"
#include "supervisor/networks/networks.h"

static void serve_container_create(struct api *api, struct request *request,
                                   const struct route_match *match)
{
    const struct create_order order = {.name = request_query(request, "name"),
                                       .platform = request_query(request, "platform"),
                                       .body = request->body,
                                       .body_length = request->body_length};
    struct managed_container *container;
    struct error err = {0};
    struct json_writer *writer;

    (void)match;
    if (container_create(api->containers, &request->actor, &order, &container, &err) < 0) {
        /* Docker's clients take 404 for a missing image, and pull it. */
        if (err.code == ERROR_NOT_FOUND)
            err.code = ERROR_INVALID;
        respond_error(request, &err);
        return;
    }
    writer = json_writer_new(false);
    json_object_open(writer);
    json_member_string(writer, "Id", container->definition->id);
    json_key(writer, "Warnings");
    json_array_open(writer);
    if (container->warning != NULL)
        json_string(writer, container->warning);
    json_array_close(writer);
    json_object_close(writer);
    respond_written(request, 201, writer);
}

/* The container may be gone by now. */
static struct json_writer *write_sized_inspect(struct api *api, struct request *request,
                                               const struct disk_usage *usage, const void *context,
                                               struct error *err)
{
    const char *id = context;
    struct managed_container *container;
    struct container_sizes sizes;
    struct json_writer *writer;

    if (container_find(api->containers, request->actor.tenant, id, &container, err) < 0)
        return NULL;
    sizes = container_sizes_of(api, container, usage);
    writer = json_writer_new(false);
    container_write_inspect(writer, container, &sizes);
    return writer;
}

static void serve_container_inspect(struct api *api, struct request *request,
                                    const struct route_match *match)
{
    struct managed_container *container = api_find_container(api, request, match);
    struct json_writer *writer;

    if (container == NULL)
        return;
    if (request_query_bool(request, "size")) {
        api_measure_usage(api, request, write_sized_inspect,
                          arena_strdup(&request->arena, container->definition->id));
        return;
    }
    writer = json_writer_new(false);
    container_write_inspect(writer, container, NULL);
    respond_written(request, 200, writer);
}

static bool name_matches(const struct filters *filters, const struct managed_container *container)
{
    const struct string_list *patterns = filters_get(filters, "name");
    cleanup_free char *name = memory_printf("/%s", container->definition->name);

    for (size_t i = 0; patterns != NULL && i < patterns->count; i++) {
        regex_t pattern;
        bool is_match;

        if (regcomp(&pattern, patterns->items[i], REG_EXTENDED | REG_NOSUB) != 0)
            continue;
        is_match = regexec(&pattern, name, 0, NULL, 0) == 0 ||
                   regexec(&pattern, name + 1, 0, NULL, 0) == 0;
        regfree(&pattern);
        if (is_match)
            return true;
    }
    return patterns == NULL;
}

static bool id_matches(const struct filters *filters, const struct managed_container *container)
{
    const struct string_list *ids = filters_get(filters, "id");

    for (size_t i = 0; ids != NULL && i < ids->count; i++) {
        if (strncmp(container->definition->id, ids->items[i], strlen(ids->items[i])) == 0)
            return true;
    }
    return ids == NULL;
}

static bool ancestor_matches(struct api *api, const struct filters *filters,
                             const struct managed_container *container)
{
    const struct string_list *ancestors = filters_get(filters, "ancestor");

    for (size_t i = 0; ancestors != NULL && i < ancestors->count; i++) {
        struct image *image;

        if (strcmp(container->definition->config.image, ancestors->items[i]) == 0 ||
            (image_store_find(api->store, container->definition->tenant, ancestors->items[i],
                              &image, NULL) == 0 &&
             strcmp(image->id, container->definition->image_id) == 0))
            return true;
    }
    return ancestors == NULL;
}

static bool volume_matches(const struct filters *filters, const struct managed_container *container)
{
    const struct string_list *volumes = filters_get(filters, "volume");
    const struct definition *definition = container->definition;

    for (size_t i = 0; volumes != NULL && i < volumes->count; i++) {
        for (size_t j = 0; j < definition->mount_points.count; j++) {
            const struct mount_point *mount = &definition->mount_points.items[j];

            if (strcmp(mount->destination, volumes->items[i]) == 0 ||
                (mount->name != NULL && strcmp(mount->name, volumes->items[i]) == 0))
                return true;
        }
    }
    return volumes == NULL;
}

/* A filter is a network's name or id, or a mode that is no network, such as "host". */
static bool network_matches(struct api *api, const struct filters *filters,
                            const struct managed_container *container)
{
    const struct string_list *networks = filters_get(filters, "network");

    for (size_t i = 0; networks != NULL && i < networks->count; i++) {
        struct network *network;

        if (strcmp(definition_network_mode(container->definition), networks->items[i]) == 0 ||
            (network_find(api->networks, container->definition->tenant, networks->items[i],
                          &network, NULL) == 0 &&
             membership_find_endpoint(container_network(container), network) <
                 container->definition->endpoints.count))
            return true;
    }
    return networks == NULL;
}

/* "8080" or "8080/udp": a port of the host, or one of the container that is published. */
static bool port_matches(const struct filters *filters, const struct managed_container *container)
{
    const struct string_list *wanted = filters_get(filters, "publish");

    for (size_t i = 0; wanted != NULL && i < wanted->count; i++) {
        const char *text = wanted->items[i];
        uint64_t number;
        bool is_number = number_take(&text, 10, UINT16_MAX, &number);
        const char *protocol = *text == '/' ? text + 1 : *text == '\0' ? "tcp" : "";

        for (size_t j = 0; is_number && j < container_network(container)->ports.count; j++) {
            const struct published_port *port = &container_network(container)->ports.items[j];

            if ((port->host_port == number || port->container_port == number) &&
                strcmp(port->protocol, protocol) == 0)
                return true;
        }
    }
    return wanted == NULL;
}

/* Whether it was made before or after a container of the filter. Unknown names are skipped. */
static bool age_matches(struct api *api, const struct filters *filters, const char *key,
                        const struct managed_container *container)
{
    const struct string_list *names = filters_get(filters, key);
    struct managed_container *other;

    for (size_t i = 0; names != NULL && i < names->count; i++) {
        if (container_find(api->containers, container->definition->tenant, names->items[i], &other,
                           NULL) < 0)
            continue;
        if (strcmp(key, "before") == 0
                ? container->definition->created_ns < other->definition->created_ns
                : container->definition->created_ns > other->definition->created_ns)
            return true;
    }
    return names == NULL;
}

static bool health_matches(const struct filters *filters, const struct managed_container *container)
{
    const char *health = probes_health(container);

    return filters_match(filters, "health", health != NULL ? health : "none");
}

static bool is_up(const struct managed_container *container)
{
    return container->status == CONTAINER_RUNNING || container->status == CONTAINER_RESTARTING;
}

static bool is_listed(struct api *api, const struct filters *filters, bool shows_all,
                      const struct managed_container *container)
{
    char exit_code[16];

    if (filters->count == 0)
        return shows_all || is_up(container);

    snprintf(exit_code, sizeof(exit_code), "%d", container->exit_code);
    if (!shows_all && filters_get(filters, "status") == NULL &&
        filters_get(filters, "exited") == NULL && !is_up(container))
        return false;
    if (filters_get(filters, "exited") != NULL && container->status != CONTAINER_EXITED)
        return false;
    return filters_match(filters, "status", container_state_name(container)) &&
           filters_match(filters, "exited", exit_code) &&
           filters_match_labels(filters, &container->definition->config.labels) &&
           name_matches(filters, container) && id_matches(filters, container) &&
           ancestor_matches(api, filters, container) && volume_matches(filters, container) &&
           network_matches(api, filters, container) && port_matches(filters, container) &&
           health_matches(filters, container) && age_matches(api, filters, "before", container) &&
           age_matches(api, filters, "since", container);
}

/* What a client has asked the list for. */
struct list_query {
    struct filters filters;
    bool shows_all;
    int64_t limit; /* 0: none */
};

static void write_list(struct json_writer *writer, struct api *api, const struct request *request,
                       const struct list_query *query, const struct disk_usage *usage)
{
    int64_t shown = 0;

    json_array_open(writer);
    for (struct managed_container *one = api->containers->list; one != NULL; one = one->next) {
        struct container_sizes sizes;

        if (query->limit > 0 && shown == query->limit)
            break;
        if (!tenant_is(one->definition->tenant, request->actor.tenant) ||
            !is_listed(api, &query->filters, query->shows_all, one))
            continue;
        if (usage != NULL)
            sizes = container_sizes_of(api, one, usage);
        container_write_summary(writer, one, usage != NULL ? &sizes : NULL);
        shown++;
    }
    json_array_close(writer);
}

static struct json_writer *write_sized_list(struct api *api, struct request *request,
                                            const struct disk_usage *usage, const void *context,
                                            struct error *err)
{
    struct json_writer *writer = json_writer_new(false);

    (void)err;
    write_list(writer, api, request, context, usage);
    return writer;
}

static void serve_containers_list(struct api *api, struct request *request,
                                  const struct route_match *match)
{
    static const char *const known[] = {"id",       "name",    "label",  "status", "exited",
                                        "ancestor", "volume",  "health", "before", "since",
                                        "network",  "publish", NULL};
    struct list_query *query = arena_new(&request->arena, 1, sizeof(*query));
    struct json_writer *writer;
    struct error err = {0};

    (void)match;
    *query = (struct list_query){.shows_all = request_query_bool(request, "all")};
    if (!api_read_filters(request, known, &query->filters))
        return;
    if (request_query_integer(request, "limit", INT32_MIN, INT32_MAX, &query->limit, &err) < 0) {
        respond_error(request, &err);
        return;
    }
    query->shows_all = query->shows_all || query->limit > 0;
    if (request_query_bool(request, "size")) {
        api_measure_usage(api, request, write_sized_list, query);
        return;
    }
    writer = json_writer_new(false);
    write_list(writer, api, request, query, NULL);
    respond_written(request, 200, writer);
}

static void serve_container_attach(struct api *api, struct request *request,
                                   const struct route_match *match)
{
    struct managed_container *container = api_find_container(api, request, match);
    cleanup_buffer struct buffer leftover = {0};
    struct error err = {0};
    unsigned int flags = 0;
    int fd;

    if (container == NULL)
        return;
    if (request_query_bool(request, "logs")) {
        if (request_query_bool(request, "stdin"))
            respond_failure(request, 501, "attach: logs and stdin exclude each other in davit");
        else
            api_serve_logs(container, request, true);
        return;
    }
    if (!request_query_bool(request, "stream")) {
        respond_failure(request, 400, "attach without stream=1 has nothing to do");
        return;
    }
    if (container_admit_attach(container, &request->actor, &err) < 0) {
        respond_error(request, &err);
        return;
    }
    if (request_query_bool(request, "stdin") && container->definition->config.has_open_stdin)
        flags |= MONITOR_STDIN;
    if (request_query_bool(request, "stdout"))
        flags |= MONITOR_STDOUT;
    if (request_query_bool(request, "stderr"))
        flags |= MONITOR_STDERR;
    if (container->definition->config.has_terminal)
        flags |= MONITOR_RAW;
    fd = request_hijack(request,
                        (flags & MONITOR_RAW) != 0 ? "application/vnd.docker.raw-stream"
                                                   : "application/vnd.docker.multiplexed-stream",
                        &leftover);
    if (fd >= 0)
        container_attach(container, fd, flags, &leftover, &err);
}

static void serve_container_resize(struct api *api, struct request *request,
                                   const struct route_match *match)
{
    struct managed_container *container = api_find_container(api, request, match);
    struct terminal_size size = {0};
    struct error err = {0};

    if (container == NULL)
        return;
    if (api_read_terminal_size(request, &size, &err) < 0 ||
        container_resize(container, 0, size.rows, size.columns, &err) < 0)
        respond_error(request, &err);
    else
        respond_empty(request, 200);
}

static void serve_container_rename(struct api *api, struct request *request,
                                   const struct route_match *match)
{
    struct managed_container *container = api_find_container(api, request, match);
    const char *name = request_query(request, "name");
    struct error err = {0};

    if (container == NULL)
        return;
    name = name != NULL ? name : "";
    if (container_rename(container, &request->actor, name[0] == '/' ? name + 1 : name, &err) < 0)
        respond_error(request, &err);
    else
        respond_empty(request, 204);
}

static void serve_container_update(struct api *api, struct request *request,
                                   const struct route_match *match)
{
    struct managed_container *container = api_find_container(api, request, match);
    struct error err = {0};

    if (container == NULL)
        return;
    if (container_update(container, &request->actor, request->body, request->body_length, &err) < 0)
        respond_error(request, &err);
    else
        respond_json(request, 200, "{\"Warnings\":[]}");
}

const struct route container_routes[] = {
    {"GET", "/containers/json", serve_containers_list, PERMISSION_READ, NULL},
    {"POST", "/containers/create", serve_container_create, PERMISSION_OPERATE, NULL},
    {"GET", "/containers/{id}/json", serve_container_inspect, PERMISSION_READ, NULL},
    {"POST", "/containers/{id}/attach", serve_container_attach, PERMISSION_OPERATE, NULL},
    {"POST", "/containers/{id}/resize", serve_container_resize, PERMISSION_OPERATE, NULL},
    {"POST", "/containers/{id}/rename", serve_container_rename, PERMISSION_OPERATE, NULL},
    {"POST", "/containers/{id}/update", serve_container_update, PERMISSION_OPERATE, NULL},
    {.method = NULL},
};
