/* The kernel's rules follow what davitd knows. See networks.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/log.h"
#include "connections.h"
#include "egress.h"
#include "groups.h"
#include "limits.h"
#include "membership.h"
#include "network/egress.h"
#include "network/firewall.h"
#include "network/links.h"
#include "networks.h"

#define FIRST_RETRY_US 1000000
#define LAST_RETRY_US 60000000

/* A port of any address is one of both families, where the container has both. */
static void change_port(struct nft_transaction *transaction, const struct membership *member,
                        const struct published_port *from, int family, bool is_removed)
{
    const struct address *address = membership_address(member, family);
    struct firewall_port port = {.protocol = from->protocol,
                                 .host_port = (uint16_t)from->host_port,
                                 .container_port = (uint16_t)from->container_port};

    if (from->host[0] != '\0' &&
        (address_parse(from->host, &port.host) < 0 || port.host.family != family))
        return;
    if (address == NULL)
        return;
    if (address_is_any(&port.host))
        port.host.family = 0;
    port.container = *address;
    firewall_change_port(transaction, &port, is_removed);
}

static void change_ports(struct nft_transaction *transaction, const struct membership *member,
                         bool is_removed)
{
    for (size_t i = 0; i < member->ports.count; i++) {
        change_port(transaction, member, &member->ports.items[i], AF_INET, is_removed);
        change_port(transaction, member, &member->ports.items[i], AF_INET6, is_removed);
    }
}

/* Its addresses become those of its groups' members, on that network. */
static void change_groups(struct nft_transaction *transaction, const struct membership *member,
                          const struct network_lease *lease, bool is_removed)
{
    const struct endpoint *endpoint = &member->definition->endpoints.items[lease - member->leases];
    const struct address *const addresses[] = {&lease->address, &lease->address6};

    if (lease->network == NULL || !network_has_groups(lease->network))
        return;
    for (size_t i = 0; i < endpoint->groups.count; i++) {
        for (size_t j = 0; j < ARRAY_SIZE(addresses); j++) {
            const struct firewall_member one = {lease->network->device, endpoint->groups.items[i],
                                                *addresses[j]};

            if (one.address.family != 0)
                firewall_change_member(transaction, &one, is_removed);
        }
    }
}

/* Nothing for a lease without a device in a bridge. */
static void change_device(struct nft_transaction *transaction, const struct membership *member,
                          const struct network_lease *lease, bool is_removed)
{
    struct firewall_device device = {.name = lease->host_device,
                                     .address = lease->address,
                                     .address6 = lease->address6,
                                     .packets = limits_of(member).packets,
                                     .is_apart = lease->network != NULL &&
                                                 network_keeps_apart(lease->network)};

    if (lease->host_device[0] == '\0' || !lease_is_on_bridge(lease))
        return;
    change_groups(transaction, member, lease, is_removed);
    memcpy(device.mac, lease->mac, sizeof(device.mac));
    firewall_change_device(transaction, &device, is_removed);
}

/* Those whose bridge is there stay: the next container need not wait for its rules. */
static size_t list_networks(struct arena *arena, const struct networks *networks,
                            struct firewall_network **list)
{
    size_t count = 0;

    for (const struct network *one = networks->list; one != NULL; one = one->next)
        count++;
    *list = arena_new(arena, count, sizeof(**list));
    count = 0;
    for (const struct network *one = networks->list; one != NULL; one = one->next) {
        if (one->driver == NETWORK_DRIVER_BRIDGE &&
            (one->is_prepared || network_is_used(networks, one)))
            (*list)[count++] = (struct firewall_network){.bridge = one->device,
                                                         .subnet = one->ipv4.subnet,
                                                         .subnet6 = one->ipv6.subnet,
                                                         .is_internal = one->is_internal,
                                                         .is_isolated = one->is_isolated,
                                                         .keeps_sources = one->keeps_sources,
                                                         .reaches_host = one->reaches_host,
                                                         .groups = one->groups.items,
                                                         .group_count = one->groups.count};
    }
    return count;
}

static void remove_tables(struct networks *networks, struct nft_transaction *transaction)
{
    static const enum nft_family families[] = {NFT_INET, NFT_BRIDGE};
    uint32_t owner;

    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        if (nft_table_look_up(&networks->nft, families[i], FIREWALL_TABLE, &owner) == 0)
            firewall_remove(transaction, families[i]);
    }
}

/* All rules, from what davitd knows now, without the elements that change by themselves. Returns
 * their sum. False in *has_networks: there is nothing to add elements to. */
static uint64_t make_rules(struct networks *networks, struct nft_transaction *transaction,
                           bool *has_networks)
{
    cleanup_arena struct arena arena = {0};
    struct firewall_network *list;
    size_t count = list_networks(&arena, networks, &list);
    size_t offset;

    *has_networks = count > 0;
    remove_tables(networks, transaction);
    offset = transaction->bytes.length;
    if (count > 0)
        firewall_write(transaction, list, count);
    egress_add_rules(networks, &arena, transaction);
    return hash_bytes(HASH_START, transaction->bytes.data + offset,
                      transaction->bytes.length - offset);
}

static void add_elements(const struct networks *networks, struct nft_transaction *transaction)
{
    for (const struct membership *one = networks->members; one != NULL; one = one->next) {
        change_ports(transaction, one, false);
        for (size_t i = 0; i < one->definition->endpoints.count; i++)
            change_device(transaction, one, &one->leases[i], false);
    }
}

static int write_rules(struct networks *networks, struct error *err)
{
    cleanup_nft_transaction struct nft_transaction transaction = {0};
    bool has_networks;
    uint64_t sum = make_rules(networks, &transaction, &has_networks);
    int result;

    /* Most containers change nothing but elements. */
    if (networks->firewall.is_written && networks->firewall.sum == sum &&
        (!has_networks || limits_are_written(networks)))
        return 0;
    if (has_networks)
        limits_add_rules(networks, &transaction);
    if (has_networks)
        add_elements(networks, &transaction);
    result = nft_transaction_run(&networks->nft, &transaction, err);
    if (result == -ENOENT || result == -EOPNOTSUPP)
        error_prefix(err, "the kernel may lack a part of nftables that davit needs (README)");
    networks->firewall.is_written = result == 0;
    networks->firewall.sum = sum;
    limits_end_writing(networks, result == 0);
    return result;
}

/* The kernel may lack the tracking of connections in bridges, which only egress rules need. */
static int write_rules_it_takes(struct networks *networks, struct error *err)
{
    int result = write_rules(networks, err);

    if (result == 0 || !networks->egress.is_there || networks->firewall.lacks_bridge_tracking)
        return result;
    *err = (struct error){0};
    networks->firewall.lacks_bridge_tracking = true;
    result = write_rules(networks, err);
    /* It did not fail for want of that. */
    if (result < 0)
        networks->firewall.lacks_bridge_tracking = false;
    return result;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *context)
{
    struct networks *networks = context;

    (void)source;
    (void)usec;
    networks->firewall.retry = sd_event_source_disable_unref(networks->firewall.retry);
    firewall_change(networks);
    return 0;
}

/* What could not be written is tried again, as long as anybody relies on it. */
static void retry_later(struct networks *networks)
{
    bool is_needed = false;

    for (const struct membership *one = networks->members; one != NULL; one = one->next)
        is_needed = is_needed || membership_is_attached(one);
    if (!is_needed || networks->firewall.retry != NULL)
        return;
    networks->firewall.retry_us = networks->firewall.retry_us == 0 ? FIRST_RETRY_US
                                  : networks->firewall.retry_us < LAST_RETRY_US / 2
                                      ? 2 * networks->firewall.retry_us
                                      : LAST_RETRY_US;
    sd_event_add_time_relative(networks->loop, &networks->firewall.retry, CLOCK_MONOTONIC,
                               networks->firewall.retry_us, 0, on_retry, networks);
}

int firewall_update(struct networks *networks, struct error *err)
{
    struct completion *waiters = networks->firewall.waiters;
    int result = 0;

    networks->firewall.waiters = NULL;
    networks->firewall.is_dirty = false;
    /* Without the lock the rules are another davitd's. */
    if (networks->lock_fd >= 0)
        result = write_rules_it_takes(networks, err);
    if (result == 0) {
        if (networks->lock_fd >= 0)
            egress_forget_written(networks);
        networks->firewall.retry_us = 0;
    } else {
        log_error("firewall: %s", err->message);
        retry_later(networks);
    }
    if (result == 0 && networks->lock_fd >= 0) {
        networks_hear_packets(networks);
        host_firewall_watch(networks);
    }
    completions_end(&waiters, result < 0 ? err : NULL);
    if (result < 0)
        connections_fail(networks, err);
    else
        connections_begin(networks);
    return result;
}

static int on_turn(sd_event_source *source, void *context)
{
    struct networks *networks = context;
    struct error err = {0};

    (void)source;
    networks->firewall.turn = sd_event_source_disable_unref(networks->firewall.turn);
    if (networks->firewall.is_dirty)
        firewall_update(networks, &err);
    return 0;
}

void firewall_change(struct networks *networks)
{
    networks->firewall.is_dirty = true;
    if (networks->firewall.turn == NULL)
        sd_event_add_defer(networks->loop, &networks->firewall.turn, on_turn, networks);
}

void firewall_await(struct networks *networks, struct completion *completion)
{
    /* After a failure it is tried now: who waits is told of that one. */
    if (!networks->firewall.is_written && networks->lock_fd >= 0)
        firewall_change(networks);
    if (networks->firewall.is_dirty)
        completion_add(&networks->firewall.waiters, completion);
    else
        completion->done(completion, NULL);
}

/* Where rules wait to be written these elements will be in them. */
static bool is_in_force(const struct networks *networks)
{
    return networks->firewall.is_written && !networks->firewall.is_dirty;
}

void firewall_change_ports(const struct membership *member, bool is_removed)
{
    cleanup_nft_transaction struct nft_transaction transaction = {0};
    struct networks *networks = member->networks;

    if (member->ports.count == 0)
        return;
    change_ports(&transaction, member, is_removed);
    if (is_in_force(networks) && nft_transaction_run(&networks->nft, &transaction, NULL) == 0)
        return;
    networks->firewall.is_written = false;
    firewall_change(networks);
}

int firewall_change_device_of(const struct membership *member, const struct network_lease *lease,
                              bool is_removed, struct error *err)
{
    cleanup_nft_transaction struct nft_transaction transaction = {0};
    struct networks *networks = member->networks;
    bool has_rules = is_in_force(networks);
    int result = 0;

    limits_change(&transaction, member, lease, is_removed);
    if (has_rules)
        change_device(&transaction, member, lease, is_removed);
    if (transaction.count > 0)
        result = nft_transaction_run(&networks->nft, &transaction, err);
    if (result < 0)
        limits_distrust(networks);
    if (!has_rules || result < 0) {
        networks->firewall.is_written = false;
        firewall_change(networks);
    }
    return result;
}
