/* What a container asks of networks: see membership.h. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "egress.h"
#include "groups.h"
#include "membership.h"
#include "network/links.h"
#include "plugins.h"

static bool is_mode(const char *mode, const char *word)
{
    return mode != NULL && strcmp(mode, word) == 0;
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
        return plugins_check_address(text, network, err);
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

/* Decides whose hosts, resolv.conf and hostname the container has. */
static int resolve_names(struct revision *draft, const struct definition *joined, const char *mode,
                         struct error *err)
{
    struct definition *definition = &draft->definition;
    bool has_names = definition_has_names(&definition->host_config);

    if (has_names && !mode_is_host(mode))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "HostConfig: Dns, DnsSearch, DnsOptions and ExtraHosts are for containers "
                         "with a network of their own or the host's, not for %s",
                         mode);
    if (has_names)
        definition->names_directory = ".";
    else if (joined != NULL && joined->names_directory != NULL)
        definition->names_directory = arena_printf(&draft->arena, "../%s", joined->id);
    return 0;
}

/* Resolves a mode without networks of davitd. Clients may list it as a network, but ask for nothing
 * there. */
static int resolve_without(struct membership *member, struct revision *draft,
                           const struct definition *joined, const char *mode, struct error *err)
{
    struct definition *definition = &draft->definition;

    for (size_t i = 0; i < definition->endpoints.count; i++) {
        if (!is_mode(mode, definition->endpoints.items[i].network_name) ||
            has_text(definition->endpoints.items[i].ipam.ipv4_address) ||
            has_text(definition->endpoints.items[i].ipam.ipv6_address) ||
            has_text(definition->endpoints.items[i].mac_address) ||
            definition->endpoints.items[i].driver_opts.count > 0)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "NetworkingConfig: a container whose network is %s can have no other, "
                             "and no address and no options there",
                             mode);
    }
    definition->endpoints.count = 0;
    if (definition->host_config.network_rate != NULL)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "HostConfig.NetworkRate: cannot be kept on network %s", mode);
    if (definition->host_config.network_limits != NULL)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "HostConfig.NetworkLimits: cannot be kept on network %s", mode);
    if (definition->ports.count > 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "HostConfig.PortBindings: network %s has no ports to publish; name "
                         "another, such as bridge",
                         mode);
    definition->host_config.network_mode = mode;
    return resolve_names(draft, joined, mode, err) < 0
               ? -err->errnum
               : egress_check(member->networks, definition, err);
}

/* What a container receives is limited at the host's end of its device, which macvlan and ipvlan
 * lack. Devices of plugins are not limited at all. */
static int check_rate(const struct membership *member, const struct network *network,
                      struct error *err)
{
    const struct docker_network_rate *rate = member->definition->host_config.network_rate;

    if (rate == NULL || network->driver == NETWORK_DRIVER_BRIDGE ||
        (rate->receive == 0 && network->driver != NETWORK_DRIVER_CNI))
        return 0;
    return error_set(
        err, ERROR_INVALID, EINVAL, "HostConfig.NetworkRate.%s: cannot be kept on network %s (%s)",
        rate->receive != 0 ? "Receive" : "Send", network->name, network_driver_name(network));
}

/* Packets and connections are counted at a bridge. */
static int check_limits(const struct membership *member, const struct network *network,
                        struct error *err)
{
    if (member->definition->host_config.network_limits == NULL ||
        network->driver == NETWORK_DRIVER_BRIDGE)
        return 0;
    return error_set(err, ERROR_INVALID, EINVAL,
                     "HostConfig.NetworkLimits: cannot be kept on network %s (%s)", network->name,
                     network_driver_name(network));
}

/* What a device on that network cannot be kept to. */
static int check_device(const struct membership *member, const struct network *network,
                        struct error *err)
{
    int result = check_rate(member, network, err);

    return result < 0 ? result : check_limits(member, network, err);
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

/* Others on the network, and its bridge, have addresses that link_make_mac() makes of theirs. */
static int check_derived_mac(const struct endpoint *endpoint, const struct network *network,
                             const uint8_t mac[6], struct error *err)
{
    struct address address = {.family = AF_INET};
    struct address own = {0};
    uint8_t derived[6];

    memcpy(address.bytes, mac + 2, 4);
    link_make_mac(&address, derived);
    if (memcmp(derived, mac, sizeof(derived)) != 0 || network->ipv4.subnet_text == NULL ||
        !subnet_contains(&network->ipv4.subnet, &address))
        return 0;
    /* That of an address which is the container's for as long as it exists. */
    if (has_text(endpoint->ipam.ipv4_address) &&
        address_parse(endpoint->ipam.ipv4_address, &own) == 0 && address_equals(&own, &address))
        return 0;
    return error_set(
        err, ERROR_INVALID, EINVAL,
        "MacAddress: \"%.32s\" belongs to another address of network %s; take one that "
        "does not begin with 02:42, such as 02:11:22:33:44:55",
        endpoint->mac_address, network->name);
}

/* Devices of ipvlan have the parent's, those of plugins what the plugins give them. */
static int check_mac(const struct endpoint *endpoint, const struct network *network,
                     struct error *err)
{
    uint8_t mac[6];

    if (!has_text(endpoint->mac_address))
        return 0;
    if (!mac_parse(endpoint->mac_address, mac))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "MacAddress: \"%.32s\" is not the address of a device, like "
                         "02:11:22:33:44:55",
                         endpoint->mac_address);
    if (network->driver == NETWORK_DRIVER_CNI || network->driver == NETWORK_DRIVER_IPVLAN)
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "MacAddress: cannot be chosen on network %s (%s)", network->name,
                         network_driver_name(network));
    return check_derived_mac(endpoint, network, mac, err);
}

static bool is_same_mac(const char *one, const char *other)
{
    uint8_t macs[2][6];

    return mac_parse(one, macs[0]) && mac_parse(other, macs[1]) &&
           memcmp(macs[0], macs[1], sizeof(macs[0])) == 0;
}

/* Config.MacAddress, of clients before API 1.44, is that of the mode's network. What is called
 * "default" there is the default network. */
static int take_old_forms(struct revision *draft, const char *mode, struct error *err)
{
    struct definition *definition = &draft->definition;
    const char *mac = definition->config.mac_address;
    struct endpoint *first;

    for (size_t i = 0; i < definition->endpoints.count; i++) {
        if (is_mode(definition->endpoints.items[i].network_name, "default"))
            definition->endpoints.items[i].network_name = mode;
    }
    if (!has_text(mac))
        return 0;
    put_first(&draft->arena, definition, mode);
    first = &definition->endpoints.items[0];
    if (has_text(first->mac_address) && !is_same_mac(first->mac_address, mac))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "MacAddress: \"%.32s\" in the container's Config, \"%.32s\" for its "
                         "network",
                         mac, first->mac_address);
    first->mac_address = mac;
    return 0;
}

static int resolve_endpoint(const struct membership *member, struct revision *draft,
                            struct endpoint *endpoint, struct error *err)
{
    struct network *network;

    if (network_find(member->networks, draft->definition.tenant, endpoint->network_name, &network,
                     err) < 0 ||
        check_addresses(endpoint, network, err) < 0 || check_mac(endpoint, network, err) < 0 ||
        check_device(member, network, err) < 0)
        return -err->errnum;
    endpoint->network_id = arena_strdup(&draft->arena, network->id);
    endpoint->network_name = arena_strdup(&draft->arena, network->name);
    return endpoint_take_groups(&draft->arena, network, endpoint, err);
}

/* The mode's network comes first, whether the mode says its name or its id. */
static int resolve_endpoints(const struct membership *member, struct revision *draft,
                             const char *mode, struct error *err)
{
    struct definition *definition = &draft->definition;
    struct network *first;
    int result = 0;

    for (size_t i = 0; result == 0 && i < definition->endpoints.count; i++) {
        result = resolve_endpoint(member, draft, &definition->endpoints.items[i], err);
        if (result == 0 &&
            definition_find_endpoint(definition, definition->endpoints.items[i].network_id) < i)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "NetworkingConfig: network %s is there twice",
                             definition->endpoints.items[i].network_name);
    }
    if (result < 0)
        return result;
    result = network_find(member->networks, definition->tenant, mode, &first, err);
    if (result < 0)
        return result;
    put_first(&draft->arena, definition, first->name);
    return resolve_endpoint(member, draft, &definition->endpoints.items[0], err);
}

int membership_resolve(struct membership *member, struct revision *draft,
                       const struct definition *joined, struct error *err)
{
    struct definition *definition = &draft->definition;
    const char *mode = definition->host_config.network_mode;

    if (definition_check_names(&definition->host_config, err) < 0)
        return -err->errnum;
    if (mode == NULL || mode[0] == '\0' || is_mode(mode, "default"))
        mode = member->networks->default_network;
    if (take_old_forms(draft, mode, err) < 0)
        return -err->errnum;
    if (mode_path(mode) != NULL && mode_path(mode)[0] != '/')
        return error_set(err, ERROR_INVALID, EINVAL,
                         "HostConfig.NetworkMode: \"%.64s\": an absolute path is expected", mode);
    if (is_mode(mode, "none") || mode_is_host(mode) || mode_container(mode) != NULL ||
        mode_path(mode) != NULL)
        return resolve_without(member, draft, joined, mode, err);
    if (resolve_endpoints(member, draft, mode, err) < 0)
        return -err->errnum;
    if (definition->endpoints.count > ENDPOINTS_MAX)
        return error_set(err, ERROR_INVALID, E2BIG, "NetworkingConfig: more than %d networks",
                         ENDPOINTS_MAX);
    definition->host_config.network_mode = definition->endpoints.items[0].network_name;
    definition->names_directory = ".";
    leases_note_fixed(member);
    return egress_check(member->networks, definition, err);
}

int membership_check_endpoint(const struct membership *member, const struct network *network,
                              const struct endpoint *wanted, struct error *err)
{
    int result = check_addresses(wanted, network, err);

    if (result == 0)
        result = check_mac(wanted, network, err);
    return result < 0 ? result : check_device(member, network, err);
}
