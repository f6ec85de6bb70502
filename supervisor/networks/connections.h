/*
 * Connections end with what made them. A container's address is nobody's until what was connected
 * to it and by it has ended; after a change of egress rules what these refuse ends. A process of
 * its own does that (network/conntrack_job.h), for all that is due at once.
 */
#ifndef DAVIT_SUPERVISOR_NETWORKS_CONNECTIONS_H
#define DAVIT_SUPERVISOR_NETWORKS_CONNECTIONS_H

#include "membership.h"

/* The member has the lease's addresses no more: its rules, ports and device are gone. */
void connections_end(const struct membership *member, const struct network_lease *lease);

/* Other egress rules than before are to be in force, as soon as the firewall is written. */
void connections_revise(struct membership *member);

/* The member has its published ports: who was sending to them is led to it. */
void connections_publish(struct membership *member);

/* At start: what has ended while there was no davitd. */
void connections_sweep(struct networks *networks);

/* Whether another container had the address and connections of that time may be left. */
bool connections_occupy(const struct membership *member, const struct address *address);

/* Calls `mark` for each such address. */
void connections_each_occupied(const struct membership *member,
                               void (*mark)(void *context, const struct address *address),
                               void *context);

/* The member may have addresses again that were its own: what was connected to them may go on. */
void connections_keep(const struct membership *member);

/* Whether connections of others may be left at any of its addresses. */
bool connections_are_left(const struct membership *member);

/* Ends the completion when all that has to end by now has ended, or cannot be. False: nothing has
 * to, and nobody calls the completion. */
bool connections_await(struct networks *networks, struct completion *completion);

/* The firewall is what davitd knows: begins what is due. Or it could not be written. */
void connections_begin(struct networks *networks);
void connections_fail(struct networks *networks, const struct error *err);

#endif
