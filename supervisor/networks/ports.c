/* Ports of the host that lead to a container. See membership.h. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "membership.h"
#include "networks.h"
#include "plugins.h"

/* Where ports that nobody names are taken from: above what the host's own clients mostly get
 * (ip(7)). */
#define PORT_FIRST 49153
#define PORT_LAST 60999

/* Whether no program of the host has the port. */
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
    /* Connections that have just ended do not count. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (is_ipv6)
        setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    return bind(fd, (const struct sockaddr *)&name, size) == 0;
}

static bool is_published(const struct networks *networks, const char *protocol,
                         const struct address *host, unsigned int port)
{
    for (const struct membership *one = networks->members; one != NULL; one = one->next) {
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

/* The first free port of the wanted ones, or 0. Of any, those after `previous` come first: a
 * container may want thousands, and those before were just found to be taken. */
static unsigned int pick_port(const struct networks *networks, const struct published_port *wanted,
                              const struct address *host, unsigned int previous)
{
    unsigned int first = wanted->host_port != 0 ? wanted->host_port : PORT_FIRST;
    unsigned int last = wanted->host_port != 0 ? wanted->last_host_port : PORT_LAST;

    for (unsigned int port = previous + 1; wanted->host_port == 0 && previous != 0 && port <= last;
         port++) {
        if (!is_published(networks, wanted->protocol, host, port) &&
            is_bindable(wanted->protocol, host, port))
            return port;
    }
    for (unsigned int port = first; port <= last; port++) {
        if (!is_published(networks, wanted->protocol, host, port) &&
            is_bindable(wanted->protocol, host, port))
            return port;
    }
    return 0;
}

void port_copy(const struct published_port *from, struct published_port *to)
{
    *to = *from;
    to->host = memory_strdup(from->host != NULL ? from->host : "");
    to->protocol = memory_strdup(from->protocol);
}

int ports_publish(struct membership *member, struct error *err)
{
    const struct published_ports *wanted = &member->definition->ports;
    unsigned int previous = 0;

    member->ports.items = memory_new(wanted->count, sizeof(struct published_port));
    for (size_t i = 0; i < wanted->count; i++) {
        const struct published_port *from = &wanted->items[i];
        struct address host = {0};
        unsigned int port;

        if (from->host[0] != '\0')
            address_parse(from->host, &host);
        if (membership_address(member, host.family != 0 ? host.family : AF_INET) == NULL &&
            !plugins_publish(member))
            return error_set(err, ERROR_INVALID, EADDRNOTAVAIL,
                             "HostConfig.PortBindings: no bridge that the container is on has %s",
                             host.family == AF_INET6 ? "IPv6" : "ports to publish");
        port = pick_port(member->networks, from, &host, previous);
        if (port == 0)
            return error_set(err, ERROR_CONFLICT, EADDRINUSE,
                             "Bind for %s:%u failed: port is already allocated",
                             from->host[0] != '\0' ? from->host : "0.0.0.0", from->host_port);
        port_copy(from, &member->ports.items[member->ports.count]);
        member->ports.items[member->ports.count++].host_port = port;
        previous = from->host_port == 0 ? port : previous;
    }
    return 0;
}

void ports_release(struct membership *member)
{
    for (size_t i = 0; i < member->ports.count; i++) {
        free((void *)(uintptr_t)member->ports.items[i].host);
        free((void *)(uintptr_t)member->ports.items[i].protocol);
    }
    free(member->ports.items);
    member->ports = (struct published_ports){0};
}
