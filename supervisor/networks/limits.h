/* Limits of containers' devices in bridges (network/limits.h), as the kernel has them. */
#ifndef DAVIT_SUPERVISOR_NETWORKS_LIMITS_H
#define DAVIT_SUPERVISOR_NETWORKS_LIMITS_H

#include "membership.h"
#include "network/limits.h"

/* What the container asks for, or davitd's own. */
struct network_limits limits_of(const struct membership *member);

/* Whether the kernel's tables are as they have to be, but for what limits_change() changes. */
bool limits_are_written(const struct networks *networks);

/* Unless they are: adds the tables to the transaction, with all devices that there are. */
void limits_add_rules(struct networks *networks, struct nft_transaction *transaction);

/* Whether the kernel has taken what was added. */
void limits_end_writing(struct networks *networks, bool has_worked);

/* The kernel may have others: all are written anew. */
void limits_distrust(struct networks *networks);

/* Adds a device, or removes it, where the tables are written. */
void limits_change(struct nft_transaction *transaction, const struct membership *member,
                   const struct network_lease *lease, bool is_removed);

#endif
