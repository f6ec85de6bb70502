/*
 * Groups of a network's members, with rules about who reaches them there: option
 * io.davit.network.group.NAME of a network, io.davit.network.groups of a container on it. Members
 * of a network with groups reach each other by these rules alone, and through the host, where the
 * kernel tracks connections: their bridge passes nothing from port to port.
 */
#ifndef DAVIT_SUPERVISOR_NETWORKS_GROUPS_H
#define DAVIT_SUPERVISOR_NETWORKS_GROUPS_H

#include "network/netlink.h"
#include "networks.h"
#include "supervisor/definition/definition.h"

/* Of a network, with the group's name behind: "FROM[:PORT][/PROTOCOL],...". */
#define GROUP_OPTION "io.davit.network.group."
/* Of a container's endpoint: names with commas between them. */
#define GROUPS_OPTION "io.davit.network.groups"
#define GROUPS_MAX 64       /* of a network */
#define GROUP_RULES_MAX 256 /* of all groups of a network */

/* Reads the groups from the network's options. */
int network_groups_read(struct network *network, struct error *err);

bool network_has_groups(const struct network *network);

/* Whether its bridge passes nothing from one member to another. */
bool network_keeps_apart(const struct network *network);

/* Takes the groups that the endpoint's options name. Refuses other options, and groups that the
 * network does not have. */
int endpoint_take_groups(struct arena *arena, const struct network *network,
                         struct endpoint *endpoint, struct error *err);

/* Members ask for each other's addresses of IPv6, and the host answers: for a device that is being
 * made; no more; and again for all, whose bridge has lost that. */
void group_proxy_add(struct netlink_batch *batch, const struct netlink *netlink,
                     const struct network *network, const struct network_lease *lease);
void group_proxy_remove(const struct network_lease *lease);
void group_proxies_restore(const struct networks *networks, struct netlink *netlink,
                           const struct network *network);

#endif
