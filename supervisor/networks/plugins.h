/*
 * Networks whose devices are made by plugins, driver "cni": an administrator's configuration list
 * says which (Container Network Interface). davit-cni runs them, beside davitd's other work, when a
 * container has its first process and again when it has ended. See docs/decisions/cni.md.
 */
#ifndef DAVIT_SUPERVISOR_NETWORKS_PLUGINS_H
#define DAVIT_SUPERVISOR_NETWORKS_PLUGINS_H

#include "membership.h"
#include "networks.h"

/* A new network: finds and checks its configuration list. */
int plugins_take(struct network *network, const struct network_order *order, struct error *err);

/* An address that a container wants there: one of IPv4, whose plugins will say whether it can be.
 */
int plugins_check_address(const char *text, const struct network *network, struct error *err);

/* Whether plugins publish the container's ports, because it is on no bridge that could. */
bool plugins_publish(const struct membership *member);

/* Ends when the devices of all its networks of plugins are there, or could not be made; at
 * once if it has none. The namespace's descriptor is the caller's, and stays open until then. */
void plugins_attach(struct membership *member, int netns_fd, struct completion *completion);

/* It has ended, or did not start: they take back what they made. */
void plugins_release(struct membership *member);

/* At davitd's start, before it is known whether the container runs: whether plugins have anything
 * to take back. */
void plugins_recover(struct membership *member);

/* What is kept of a lease, and the lease of that. */
struct plugin_record {
    uint32_t prefix;
    uint32_t prefix6;
    const char *gateway;
    const char *gateway6;
    const char *mac;
};
extern const struct json_struct plugin_record_type;
struct plugin_record *plugins_record(struct arena *arena, const struct plugin_lease *lease);
struct plugin_lease *plugins_restore(const struct plugin_record *record);

#endif
