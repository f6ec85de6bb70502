/* See findings.h. */
#include "findings.h"

static const struct json_field finding_fields[] = {
    JSON_FIELD(struct finding, path, "Path", JSON_KIND_STRING),
    JSON_FIELD(struct finding, problem, "Problem", JSON_KIND_STRING),
    JSON_FIELD(struct finding, remedy, "Remedy", JSON_KIND_STRING),
    JSON_FIELD(struct finding, done, "Done", JSON_KIND_STRING),
};
const struct json_struct finding_type = JSON_STRUCT(struct finding, finding_fields);

struct finding *findings_add(struct findings *findings, const char *path, const char *problem,
                             const char *remedy)
{
    struct finding *finding;

    findings->list.items = arena_grow(&findings->arena, findings->list.items, findings->list.count,
                                      sizeof(*findings->list.items));
    finding = &findings->list.items[findings->list.count++];
    *finding = (struct finding){.path = path, .problem = problem, .remedy = remedy};
    return finding;
}

void findings_release(struct findings *findings)
{
    arena_release(&findings->arena);
    findings->list.items = NULL;
    findings->list.count = 0;
}
