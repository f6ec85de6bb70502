/* The host answers for members of groups: see groups.h. */
#include "base/cleanup.h"
#include "base/log.h"
#include "groups.h"
#include "membership.h"
#include "network/links.h"

void group_proxy_add(struct netlink_batch *batch, const struct netlink *netlink,
                     const struct network *network, const struct network_lease *lease)
{
    if (network_has_groups(network) && lease->address6.family != 0)
        link_add_proxy(batch, link_index(netlink, network->device), &lease->address6);
}

void group_proxy_remove(const struct network_lease *lease)
{
    cleanup_free struct netlink_batch *batch = NULL;
    struct netlink netlink;

    if (lease->network == NULL || !network_has_groups(lease->network) ||
        lease->address6.family == 0 || netlink_open(&netlink, NULL) < 0)
        return;
    batch = memory_new_one(struct netlink_batch);
    link_delete_proxy(batch, link_index(&netlink, lease->network->device), &lease->address6);
    /* It may have gone with the bridge. */
    netlink_run(&netlink, batch, NULL);
    netlink_close(&netlink);
}

void group_proxies_restore(const struct networks *networks, struct netlink *netlink,
                           const struct network *network)
{
    cleanup_free struct netlink_batch *batch = memory_new_one(struct netlink_batch);
    struct error err = {0};

    if (!network_has_groups(network))
        return;
    for (const struct membership *one = networks->members; one != NULL; one = one->next) {
        for (size_t i = 0; i < ENDPOINTS_MAX; i++) {
            if (one->leases[i].network != network)
                continue;
            group_proxy_add(batch, netlink, network, &one->leases[i]);
            if (netlink_run(netlink, batch, &err) < 0)
                log_warning("network %s: %s", network->name, err.message);
        }
    }
}
