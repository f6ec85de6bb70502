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

/* Whether published ports are theirs, since no bridge of the container has any. */
bool plugins_publish(const struct membership *member);

/* Ends when the devices of all its networks of plugins are there, or could not be made; at
 * once if it has none. The namespace's descriptor is the caller's, and stays open until then. */
void plugins_attach(struct membership *member, int netns_fd, struct completion *completion);

/* It has ended, or did not start: they take back what they made. */
void plugins_release(struct membership *member);

/* At davitd's start, before it is known whether the container runs: whether plugins have anything
 * to take back. */
void plugins_recover(struct membership *member);

/* In a container's state: a member of its lease. */
void plugins_encode(struct json_writer *writer, const struct plugin_lease *lease);
struct plugin_lease *plugins_decode(const struct json *value);

#endif
