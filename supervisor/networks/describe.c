/* Networks and their members as Docker's objects: see membership.h. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/hash.h"
#include "groups.h"
#include "membership.h"

static void write_pool(struct json_writer *writer, const struct network_addresses *addresses)
{
    if (addresses->subnet_text == NULL)
        return;
    json_object_open(writer);
    json_member_string(writer, "Subnet", addresses->subnet_text);
    if (addresses->range_text != NULL && addresses->range_text[0] != '\0')
        json_member_string(writer, "IPRange", addresses->range_text);
    json_member_string(writer, "Gateway", addresses->gateway_text);
    if (addresses->reserved.count > 0)
        json_member_map(writer, "AuxiliaryAddresses", &addresses->reserved);
    json_object_close(writer);
}

static void write_ipam(struct json_writer *writer, const struct network *network)
{
    json_key(writer, "IPAM");
    json_object_open(writer);
    json_member_string(writer, "Driver", "default");
    json_key(writer, "Options");
    json_object_open(writer);
    json_object_close(writer);
    json_key(writer, "Config");
    json_array_open(writer);
    write_pool(writer, &network->ipv4);
    write_pool(writer, &network->ipv6);
    json_array_close(writer);
    json_object_close(writer);
}

static void write_subnet_address(struct json_writer *writer, const char *name,
                                 const struct address *address, unsigned int prefix)
{
    const struct subnet subnet = {*address, prefix};
    char text[ADDRESS_TEXT_SIZE];

    subnet_format(&subnet, text);
    json_member_string(writer, name, text);
}

/* Those that run on it. */
static void write_containers(struct json_writer *writer, const struct networks *networks,
                             const struct network *network)
{
    json_key(writer, "Containers");
    json_object_open(writer);
    for (const struct membership *one = networks->members; one != NULL; one = one->next) {
        size_t index = membership_find_endpoint(one, network);
        const struct network_lease *lease;

        if (index == one->definition->endpoints.count || one->leases[index].address.family == 0)
            continue;
        lease = &one->leases[index];
        json_key(writer, one->definition->id);
        json_object_open(writer);
        json_member_string(writer, "Name", one->definition->name);
        write_subnet_address(writer, "IPv4Address", &lease->address,
                             lease_prefix(lease, network, AF_INET));
        write_subnet_address(writer, "IPv6Address", &lease->address6,
                             lease_prefix(lease, network, AF_INET6));
        json_object_close(writer);
    }
    json_object_close(writer);
}

void network_write(struct json_writer *writer, const struct networks *networks,
                   const struct network *network)
{
    json_object_open(writer);
    json_member_string(writer, "Name", network->name);
    json_member_string(writer, "Id", network->id);
    json_member_time(writer, "Created", network->created_ns);
    json_member_string(writer, "Scope", "local");
    json_member_string(writer, "Driver", network_driver_name(network));
    json_member_boolean(writer, "EnableIPv6", network->ipv6.subnet_text != NULL);
    write_ipam(writer, network);
    json_member_boolean(writer, "Internal", network->is_internal);
    json_member_boolean(writer, "Attachable", false);
    json_member_boolean(writer, "Ingress", false);
    write_containers(writer, networks, network);
    json_member_map(writer, "Options", &network->options);
    json_member_map(writer, "Labels", &network->labels);
    json_object_close(writer);
}
static bool is_written(const struct published_ports *ports, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (ports->items[i].container_port == ports->items[index].container_port &&
            strcmp(ports->items[i].protocol, ports->items[index].protocol) == 0)
            return true;
    }
    return false;
}

static void write_binding(struct json_writer *writer, const char *host, uint32_t port)
{
    char number[16];

    snprintf(number, sizeof(number), "%u", port);
    json_object_open(writer);
    json_member_string(writer, "HostIp", host);
    json_member_string(writer, "HostPort", number);
    json_object_close(writer);
}

/* Whether a port without a host address is one of both families: if the container has both. */
static bool is_dual(const struct membership *member, const struct published_port *port)
{
    return port->host[0] == '\0' && membership_address(member, AF_INET6) != NULL;
}

static const char *host_of(const struct published_port *port)
{
    return port->host[0] != '\0' ? port->host : "0.0.0.0";
}

static void write_bindings(struct json_writer *writer, const struct membership *member,
                           const struct published_port *port)
{
    json_array_open(writer);
    for (size_t i = 0; i < member->ports.count; i++) {
        const struct published_port *one = &member->ports.items[i];

        if (one->container_port != port->container_port ||
            strcmp(one->protocol, port->protocol) != 0)
            continue;
        write_binding(writer, host_of(one), one->host_port);
        if (is_dual(member, one))
            write_binding(writer, "::", one->host_port);
    }
    json_array_close(writer);
}

static void write_ports(struct json_writer *writer, const struct membership *member)
{
    const struct published_ports *ports = &member->ports;

    json_key(writer, "Ports");
    json_object_open(writer);
    for (size_t i = 0; i < ports->count; i++) {
        char name[32];

        if (is_written(ports, i))
            continue;
        snprintf(name, sizeof(name), "%u/%s", ports->items[i].container_port,
                 ports->items[i].protocol);
        json_key(writer, name);
        write_bindings(writer, member, &ports->items[i]);
    }
    json_object_close(writer);
}

static void write_entry(struct json_writer *writer, const struct published_port *port,
                        const char *host)
{
    json_object_open(writer);
    json_member_string(writer, "IP", host);
    json_member_unsigned(writer, "PrivatePort", port->container_port);
    json_member_unsigned(writer, "PublicPort", port->host_port);
    json_member_string(writer, "Type", port->protocol);
    json_object_close(writer);
}

void ports_write_list(struct json_writer *writer, const struct membership *member)
{
    json_key(writer, "Ports");
    json_array_open(writer);
    for (size_t i = 0; i < member->ports.count; i++) {
        const struct published_port *port = &member->ports.items[i];

        write_entry(writer, port, host_of(port));
        if (is_dual(member, port))
            write_entry(writer, port, "::");
    }
    json_array_close(writer);
}
static void write_address(struct json_writer *writer, const char *name,
                          const struct address *address)
{
    char text[ADDRESS_TEXT_SIZE];

    address_format(address, text);
    json_member_string(writer, name, text);
}

static void write_mac(struct json_writer *writer, const struct network *network,
                      const struct network_lease *lease)
{
    char text[32] = "";

    if (lease->by_plugin != NULL) {
        snprintf(text, sizeof(text), "%s", lease->by_plugin->mac);
    } else if (network != NULL && network->driver != NETWORK_DRIVER_IPVLAN) {
        /* With ipvlan it is that of the host's device. */
        mac_format(lease->mac, text);
    }
    json_member_string(writer, "MacAddress", text);
}

static void write_gateway(struct json_writer *writer, const char *name,
                          const struct network_lease *lease, const struct network *network,
                          int family)
{
    static const struct address none;
    const struct address *address = &none;

    if (lease->by_plugin != NULL)
        address = family == AF_INET6 ? &lease->by_plugin->gateway6 : &lease->by_plugin->gateway;
    else if (network != NULL)
        address = &network_addresses(network, family)->gateway;
    write_address(writer, name, address);
}

/* One that does not run has empty members. */
static void write_lease(struct json_writer *writer, const struct membership *member, size_t index)
{
    static const struct network_lease none;
    bool belongs = index < member->definition->endpoints.count;
    const struct network_lease *lease = belongs ? &member->leases[index] : &none;
    const struct network *network =
        lease->address.family != 0 ? membership_network(member, index) : NULL;
    bool has_ipv6 = network != NULL && lease->address6.family != 0;

    json_member_string(writer, "EndpointID", network != NULL ? member->definition->id : "");
    write_gateway(writer, "Gateway", lease, network, AF_INET);
    write_address(writer, "IPAddress", &lease->address);
    json_member_unsigned(writer, "IPPrefixLen",
                         network != NULL ? lease_prefix(lease, network, AF_INET) : 0);
    write_gateway(writer, "IPv6Gateway", lease, has_ipv6 ? network : NULL, AF_INET6);
    write_address(writer, "GlobalIPv6Address", &lease->address6);
    json_member_unsigned(writer, "GlobalIPv6PrefixLen",
                         has_ipv6 ? lease_prefix(lease, network, AF_INET6) : 0);
    write_mac(writer, network, lease);
}

/* By its short id a container is always known, and clients look for that. */
static void write_aliases(struct json_writer *writer, const struct membership *member,
                          const struct endpoint *endpoint)
{
    char id[13];

    snprintf(id, sizeof(id), "%.12s", member->definition->id);
    json_key(writer, "Aliases");
    json_array_open(writer);
    for (size_t i = 0; i < endpoint->aliases.count; i++)
        json_string(writer, endpoint->aliases.items[i]);
    if (!string_list_has(&endpoint->aliases, id))
        json_string(writer, id);
    json_array_close(writer);
}

/* As they were asked for. */
static void write_groups(struct json_writer *writer, const struct endpoint *endpoint)
{
    cleanup_arena struct arena arena = {0};

    json_key(writer, "DriverOpts");
    if (endpoint->groups.count == 0) {
        json_null(writer);
        return;
    }
    json_object_open(writer);
    json_member_string(writer, GROUPS_OPTION, string_list_join(&arena, &endpoint->groups, ","));
    json_object_close(writer);
}

void membership_write_list(struct json_writer *writer, const struct membership *member)
{
    json_key(writer, "Networks");
    json_object_open(writer);
    if (member->definition->endpoints.count == 0) {
        json_key(writer, definition_network_mode(member->definition));
        json_object_open(writer);
        json_member_string(writer, "NetworkID", "");
        write_lease(writer, member, 0);
        json_object_close(writer);
    }
    for (size_t i = 0; i < member->definition->endpoints.count; i++) {
        const struct endpoint *endpoint = &member->definition->endpoints.items[i];

        json_key(writer, endpoint->network_name);
        json_object_open(writer);
        write_aliases(writer, member, endpoint);
        json_member_strings(writer, "Links", &endpoint->links);
        json_member_string(writer, "NetworkID", endpoint->network_id);
        write_groups(writer, endpoint);
        write_lease(writer, member, i);
        json_object_close(writer);
    }
    json_object_close(writer);
}

void membership_write(struct json_writer *writer, const struct membership *member)
{
    write_ports(writer, member);
    /* Of the first network once more, where clients have always looked for it. */
    write_lease(writer, member, 0);
    membership_write_list(writer, member);
}

uint64_t membership_stamp(const struct membership *member)
{
    uint64_t stamp = HASH_START;

    for (size_t i = 0; i < member->definition->endpoints.count; i++) {
        const struct network_lease *lease = &member->leases[i];

        /* Plugins keep what they have given elsewhere. */
        if (lease->by_plugin != NULL)
            return 0;
        stamp = hash_bytes(stamp, &lease->address, sizeof(lease->address));
        stamp = hash_bytes(stamp, &lease->address6, sizeof(lease->address6));
        stamp = hash_bytes(stamp, lease->mac, sizeof(lease->mac));
        stamp = hash_bytes(stamp, &lease->network, sizeof(lease->network));
    }
    for (size_t i = 0; i < member->ports.count; i++) {
        const struct published_port *port = &member->ports.items[i];

        stamp = hash_bytes(stamp, &port->host_port, sizeof(port->host_port));
        stamp = hash_bytes(stamp, &port->container_port, sizeof(port->container_port));
        stamp = hash_bytes(stamp, port->protocol, strlen(port->protocol));
        stamp = hash_bytes(stamp, port->host, strlen(port->host));
    }
    return stamp;
}
