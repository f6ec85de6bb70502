/*
 * What containers may reach, by subnet, port and name (network/egress.h). A container with rules
 * reaches nothing else: packets are refused, counted, and told of as events, and names that no rule
 * is for are not asked for. The addresses of a name may be reached as long as the answer that gave
 * them is valid; the resolver waits with the answer until the kernel knows.
 */
#ifndef DAVIT_SUPERVISOR_NETWORKS_EGRESS_H
#define DAVIT_SUPERVISOR_NETWORKS_EGRESS_H

#include "network/egress.h"
#include "network/resolver_channel.h"
#include "supervisor/containers/container.h"

/* Refuses rules that are none, and networks where they cannot be kept. */
int container_egress_check(const struct managed_container *container, struct error *err);

/* Other rules for a container, running or not; NULL: none, it may reach everything. They are in
 * force soon after. */
int container_egress_set(struct managed_container *container, const struct docker_egress *egress,
                         struct error *err);

/* It has ended: nothing of it stays in the kernel. */
void container_egress_release(struct managed_container *container);

/* Its names, for the resolver. */
void container_egress_names(struct arena *arena, const struct managed_container *container,
                            struct resolver_container *said);

/* The resolver has found addresses for a name that a container has asked for. */
void egress_grant(struct daemon *daemon, const struct resolver_grant *grant);

/* It has not looked for names that a container may not know. */
void egress_note_refusal(struct daemon *daemon, const struct resolver_refusal *refusal);

/* Adds to the firewall's script what has to be done; after it was run: that it is done. */
void egress_add_to_script(struct daemon *daemon, struct arena *arena, struct buffer *script);
void egress_is_written(struct daemon *daemon);

/* Once there are rules: listens for what they refuse. */
void egress_open_log(struct daemon *daemon);

/* The rules, and what they refused. */
void container_egress_write(struct json_writer *writer, const struct managed_container *container);

#endif
