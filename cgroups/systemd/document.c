/* A scope as a JSON document; apart from the D-Bus code, so that static programs can write one. */
#include "scope.h"

static const char *const kind_names[] = {NULL,     "bool",   "int32",   "int64", "uint32",
                                         "uint64", "string", "strings", "cpus",  NULL};

static const struct json_field property_fields[] = {
    JSON_FIELD(struct systemd_property, name, "name", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct systemd_property, kind, "kind", JSON_KIND_ENUM, .flags = JSON_REQUIRED,
               .names = kind_names),
    JSON_FIELD(struct systemd_property, number, "number", JSON_KIND_INT64),
    JSON_FIELD(struct systemd_property, text, "text", JSON_KIND_STRING),
    JSON_FIELD(struct systemd_property, texts, "texts", JSON_KIND_STRINGS),
};
static const struct json_struct property_type =
    JSON_STRUCT(struct systemd_property, property_fields);

static const struct json_field scope_fields[] = {
    JSON_FIELD(struct systemd_scope, unit, "unit", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct systemd_scope, slice, "slice", JSON_KIND_STRING),
    JSON_FIELD(struct systemd_scope, description, "description", JSON_KIND_STRING),
    JSON_FIELD(struct systemd_scope, pid, "pid", JSON_KIND_INT32),
    JSON_FIELD(struct systemd_scope, properties, "properties", JSON_KIND_STRUCTS,
               .type = &property_type),
};
const struct json_struct systemd_scope_type = JSON_STRUCT(struct systemd_scope, scope_fields);
