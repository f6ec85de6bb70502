/*
 * What a container reaches while it learns: each address and port that no rule of its lets through,
 * as the rule that would, by name where an answer has led there. So an allowlist can be suggested.
 */
#ifndef DAVIT_SUPERVISOR_NETWORKS_EGRESS_NOTES_H
#define DAVIT_SUPERVISOR_NETWORKS_EGRESS_NOTES_H

#include "membership.h"
#include "network/packet_log.h"
#include "network/resolver_channel.h"

#define EGRESS_NOTES_MAX 256 /* of a container; what else it reaches is not noted */

/* An answer has told a container these addresses, which may be one that learns. */
void egress_note_answer(struct networks *networks, const struct resolver_grant *grant);

/* It begins to talk to somebody. */
void egress_note_packet(struct membership *member, const struct logged_packet *packet);

/* It has learnt: its new rules begin with the addresses that answers have told it. */
void egress_notes_hand_over(struct membership *member);

/* The rules, as texts, in order. They outlive the container's end and davitd's. */
void egress_notes_list(struct arena *arena, const struct membership *member,
                       struct string_list *rules);
void egress_notes_restore(struct membership *member, const struct string_list *rules);

/* It begins to learn, or is removed. */
void egress_notes_forget(struct membership *member);

#endif
