/* A container's own part of a network: its address, device and published ports. See
 * container_internal.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "container_internal.h"
#include "network/links.h"
#include "networks.h"

#define DEVICE_INSIDE "eth0"
/* Where ports that nobody names are taken from: what clients of this host do not get (ip(7)). */
#define PORT_FIRST 49153
#define PORT_LAST 60999
#define PORT_MAX 65535

static bool is_mode(const char *mode, const char *word)
{
    return mode != NULL && strcmp(mode, word) == 0;
}

/* ---- when it is made ---- */

static struct network *network_of(const struct managed_container *container)
{
    struct network *network = NULL;

    if (container->definition.network_id != NULL)
        network_find(container->daemon, container->definition.network_id, &network, NULL);
    return network;
}

static int check_address(const struct managed_container *container, const struct network *network,
                         struct error *err)
{
    const char *text = container->definition.network_address;
    struct address address;

    if (text == NULL || text[0] == '\0')
        return 0;
    if (address_parse(text, &address) < 0 || !subnet_contains(&network->subnet, &address) ||
        subnet_reserves(&network->subnet, &address) || address_equals(&network->gateway, &address))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "IPAMConfig.IPv4Address: \"%.64s\" is not an address for containers of "
                         "network %s (%s)",
                         text, network->name, network->subnet_text);
    return 0;
}

int container_network_resolve(struct managed_container *container, struct error *err)
{
    struct definition *definition = &container->definition;
    const char *mode = definition->host_config.network_mode;
    struct network *network;

    if (mode == NULL || mode[0] == '\0' || is_mode(mode, "default"))
        mode = container->daemon->options.default_network;
    if (is_mode(mode, "none") || is_mode(mode, "host") || strncmp(mode, "container:", 10) == 0) {
        definition->host_config.network_mode = mode;
        if (definition->ports.count > 0)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "HostConfig.PortBindings: network %s has no ports to publish; name "
                             "another, such as bridge",
                             mode);
        if (definition->network_address != NULL && definition->network_address[0] != '\0')
            return error_set(err, ERROR_INVALID, EINVAL,
                             "IPAMConfig: network %s has no addresses to give", mode);
        return 0;
    }
    if (network_find(container->daemon, mode, &network, err) < 0)
        return -err->errnum;
    definition->host_config.network_mode = arena_strdup(&container->arena, network->name);
    definition->network_id = arena_strdup(&container->arena, network->id);
    return check_address(container, network, err);
}

static const char *copy_text(struct arena *arena, const char *text)
{
    return text != NULL ? arena_strdup(arena, text) : NULL;
}

int container_network_change(struct managed_container *container, const struct network *network,
                             const char *address, const struct string_list *aliases,
                             struct error *err)
{
    struct definition *definition = &container->definition;
    const struct definition before = *definition;
    int result;

    if (container->status == CONTAINER_RUNNING || container->status == CONTAINER_STARTING)
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "a container's network cannot be changed while it runs in this version "
                         "of davit");
    definition->network_id = network != NULL ? arena_strdup(&container->arena, network->id) : NULL;
    definition->host_config.network_mode =
        network != NULL ? arena_strdup(&container->arena, network->name) : "none";
    definition->network_address = copy_text(&container->arena, address);
    definition->network_aliases = (struct string_list){0};
    for (size_t i = 0; i < aliases->count; i++)
        string_list_append(&container->arena, &definition->network_aliases,
                           arena_strdup(&container->arena, aliases->items[i]));
    result = network != NULL ? check_address(container, network, err) : 0;
    if (result == 0)
        result = container_network_write_files(container, err);
    if (result == 0)
        result = container_write_bundle(container, err);
    if (result == 0)
        result = container_save_definition(container, err);
    if (result < 0)
        *definition = before;
    return result;
}

/* ---- addresses ---- */

static bool is_taken(const struct managed_container *container, const struct network *network,
                     const struct address *address)
{
    if (address_equals(&network->gateway, address) || subnet_reserves(&network->subnet, address))
        return true;
    for (const struct managed_container *one = container->daemon->containers; one != NULL;
         one = one->next) {
        struct address fixed;

        if (one == container || one->definition.network_id == NULL ||
            strcmp(one->definition.network_id, network->id) != 0)
            continue;
        if (address_equals(&one->address, address))
            return true;
        /* What a container has been promised nobody else gets, also while it does not run. */
        if (one->definition.network_address != NULL && one->definition.network_address[0] != '\0' &&
            address_parse(one->definition.network_address, &fixed) == 0 &&
            address_equals(&fixed, address))
            return true;
    }
    return false;
}

static int lease(struct managed_container *container, const struct network *network,
                 struct error *err)
{
    const char *fixed = container->definition.network_address;

    if (fixed != NULL && fixed[0] != '\0') {
        address_parse(fixed, &container->address);
        if (!is_taken(container, network, &container->address))
            return 0;
        container->address = (struct address){0};
        return error_set(err, ERROR_CONFLICT, EADDRINUSE, "Address %s is already in use", fixed);
    }
    for (uint32_t i = 0; i < subnet_size(&network->range); i++) {
        container->address = subnet_at(&network->range, i);
        if (!is_taken(container, network, &container->address))
            return 0;
    }
    container->address = (struct address){0};
    return error_set(err, ERROR_CONFLICT, EADDRNOTAVAIL,
                     "no available IPv4 addresses on network %s", network->name);
}

/* ---- ports ---- */

/* Whether the host's own programs leave it free. */
static bool is_bindable(const char *protocol, const struct address *host, unsigned int port)
{
    bool is_udp = strcmp(protocol, "udp") == 0;
    cleanup_close int fd = socket(AF_INET, (is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC,
                                  strcmp(protocol, "sctp") == 0 ? IPPROTO_SCTP : 0);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1;

    if (fd < 0)
        return true;
    /* Connections that are just over are no reason. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    memcpy(&name.sin_addr, host->bytes, sizeof(name.sin_addr));
    return bind(fd, (const struct sockaddr *)&name, sizeof(name)) == 0;
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
            if (host->family == 0 || other_host.family == 0 || address_equals(host, &other_host))
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

static int publish(struct managed_container *container, struct error *err)
{
    const struct published_ports *wanted = &container->definition.ports;

    container->ports.items = memory_new(wanted->count, sizeof(struct published_port));
    for (size_t i = 0; i < wanted->count; i++) {
        const struct published_port *from = &wanted->items[i];
        struct address host = {0};
        unsigned int port;

        if (from->host[0] != '\0')
            address_parse(from->host, &host);
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

/* ---- files that tell of it ---- */

/* In place: they are bound into the container. */
static int write_file(const struct managed_container *container, const char *name, const char *text,
                      struct error *err)
{
    cleanup_close int directory_fd = container_open_directory(container);
    cleanup_close int fd = -1;

    if (directory_fd >= 0)
        fd =
            openat(directory_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0 || fchmod(fd, 0644) < 0 || file_write_fd(fd, text, strlen(text)) < 0)
        return error_errno(err, errno, "write the container's %s", name);
    return 0;
}

static int write_hosts(const struct managed_container *container, struct error *err)
{
    const struct docker_config *config = &container->definition.config;
    cleanup_buffer struct buffer text = {0};
    char address[ADDRESS_TEXT_SIZE];

    buffer_append_string(&text, "127.0.0.1\tlocalhost\n"
                                "::1\tlocalhost ip6-localhost ip6-loopback\n");
    address_format(&container->address, address);
    if (address[0] != '\0')
        buffer_printf(&text, "%s\t%s%s%s %s\n", address, config->hostname,
                      config->domainname != NULL && config->domainname[0] != '\0' ? "." : "",
                      config->domainname != NULL ? config->domainname : "", config->hostname);
    return write_file(container, "hosts", buffer_text(&text), err);
}

/* The host's, without servers on its loopback, which is not the container's. */
static int write_resolv_conf(const struct managed_container *container, struct error *err)
{
    cleanup_buffer struct buffer host = {0};
    cleanup_buffer struct buffer text = {0};
    const char *line;

    file_read(AT_FDCWD, "/etc/resolv.conf", 1 << 16, &host, NULL);
    for (line = buffer_text(&host); *line != '\0'; line += strspn(line, "\n")) {
        int length = (int)strcspn(line, "\n");

        if (strncmp(line, "nameserver 127.", 15) != 0 && strncmp(line, "nameserver ::1", 14) != 0)
            buffer_printf(&text, "%.*s\n", length, line);
        line += length;
    }
    return write_file(container, "resolv.conf", buffer_text(&text), err);
}

int container_network_write_files(struct managed_container *container, struct error *err)
{
    cleanup_free char *hostname = memory_printf("%s\n", container->definition.config.hostname);
    int result = 0;

    if (container->definition.network_id == NULL)
        return 0;
    result = write_hosts(container, err);
    if (result == 0)
        result = write_resolv_conf(container, err);
    return result < 0 ? result : write_file(container, "hostname", hostname, err);
}

/* ---- when it starts ---- */

/* As Docker's: of the address, so that neighbours need not learn a new one. */
static void make_mac(const struct address *address, uint8_t mac[6])
{
    mac[0] = 0x02;
    mac[1] = 0x42;
    memcpy(mac + 2, address->bytes, 4);
}

static int configure_inside(const struct managed_container *container,
                            const struct network *network, int netns_fd, struct error *err)
{
    cleanup_free struct netlink_batch *batch = memory_new_one(struct netlink_batch);
    const struct subnet address = {container->address, network->subnet.prefix};
    struct netlink netlink;
    unsigned int index;
    int result = netlink_open_in(&netlink, netns_fd, err);

    if (result < 0)
        return result;
    index = link_index(&netlink, DEVICE_INSIDE);
    link_add_address(batch, index, &address);
    link_set_up(batch, index);
    if (!network->is_internal)
        link_add_default_route(batch, index, &network->gateway);
    result = netlink_run(&netlink, batch, err);
    netlink_close(&netlink);
    return result;
}

static int make_device(const struct managed_container *container, const struct network *network,
                       int netns_fd, struct error *err)
{
    cleanup_free struct netlink_batch *batch = memory_new_one(struct netlink_batch);
    struct netlink netlink;
    uint8_t mac[6];
    char id[CONTAINER_ID_SIZE];
    char name[IFNAMSIZ];
    int result = netlink_open(&netlink, err);

    if (result < 0)
        return result;
    random_id(id);
    snprintf(name, sizeof(name), "veth%.8s", id);
    make_mac(&container->address, mac);
    link_add_veth(batch, &(struct veth){.name = name,
                                        .master = link_index(&netlink, network->bridge),
                                        .peer_name = DEVICE_INSIDE,
                                        .peer_netns_fd = netns_fd,
                                        .peer_mac = mac,
                                        .mtu = network->mtu});
    result = netlink_run(&netlink, batch, err);
    if (result == 0 && container->ports.count > 0) {
        link_set_hairpin(batch, link_index(&netlink, name));
        result = netlink_run(&netlink, batch, err);
    }
    netlink_close(&netlink);
    return result;
}

static int attach(struct managed_container *container, int netns_fd, struct error *err)
{
    struct network *network = network_of(container);
    int result;

    if (network == NULL)
        return error_set(err, ERROR_NOT_FOUND, ENOENT, "network %s not found",
                         container->definition.host_config.network_mode);
    result = network_prepare(container->daemon, network, err);
    if (result == 0)
        result = lease(container, network, err);
    if (result == 0)
        result = publish(container, err);
    if (result == 0)
        result = make_device(container, network, netns_fd, err);
    if (result == 0)
        result = configure_inside(container, network, netns_fd, err);
    if (result == 0)
        result = write_hosts(container, err);
    return result;
}

/* Its rules have to be there before its program is. */
struct attachment {
    struct firewall_waiter waiter;
    struct daemon *daemon;
    char id[CONTAINER_ID_SIZE];
};

static void answer(struct managed_container *container, const struct error *err)
{
    const struct monitor_message message = {
        .type = MONITOR_NETWORK_READY, .value = -err->errnum, .value2 = (int32_t)err->code};

    if (err->errnum != 0)
        container_network_release(container);
    container_send(container, &message, err->message, strlen(err->message), -1, NULL);
}

static void on_rules_set(struct firewall_waiter *waiter, const struct error *err)
{
    struct attachment *attachment = (struct attachment *)(void *)waiter;
    struct managed_container *container;

    if (container_find(attachment->daemon, attachment->id, &container, NULL) == 0 &&
        container->status == CONTAINER_STARTING)
        answer(container, err);
    free(attachment);
}

void container_network_attach(struct managed_container *container, int netns_fd)
{
    struct attachment *attachment;
    struct error err = {0};

    if (attach(container, netns_fd, &err) < 0) {
        answer(container, &err);
        return;
    }
    if (container->ports.count > 0)
        firewall_change(container->daemon);
    attachment = memory_new_one(struct attachment);
    attachment->waiter.done = on_rules_set;
    attachment->daemon = container->daemon;
    strcpy(attachment->id, container->definition.id);
    firewall_await(container->daemon, &attachment->waiter);
}

/* ---- across davitd's life ---- */

void container_network_encode(struct json_writer *writer, const struct managed_container *container)
{
    char address[ADDRESS_TEXT_SIZE];

    if (container->address.family == 0)
        return;
    address_format(&container->address, address);
    json_member_string(writer, "address", address);
    json_key(writer, "ports");
    json_array_open(writer);
    for (size_t i = 0; i < container->ports.count; i++)
        json_encode(writer, &published_port_type, &container->ports.items[i]);
    json_array_close(writer);
}

void container_network_restore(struct managed_container *container, const char *address,
                               const struct published_port *ports, size_t port_count)
{
    if (address == NULL || address_parse(address, &container->address) < 0)
        return;
    container->ports.items = memory_new(port_count, sizeof(*ports));
    container->ports.count = port_count;
    for (size_t i = 0; i < port_count; i++)
        container->ports.items[i] = ports[i];
}

/* The devices go with the namespace. */
void container_network_release(struct managed_container *container)
{
    container->address = (struct address){0};
    if (container->ports.count > 0)
        firewall_change(container->daemon);
    free(container->ports.items);
    container->ports = (struct published_ports){0};
}

/* ---- what is said of it ---- */

static void write_endpoint(struct json_writer *writer, const struct managed_container *container)
{
    const struct network *network = network_of(container);
    bool runs = container->address.family != 0 && network != NULL;
    char address[ADDRESS_TEXT_SIZE];
    char mac[32] = "";
    uint8_t bytes[6];

    address_format(&container->address, address);
    if (runs) {
        make_mac(&container->address, bytes);
        snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2],
                 bytes[3], bytes[4], bytes[5]);
    }
    json_member_string(writer, "NetworkID", network != NULL ? network->id : "");
    json_member_string(writer, "EndpointID", runs ? container->definition.id : "");
    json_member_string(writer, "Gateway", runs ? network->gateway_text : "");
    json_member_string(writer, "IPAddress", address);
    json_member_integer(writer, "IPPrefixLen", runs ? network->subnet.prefix : 0);
    json_member_string(writer, "MacAddress", mac);
}

/* By its short id a container is always known, and clients look for that. */
static void write_aliases(struct json_writer *writer, const struct managed_container *container)
{
    const struct string_list *aliases = &container->definition.network_aliases;
    char id[13];

    snprintf(id, sizeof(id), "%.12s", container->definition.id);
    json_key(writer, "Aliases");
    json_array_open(writer);
    for (size_t i = 0; i < aliases->count; i++)
        json_string(writer, aliases->items[i]);
    if (!string_list_has(aliases, id))
        json_string(writer, id);
    json_array_close(writer);
}

void container_network_write_list(struct json_writer *writer,
                                  const struct managed_container *container)
{
    const char *mode = container->definition.host_config.network_mode;

    json_key(writer, "Networks");
    json_object_open(writer);
    json_key(writer, mode != NULL && mode[0] != '\0' ? mode : "none");
    json_object_open(writer);
    if (container->definition.network_id != NULL)
        write_aliases(writer, container);
    write_endpoint(writer, container);
    json_object_close(writer);
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

static void write_bindings(struct json_writer *writer, const struct published_ports *ports,
                           const struct published_port *port)
{
    json_array_open(writer);
    for (size_t i = 0; i < ports->count; i++) {
        const struct published_port *one = &ports->items[i];
        char number[16];

        if (one->container_port != port->container_port ||
            strcmp(one->protocol, port->protocol) != 0)
            continue;
        snprintf(number, sizeof(number), "%u", one->host_port);
        json_object_open(writer);
        json_member_string(writer, "HostIp", one->host[0] != '\0' ? one->host : "0.0.0.0");
        json_member_string(writer, "HostPort", number);
        json_object_close(writer);
    }
    json_array_close(writer);
}

void container_network_write(struct json_writer *writer, const struct managed_container *container)
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
        write_bindings(writer, ports, &ports->items[i]);
    }
    json_object_close(writer);
    /* Of the default network once more, where clients have always looked for it. */
    write_endpoint(writer, container);
    container_network_write_list(writer, container);
}

void container_network_write_ports(struct json_writer *writer,
                                   const struct managed_container *container)
{
    json_key(writer, "Ports");
    json_array_open(writer);
    for (size_t i = 0; i < container->ports.count; i++) {
        const struct published_port *port = &container->ports.items[i];

        json_object_open(writer);
        json_member_string(writer, "IP", port->host[0] != '\0' ? port->host : "0.0.0.0");
        json_member_unsigned(writer, "PrivatePort", port->container_port);
        json_member_unsigned(writer, "PublicPort", port->host_port);
        json_member_string(writer, "Type", port->protocol);
        json_object_close(writer);
    }
    json_array_close(writer);
}
