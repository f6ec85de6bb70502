/* What all prune requests have in common: see api.h. */
#include "api.h"

void api_prune(struct daemon *daemon, struct request *request, const char *const *known_filters,
               const char *list_name,
               int (*prune)(struct daemon *daemon, const struct filters *filters, int64_t until_ns,
                            struct json_writer *writer, uint64_t *bytes, struct error *err))
{
    struct json_writer *writer = json_writer_new(false);
    struct filters filters;
    uint64_t bytes = 0;
    int64_t until_ns = 0;
    struct error err = {0};
    int result = filters_parse(&request->arena, request_query(request, "filters"), known_filters,
                               &filters, &err);

    if (result == 0)
        result = filters_get_time(&filters, "until", &until_ns, &err);
    json_object_open(writer);
    json_key(writer, list_name);
    json_array_open(writer);
    if (result == 0)
        result = prune(daemon, &filters, until_ns, writer, &bytes, &err);
    json_array_close(writer);
    json_member_unsigned(writer, "SpaceReclaimed", bytes);
    json_object_close(writer);
    if (result < 0)
        respond_error(request, &err);
    else
        respond_json(request, 200, json_writer_text(writer));
    json_writer_free(writer);
}
