/* Addresses and devices of a container on its networks, from its start or a connect on. See
 * membership.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "connections.h"
#include "groups.h"
#include "membership.h"
#include "network/firewall.h"
#include "network/links.h"
#include "networks.h"

static const char *fixed_address(const struct membership *member, size_t index, int family)
{
    const struct endpoint_ipam *ipam = &member->definition->endpoints.items[index].ipam;

    return family == AF_INET6 ? ipam->ipv6_address : ipam->ipv4_address;
}

static bool fixed_as(const struct membership *member, size_t index, int family,
                     struct address *address)
{
    const char *text = fixed_address(member, index, family);

    return text != NULL && text[0] != '\0' && address_parse(text, address) == 0;
}

void leases_note_fixed(struct membership *member)
{
    member->has_fixed_addresses = false;
    for (size_t i = 0; i < member->definition->endpoints.count; i++) {
        struct address unused;

        if (fixed_as(member, i, AF_INET, &unused) || fixed_as(member, i, AF_INET6, &unused))
            member->has_fixed_addresses = true;
    }
}

static void mark_fixed(const struct membership *member, const struct network *network, int family,
                       void (*mark)(void *context, const struct address *address), void *context)
{
    size_t index = membership_find_endpoint(member, network);
    struct address fixed;

    if (index < member->definition->endpoints.count && fixed_as(member, index, family, &fixed))
        mark(context, &fixed);
}

/* Calls `mark` for each address of the network that another container has, or that its definition
 * asks for: nobody else gets that, also while it does not run. Likewise those that are reserved. */
static void each_taken(const struct membership *member, const struct network *network, int family,
                       void (*mark)(void *context, const struct address *address), void *context)
{
    const struct string_map *reserved = &network_addresses(network, family)->reserved;

    for (const struct membership *one = member->networks->members; one != NULL; one = one->next) {
        if (one == member)
            continue;
        for (size_t i = 0; i < one->definition->endpoints.count; i++) {
            if (one->leases[i].network == network)
                mark(context,
                     family == AF_INET6 ? &one->leases[i].address6 : &one->leases[i].address);
        }
        if (one->has_fixed_addresses)
            mark_fixed(one, network, family, mark, context);
    }
    for (size_t i = 0; i < reserved->count; i++) {
        struct address address;

        if (address_parse(reserved->items[i].value, &address) == 0)
            mark(context, &address);
    }
}

struct wanted {
    const struct address *address;
    bool is_taken;
};

static void compare(void *context, const struct address *address)
{
    struct wanted *wanted = context;

    wanted->is_taken = wanted->is_taken || address_equals(wanted->address, address);
}

/* The first addresses of a range. They are more than all containers, the gateway and the reserved
 * addresses together: one is free, unless the range is smaller. */
struct candidates {
    const struct subnet *range;
    bool *is_taken;
    size_t count;
};

static void mark_taken(void *context, const struct address *address)
{
    struct candidates *candidates = context;
    uint32_t offset;

    if (subnet_offset(candidates->range, address, &offset) && offset < candidates->count)
        candidates->is_taken[offset] = true;
}

/* UINT32_MAX if there is none. Those that others have just had are the last choice. */
static uint32_t find_free(const struct membership *member, const struct network *network,
                          const struct network_addresses *own, int family, bool takes_occupied)
{
    size_t count = 2 * member->networks->member_count + member->networks->connections.ended_count +
                   4 + own->reserved.count;
    cleanup_free bool *is_taken = memory_new(count, sizeof(*is_taken));
    struct candidates candidates = {&own->range, is_taken, count};

    if (count > subnet_size(&own->range))
        candidates.count = subnet_size(&own->range);
    each_taken(member, network, family, mark_taken, &candidates);
    if (!takes_occupied)
        connections_each_occupied(member, mark_taken, &candidates);
    mark_taken(&candidates, &own->gateway);
    for (uint32_t i = 0; i < candidates.count; i++) {
        struct address address = subnet_at(&own->range, i);

        if (!is_taken[i] && !subnet_reserves(&own->subnet, &address))
            return i;
    }
    return UINT32_MAX;
}

static int lease_family(const struct membership *member, size_t index,
                        const struct network *network, int family, struct address *address,
                        struct error *err)
{
    const struct network_addresses *own = network_addresses(network, family);
    /* A container that runs would have connections of others at once. */
    bool can_wait = member->phase == MEMBER_STARTING;
    uint32_t offset;

    if (fixed_as(member, index, family, address)) {
        struct wanted wanted = {address, false};

        each_taken(member, network, family, compare, &wanted);
        if (!wanted.is_taken && !can_wait && connections_occupy(member, address))
            return error_set(err, ERROR_BUSY, EAGAIN,
                             "another container had address %s until now, and its connections "
                             "have not ended: try again",
                             fixed_address(member, index, family));
        if (!wanted.is_taken)
            return 0;
        *address = (struct address){0};
        return error_set(err, ERROR_CONFLICT, EADDRINUSE, "Address %s is already in use",
                         fixed_address(member, index, family));
    }
    offset = find_free(member, network, own, family, false);
    if (offset == UINT32_MAX && can_wait)
        offset = find_free(member, network, own, family, true);
    if (offset == UINT32_MAX)
        return error_set(err, ERROR_CONFLICT, EADDRNOTAVAIL,
                         "no available %s addresses on network %s",
                         family == AF_INET6 ? "IPv6" : "IPv4", network->name);
    *address = subnet_at(&own->range, offset);
    return 0;
}

static bool is_held(const struct network_lease *held)
{
    return held->address.family != 0 || held->by_plugin != NULL;
}

void lease_set_mac(struct membership *member, size_t index)
{
    struct network_lease *held = &member->leases[index];
    const char *wanted = member->definition->endpoints.items[index].mac_address;

    if (wanted == NULL || !mac_parse(wanted, held->mac))
        link_make_mac(&held->address, held->mac);
}

/* Of two devices with one address in a bridge, each would get what is meant for the other. Those
 * that follow from IPv4 addresses differ as these do: membership_resolve() has seen to it that no
 * container chooses one of them. */
static int check_mac(const struct membership *member, size_t index, struct error *err)
{
    const char *wanted = member->definition->endpoints.items[index].mac_address;
    const struct network_lease *held = &member->leases[index];

    if (wanted == NULL || wanted[0] == '\0')
        return 0;
    for (const struct membership *one = member->networks->members; one != NULL; one = one->next) {
        for (size_t i = 0; i < one->definition->endpoints.count; i++) {
            const struct network_lease *other = &one->leases[i];

            if (other != held && other->network == held->network && is_held(other) &&
                memcmp(other->mac, held->mac, sizeof(held->mac)) == 0)
                return error_set(err, ERROR_CONFLICT, EADDRINUSE,
                                 "MacAddress: another container has it on network %s",
                                 held->network->name);
        }
    }
    return 0;
}

static int lease(struct membership *member, size_t index, const struct network *network,
                 struct error *err)
{
    struct network_lease *held = &member->leases[index];
    int result = lease_family(member, index, network, AF_INET, &held->address, err);

    held->network = network;
    held->is_restored = false;
    if (result == 0 && network->ipv6.subnet_text != NULL)
        result = lease_family(member, index, network, AF_INET6, &held->address6, err);
    if (result == 0)
        lease_set_mac(member, index);
    return result < 0 ? result : check_mac(member, index, err);
}

/* The lowest number that no other of its devices has. */
static void pick_device(struct membership *member, size_t index)
{
    uint32_t number = 0;

    for (size_t i = 0; i < member->definition->endpoints.count; i++) {
        if (i != index && is_held(&member->leases[i]) && member->leases[i].device == number) {
            number++;
            i = (size_t)-1;
        }
    }
    member->leases[index].device = number;
}

/* One default route of each family: that of the network that leads out with the highest priority,
 * the first of several. */
static bool is_way_out(const struct membership *member, size_t index, int family)
{
    const struct endpoint *endpoints = member->definition->endpoints.items;
    /* They come one after the other. */
    bool gets_all = member->phase == MEMBER_STARTING;
    size_t count = member->definition->endpoints.count;
    size_t chosen = count;

    for (size_t i = 0; i < count; i++) {
        const struct network *network = membership_network(member, i);

        if ((i == index || gets_all || is_held(&member->leases[i])) && network != NULL &&
            network_leads_out(network, family) &&
            (chosen == count || endpoints[i].gateway_priority > endpoints[chosen].gateway_priority))
            chosen = i;
    }
    return chosen == index;
}

static void add_route(struct netlink_batch *batch, unsigned int device,
                      const struct network *network, int family)
{
    struct address gateway = network_addresses(network, family)->gateway;

    /* With these modes there is no neighbour to hand packets to. */
    if (network->driver == NETWORK_DRIVER_IPVLAN && strncmp(network->mode, "l3", 2) == 0)
        memset(gateway.bytes, 0, sizeof(gateway.bytes));
    link_add_default_route(batch, device, &gateway);
}

/* Of the families that the lease has, those whose default route it is to have. */
static void add_ways_out(const struct membership *member, size_t index, struct netlink_batch *batch,
                         unsigned int device, const struct network *network)
{
    if (is_way_out(member, index, AF_INET))
        add_route(batch, device, network, AF_INET);
    if (member->leases[index].address6.family != 0 && is_way_out(member, index, AF_INET6))
        add_route(batch, device, network, AF_INET6);
}

/* What the host sends through its end the container receives. */
static void limit_host_end(const struct membership *member, struct netlink_batch *batch,
                           unsigned int device)
{
    const struct docker_network_rate *rate = member->definition->host_config.network_rate;

    if (rate != NULL && rate->receive > 0)
        link_limit(batch, device, rate->receive);
}

static int configure_inside(const struct membership *member, size_t index,
                            const struct network *network, int netns_fd, struct error *err)
{
    cleanup_free struct netlink_batch *batch = memory_new_one(struct netlink_batch);
    const struct docker_network_rate *rate = member->definition->host_config.network_rate;
    const struct network_lease *held = &member->leases[index];
    const struct subnet address = {held->address, network->ipv4.subnet.prefix};
    const struct subnet address6 = {held->address6, network->ipv6.subnet.prefix};
    char name[IFNAMSIZ];
    struct netlink netlink;
    unsigned int device;
    int result = netlink_open_in(&netlink, netns_fd, err);

    if (result < 0)
        return result;
    lease_device_name(held, name);
    device = link_index(&netlink, name);
    link_add_address(batch, device, &address);
    if (held->address6.family != 0)
        link_add_address(batch, device, &address6);
    else
        link_forgo_ipv6(batch, name);
    link_set_up(batch, name);
    if (rate != NULL && rate->send > 0)
        link_limit(batch, device, rate->send);
    add_ways_out(member, index, batch, device, network);
    result = netlink_run(&netlink, batch, err);
    netlink_close(&netlink);
    return result;
}

/* The other end goes with it. The kernel finds none if it could not make the pair. */
static void delete_host_end(struct netlink *netlink, const char *name)
{
    cleanup_free struct netlink_batch *batch = memory_new_one(struct netlink_batch);

    link_delete(batch, name);
    netlink_run(netlink, batch, NULL);
}

static int set_up_port(const struct membership *member, const struct network *network,
                       struct netlink *netlink, const struct network_lease *held, struct error *err)
{
    cleanup_free struct netlink_batch *batch = memory_new_one(struct netlink_batch);
    const struct bridge_port port = {member->definition->ports.count > 0,
                                     network_keeps_apart(network)};
    unsigned int device = link_index(netlink, held->host_device);

    if (port.gets_own_back || port.is_isolated)
        link_set_port(batch, device, &port);
    limit_host_end(member, batch, device);
    group_proxy_add(batch, netlink, network, held);
    return netlink_run(netlink, batch, err);
}

static int make_pair(struct membership *member, size_t index, struct netlink *netlink,
                     const struct network *network, int netns_fd, struct error *err)
{
    cleanup_free struct netlink_batch *batch = memory_new_one(struct netlink_batch);
    struct network_lease *held = &member->leases[index];
    char id[IDENTIFIER_SIZE];
    char peer_name[IFNAMSIZ];
    int result;

    identifier_make(id);
    snprintf(held->host_device, sizeof(held->host_device), FIREWALL_DEVICE_PREFIX "%.12s", id);
    lease_device_name(held, peer_name);
    link_add_veth(batch, &(struct veth){.name = held->host_device,
                                        .master = link_index(netlink, network->device),
                                        .peer_name = peer_name,
                                        .peer_netns_fd = netns_fd,
                                        .peer_mac = held->mac,
                                        .mtu = network->mtu});
    /* A bridge's port has no use for an address of its own. */
    link_forgo_ipv6(batch, held->host_device);
    link_set_up(batch, held->host_device);
    result = firewall_change_device_of(member, held, false, err);
    if (result < 0)
        return result;
    result = netlink_run(netlink, batch, err);
    if (result == 0)
        result = set_up_port(member, network, netlink, held, err);
    if (result < 0)
        delete_host_end(netlink, held->host_device);
    if (result < 0)
        firewall_change_device_of(member, held, true, NULL);
    return result;
}

static int make_upper(const struct network_lease *held, struct netlink *netlink,
                      const struct network *network, int netns_fd, struct error *err)
{
    cleanup_free struct netlink_batch *batch = memory_new_one(struct netlink_batch);
    bool is_macvlan = network->driver == NETWORK_DRIVER_MACVLAN;
    const char *usual_mode = is_macvlan ? "bridge" : "l2";
    char name[IFNAMSIZ];

    lease_device_name(held, name);
    link_add_upper(
        batch, &(struct upper_link){.kind = network_driver_name(network),
                                    .mode = network->mode[0] != '\0' ? network->mode : usual_mode,
                                    .parent = link_index(netlink, network->device),
                                    .name = name,
                                    .netns_fd = netns_fd,
                                    .mac = is_macvlan ? held->mac : NULL,
                                    .mtu = network->mtu});
    return netlink_run(netlink, batch, err);
}

/* The host's end takes the other along, also where the container's namespace cannot be entered. */
static void delete_device(const struct membership *member, size_t index, struct netlink *netlink,
                          int netns_fd)
{
    const struct network_lease *held = &member->leases[index];

    if (held->host_device[0] != '\0') {
        delete_host_end(netlink, held->host_device);
        firewall_change_device_of(member, held, true, NULL);
    } else {
        lease_remove(member, index, netns_fd, NULL);
    }
}

static int make_device(struct membership *member, size_t index, struct netlink *netlink,
                       const struct network *network, int netns_fd, struct error *err)
{
    int result;

    pick_device(member, index);
    result = network->driver == NETWORK_DRIVER_BRIDGE
                 ? make_pair(member, index, netlink, network, netns_fd, err)
                 : make_upper(&member->leases[index], netlink, network, netns_fd, err);
    if (result < 0)
        return result;
    result = configure_inside(member, index, network, netns_fd, err);
    if (result < 0)
        delete_device(member, index, netlink, netns_fd);
    return result;
}

static int rejoin(const struct membership *member, const struct network *network,
                  struct netlink *netlink, const struct network_lease *held, struct error *err)
{
    cleanup_free struct netlink_batch *batch = memory_new_one(struct netlink_batch);
    int result;

    link_join(batch, link_index(netlink, held->host_device), link_index(netlink, network->device));
    link_set_up(batch, held->host_device);
    result = netlink_run(netlink, batch, err);
    return result < 0 ? result : set_up_port(member, network, netlink, held, err);
}

static int make_pair_again(struct membership *member, size_t index, struct netlink *netlink,
                           const struct network *network, struct error *err)
{
    cleanup_close int netns_fd = member->owner->open_namespace(member, err);
    int result;

    if (netns_fd < 0)
        return netns_fd;
    firewall_change_device_of(member, &member->leases[index], true, NULL);
    result = make_pair(member, index, netlink, network, netns_fd, err);
    return result < 0 ? result : configure_inside(member, index, network, netns_fd, err);
}

int lease_mend(struct membership *member, size_t index, struct netlink *netlink, bool *was_lost,
               struct error *err)
{
    const char *name = member->leases[index].host_device;
    struct network *network = membership_network(member, index);
    unsigned int master = link_master(netlink, name);

    *was_lost = master == 0 || master != link_index(netlink, network->device);
    if (!*was_lost)
        return 0;
    if (network_prepare(member->networks, netlink, network, err) < 0)
        return -err->errnum;
    return link_index(netlink, name) != 0
               ? rejoin(member, network, netlink, &member->leases[index], err)
               : make_pair_again(member, index, netlink, network, err);
}

/* By one connection to the host's network and one to the container's. */
static int add_device(struct membership *member, size_t index, struct network *network,
                      int netns_fd, struct error *err)
{
    struct netlink netlink;
    int result = netlink_open(&netlink, err);

    if (result < 0)
        return result;
    result = network_prepare(member->networks, &netlink, network, err);
    if (result == 0)
        result = lease(member, index, network, err);
    if (result == 0)
        result = make_device(member, index, &netlink, network, netns_fd, err);
    netlink_close(&netlink);
    return result;
}

int lease_add(struct membership *member, size_t index, int netns_fd, struct error *err)
{
    const struct endpoint *endpoint = &member->definition->endpoints.items[index];
    struct network_lease *held = &member->leases[index];
    struct network *network = membership_network(member, index);
    int result;

    if (network == NULL)
        return error_set(err, ERROR_NOT_FOUND, ENOENT,
                         "network %s not found: make one of that name and connect the container "
                         "to it, or disconnect it",
                         endpoint->network_name);
    if (network->driver == NETWORK_DRIVER_CNI) {
        held->by_plugin = memory_new_one(struct plugin_lease);
        pick_device(member, index);
        return 0;
    }
    result = add_device(member, index, network, netns_fd, err);
    if (result < 0)
        *held = (struct network_lease){0};
    else
        connections_keep(member);
    return result;
}

void lease_device_name(const struct network_lease *held, char name[IFNAMSIZ])
{
    snprintf(name, IFNAMSIZ, "eth%u", held->device);
}

/* By the host's end where there is one: a container may call its own end what it likes. */
int lease_remove(const struct membership *member, size_t index, int netns_fd, struct error *err)
{
    cleanup_free struct netlink_batch *batch = memory_new_one(struct netlink_batch);
    const struct network_lease *held = &member->leases[index];
    bool has_host_end = held->host_device[0] != '\0';
    struct netlink netlink;
    char name[IFNAMSIZ];
    int result =
        has_host_end ? netlink_open(&netlink, err) : netlink_open_in(&netlink, netns_fd, err);

    if (result < 0)
        return result;
    lease_device_name(held, name);
    link_delete(batch, has_host_end ? held->host_device : name);
    result = netlink_run(&netlink, batch, err);
    netlink_close(&netlink);
    if (result == 0)
        firewall_change_device_of(member, &member->leases[index], true, NULL);
    if (result == 0)
        group_proxy_remove(held);
    return result;
}

void leases_restore_way_out(const struct membership *member)
{
    cleanup_free struct netlink_batch *batch = memory_new_one(struct netlink_batch);
    struct error err = {0};
    cleanup_close int netns_fd = member->owner->open_namespace(member, &err);
    struct netlink netlink;

    if (netns_fd < 0 || netlink_open_in(&netlink, netns_fd, &err) < 0) {
        log_warning("container %s: way out: %s", member->definition->name, err.message);
        return;
    }
    for (size_t i = 0; i < member->definition->endpoints.count; i++) {
        const struct network_lease *held = &member->leases[i];
        const struct network *network = membership_network(member, i);
        char name[IFNAMSIZ];

        /* Plugins have made their own routes. */
        if (held->address.family == 0 || held->by_plugin != NULL || network == NULL)
            continue;
        lease_device_name(held, name);
        add_ways_out(member, i, batch, link_index(&netlink, name), network);
    }
    /* Where the way out was another's there is one still. */
    if (netlink_run(&netlink, batch, &err) < 0 && err.errnum != EEXIST)
        log_warning("container %s: way out: %s", member->definition->name, err.message);
    netlink_close(&netlink);
}

/* Reads the counters of the host's end, which the container cannot change, and swaps them: what the
 * host's end receives the container has sent. */
static int read_host_end(struct netlink *netlink, const char *name, struct link_counters *counters)
{
    struct link_counters seen;
    int result = link_read_counters(netlink, name, &seen, NULL);

    if (result == 0)
        *counters = (struct link_counters){seen.sent_bytes,      seen.sent_packets,
                                           seen.sent_errors,     seen.sent_dropped,
                                           seen.received_bytes,  seen.received_packets,
                                           seen.received_errors, seen.received_dropped};
    return result;
}

static int read_inside(const struct membership *member, const char *name,
                       struct link_counters *counters)
{
    cleanup_close int netns_fd = member->owner->open_namespace(member, NULL);
    struct netlink netlink;
    int result = netns_fd < 0 ? netns_fd : netlink_open_in(&netlink, netns_fd, NULL);

    if (result < 0)
        return result;
    result = link_read_counters(&netlink, name, counters, NULL);
    netlink_close(&netlink);
    return result;
}

size_t leases_read_counters(const struct membership *member,
                            struct device_counters counters[ENDPOINTS_MAX])
{
    struct netlink netlink;
    size_t count = 0;

    if (member->definition->endpoints.count == 0 || netlink_open(&netlink, NULL) < 0)
        return 0;
    for (size_t i = 0; i < member->definition->endpoints.count; i++) {
        const struct network_lease *held = &member->leases[i];
        struct device_counters *to = &counters[count];

        if (held->address.family == 0)
            continue;
        lease_device_name(held, to->name);
        if ((held->host_device[0] != '\0'
                 ? read_host_end(&netlink, held->host_device, &to->counters)
                 : read_inside(member, to->name, &to->counters)) == 0)
            count++;
    }
    netlink_close(&netlink);
    return count;
}
