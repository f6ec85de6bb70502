/* Subnets, gateways and ranges of networks: see networks.h. */
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "networks.h"

/* What a subnet may be. One for containers has room for two addresses at least. */
static const struct family {
    int family;
    const char *name;
    unsigned int prefix_min;
    unsigned int prefix_max;
} families[] = {{AF_INET, "IPv4", 8, 30}, {AF_INET6, "IPv6", 8, 126}};

const struct network_addresses *network_addresses(const struct network *network, int family)
{
    return family == AF_INET6 ? &network->ipv6 : &network->ipv4;
}

static int resolve_gateway(struct network_addresses *addresses, struct error *err)
{
    if (addresses->gateway_text == NULL || addresses->gateway_text[0] == '\0')
        return 0;
    if (address_parse(addresses->gateway_text, &addresses->gateway) < 0 ||
        !subnet_contains(&addresses->subnet, &addresses->gateway) ||
        subnet_reserves(&addresses->subnet, &addresses->gateway))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "IPAM.Config.Gateway: \"%.64s\" is not an address of subnet %.64s",
                         addresses->gateway_text, addresses->subnet_text);
    return 0;
}

static int check_reserved(const struct network_addresses *addresses, struct error *err)
{
    for (size_t i = 0; i < addresses->reserved.count; i++) {
        const struct string_pair *one = &addresses->reserved.items[i];
        struct address address;

        if (address_parse(one->value, &address) < 0 ||
            !subnet_contains(&addresses->subnet, &address))
            return error_set(err, ERROR_INVALID, EINVAL,
                             "IPAM.Config.AuxiliaryAddresses.%.64s: \"%.64s\" is not an address of "
                             "subnet %.64s",
                             one->name, one->value, addresses->subnet_text);
    }
    return 0;
}

static int resolve_family(struct network_addresses *addresses, const struct family *family,
                          struct error *err)
{
    const char *range = addresses->range_text != NULL ? addresses->range_text : "";

    if (subnet_parse(addresses->subnet_text, &addresses->subnet) < 0 ||
        addresses->subnet.address.family != family->family ||
        addresses->subnet.prefix < family->prefix_min ||
        addresses->subnet.prefix > family->prefix_max)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "IPAM.Config.Subnet: \"%.64s\" is not a subnet of %s with %u to %u bits",
                         addresses->subnet_text, family->name, family->prefix_min,
                         family->prefix_max);
    addresses->subnet = subnet_network(&addresses->subnet);
    addresses->range = addresses->subnet;
    if (range[0] != '\0' && (subnet_parse(range, &addresses->range) < 0 ||
                             addresses->range.prefix < addresses->subnet.prefix ||
                             !subnet_contains(&addresses->subnet, &addresses->range.address)))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "IPAM.Config.IPRange: \"%.64s\" is not a part of subnet %.64s", range,
                         addresses->subnet_text);
    return resolve_gateway(addresses, err) < 0 || check_reserved(addresses, err) < 0 ? -EINVAL : 0;
}

int network_addresses_resolve(struct network *network, struct error *err)
{
    int result = resolve_family(&network->ipv4, &families[0], err);

    if (result == 0 && network->ipv6.subnet_text != NULL)
        result = resolve_family(&network->ipv6, &families[1], err);
    return result;
}

/* Whether the host has an address in the subnet: to take it would cut the host off from others. */
static bool is_of_host(const struct subnet *subnet)
{
    struct ifaddrs *addresses = NULL;
    bool is_taken = false;

    if (getifaddrs(&addresses) < 0)
        return false;
    for (const struct ifaddrs *one = addresses; one != NULL && !is_taken; one = one->ifa_next) {
        const struct sockaddr *name = one->ifa_addr;
        struct address address = {.family = name != NULL ? name->sa_family : 0};

        if (address.family == AF_INET)
            memcpy(address.bytes, &((const struct sockaddr_in *)(const void *)name)->sin_addr, 4);
        else if (address.family == AF_INET6)
            memcpy(address.bytes, &((const struct sockaddr_in6 *)(const void *)name)->sin6_addr,
                   16);
        is_taken = subnet_contains(subnet, &address);
    }
    freeifaddrs(addresses);
    return is_taken;
}

static const struct network *find_overlap(const struct networks *networks,
                                          const struct subnet *subnet)
{
    for (const struct network *one = networks->list; one != NULL; one = one->next) {
        if (subnet_overlaps(&one->ipv4.subnet, subnet) ||
            (one->ipv6.subnet_text != NULL && subnet_overlaps(&one->ipv6.subnet, subnet)))
            return one;
    }
    return NULL;
}

static bool is_free(const struct networks *networks, const struct subnet *subnet)
{
    return find_overlap(networks, subnet) == NULL && !is_of_host(subnet);
}

/* Picks the first free subnet of those that Docker takes as well. */
static bool pick_ipv4(const struct networks *networks, struct subnet *subnet)
{
    for (uint8_t i = 17; i < 32; i++) {
        *subnet = (struct subnet){{AF_INET, {172, i}}, 16};
        if (is_free(networks, subnet))
            return true;
    }
    for (unsigned int i = 0; i < 256; i += 16) {
        *subnet = (struct subnet){{AF_INET, {192, 168, (uint8_t)i}}, 20};
        if (is_free(networks, subnet))
            return true;
    }
    return false;
}

/* Of this davitd's own unique local addresses (RFC 4193): 40 bits of its id, which is random. */
static bool pick_ipv6(const struct networks *networks, struct subnet *subnet)
{
    *subnet = (struct subnet){{AF_INET6, {0xfd}}, 64};
    for (size_t i = 0; i < 5; i++) {
        const char digits[] = {networks->id[2 * i], networks->id[2 * i + 1], '\0'};

        subnet->address.bytes[1 + i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    for (unsigned int i = 0; i <= UINT16_MAX; i++) {
        subnet->address.bytes[6] = (uint8_t)(i >> 8);
        subnet->address.bytes[7] = (uint8_t)i;
        if (is_free(networks, subnet))
            return true;
    }
    return false;
}

int network_addresses_check(const struct networks *networks, const struct network *network,
                            struct error *err)
{
    const struct network_addresses *const each[] = {&network->ipv4, &network->ipv6};

    for (size_t i = 0; i < 2; i++) {
        const struct network *overlap =
            each[i]->subnet_text != NULL ? find_overlap(networks, &each[i]->subnet) : NULL;

        if (overlap != NULL)
            return error_set(err, ERROR_DENIED, EEXIST,
                             "Pool overlaps with other one on this address space: %s with one of "
                             "network %s",
                             each[i]->subnet_text, overlap->name);
    }
    return 0;
}

static bool has_text(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static int pool_family(const struct network_pool_order *pool)
{
    return has_text(pool->subnet) && strchr(pool->subnet, ':') != NULL ? AF_INET6 : AF_INET;
}

/* The pool of that family; NULL if there is none. One of each is possible. */
static int find_pool(const struct network_order *order, int family,
                     const struct network_pool_order **found, struct error *err)
{
    *found = NULL;
    for (size_t i = 0; i < order->ipam.pools.count; i++) {
        if (pool_family(&order->ipam.pools.items[i]) != family)
            continue;
        if (*found != NULL)
            return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                             "IPAM.Config: one subnet of each family is supported by this version "
                             "of davit");
        *found = &order->ipam.pools.items[i];
    }
    return 0;
}

static int choose_subnet(const struct networks *networks, const struct network_pool_order *pool,
                         int family, struct subnet *subnet, struct error *err)
{
    if (pool != NULL && has_text(pool->subnet)) {
        if (subnet_parse(pool->subnet, subnet) < 0)
            return error_set(err, ERROR_INVALID, EINVAL, "IPAM.Config.Subnet: \"%.64s\"",
                             pool->subnet);
        return 0;
    }
    if (family == AF_INET6 ? pick_ipv6(networks, subnet) : pick_ipv4(networks, subnet))
        return 0;
    return error_set(err, ERROR_CONFLICT, EADDRNOTAVAIL,
                     "all subnets that networks get by themselves are taken; name one "
                     "(IPAM.Config.Subnet)");
}

static int take_family(const struct networks *networks, struct network *network,
                       const struct network_pool_order *pool, int family, struct error *err)
{
    struct network_addresses *addresses = family == AF_INET6 ? &network->ipv6 : &network->ipv4;
    char text[ADDRESS_TEXT_SIZE];
    struct subnet subnet;
    struct address gateway;
    int result = choose_subnet(networks, pool, family, &subnet, err);

    if (result < 0)
        return result;
    subnet = subnet_network(&subnet);
    subnet_format(&subnet, text);
    addresses->subnet_text = arena_strdup(&network->arena, text);
    gateway = subnet_at(&subnet, 1);
    address_format(&gateway, text);
    addresses->gateway_text = arena_strdup(
        &network->arena, pool != NULL && has_text(pool->gateway) ? pool->gateway : text);
    if (pool != NULL && pool->range != NULL)
        addresses->range_text = arena_strdup(&network->arena, pool->range);
    if (pool != NULL)
        string_map_copy(&network->arena, &pool->reserved, &addresses->reserved);
    return 0;
}

int network_addresses_choose(const struct networks *networks, struct network *network,
                             const struct network_order *order, struct error *err)
{
    const struct network_pool_order *ipv4 = NULL;
    const struct network_pool_order *ipv6 = NULL;
    int result = find_pool(order, AF_INET, &ipv4, err);

    if (result == 0)
        result = find_pool(order, AF_INET6, &ipv6, err);
    if (result < 0)
        return result;
    if (ipv6 != NULL && !order->has_ipv6)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "IPAM.Config.Subnet: \"%.64s\" needs EnableIPv6 (--ipv6)", ipv6->subnet);
    result = take_family(networks, network, ipv4, AF_INET, err);
    if (result == 0 && order->has_ipv6)
        result = take_family(networks, network, ipv6, AF_INET6, err);
    return result < 0 ? result : network_addresses_resolve(network, err);
}
