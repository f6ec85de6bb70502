/* Ports of the host that lead to a container. See containers/internal.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "networks.h"
#include "plugins.h"
#include "supervisor/containers/internal.h"

/* Where ports that nobody names are taken from: above what the host's own clients mostly get
 * (ip(7)). */
#define PORT_FIRST 49153
#define PORT_LAST 60999

/* Whether the host's own programs leave it free. */
static bool is_bindable(const char *protocol, const struct address *host, unsigned int port)
{
    bool is_udp = strcmp(protocol, "udp") == 0;
    bool is_ipv6 = host->family == AF_INET6;
    cleanup_close int fd =
        socket(is_ipv6 ? AF_INET6 : AF_INET, (is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC,
               strcmp(protocol, "sctp") == 0 ? IPPROTO_SCTP : 0);
    struct sockaddr_storage name;
    socklen_t size = address_for_socket(host, (uint16_t)port, &name);
    int one = 1;

    if (fd < 0)
        return true;
    /* Connections that are just over are no reason. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (is_ipv6)
        setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    return bind(fd, (const struct sockaddr *)&name, size) == 0;
}

static bool is_published(const struct daemon *daemon, const char *protocol,
                         const struct address *host, unsigned int port)
{
    for (const struct managed_container *one = daemon->containers; one != NULL; one = one->next) {
        for (size_t i = 0; i < one->ports.count; i++) {
            const struct published_port *other = &one->ports.items[i];
            struct address other_host = {0};

            if (other->host_port != port || strcmp(other->protocol, protocol) != 0)
                continue;
            if (other->host[0] != '\0')
                address_parse(other->host, &other_host);
            if (host->family == 0 || other_host.family == 0 || address_equals(host, &other_host) ||
                (host->family == other_host.family &&
                 (address_is_any(host) || address_is_any(&other_host))))
                return true;
        }
    }
    return false;
}

/* The first free port of the wanted ones, or 0. */
static unsigned int pick_port(const struct daemon *daemon, const struct published_port *wanted,
                              const struct address *host)
{
    unsigned int first = wanted->host_port != 0 ? wanted->host_port : PORT_FIRST;
    unsigned int last = wanted->host_port != 0 ? wanted->last_host_port : PORT_LAST;

    for (unsigned int port = first; port <= last; port++) {
        if (!is_published(daemon, wanted->protocol, host, port) &&
            is_bindable(wanted->protocol, host, port))
            return port;
    }
    return 0;
}

int container_ports_publish(struct managed_container *container, struct error *err)
{
    const struct published_ports *wanted = &container->definition.ports;

    container->ports.items = memory_new(wanted->count, sizeof(struct published_port));
    for (size_t i = 0; i < wanted->count; i++) {
        const struct published_port *from = &wanted->items[i];
        struct address host = {0};
        unsigned int port;

        if (from->host[0] != '\0')
            address_parse(from->host, &host);
        if (container_network_address(container, host.family != 0 ? host.family : AF_INET) ==
                NULL &&
            !network_plugins_publish(container))
            return error_set(err, ERROR_INVALID, EADDRNOTAVAIL,
                             "HostConfig.PortBindings: no bridge that the container is on has %s",
                             host.family == AF_INET6 ? "IPv6" : "ports to publish");
        port = pick_port(container->daemon, from, &host);
        if (port == 0)
            return error_set(err, ERROR_CONFLICT, EADDRINUSE,
                             "Bind for %s:%u failed: port is already allocated",
                             from->host[0] != '\0' ? from->host : "0.0.0.0", from->host_port);
        container->ports.items[container->ports.count] = *from;
        container->ports.items[container->ports.count++].host_port = port;
    }
    return 0;
}

void container_ports_release(struct managed_container *container)
{
    free(container->ports.items);
    container->ports = (struct published_ports){0};
}

/* ---- what is said of them ---- */

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

/* Any address of the host is one of both families, where the container has both. */
static bool is_dual(const struct managed_container *container, const struct published_port *port)
{
    return port->host[0] == '\0' && container_network_address(container, AF_INET6) != NULL;
}

static const char *host_of(const struct published_port *port)
{
    return port->host[0] != '\0' ? port->host : "0.0.0.0";
}

static void write_bindings(struct json_writer *writer, const struct managed_container *container,
                           const struct published_port *port)
{
    json_array_open(writer);
    for (size_t i = 0; i < container->ports.count; i++) {
        const struct published_port *one = &container->ports.items[i];

        if (one->container_port != port->container_port ||
            strcmp(one->protocol, port->protocol) != 0)
            continue;
        write_binding(writer, host_of(one), one->host_port);
        if (is_dual(container, one))
            write_binding(writer, "::", one->host_port);
    }
    json_array_close(writer);
}

void container_ports_write(struct json_writer *writer, const struct managed_container *container)
{
    const struct published_ports *ports = &container->ports;

    json_key(writer, "Ports");
    json_object_open(writer);
    for (size_t i = 0; i < ports->count; i++) {
        char name[32];

        if (is_written(ports, i))
            continue;
        snprintf(name, sizeof(name), "%u/%s", ports->items[i].container_port,
                 ports->items[i].protocol);
        json_key(writer, name);
        write_bindings(writer, container, &ports->items[i]);
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

void container_ports_write_list(struct json_writer *writer,
                                const struct managed_container *container)
{
    json_key(writer, "Ports");
    json_array_open(writer);
    for (size_t i = 0; i < container->ports.count; i++) {
        const struct published_port *port = &container->ports.items[i];

        write_entry(writer, port, host_of(port));
        if (is_dual(container, port))
            write_entry(writer, port, "::");
    }
    json_array_close(writer);
}
