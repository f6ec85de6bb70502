/* Networks and ports of a definition: see definition.h. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "definition.h"
#include "network/address.h"

#define PORT_MAX 65535

static const struct json_field ipam_fields[] = {
    JSON_FIELD(struct endpoint_ipam, ipv4_address, "IPv4Address", JSON_KIND_STRING),
    JSON_FIELD(struct endpoint_ipam, ipv6_address, "IPv6Address", JSON_KIND_STRING),
    {.name = "LinkLocalIPs", .kind = JSON_KIND_UNSUPPORTED},
};
static const struct json_struct ipam_type = JSON_CLOSED_STRUCT(struct endpoint_ipam, ipam_fields);

static const struct json_field endpoint_fields[] = {
    JSON_FIELD(struct endpoint, ipam, "IPAMConfig", JSON_KIND_INLINE, .type = &ipam_type),
    JSON_FIELD(struct endpoint, aliases, "Aliases", JSON_KIND_STRINGS),
    JSON_FIELD(struct endpoint, links, "Links", JSON_KIND_STRINGS),
    JSON_FIELD(struct endpoint, mac_address, "MacAddress", JSON_KIND_STRING),
    JSON_FIELD(struct endpoint, gateway_priority, "GwPriority", JSON_KIND_INT64),
    JSON_FIELD(struct endpoint, driver_opts, "DriverOpts", JSON_KIND_STRING_MAP),
    /* What an inspect has said, sent back by clients that make a container anew. */
    {.name = "NetworkID", .kind = JSON_KIND_IGNORED},
    {.name = "EndpointID", .kind = JSON_KIND_IGNORED},
    {.name = "Gateway", .kind = JSON_KIND_IGNORED},
    {.name = "IPAddress", .kind = JSON_KIND_IGNORED},
    {.name = "IPPrefixLen", .kind = JSON_KIND_IGNORED},
    {.name = "IPv6Gateway", .kind = JSON_KIND_IGNORED},
    {.name = "GlobalIPv6Address", .kind = JSON_KIND_IGNORED},
    {.name = "GlobalIPv6PrefixLen", .kind = JSON_KIND_IGNORED},
    {.name = "DNSNames", .kind = JSON_KIND_IGNORED},
};
const struct json_struct endpoint_type = JSON_CLOSED_STRUCT(struct endpoint, endpoint_fields);

int definition_read_endpoints(struct arena *arena, const struct json *networking,
                              struct definition *definition, struct error *err)
{
    const struct json *endpoints = json_get(networking, "EndpointsConfig");

    if (endpoints == NULL || endpoints->type != JSON_OBJECT)
        return 0;
    for (size_t i = 0; i < endpoints->count; i++) {
        const struct json_member *member = &endpoints->members[i];
        struct endpoint endpoint = {.network_name = member->name};
        cleanup_free char *path =
            memory_printf("NetworkingConfig.EndpointsConfig.%.64s", member->name);

        /* A client that names no network sends {"default": {}}. */
        if (strcmp(member->name, "default") == 0 && json_is_empty(&member->value))
            continue;
        if (member->value.type != JSON_NULL &&
            json_decode(arena, &member->value, &endpoint_type, path, &endpoint, err) < 0)
            return -err->errnum;
        definition->endpoints.items = arena_grow(arena, definition->endpoints.items,
                                                 definition->endpoints.count, sizeof(endpoint));
        definition->endpoints.items[definition->endpoints.count++] = endpoint;
    }
    return 0;
}

size_t definition_find_endpoint(const struct definition *definition, const char *network_id)
{
    size_t i = 0;

    while (i < definition->endpoints.count &&
           strcmp(definition->endpoints.items[i].network_id, network_id) != 0)
        i++;
    return i;
}

static const char *find_protocol(const char *text)
{
    static const char *const protocols[] = {"tcp", "udp", "sctp"};

    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
        if (strcmp(protocols[i], text) == 0)
            return protocols[i];
    }
    return NULL;
}

/* "80/tcp", "80": the container's side. */
static int read_container_port(const char *text, struct published_port *port, struct error *err)
{
    const char *end = text;
    uint64_t number;
    bool is_number = number_take(&end, 10, PORT_MAX, &number);

    port->protocol = *end == '/' ? find_protocol(end + 1) : *end == '\0' ? "tcp" : NULL;
    if (!is_number || number == 0 || port->protocol == NULL)
        return error_set(err, ERROR_INVALID, EINVAL, "Invalid port specification: \"%.64s\"", text);
    port->container_port = (uint32_t)number;
    return 0;
}

/* "8080", "8000-8010", "" or "0": the host's side; one of several, or any. */
static int read_host_port(const char *text, struct published_port *port, struct error *err)
{
    const char *end = text;
    uint64_t first = 0;
    uint64_t last = 0;

    if ((text[0] != '\0' && !number_take_range(&end, PORT_MAX, &first, &last)) || *end != '\0')
        return error_set(err, ERROR_INVALID, EINVAL,
                         "HostConfig.PortBindings: invalid HostPort \"%.32s\"", text);
    port->host_port = (uint32_t)first;
    port->last_host_port = (uint32_t)last;
    return 0;
}

static void append_port(struct arena *arena, struct definition *definition,
                        const struct published_port *port)
{
    struct published_ports *ports = &definition->ports;

    ports->items = arena_grow(arena, ports->items, ports->count, sizeof(*port));
    ports->items[ports->count++] = *port;
}

/* Each is compared with all others. */
static int check_port_count(const struct definition *definition, struct error *err)
{
    if (definition->ports.count <= DEFINITION_NAMES_MAX)
        return 0;
    return error_set(err, ERROR_INVALID, E2BIG,
                     "HostConfig.PortBindings: more than the %d ports that are possible",
                     DEFINITION_NAMES_MAX);
}

static bool is_ipv6_loopback(const struct address *address)
{
    static const uint8_t loopback[16] = {[15] = 1};

    return address->family == AF_INET6 && memcmp(address->bytes, loopback, sizeof(loopback)) == 0;
}

static int read_binding(struct arena *arena, const struct json *binding,
                        const struct published_port *container, struct definition *definition,
                        struct error *err)
{
    const char *host = json_get_string(binding, "HostIp");
    const char *number = json_get_string(binding, "HostPort");
    struct published_port port = *container;
    struct address address;

    port.host = host != NULL && strcmp(host, "0.0.0.0") != 0 ? host : "";
    if (port.host[0] != '\0' && address_parse(port.host, &address) < 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "HostConfig.PortBindings: HostIp \"%.64s\" is not an address", port.host);
    /* The kernel routes nothing to or from it, other than with 127.0.0.1 (route_localnet). */
    if (port.host[0] != '\0' && is_ipv6_loopback(&address))
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "HostConfig.PortBindings: ports of [::1] cannot be published; use "
                         "127.0.0.1, or another address of the host");
    if (read_host_port(number != NULL ? number : "", &port, err) < 0)
        return -err->errnum;
    append_port(arena, definition, &port);
    return 0;
}

static bool is_listed(const struct definition *definition, const struct published_port *port)
{
    for (size_t i = 0; i < definition->ports.count; i++) {
        if (definition->ports.items[i].container_port == port->container_port &&
            strcmp(definition->ports.items[i].protocol, port->protocol) == 0)
            return true;
    }
    return false;
}

/* Those that are exposed and not bound get any port. */
static int read_exposed(struct arena *arena, struct definition *definition, struct error *err)
{
    const struct json *exposed = definition->config.exposed_ports;

    for (size_t i = 0; exposed != NULL && exposed->type == JSON_OBJECT && i < exposed->count; i++) {
        struct published_port port = {.host = ""};

        if (read_container_port(exposed->members[i].name, &port, err) < 0)
            return -err->errnum;
        assert(port.protocol != NULL);
        if (!is_listed(definition, &port))
            append_port(arena, definition, &port);
    }
    return 0;
}

int definition_read_ports(struct arena *arena, struct definition *definition, struct error *err)
{
    const struct json *bindings = definition->host_config.port_bindings;

    if (bindings != NULL && bindings->type != JSON_OBJECT && bindings->type != JSON_NULL)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "HostConfig.PortBindings: an object is expected");
    for (size_t i = 0; bindings != NULL && i < bindings->count; i++) {
        const struct json *list = &bindings->members[i].value;
        struct published_port port = {.host = ""};

        if (read_container_port(bindings->members[i].name, &port, err) < 0)
            return -err->errnum;
        for (size_t j = 0; list->type == JSON_ARRAY && j < list->count; j++) {
            if (read_binding(arena, &list->items[j], &port, definition, err) < 0 ||
                check_port_count(definition, err) < 0)
                return -err->errnum;
        }
    }
    return definition->host_config.publishes_all ? read_exposed(arena, definition, err) : 0;
}

bool definition_has_names(const struct docker_host_config *host)
{
    return host->dns.count + host->dns_search.count + host->dns_options.count +
               host->extra_hosts.count >
           0;
}

bool definition_split_extra_host(const char *text, char name[256], const char **address)
{
    size_t length = strcspn(text, ":=");

    if (length == 0 || length > 255 || text[length] == '\0')
        return false;
    memcpy(name, text, length);
    name[length] = '\0';
    *address = text + length + 1;
    return true;
}

/* Each is to be a word of a line. */
static int check_words(const struct string_list *list, const char *name, struct error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        const char *word = list->items[i];

        if (word[0] == '\0' || strlen(word) > 255 || strpbrk(word, " \t\r\n#;") != NULL)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "HostConfig.%s: \"%.64s\" is not a word of up to 255 characters", name,
                             word);
    }
    return 0;
}

static int check_extra_host(const char *text, struct error *err)
{
    struct address unused;
    const char *address;
    char name[256];

    if (definition_split_extra_host(text, name, &address) && strpbrk(text, " \t\r\n#") == NULL &&
        (strcmp(address, "host-gateway") == 0 || address_parse(address, &unused) == 0))
        return 0;
    return error_set(err, ERROR_INVALID, EINVAL,
                     "HostConfig.ExtraHosts: invalid extra-host \"%.64s\"; NAME:ADDRESS or "
                     "NAME:host-gateway is expected",
                     text);
}

int definition_check_names(const struct docker_host_config *host, struct error *err)
{
    struct address unused;

    for (size_t i = 0; i < host->dns.count; i++) {
        if (address_parse(host->dns.items[i], &unused) < 0)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "HostConfig.Dns: invalid IP address: %.64s", host->dns.items[i]);
    }
    for (size_t i = 0; i < host->extra_hosts.count; i++) {
        if (check_extra_host(host->extra_hosts.items[i], err) < 0)
            return -err->errnum;
    }
    if (check_words(&host->dns_search, "DnsSearch", err) < 0)
        return -err->errnum;
    return check_words(&host->dns_options, "DnsOptions", err);
}

const char *definition_network_mode(const struct definition *definition)
{
    const char *mode = definition->host_config.network_mode;

    /* Containers of an earlier davit have the request's own words. */
    return mode == NULL || mode[0] == '\0' || strcmp(mode, "default") == 0 ? "none" : mode;
}
