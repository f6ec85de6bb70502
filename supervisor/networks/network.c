/* What can be asked of a network: see networks.h. */
#include <errno.h>
#include <string.h>

#include "base/actor.h"
#include "networks.h"

/* The drivers' names, also on disk. A network that an early davit wrote names none: it is a
 * bridge. */
const char *const network_driver_names[] = {NULL, "bridge", "macvlan", "ipvlan", "cni", NULL};

struct network *network_by_id(const struct networks *networks, const char *id)
{
    struct network *one = networks->list;

    while (one != NULL && strcmp(one->id, id) != 0)
        one = one->next;
    return one;
}

bool network_is_visible(const struct network *network, const char *tenant)
{
    return tenant_is(network->tenant, tenant) ||
           (tenant_is(network->tenant, "") && strcmp(network->name, NETWORK_DEFAULT) == 0);
}

struct network *network_look_up(const struct networks *networks, const char *tenant,
                                const char *name)
{
    size_t length = strlen(name);
    struct network *found = NULL;

    for (struct network *one = networks->list; one != NULL; one = one->next) {
        if ((strcmp(one->name, name) == 0 || strcmp(one->id, name) == 0) &&
            network_is_visible(one, tenant))
            return one;
    }
    for (struct network *one = networks->list; one != NULL && length >= 4; one = one->next) {
        if (strncmp(one->id, name, length) != 0 || !network_is_visible(one, tenant))
            continue;
        if (found != NULL)
            return NULL;
        found = one;
    }
    return found;
}

int network_find(const struct networks *networks, const char *tenant, const char *name,
                 struct network **network, struct error *err)
{
    *network = network_look_up(networks, tenant, name);
    if (*network != NULL)
        return 0;
    return error_set(err, ERROR_NOT_FOUND, ENOENT, "network %.128s not found", name);
}

bool network_leads_out(const struct network *network, int family)
{
    if (network->driver == NETWORK_DRIVER_CNI)
        return true;
    return !network->is_internal && network_addresses(network, family)->subnet_text != NULL &&
           (network->driver == NETWORK_DRIVER_BRIDGE || network->parent[0] != '\0');
}

const char *network_driver_name(const struct network *network)
{
    return network_driver_names[network->driver];
}
