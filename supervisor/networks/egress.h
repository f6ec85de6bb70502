/*
 * What containers may reach, by subnet, port and name (network/egress.h). A container with rules
 * reaches nothing else: packets are refused, counted, and told of as events, and names that no rule
 * is for are not asked for. The addresses of a name may be reached as long as the answer that gave
 * them is valid; the resolver waits with the answer until the kernel knows.
 */
#ifndef DAVIT_SUPERVISOR_NETWORKS_EGRESS_H
#define DAVIT_SUPERVISOR_NETWORKS_EGRESS_H

#include "membership.h"
#include "network/egress.h"
#include "network/resolver_channel.h"

/* Whether it has rules and reaches all else as well, which is noted. */
bool egress_learns(const struct membership *member);

/* The container has ended: its rules leave the kernel soon after. */
void egress_release(struct membership *member);

/* The definition has other rules than before; then it had `former`, or none if not `had_rules`. The
 * old rules go with the addresses learnt by them, but for those that are among the new ones; counts
 * begin anew, the new rules are in force soon after, and then connections end that they refuse.
 * Does nothing for a container without addresses. */
void egress_replace(struct membership *member, bool had_rules, const struct string_list *former);

/* Writes the rules, and what they refused. */
void egress_write_rules(struct json_writer *writer, const struct membership *member);

/* What they say: egress_rules.c */

/* Reads rules, as many as `egress` has. */
int egress_parse(struct arena *arena, const struct docker_egress *egress,
                 struct egress_rule **rules, struct error *err);

/* Refuses rules that cannot be read, and networks where rules cannot be enforced. */
int egress_check(const struct networks *networks, const struct definition *definition,
                 struct error *err);

/* A container's names, for the resolver. */
void egress_list_names(struct arena *arena, const struct membership *member,
                       struct resolver_container *said);

/* The kernel may still know rules of that container, until the next transaction has run. */
void egress_note_ended(struct networks *networks, const char *id, size_t rule_count);

/* Whether any are needed: once a container has some, or an earlier davitd has left some. */
bool egress_is_needed(struct networks *networks);

/* Adds the egress rules to the firewall's; forgets, after these were written, the ended containers
 * that were removed with them. */
void egress_add_rules(struct networks *networks, struct arena *arena,
                      struct nft_transaction *transaction);
void egress_forget_written(struct networks *networks);

/* Addresses of names: egress_grants.c */

/* The resolver has found addresses for a name that a container has asked for: lets them through.
 * False if they cannot be: then the resolver must not answer. Of one container 1024 addresses are
 * known at once, the one that ends first goes; of all 32768. An address of the host, of a network
 * of davit's, or that is not public is not let through unless the rule says where it may lie. */
bool egress_grant(struct networks *networks, const struct resolver_grant *grant);

/* Whether a rule by name alone lets the address through: it is public, and neither the host's nor
 * of a network of davit's. */
bool egress_is_outside(const struct networks *networks, const struct address *address);

/* When an answer ends, as rules take it; and makes it one that was learnt by the rules that take
 * it, before they are written. */
uint64_t egress_end_of_answer(const struct resolver_grant *grant);
void egress_learn_answer(struct membership *member, const char *name, const struct address *address,
                         bool is_member, uint64_t ends_us);

/* What the rules let through, as rules without names, with the addresses that were learnt. */
void egress_list_addresses(struct arena *arena, const struct membership *member,
                           struct string_list *rules);

/* What was refused: egress_log.c */

/* Notes that the resolver has refused a container names that its rules do not allow. */
void egress_note_refusal(struct networks *networks, const struct resolver_refusal *refusal);

/* Notes that a name was answered with an address that its rule does not let through. */
void egress_note_stray(struct membership *member, const char *name, const char *address);

#endif
