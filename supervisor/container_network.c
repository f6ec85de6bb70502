/* A container's part in networks: which it belongs to, its addresses and devices. See
 * container_internal.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "container_internal.h"
#include "network/links.h"
#include "networks.h"
#include "resolver.h"

/* ---- which it belongs to ---- */

static bool is_mode(const char *mode, const char *word)
{
    return mode != NULL && strcmp(mode, word) == 0;
}

const char *container_network_mode(const struct managed_container *container)
{
    const char *mode = container->definition.host_config.network_mode;

    /* Containers of an earlier davit have the request's own words. */
    return mode == NULL || mode[0] == '\0' || strcmp(mode, "default") == 0 ? "none" : mode;
}

static struct network *network_of(const struct managed_container *container, size_t index)
{
    struct network *network = NULL;

    network_find(container->daemon, container->definition.endpoints.items[index].network_id,
                 &network, NULL);
    return network;
}

size_t container_find_endpoint(const struct managed_container *container,
                               const struct network *network)
{
    size_t i = 0;

    while (i < container->definition.endpoints.count &&
           strcmp(container->definition.endpoints.items[i].network_id, network->id) != 0)
        i++;
    return i;
}

static bool has_text(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static int check_address(const struct endpoint *endpoint, const struct network *network,
                         struct error *err)
{
    struct address address;

    if (!has_text(endpoint->ipam.ipv4_address))
        return 0;
    if (address_parse(endpoint->ipam.ipv4_address, &address) < 0 ||
        !subnet_contains(&network->subnet, &address) ||
        subnet_reserves(&network->subnet, &address) || address_equals(&network->gateway, &address))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "IPAMConfig.IPv4Address: \"%.64s\" is not an address for containers of "
                         "network %s (%s)",
                         endpoint->ipam.ipv4_address, network->name, network->subnet_text);
    return 0;
}

/* Whose hosts, resolv.conf and hostname it has. */
static int resolve_names(struct managed_container *container, const char *mode, struct error *err)
{
    struct definition *definition = &container->definition;
    bool has_names = definition_has_names(&definition->host_config);
    const char *joined = mode_container(mode);
    struct managed_container *other;

    if (joined != NULL && container_find(container->daemon, joined, &other, err) < 0)
        return -err->errnum;
    if (has_names && !mode_is_host(mode))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "HostConfig: Dns, DnsSearch, DnsOptions and ExtraHosts are for containers "
                         "with a network of their own or the host's, not for %s",
                         mode);
    if (has_names)
        definition->names_directory = ".";
    else if (joined != NULL && other->definition.names_directory != NULL)
        definition->names_directory =
            arena_printf(&container->arena, "../%s", other->definition.id);
    return 0;
}

/* Modes without a network of ours: clients may name them as one, with nothing to say about it. */
static int resolve_without(struct managed_container *container, const char *mode, struct error *err)
{
    struct definition *definition = &container->definition;

    for (size_t i = 0; i < definition->endpoints.count; i++) {
        if (!is_mode(mode, definition->endpoints.items[i].network_name) ||
            has_text(definition->endpoints.items[i].ipam.ipv4_address))
            return error_set(err, ERROR_INVALID, EINVAL,
                             "NetworkingConfig: a container whose network is %s can have no other, "
                             "and no address",
                             mode);
    }
    definition->endpoints.count = 0;
    if (definition->ports.count > 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "HostConfig.PortBindings: network %s has no ports to publish; name "
                         "another, such as bridge",
                         mode);
    definition->host_config.network_mode = mode;
    return resolve_names(container, mode, err);
}

/* The mode's network is the first. */
static void put_first(struct arena *arena, struct definition *definition, const char *name)
{
    struct endpoint first = {.network_name = name};
    size_t at = 0;

    while (at < definition->endpoints.count &&
           strcmp(definition->endpoints.items[at].network_name, name) != 0)
        at++;
    if (at == definition->endpoints.count) {
        definition->endpoints.items = arena_grow(arena, definition->endpoints.items,
                                                 definition->endpoints.count, sizeof(first));
        definition->endpoints.count++;
    } else {
        first = definition->endpoints.items[at];
    }
    memmove(definition->endpoints.items + 1, definition->endpoints.items, at * sizeof(first));
    definition->endpoints.items[0] = first;
}

int container_network_resolve(struct managed_container *container, struct error *err)
{
    struct definition *definition = &container->definition;
    const char *mode = definition->host_config.network_mode;

    if (definition_check_names(&definition->host_config, err) < 0)
        return -err->errnum;
    if (mode == NULL || mode[0] == '\0' || is_mode(mode, "default"))
        mode = container->daemon->options.default_network;
    if (is_mode(mode, "none") || mode_is_host(mode) || mode_container(mode) != NULL)
        return resolve_without(container, mode, err);
    put_first(&container->arena, definition, mode);
    if (definition->endpoints.count > ENDPOINTS_MAX)
        return error_set(err, ERROR_INVALID, E2BIG, "NetworkingConfig: more than %d networks",
                         ENDPOINTS_MAX);
    for (size_t i = 0; i < definition->endpoints.count; i++) {
        struct endpoint *endpoint = &definition->endpoints.items[i];
        struct network *network;

        if (network_find(container->daemon, endpoint->network_name, &network, err) < 0 ||
            check_address(endpoint, network, err) < 0)
            return -err->errnum;
        endpoint->network_id = arena_strdup(&container->arena, network->id);
        endpoint->network_name = arena_strdup(&container->arena, network->name);
    }
    definition->host_config.network_mode = definition->endpoints.items[0].network_name;
    definition->names_directory = ".";
    return 0;
}

/* ---- addresses ---- */

static bool has_address(const struct managed_container *container, const struct network *network,
                        const struct address *address)
{
    size_t index = container_find_endpoint(container, network);
    struct address fixed;
    const char *text;

    if (index == container->definition.endpoints.count)
        return false;
    if (address_equals(&container->leases[index].address, address))
        return true;
    /* What a container has been promised nobody else gets, also while it does not run. */
    text = container->definition.endpoints.items[index].ipam.ipv4_address;
    return has_text(text) && address_parse(text, &fixed) == 0 && address_equals(&fixed, address);
}

static bool is_taken(const struct managed_container *container, const struct network *network,
                     const struct address *address)
{
    if (address_equals(&network->gateway, address) || subnet_reserves(&network->subnet, address))
        return true;
    for (const struct managed_container *one = container->daemon->containers; one != NULL;
         one = one->next) {
        if (one != container && has_address(one, network, address))
            return true;
    }
    return false;
}

static int lease(struct managed_container *container, size_t index, const struct network *network,
                 struct error *err)
{
    const char *fixed = container->definition.endpoints.items[index].ipam.ipv4_address;
    struct address *address = &container->leases[index].address;

    if (has_text(fixed)) {
        address_parse(fixed, address);
        if (!is_taken(container, network, address))
            return 0;
        *address = (struct address){0};
        return error_set(err, ERROR_CONFLICT, EADDRINUSE, "Address %s is already in use", fixed);
    }
    for (uint32_t i = 0; i < subnet_size(&network->range); i++) {
        *address = subnet_at(&network->range, i);
        if (!is_taken(container, network, address))
            return 0;
    }
    *address = (struct address){0};
    return error_set(err, ERROR_CONFLICT, EADDRNOTAVAIL,
                     "no available IPv4 addresses on network %s", network->name);
}

/* ---- devices ---- */

static void device_name(const struct network_lease *lease, char name[IFNAMSIZ])
{
    snprintf(name, IFNAMSIZ, "eth%u", lease->device);
}

/* The lowest number that no other of its devices has. */
static void pick_device(struct managed_container *container, size_t index)
{
    uint32_t number = 0;

    for (size_t i = 0; i < container->definition.endpoints.count; i++) {
        if (i != index && container->leases[i].address.family != 0 &&
            container->leases[i].device == number) {
            number++;
            i = (size_t)-1;
        }
    }
    container->leases[index].device = number;
}

/* One default route: that of its first network that leads out. */
static bool leads_out(const struct managed_container *container, size_t index)
{
    for (size_t i = 0; i < container->definition.endpoints.count; i++) {
        const struct network *network = network_of(container, i);

        if (network != NULL && !network->is_internal &&
            (i == index || container->leases[i].address.family != 0))
            return i == index;
    }
    return false;
}

static int configure_inside(const struct managed_container *container, size_t index,
                            const struct network *network, int netns_fd, struct error *err)
{
    cleanup_free struct netlink_batch *batch = memory_new_one(struct netlink_batch);
    const struct subnet address = {container->leases[index].address, network->subnet.prefix};
    char name[IFNAMSIZ];
    struct netlink netlink;
    unsigned int device;
    int result = netlink_open_in(&netlink, netns_fd, err);

    if (result < 0)
        return result;
    device_name(&container->leases[index], name);
    device = link_index(&netlink, name);
    link_add_address(batch, device, &address);
    link_set_up(batch, device);
    if (leads_out(container, index))
        link_add_default_route(batch, device, &network->gateway);
    result = netlink_run(&netlink, batch, err);
    netlink_close(&netlink);
    return result;
}

static int make_device(const struct managed_container *container, size_t index,
                       struct netlink *netlink, const struct network *network, int netns_fd,
                       struct error *err)
{
    cleanup_free struct netlink_batch *batch = memory_new_one(struct netlink_batch);
    const struct bridge_port port = {container->definition.ports.count > 0, network->is_isolated};
    uint8_t mac[6];
    char id[CONTAINER_ID_SIZE];
    char name[IFNAMSIZ];
    char peer_name[IFNAMSIZ];
    int result;

    random_id(id);
    snprintf(name, sizeof(name), "veth%.8s", id);
    device_name(&container->leases[index], peer_name);
    link_make_mac(&container->leases[index].address, mac);
    link_add_veth(batch, &(struct veth){.name = name,
                                        .master = link_index(netlink, network->bridge),
                                        .peer_name = peer_name,
                                        .peer_netns_fd = netns_fd,
                                        .peer_mac = mac,
                                        .mtu = network->mtu});
    result = netlink_run(netlink, batch, err);
    if (result == 0 && (port.gets_own_back || port.is_isolated)) {
        link_set_port(batch, link_index(netlink, name), &port);
        result = netlink_run(netlink, batch, err);
    }
    return result;
}

/* By one connection to the host's network and one to the container's. */
static int attach_to(struct managed_container *container, size_t index, struct network *network,
                     int netns_fd, struct error *err)
{
    struct netlink netlink;
    int result = netlink_open(&netlink, err);

    if (result < 0)
        return result;
    result = network_prepare(container->daemon, &netlink, network, err);
    if (result == 0)
        result = lease(container, index, network, err);
    if (result == 0) {
        pick_device(container, index);
        result = make_device(container, index, &netlink, network, netns_fd, err);
    }
    netlink_close(&netlink);
    return result < 0 ? result : configure_inside(container, index, network, netns_fd, err);
}

static int attach_one(struct managed_container *container, size_t index, int netns_fd,
                      struct error *err)
{
    struct network *network = network_of(container, index);
    int result;

    if (network == NULL)
        return error_set(err, ERROR_NOT_FOUND, ENOENT, "network %s not found",
                         container->definition.endpoints.items[index].network_name);
    result = attach_to(container, index, network, netns_fd, err);
    if (result < 0)
        container->leases[index] = (struct network_lease){0};
    return result;
}

/* ---- when it starts ---- */

static int attach(struct managed_container *container, int netns_fd, pid_t pid, struct error *err)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < container->definition.endpoints.count; i++)
        result = attach_one(container, i, netns_fd, err);
    if (result == 0)
        result = resolver_begin(container, netns_fd, pid, err);
    if (result == 0)
        result = container_ports_publish(container, err);
    return result < 0 ? result : container_network_write_hosts(container, err);
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
    else
        /* A davitd that does not live to see it start finds out what it has. */
        container_save_state(container);
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

void container_network_attach(struct managed_container *container, int netns_fd, pid_t pid)
{
    struct attachment *attachment;
    struct error err = {0};

    if (attach(container, netns_fd, pid, &err) < 0) {
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

/* The devices go with the namespace. */
void container_network_release(struct managed_container *container)
{
    memset(container->leases, 0, sizeof(container->leases));
    resolver_end(container);
    container_ports_release(container);
}

const struct address *container_network_address(const struct managed_container *container)
{
    for (size_t i = 0; i < container->definition.endpoints.count; i++) {
        const struct network *network = network_of(container, i);

        if (container->leases[i].address.family != 0 && network != NULL && !network->is_internal)
            return &container->leases[i].address;
    }
    return &container->leases[0].address;
}

bool container_network_leads_out(const struct managed_container *container)
{
    for (size_t i = 0; i < container->definition.endpoints.count; i++) {
        const struct network *network = network_of(container, i);

        if (container->leases[i].address.family != 0 && network != NULL && !network->is_internal)
            return true;
    }
    return false;
}

/* ---- while it runs ---- */

/* Written down, with what it means for the next start. */
static int save(struct managed_container *container, struct error *err)
{
    int result = container_network_write_files(container, err);

    if (result == 0)
        result = container_write_bundle(container, err);
    return result < 0 ? result : container_save_definition(container, err);
}

static int attach_live(struct managed_container *container, size_t index, struct error *err)
{
    cleanup_close int netns_fd = container_open_namespace(container, "net", err);
    int result = netns_fd < 0 ? netns_fd : attach_one(container, index, netns_fd, err);

    if (result == 0) {
        resolver_update(container);
        container_save_state(container);
        firewall_change(container->daemon);
    }
    return result;
}

/* Not with the host's namespace, or another container's. */
static bool has_own_namespace(const struct managed_container *container)
{
    return container->definition.endpoints.count > 0 ||
           strcmp(container_network_mode(container), "none") == 0;
}

int container_network_connect(struct managed_container *container, const struct network *network,
                              const struct endpoint *wanted, struct error *err)
{
    struct definition *definition = &container->definition;
    size_t index = container_find_endpoint(container, network);
    bool is_new = index == definition->endpoints.count;
    bool is_running = container->status == CONTAINER_RUNNING;
    struct endpoint endpoint = {.network_id = arena_strdup(&container->arena, network->id),
                                .network_name = arena_strdup(&container->arena, network->name)};
    int result = check_address(wanted, network, err);

    if (result < 0)
        return result;
    if (!has_own_namespace(container))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "container %s shares a network namespace: it cannot be connected",
                         definition->name);
    if ((!is_new && is_running) || container->status == CONTAINER_STARTING)
        return error_set(err, ERROR_DENIED, EEXIST,
                         "endpoint with name %s already exists in network %s", definition->name,
                         network->name);
    if (is_new && index == ENDPOINTS_MAX)
        return error_set(err, ERROR_INVALID, E2BIG, "container %s has %d networks already",
                         definition->name, ENDPOINTS_MAX);
    if (has_text(wanted->ipam.ipv4_address))
        endpoint.ipam.ipv4_address = arena_strdup(&container->arena, wanted->ipam.ipv4_address);
    for (size_t i = 0; i < wanted->aliases.count; i++)
        string_list_append(&container->arena, &endpoint.aliases,
                           arena_strdup(&container->arena, wanted->aliases.items[i]));
    if (is_new)
        definition->endpoints.items = arena_grow(&container->arena, definition->endpoints.items,
                                                 definition->endpoints.count++, sizeof(endpoint));
    definition->endpoints.items[index] = endpoint;
    if (is_running)
        result = attach_live(container, index, err);
    if (result < 0) {
        definition->endpoints.count -= is_new;
        return result;
    }
    definition->host_config.network_mode = definition->endpoints.items[0].network_name;
    return save(container, err);
}

static int detach_live(struct managed_container *container, size_t index, struct error *err)
{
    cleanup_free struct netlink_batch *batch = memory_new_one(struct netlink_batch);
    cleanup_close int netns_fd = container_open_namespace(container, "net", err);
    struct netlink netlink;
    char name[IFNAMSIZ];
    int result = netns_fd < 0 ? netns_fd : netlink_open_in(&netlink, netns_fd, err);

    if (result < 0)
        return result;
    device_name(&container->leases[index], name);
    link_delete(batch, name);
    result = netlink_run(&netlink, batch, err);
    netlink_close(&netlink);
    return result;
}

int container_network_disconnect(struct managed_container *container, const struct network *network,
                                 struct error *err)
{
    struct definition *definition = &container->definition;
    size_t index = container_find_endpoint(container, network);
    size_t behind = definition->endpoints.count - index - 1;
    int result = 0;

    if (index == definition->endpoints.count)
        return error_set(err, ERROR_DENIED, ENOENT, "container %s is not connected to network %s",
                         definition->name, network->name);
    if (container->leases[index].address.family != 0)
        result = detach_live(container, index, err);
    if (result < 0)
        return result;
    memmove(definition->endpoints.items + index, definition->endpoints.items + index + 1,
            behind * sizeof(struct endpoint));
    memmove(container->leases + index, container->leases + index + 1,
            behind * sizeof(struct network_lease));
    definition->endpoints.count--;
    container->leases[definition->endpoints.count] = (struct network_lease){0};
    definition->host_config.network_mode =
        definition->endpoints.count > 0 ? definition->endpoints.items[0].network_name : "none";
    firewall_change(container->daemon);
    resolver_update(container);
    container_save_state(container);
    return save(container, err);
}

/* ---- across davitd's life ---- */

void container_network_encode(struct json_writer *writer, const struct managed_container *container)
{
    json_key(writer, "leases");
    json_array_open(writer);
    for (size_t i = 0; i < container->definition.endpoints.count; i++) {
        char address[ADDRESS_TEXT_SIZE];

        address_format(&container->leases[i].address, address);
        json_object_open(writer);
        json_member_string(writer, "address", address);
        json_member_unsigned(writer, "device", container->leases[i].device);
        json_object_close(writer);
    }
    json_array_close(writer);
    json_member_string(writer, "resolver", container->resolver_instance);
    json_key(writer, "ports");
    json_array_open(writer);
    for (size_t i = 0; i < container->ports.count; i++)
        json_encode(writer, &published_port_type, &container->ports.items[i]);
    json_array_close(writer);
}

void container_network_restore(struct managed_container *container,
                               const struct lease_record *leases, size_t lease_count,
                               const char *resolver_instance, const struct published_ports *ports)
{
    if (resolver_instance != NULL)
        snprintf(container->resolver_instance, sizeof(container->resolver_instance), "%s",
                 resolver_instance);
    for (size_t i = 0; i < lease_count && i < container->definition.endpoints.count; i++) {
        if (address_parse(leases[i].address, &container->leases[i].address) < 0)
            container->leases[i].address = (struct address){0};
        container->leases[i].device = leases[i].device;
    }
    container->ports.items = memory_new(ports->count, sizeof(*ports->items));
    container->ports.count = ports->count;
    for (size_t i = 0; i < ports->count; i++)
        container->ports.items[i] = ports->items[i];
}

/* ---- what is said of it ---- */

static void write_lease(struct json_writer *writer, const struct managed_container *container,
                        size_t index)
{
    bool belongs = index < container->definition.endpoints.count;
    const struct network *network = belongs ? network_of(container, index) : NULL;
    const struct address *leased = &container->leases[index].address;
    bool runs = belongs && leased->family != 0 && network != NULL;
    char address[ADDRESS_TEXT_SIZE];
    char mac[32] = "";
    uint8_t bytes[6];

    address_format(leased, address);
    if (runs) {
        link_make_mac(leased, bytes);
        snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2],
                 bytes[3], bytes[4], bytes[5]);
    }
    json_member_string(writer, "EndpointID", runs ? container->definition.id : "");
    json_member_string(writer, "Gateway", runs ? network->gateway_text : "");
    json_member_string(writer, "IPAddress", address);
    json_member_integer(writer, "IPPrefixLen", runs ? network->subnet.prefix : 0);
    json_member_string(writer, "MacAddress", mac);
}

/* By its short id a container is always known, and clients look for that. */
static void write_aliases(struct json_writer *writer, const struct managed_container *container,
                          const struct endpoint *endpoint)
{
    char id[13];

    snprintf(id, sizeof(id), "%.12s", container->definition.id);
    json_key(writer, "Aliases");
    json_array_open(writer);
    for (size_t i = 0; i < endpoint->aliases.count; i++)
        json_string(writer, endpoint->aliases.items[i]);
    if (!string_list_has(&endpoint->aliases, id))
        json_string(writer, id);
    json_array_close(writer);
}

void container_network_write_list(struct json_writer *writer,
                                  const struct managed_container *container)
{
    json_key(writer, "Networks");
    json_object_open(writer);
    if (container->definition.endpoints.count == 0) {
        json_key(writer, container_network_mode(container));
        json_object_open(writer);
        json_member_string(writer, "NetworkID", "");
        write_lease(writer, container, 0);
        json_object_close(writer);
    }
    for (size_t i = 0; i < container->definition.endpoints.count; i++) {
        const struct endpoint *endpoint = &container->definition.endpoints.items[i];

        json_key(writer, endpoint->network_name);
        json_object_open(writer);
        write_aliases(writer, container, endpoint);
        json_member_string(writer, "NetworkID", endpoint->network_id);
        write_lease(writer, container, i);
        json_object_close(writer);
    }
    json_object_close(writer);
}

void container_network_write(struct json_writer *writer, const struct managed_container *container)
{
    container_ports_write(writer, container);
    /* Of the first network once more, where clients have always looked for it. */
    write_lease(writer, container, 0);
    container_network_write_list(writer, container);
}
