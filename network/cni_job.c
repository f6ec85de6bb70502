/* See cni_job.h. */
#include "cni_job.h"

static const struct json_field port_fields[] = {
    JSON_FIELD(struct cni_port, host_port, "hostPort", JSON_KIND_UINT32, .flags = JSON_REQUIRED),
    JSON_FIELD(struct cni_port, container_port, "containerPort", JSON_KIND_UINT32,
               .flags = JSON_REQUIRED),
    JSON_FIELD(struct cni_port, protocol, "protocol", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct cni_port, host, "hostIP", JSON_KIND_STRING),
};
static const struct json_struct port_type = JSON_STRUCT(struct cni_port, port_fields);

static const struct json_field network_fields[] = {
    JSON_FIELD(struct cni_network, config, "config", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct cni_network, interface, "interface", JSON_KIND_STRING,
               .flags = JSON_REQUIRED),
    JSON_FIELD(struct cni_network, address, "address", JSON_KIND_STRING),
    JSON_FIELD(struct cni_network, ports, "ports", JSON_KIND_STRUCTS, .type = &port_type),
};
const struct json_struct cni_network_type = JSON_STRUCT(struct cni_network, network_fields);

static const struct json_field job_fields[] = {
    JSON_FIELD(struct cni_job, is_removal, "isRemoval", JSON_KIND_BOOL),
    JSON_FIELD(struct cni_job, container, "container", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct cni_job, netns, "netns", JSON_KIND_STRING),
    JSON_FIELD(struct cni_job, networks, "networks", JSON_KIND_STRUCTS, .type = &cni_network_type),
    JSON_FIELD(struct cni_job, plugin_directories, "pluginDirectories", JSON_KIND_STRINGS),
};
const struct json_struct cni_job_type = JSON_STRUCT(struct cni_job, job_fields);

static const struct json_field address_fields[] = {
    JSON_FIELD(struct cni_address, address, "address", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct cni_address, gateway, "gateway", JSON_KIND_STRING),
};
static const struct json_struct address_type = JSON_STRUCT(struct cni_address, address_fields);

static const struct json_field attached_fields[] = {
    JSON_FIELD(struct cni_attached, mac, "mac", JSON_KIND_STRING),
    JSON_FIELD(struct cni_attached, addresses, "addresses", JSON_KIND_STRUCTS,
               .type = &address_type),
};
static const struct json_struct attached_type = JSON_STRUCT(struct cni_attached, attached_fields);

static const struct json_field report_fields[] = {
    JSON_FIELD(struct cni_report, error, "error", JSON_KIND_STRING),
    JSON_FIELD(struct cni_report, networks, "networks", JSON_KIND_STRUCTS, .type = &attached_type),
};
const struct json_struct cni_report_type = JSON_STRUCT(struct cni_report, report_fields);
