/* Containers: create, list, inspect, attach, change. */
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
            !container_is_listed(api, &query->filters, query->shows_all, one))
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
    struct list_query *query = arena_new(&request->arena, 1, sizeof(*query));
    struct json_writer *writer;
    struct error err = {0};

    (void)match;
    *query = (struct list_query){.shows_all = request_query_bool(request, "all")};
    if (!api_read_filters(request, container_filters, &query->filters))
        return;
    if (container_filters_check(api, request->actor.tenant, &query->filters, &err) < 0 ||
        request_query_integer(request, "limit", INT32_MIN, INT32_MAX, &query->limit, &err) < 0) {
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
