/* A container's part in networks: which it belongs to, its addresses and devices. See
 * containers/internal.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "egress.h"
#include "names.h"
#include "network/links.h"
#include "networks.h"
#include "plugins.h"
#include "supervisor/containers/internal.h"

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

static int check_address(const char *text, const struct network *network, int family,
                         struct error *err)
{
    const struct network_addresses *addresses = network_addresses(network, family);
    struct address address;

    if (!has_text(text))
        return 0;
    if (network->driver == NETWORK_DRIVER_CNI)
        return network_plugins_check_address(text, network, err);
    if (addresses->subnet_text == NULL || address_parse(text, &address) < 0 ||
        !subnet_contains(&addresses->subnet, &address) ||
        subnet_reserves(&addresses->subnet, &address) ||
        address_equals(&addresses->gateway, &address))
        return error_set(
            err, ERROR_INVALID, EINVAL,
            "IPAMConfig: \"%.64s\" is not an address for containers of network %s (%s)", text,
            network->name,
            addresses->subnet_text != NULL ? addresses->subnet_text : "which has none of IPv6");
    return 0;
}

static int check_addresses(const struct endpoint *endpoint, const struct network *network,
                           struct error *err)
{
    int result = check_address(endpoint->ipam.ipv4_address, network, AF_INET, err);

    return result < 0 ? result : check_address(endpoint->ipam.ipv6_address, network, AF_INET6, err);
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
            has_text(definition->endpoints.items[i].ipam.ipv4_address) ||
            has_text(definition->endpoints.items[i].ipam.ipv6_address))
            return error_set(err, ERROR_INVALID, EINVAL,
                             "NetworkingConfig: a container whose network is %s can have no other, "
                             "and no address",
                             mode);
    }
    definition->endpoints.count = 0;
    if (definition->host_config.network_rate != NULL)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "HostConfig.NetworkRate: cannot be kept on network %s", mode);
    if (definition->ports.count > 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "HostConfig.PortBindings: network %s has no ports to publish; name "
                         "another, such as bridge",
                         mode);
    definition->host_config.network_mode = mode;
    return resolve_names(container, mode, err) < 0 ? -err->errnum
                                                   : container_egress_check(container, err);
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

/* The host's end of a device limits what it sends on: macvlan and ipvlan have none. What plugins
 * make is theirs. */
static int check_rate(const struct managed_container *container, const struct network *network,
                      struct error *err)
{
    const struct docker_network_rate *rate = container->definition.host_config.network_rate;

    if (rate == NULL || network->driver == NETWORK_DRIVER_BRIDGE ||
        (rate->receive == 0 && network->driver != NETWORK_DRIVER_CNI))
        return 0;
    return error_set(
        err, ERROR_INVALID, EINVAL, "HostConfig.NetworkRate.%s: cannot be kept on network %s (%s)",
        rate->receive != 0 ? "Receive" : "Send", network->name, network_driver_name(network));
}

int container_network_resolve(struct managed_container *container, struct error *err)
{
    struct definition *definition = &container->definition;
    const char *mode = definition->host_config.network_mode;

    if (definition_check_names(&definition->host_config, err) < 0)
        return -err->errnum;
    if (mode == NULL || mode[0] == '\0' || is_mode(mode, "default"))
        mode = container->daemon->options.default_network;
    if (mode_path(mode) != NULL && mode_path(mode)[0] != '/')
        return error_set(err, ERROR_INVALID, EINVAL,
                         "HostConfig.NetworkMode: \"%.64s\": an absolute path is expected", mode);
    if (is_mode(mode, "none") || mode_is_host(mode) || mode_container(mode) != NULL ||
        mode_path(mode) != NULL)
        return resolve_without(container, mode, err);
    put_first(&container->arena, definition, mode);
    if (definition->endpoints.count > ENDPOINTS_MAX)
        return error_set(err, ERROR_INVALID, E2BIG, "NetworkingConfig: more than %d networks",
                         ENDPOINTS_MAX);
    for (size_t i = 0; i < definition->endpoints.count; i++) {
        struct endpoint *endpoint = &definition->endpoints.items[i];
        struct network *network;

        if (network_find(container->daemon, endpoint->network_name, &network, err) < 0 ||
            check_addresses(endpoint, network, err) < 0 || check_rate(container, network, err) < 0)
            return -err->errnum;
        endpoint->network_id = arena_strdup(&container->arena, network->id);
        endpoint->network_name = arena_strdup(&container->arena, network->name);
    }
    definition->host_config.network_mode = definition->endpoints.items[0].network_name;
    definition->names_directory = ".";
    container_devices_note_fixed(container);
    return container_egress_check(container, err);
}

/* ---- who is in its namespace ---- */

static bool is_in_namespace(const struct managed_container *one,
                            const struct managed_container *owner)
{
    const char *joined = mode_container(one->definition.host_config.network_mode);

    return (one->status == CONTAINER_RUNNING || one->status == CONTAINER_STARTING) &&
           joined != NULL && strcmp(joined, owner->definition.id) == 0;
}

/* A container that runs in the network namespace of `owner`; NULL: there is none but `except`. */
static struct managed_container *find_joiner(const struct managed_container *owner,
                                             const struct managed_container *except)
{
    for (struct managed_container *one = owner->daemon->containers; one != NULL; one = one->next) {
        if (one != except && is_in_namespace(one, owner))
            return one;
    }
    return NULL;
}

/* The devices go with the namespace. */
static void release_now(struct managed_container *container)
{
    container->keeps_network = false;
    /* As long as it is known where they lead. */
    firewall_change_ports(container, true);
    container_egress_release(container);
    network_plugins_release(container);
    for (size_t i = 0; i < ENDPOINTS_MAX; i++)
        free(container->leases[i].by_plugin);
    memset(container->leases, 0, sizeof(container->leases));
    container->prepared_netns = 0;
    resolver_end(container);
    container_ports_release(container);
}

/* Whoever was the last in another's namespace lets go what that has. */
static void leave_namespace(const struct managed_container *container)
{
    const char *joined = mode_container(container->definition.host_config.network_mode);
    struct managed_container *owner = NULL;

    /* Until all are known, others may be in there. */
    if (joined == NULL || container->daemon->is_recovering ||
        container_find(container->daemon, joined, &owner, NULL) < 0)
        return;
    if (owner->keeps_network && owner->status != CONTAINER_RUNNING &&
        owner->status != CONTAINER_STARTING && find_joiner(owner, container) == NULL) {
        release_now(owner);
        container_save_state(owner);
    }
}

void container_network_release(struct managed_container *container)
{
    leave_namespace(container);
    container->keeps_network =
        container->daemon->is_recovering || find_joiner(container, container) != NULL;
    if (!container->keeps_network)
        release_now(container);
}

void container_network_forget(struct managed_container *container)
{
    leave_namespace(container);
    release_now(container);
}

void container_network_cut(struct managed_container *container)
{
    const struct managed_container *joiner = find_joiner(container, container);
    cleanup_close int netns_fd = -1;
    struct error err = {0};

    if (!container->keeps_network)
        return;
    if (joiner != NULL)
        netns_fd = container_open_namespace(joiner, "net", &err);
    for (size_t i = 0; netns_fd >= 0 && i < container->definition.endpoints.count; i++) {
        if (container->leases[i].address.family != 0 &&
            container_device_remove(container, i, netns_fd, &err) < 0)
            log_error("container %s: take its former namespace off the network: %s",
                      container->definition.name, err.message);
    }
    release_now(container);
}

void containers_network_recovered(struct daemon *daemon)
{
    daemon->is_recovering = false;
    for (struct managed_container *one = daemon->containers; one != NULL; one = one->next) {
        bool has_any = container_is_on_networks(one) || one->ports.count > 0;

        if (!one->keeps_network || find_joiner(one, one) != NULL)
            continue;
        release_now(one);
        if (has_any)
            container_save_state(one);
    }
}

const struct address *container_network_address(const struct managed_container *container,
                                                int family)
{
    const struct address *found = NULL;

    for (size_t i = 0; i < container->definition.endpoints.count; i++) {
        const struct network *network = network_of(container, i);
        const struct network_lease *lease = &container->leases[i];
        const struct address *address = family == AF_INET6 ? &lease->address6 : &lease->address;

        if (network == NULL || network->driver != NETWORK_DRIVER_BRIDGE || address->family == 0)
            continue;
        if (!network->is_internal)
            return address;
        if (found == NULL)
            found = address;
    }
    return found;
}

bool container_is_on_networks(const struct managed_container *container)
{
    for (size_t i = 0; i < container->definition.endpoints.count; i++) {
        if (container->leases[i].address.family != 0)
            return true;
    }
    return false;
}

bool container_network_leads_out(const struct managed_container *container)
{
    for (size_t i = 0; i < container->definition.endpoints.count; i++) {
        const struct network *network = network_of(container, i);

        if (container->leases[i].address.family != 0 && network != NULL &&
            (network_leads_out(network, AF_INET) || network_leads_out(network, AF_INET6)))
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
    int result;

    if (netns_fd < 0)
        return netns_fd;
    /* They may lead to another of its networks now. */
    firewall_change_ports(container, true);
    result = container_device_add(container, index, netns_fd, err);
    firewall_change_ports(container, false);
    if (result == 0) {
        resolver_update(container);
        container_save_state(container);
    }
    return result;
}

bool container_network_is_own(const struct managed_container *container)
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
    int result = check_addresses(wanted, network, err);

    if (result == 0)
        result = check_rate(container, network, err);
    if (result == 0 && definition->host_config.egress != NULL &&
        (network->driver != NETWORK_DRIVER_BRIDGE || is_running))
        result =
            error_set(err, ERROR_INVALID, EINVAL,
                      "container %s has egress rules: it can be connected to bridges alone, and "
                      "only while it does not run",
                      definition->name);
    if (result < 0)
        return result;
    if (is_running && network->driver == NETWORK_DRIVER_CNI)
        return error_set(err, ERROR_INVALID, EBUSY,
                         "container %s runs: its networks of plugins (%s) are made when it starts",
                         definition->name, network->name);
    if (!container_network_is_own(container))
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
    if (has_text(wanted->ipam.ipv6_address))
        endpoint.ipam.ipv6_address = arena_strdup(&container->arena, wanted->ipam.ipv6_address);
    for (size_t i = 0; i < wanted->aliases.count; i++)
        string_list_append(&container->arena, &endpoint.aliases,
                           arena_strdup(&container->arena, wanted->aliases.items[i]));
    if (is_new)
        definition->endpoints.items = arena_grow(&container->arena, definition->endpoints.items,
                                                 definition->endpoints.count++, sizeof(endpoint));
    definition->endpoints.items[index] = endpoint;
    container_devices_note_fixed(container);
    if (is_running)
        result = attach_live(container, index, err);
    if (result < 0) {
        definition->endpoints.count -= is_new;
        container_devices_note_fixed(container);
        return result;
    }
    definition->host_config.network_mode = definition->endpoints.items[0].network_name;
    return save(container, err);
}

static int remove_live(const struct managed_container *container, size_t index, struct error *err)
{
    cleanup_close int netns_fd = container_open_namespace(container, "net", err);

    return netns_fd < 0 ? netns_fd : container_device_remove(container, index, netns_fd, err);
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
    if (container->leases[index].by_plugin != NULL)
        return error_set(err, ERROR_INVALID, EBUSY,
                         "container %s runs: its networks of plugins (%s) go when it ends",
                         definition->name, network->name);
    container_network_cut(container);
    if (container->leases[index].address.family != 0)
        result = remove_live(container, index, err);
    if (result < 0)
        return result;
    firewall_change_ports(container, true);
    memmove(definition->endpoints.items + index, definition->endpoints.items + index + 1,
            behind * sizeof(struct endpoint));
    memmove(container->leases + index, container->leases + index + 1,
            behind * sizeof(struct network_lease));
    definition->endpoints.count--;
    container->leases[definition->endpoints.count] = (struct network_lease){0};
    definition->host_config.network_mode =
        definition->endpoints.count > 0 ? definition->endpoints.items[0].network_name : "none";
    firewall_change_ports(container, false);
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
        const struct network_lease *lease = &container->leases[i];
        char address[ADDRESS_TEXT_SIZE];

        json_object_open(writer);
        address_format(&lease->address, address);
        json_member_string(writer, "address", address);
        address_format(&lease->address6, address);
        json_member_string(writer, "address6", address);
        json_member_unsigned(writer, "device", lease->device);
        json_member_string(writer, "hostDevice", lease->host_device);
        if (lease->by_plugin != NULL)
            network_plugins_encode(writer, lease->by_plugin);
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

static void restore_lease(const struct lease_record *record, struct network_lease *lease)
{
    if (address_parse(record->address, &lease->address) < 0)
        lease->address = (struct address){0};
    if (record->address6 == NULL || address_parse(record->address6, &lease->address6) < 0)
        lease->address6 = (struct address){0};
    lease->device = record->device;
    if (record->host_device != NULL)
        snprintf(lease->host_device, sizeof(lease->host_device), "%s", record->host_device);
    if (record->by_plugin != NULL)
        lease->by_plugin = network_plugins_decode(record->by_plugin);
}

void container_network_restore(struct managed_container *container,
                               const struct lease_record *leases, size_t lease_count,
                               const char *resolver_instance, const struct published_ports *ports)
{
    if (resolver_instance != NULL)
        snprintf(container->resolver_instance, sizeof(container->resolver_instance), "%s",
                 resolver_instance);
    for (size_t i = 0; i < lease_count && i < container->definition.endpoints.count; i++) {
        restore_lease(&leases[i], &container->leases[i]);
        if (container->leases[i].address.family != 0)
            container->leases[i].network = network_of(container, i);
    }
    container_devices_note_fixed(container);
    container->ports.items = memory_new(ports->count, sizeof(*ports->items));
    container->ports.count = ports->count;
    for (size_t i = 0; i < ports->count; i++)
        container->ports.items[i] = ports->items[i];
}

/* ---- what is said of it ---- */

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
    uint8_t bytes[6];

    if (lease->by_plugin != NULL) {
        snprintf(text, sizeof(text), "%s", lease->by_plugin->mac);
    } else if (network != NULL && network->driver != NETWORK_DRIVER_IPVLAN) {
        /* With ipvlan it is that of the host's device. */
        link_make_mac(&lease->address, bytes);
        snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2],
                 bytes[3], bytes[4], bytes[5]);
    }
    json_member_string(writer, "MacAddress", text);
}

unsigned int container_lease_prefix(const struct network_lease *lease,
                                    const struct network *network, int family)
{
    if (lease->by_plugin != NULL)
        return family == AF_INET6 ? lease->by_plugin->prefix6 : lease->by_plugin->prefix;
    return network_addresses(network, family)->subnet.prefix;
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
static void write_lease(struct json_writer *writer, const struct managed_container *container,
                        size_t index)
{
    static const struct network_lease none;
    bool belongs = index < container->definition.endpoints.count;
    const struct network_lease *lease = belongs ? &container->leases[index] : &none;
    const struct network *network =
        lease->address.family != 0 ? network_of(container, index) : NULL;
    bool has_ipv6 = network != NULL && lease->address6.family != 0;

    json_member_string(writer, "EndpointID", network != NULL ? container->definition.id : "");
    write_gateway(writer, "Gateway", lease, network, AF_INET);
    write_address(writer, "IPAddress", &lease->address);
    json_member_unsigned(writer, "IPPrefixLen",
                         network != NULL ? container_lease_prefix(lease, network, AF_INET) : 0);
    write_gateway(writer, "IPv6Gateway", lease, has_ipv6 ? network : NULL, AF_INET6);
    write_address(writer, "GlobalIPv6Address", &lease->address6);
    json_member_unsigned(writer, "GlobalIPv6PrefixLen",
                         has_ipv6 ? container_lease_prefix(lease, network, AF_INET6) : 0);
    write_mac(writer, network, lease);
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
