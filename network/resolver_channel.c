/* The messages' tables: see resolver_channel.h. */
#include "resolver_channel.h"

static const char *const kinds[] = {NULL, "begin", "set", "remove", "all", "quit", "granted", NULL};

static const struct json_field endpoint_fields[] = {
    JSON_FIELD(struct resolver_endpoint, network, "network", JSON_KIND_STRING,
               .flags = JSON_REQUIRED),
    JSON_FIELD(struct resolver_endpoint, network_name, "networkName", JSON_KIND_STRING,
               .flags = JSON_REQUIRED),
    JSON_FIELD(struct resolver_endpoint, ipv4, "ipv4", JSON_KIND_STRING),
    JSON_FIELD(struct resolver_endpoint, ipv6, "ipv6", JSON_KIND_STRING),
    JSON_FIELD(struct resolver_endpoint, names, "names", JSON_KIND_STRINGS),
};
static const struct json_struct endpoint_type =
    JSON_STRUCT(struct resolver_endpoint, endpoint_fields);

static const struct json_field container_fields[] = {
    JSON_FIELD(struct resolver_container, id, "id", JSON_KIND_STRING),
    JSON_FIELD(struct resolver_container, tenant, "tenant", JSON_KIND_STRING),
    JSON_FIELD(struct resolver_container, endpoints, "endpoints", JSON_KIND_STRUCTS,
               .type = &endpoint_type),
    JSON_FIELD(struct resolver_container, links, "links", JSON_KIND_STRING_MAP),
    JSON_FIELD(struct resolver_container, servers, "servers", JSON_KIND_STRINGS),
    JSON_FIELD(struct resolver_container, is_limited, "limited", JSON_KIND_BOOL),
    JSON_FIELD(struct resolver_container, allowed, "allowed", JSON_KIND_STRINGS),
};
static const struct json_struct container_type =
    JSON_STRUCT(struct resolver_container, container_fields);

static const struct json_field order_fields[] = {
    JSON_FIELD(struct resolver_order, kind, "kind", JSON_KIND_ENUM, .flags = JSON_REQUIRED,
               .names = kinds),
    JSON_FIELD(struct resolver_order, serial, "serial", JSON_KIND_UINT64),
    JSON_FIELD(struct resolver_order, instance, "instance", JSON_KIND_STRING),
    JSON_FIELD(struct resolver_order, container, "container", JSON_KIND_INLINE,
               .type = &container_type),
};
const struct json_struct resolver_order_type = JSON_STRUCT(struct resolver_order, order_fields);

static const struct json_field grant_fields[] = {
    JSON_FIELD(struct resolver_grant, serial, "serial", JSON_KIND_UINT64),
    JSON_FIELD(struct resolver_grant, id, "id", JSON_KIND_STRING),
    JSON_FIELD(struct resolver_grant, name, "name", JSON_KIND_STRING),
    JSON_FIELD(struct resolver_grant, addresses, "addresses", JSON_KIND_STRINGS),
    JSON_FIELD(struct resolver_grant, ttl_s, "ttl", JSON_KIND_UINT32),
    JSON_FIELD(struct resolver_grant, is_member, "member", JSON_KIND_BOOL),
};
static const struct json_struct grant_type = JSON_STRUCT(struct resolver_grant, grant_fields);

static const struct json_field refusal_fields[] = {
    JSON_FIELD(struct resolver_refusal, id, "id", JSON_KIND_STRING),
    JSON_FIELD(struct resolver_refusal, name, "name", JSON_KIND_STRING),
    JSON_FIELD(struct resolver_refusal, count, "count", JSON_KIND_UINT64),
};
static const struct json_struct refusal_type = JSON_STRUCT(struct resolver_refusal, refusal_fields);

static const struct json_field report_fields[] = {
    JSON_FIELD(struct resolver_report, version, "version", JSON_KIND_STRING),
    JSON_FIELD(struct resolver_report, instance, "instance", JSON_KIND_STRING),
    JSON_FIELD(struct resolver_report, grant, "grant", JSON_KIND_INLINE, .type = &grant_type),
    JSON_FIELD(struct resolver_report, refusal, "refusal", JSON_KIND_INLINE, .type = &refusal_type),
};
const struct json_struct resolver_report_type = JSON_STRUCT(struct resolver_report, report_fields);
