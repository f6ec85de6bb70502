/* The worker's report: see report.h. */
#include "report.h"

static const struct json_field fields[] = {
    JSON_FIELD(struct image_report, names, "names", JSON_KIND_STRINGS),
    JSON_FIELD(struct image_report, digest, "digest", JSON_KIND_STRING),
    JSON_FIELD(struct image_report, media_type, "media_type", JSON_KIND_STRING),
    JSON_FIELD(struct image_report, repo_digest, "repo_digest", JSON_KIND_STRING),
    JSON_FIELD(struct image_report, size, "size", JSON_KIND_INT64),
    JSON_FIELD(struct image_report, layers, "layers", JSON_KIND_STRING),
    JSON_FIELD(struct image_report, status, "status", JSON_KIND_STRING),
    JSON_FIELD(struct image_report, id, "id", JSON_KIND_STRING),
    JSON_FIELD(struct image_report, current, "current", JSON_KIND_INT64, .maximum = INT64_MAX),
    JSON_FIELD(struct image_report, total, "total", JSON_KIND_INT64, .maximum = INT64_MAX),
    JSON_FIELD(struct image_report, path_stat, "path_stat", JSON_KIND_STRING),
    JSON_FIELD(struct image_report, document, "document", JSON_KIND_STRING),
    JSON_FIELD(struct image_report, error, "error", JSON_KIND_STRING),
    JSON_FIELD(struct image_report, code, "code", JSON_KIND_STRING),
};
const struct json_struct image_report_type = JSON_STRUCT(struct image_report, fields);
