/* The addresses that answers have led a container to (egress_grants.c), as long as its rules last.
 */
#ifndef DAVIT_SUPERVISOR_NETWORKS_EGRESS_LEARNT_H
#define DAVIT_SUPERVISOR_NETWORKS_EGRESS_LEARNT_H

#include "membership.h"
#include "network/egress.h"

struct learnt_address {
    uint64_t ends_us;
    struct address address;
    uint32_t rule;
};

struct egress_learnt {
    size_t count;
    size_t room;
    struct learnt_address *items;
};

/* The container has ended: what was learnt goes with its rules. */
void egress_forget_learnt(struct membership *member);

/* Its rules were `former`, and are written anew: what was learnt by those that are still there
 * stays. */
void egress_keep_learnt(struct membership *member, const struct string_list *former);

/* What was learnt, for those that write it anew. */
void egress_describe_learnt(struct arena *arena, const struct membership *member,
                            struct egress_container *said);

/* NULL: it is not among them. */
struct learnt_address *egress_find_learnt(struct egress_learnt *learnt, size_t rule,
                                          const struct address *address);

#endif
