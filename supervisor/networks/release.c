/* What a container had of networks is free again: see membership.h. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "connections.h"
#include "egress.h"
#include "groups.h"
#include "membership.h"
#include "names.h"
#include "network/firewall.h"
#include "plugins.h"

/* The lock of a davitd that was killed may outlive it by so much. */
#define PREDECESSOR_MS 2000
#define PREDECESSOR_IDLE_MS 100 /* where only leftovers are at stake */

static bool is_in_namespace(const struct membership *one, const struct membership *owner)
{
    const char *joined = mode_container(one->definition->host_config.network_mode);

    return (one->phase == MEMBER_RUNNING || one->phase == MEMBER_STARTING) && joined != NULL &&
           strcmp(joined, owner->definition->id) == 0;
}

/* A container that runs in the network namespace of `owner`; NULL: there is none but `except`. */
static struct membership *find_joiner(const struct membership *owner,
                                      const struct membership *except)
{
    for (struct membership *one = owner->networks->members; one != NULL; one = one->next) {
        if (one != except && is_in_namespace(one, owner))
            return one;
    }
    return NULL;
}

/* The devices go with the namespace. */
static void release_now(struct membership *member)
{
    member->keeps_network = false;
    /* Ports go first, while it is known where they lead. */
    firewall_change_ports(member, true);
    egress_release(member);
    plugins_release(member);
    for (size_t i = 0; i < ENDPOINTS_MAX; i++) {
        firewall_change_device_of(member, &member->leases[i], true, NULL);
        connections_end(member, &member->leases[i]);
        group_proxy_remove(&member->leases[i]);
        free(member->leases[i].by_plugin);
    }
    memset(member->leases, 0, sizeof(member->leases));
    member->prepared_netns = 0;
    names_detach(member);
    ports_release(member);
}

/* The last container in another's network namespace releases what that other one has kept. */
static void leave_namespace(const struct membership *member)
{
    const char *joined = mode_container(member->definition->host_config.network_mode);
    struct membership *owner = joined != NULL ? membership_find(member->networks, joined) : NULL;

    /* Until all are known, others may be in there. */
    if (owner != NULL && !member->networks->is_recovering && owner->keeps_network &&
        owner->phase != MEMBER_RUNNING && owner->phase != MEMBER_STARTING &&
        find_joiner(owner, member) == NULL) {
        release_now(owner);
        owner->owner->save(owner);
    }
}

void membership_forget(struct membership *member)
{
    leave_namespace(member);
    release_now(member);
}

void membership_end(struct membership *member)
{
    member->phase = MEMBER_ENDED;
    member->pid = 0;
    leave_namespace(member);
    member->keeps_network = member->networks->is_recovering || find_joiner(member, member) != NULL;
    if (!member->keeps_network)
        release_now(member);
}

void membership_cut(struct membership *member)
{
    const struct membership *joiner = find_joiner(member, member);
    cleanup_close int netns_fd = -1;
    struct error err = {0};

    if (!member->keeps_network)
        return;
    if (joiner != NULL)
        netns_fd = joiner->owner->open_namespace(joiner, &err);
    for (size_t i = 0; netns_fd >= 0 && i < member->definition->endpoints.count; i++) {
        if (member->leases[i].address.family != 0 && lease_remove(member, i, netns_fd, &err) < 0)
            log_error("container %s: take its former namespace off the network: %s",
                      member->definition->name, err.message);
    }
    release_now(member);
}

/* Writes the kernel's rules anew: they may have changed without a davitd, and may be of containers
 * that are gone. */
static void repair_firewall(struct networks *networks)
{
    struct error err = {0};
    bool has_work = false;
    uint32_t owner;

    for (const struct membership *one = networks->members; one != NULL; one = one->next)
        has_work = has_work || membership_is_attached(one);
    if (!has_work && nft_table_look_up(&networks->nft, NFT_INET, FIREWALL_TABLE, &owner) < 0)
        return;
    if (networks_claim(networks, has_work ? PREDECESSOR_MS : PREDECESSOR_IDLE_MS, &err) == 0) {
        firewall_change(networks);
        networks_watch(networks);
    } else if (has_work) {
        log_error("%s", err.message);
    }
}

void networks_recovered(struct networks *networks)
{
    networks->is_recovering = false;
    for (struct membership *one = networks->members; one != NULL; one = one->next) {
        bool has_any = membership_is_attached(one) || one->ports.count > 0;

        if (!one->keeps_network || find_joiner(one, one) != NULL)
            continue;
        release_now(one);
        if (has_any)
            one->owner->save(one);
    }
    connections_sweep(networks);
    repair_firewall(networks);
}
