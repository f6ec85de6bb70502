/* What handlers share: see api.h. */
#include "api.h"

#include <string.h>

bool api_always_streams(const struct request *request)
{
    (void)request;
    return true;
}

bool api_read_filters(struct request *request, const char *const *known, struct filters *filters)
{
    struct error err = {0};

    if (filters_parse(&request->arena, request_query(request, "filters"), known, filters, &err) ==
        0)
        return true;
    respond_error(request, &err);
    return false;
}

struct managed_container *api_find_container(const struct api *api, struct request *request,
                                             const struct route_match *match)
{
    struct managed_container *container;
    struct error err = {0};

    if (container_find(api->containers, request->actor.tenant, match->name, &container, &err) == 0)
        return container;
    respond_error(request, &err);
    return NULL;
}

struct string_list api_query_list(struct request *request, const char *name)
{
    struct string_list values = {0};

    for (size_t i = 0; i < request->query_count; i++) {
        if (strcmp(request->query[i].name, name) == 0)
            string_list_append(&request->arena, &values, request->query[i].value);
    }
    return values;
}

int api_read_terminal_size(const struct request *request, struct terminal_size *size,
                           struct error *err)
{
    int64_t rows = 0;
    int64_t columns = 0;
    int result = request_query_integer(request, "h", 0, UINT16_MAX, &rows, err);

    if (result == 0)
        result = request_query_integer(request, "w", 0, UINT16_MAX, &columns, err);
    size->rows = (int)rows;
    size->columns = (int)columns;
    return result;
}
