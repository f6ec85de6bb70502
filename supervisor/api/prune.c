/* What all prune requests have in common: see api.h. */
#include "api.h"

int api_parse_prune_filters(struct request *request, const char *const *known,
                            struct filters *filters, int64_t *until_ns, struct error *err)
{
    int result =
        filters_parse(&request->arena, request_query(request, "filters"), known, filters, err);

    *until_ns = 0;
    return result < 0 ? result : filters_get_time(filters, "until", until_ns, err);
}

static struct json_writer *prune_answer(struct api *api, struct request *request,
                                        const struct disk_usage *usage, const void *context,
                                        struct error *err)
{
    const struct prune_kind *kind = context;
    struct json_writer *writer = json_writer_new(false);
    struct filters filters;
    uint64_t bytes = 0;
    int64_t until_ns;
    int result = api_parse_prune_filters(request, kind->filters, &filters, &until_ns, err);

    json_object_open(writer);
    json_key(writer, kind->list_name);
    json_array_open(writer);
    if (result == 0)
        result = kind->prune(api, &request->actor, &filters, until_ns, usage, writer, &bytes, err);
    json_array_close(writer);
    json_member_unsigned(writer, "SpaceReclaimed", bytes);
    json_object_close(writer);
    if (result == 0)
        return writer;
    json_writer_free(writer);
    return NULL;
}

void api_prune(struct api *api, struct request *request, const struct prune_kind *kind)
{
    struct filters filters;
    int64_t until_ns;
    struct json_writer *writer = NULL;
    struct error err = {0};
    int result = api_parse_prune_filters(request, kind->filters, &filters, &until_ns, &err);

    if (result == 0 && kind->is_measured) {
        api_measure_usage(api, request, prune_answer, kind);
        return;
    }
    if (result == 0)
        writer = prune_answer(api, request, NULL, kind, &err);
    if (writer != NULL)
        respond_written(request, 200, writer);
    else
        respond_error(request, &err);
}
