/* Who is on networks, and what can be asked of a member: see membership.h. */
#include "membership.h"

#include <string.h>
#include <sys/socket.h>

#include "network/links.h"

#define SHORT_ID_LENGTH 12

void membership_link(struct membership *member)
{
    struct networks *networks = member->networks;

    member->next = networks->members;
    networks->members = member;
    networks->member_count++;
}

void membership_unlink(struct membership *member)
{
    struct membership **link = &member->networks->members;

    while (*link != member)
        link = &(*link)->next;
    *link = member->next;
    member->networks->member_count--;
}

struct membership *membership_find(const struct networks *networks, const char *id)
{
    size_t length = strlen(id);
    struct membership *member = networks->members;

    while (member != NULL &&
           (length < SHORT_ID_LENGTH || strncmp(member->definition->id, id, length) != 0))
        member = member->next;
    return member;
}

struct network *membership_network(const struct membership *member, size_t index)
{
    return network_by_id(member->networks, member->definition->endpoints.items[index].network_id);
}

size_t membership_find_endpoint(const struct membership *member, const struct network *network)
{
    return definition_find_endpoint(member->definition, network->id);
}

bool network_is_used(const struct networks *networks, const struct network *network)
{
    for (const struct membership *one = networks->members; one != NULL; one = one->next) {
        if (membership_find_endpoint(one, network) < one->definition->endpoints.count)
            return true;
    }
    return false;
}

bool membership_is_own(const struct membership *member)
{
    return member->definition->endpoints.count > 0 ||
           strcmp(definition_network_mode(member->definition), "none") == 0;
}

const struct address *membership_address(const struct membership *member, int family)
{
    const struct address *found = NULL;

    for (size_t i = 0; i < member->definition->endpoints.count; i++) {
        const struct network *network = membership_network(member, i);
        const struct network_lease *lease = &member->leases[i];
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

bool membership_is_attached(const struct membership *member)
{
    for (size_t i = 0; i < member->definition->endpoints.count; i++) {
        if (member->leases[i].address.family != 0)
            return true;
    }
    return false;
}

bool membership_leads_out(const struct membership *member)
{
    for (size_t i = 0; i < member->definition->endpoints.count; i++) {
        const struct network *network = membership_network(member, i);

        if (member->leases[i].address.family != 0 && network != NULL &&
            (network_leads_out(network, AF_INET) || network_leads_out(network, AF_INET6)))
            return true;
    }
    return false;
}

unsigned int lease_prefix(const struct network_lease *lease, const struct network *network,
                          int family)
{
    if (lease->by_plugin != NULL)
        return family == AF_INET6 ? lease->by_plugin->prefix6 : lease->by_plugin->prefix;
    return network_addresses(network, family)->subnet.prefix;
}

bool lease_is_on_bridge(const struct network_lease *held)
{
    return held->address.family != 0 && held->network != NULL &&
           held->network->driver == NETWORK_DRIVER_BRIDGE;
}

void lease_list_addresses(const struct network_lease *held,
                          struct address addresses[LEASE_ADDRESSES])
{
    addresses[0] = held->address;
    addresses[1] = held->address6;
    addresses[2] = (struct address){0};
    if (held->address6.family == 0)
        return;
    addresses[2] = address_link_local(held->mac);
}
