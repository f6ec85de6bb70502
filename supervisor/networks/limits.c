/* Limits of containers' devices: see limits.h. */
#include "limits.h"

#include "base/cleanup.h"
#include "egress.h"
#include "network/links.h"

static const enum nft_family families[] = {NFT_INET, NFT_BRIDGE};

struct network_limits limits_of(const struct membership *member)
{
    const struct docker_network_limits *limits = member->definition->host_config.network_limits;
    struct network_limits said = {.connections = member->networks->default_connections};

    if (limits == NULL)
        return said;
    said.new_connections = limits->new_connections;
    said.packets = limits->packets;
    if (limits->connections != 0)
        said.connections = limits->connections > 0 ? (uint32_t)limits->connections : 0;
    return said;
}

static void change_device(struct nft_transaction *transaction, enum nft_family family,
                          const struct membership *member, const struct network_lease *lease,
                          bool is_removed)
{
    struct limited_device device = {.name = lease->host_device, .limits = limits_of(member)};

    if (lease->host_device[0] == '\0' || !lease_is_on_bridge(lease))
        return;
    device.mac = lease->mac;
    device.is_usual = device.limits.connections == member->networks->default_connections;
    limits_change_device(transaction, family, &device, is_removed);
}

/* Egress rules make the kernel track connections in bridges, where it can. */
static bool is_wanted(const struct networks *networks, enum nft_family family)
{
    return family == NFT_INET ||
           (networks->egress.is_there && !networks->firewall.lacks_bridge_tracking);
}

static struct limits_table *table_of(struct networks *networks, enum nft_family family)
{
    return family == NFT_INET ? &networks->limits.inet : &networks->limits.bridge;
}

bool limits_are_written(const struct networks *networks)
{
    return networks->limits.inet.is_written &&
           (networks->limits.bridge.is_written || !is_wanted(networks, NFT_BRIDGE));
}

static void write_table(struct networks *networks, struct nft_transaction *transaction,
                        enum nft_family family)
{
    uint32_t owner;

    if (nft_table_look_up(&networks->nft, family, LIMITS_TABLE, &owner) == 0)
        limits_remove(transaction, family);
    limits_write(transaction, family, networks->default_connections);
    for (const struct membership *one = networks->members; one != NULL; one = one->next) {
        for (size_t i = 0; i < one->definition->endpoints.count; i++)
            change_device(transaction, family, one, &one->leases[i], false);
    }
}

void limits_add_rules(struct networks *networks, struct nft_transaction *transaction)
{
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        struct limits_table *table = table_of(networks, families[i]);

        table->is_being_written = !table->is_written && is_wanted(networks, families[i]);
        if (table->is_being_written)
            write_table(networks, transaction, families[i]);
    }
}

/* What has failed has changed nothing. */
void limits_end_writing(struct networks *networks, bool has_worked)
{
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        struct limits_table *table = table_of(networks, families[i]);

        table->is_written = table->is_written || (table->is_being_written && has_worked);
        table->is_being_written = false;
    }
}

void limits_distrust(struct networks *networks)
{
    networks->limits = (struct limits_state){0};
}

void limits_change(struct nft_transaction *transaction, const struct membership *member,
                   const struct network_lease *lease, bool is_removed)
{
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        if (table_of(member->networks, families[i])->is_written)
            change_device(transaction, families[i], member, lease, is_removed);
    }
}
