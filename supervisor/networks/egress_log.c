/* What containers were refused: see egress.h. */
#include "egress.h"

#include "base/cleanup.h"

void egress_note_refusal(struct networks *networks, const struct resolver_refusal *refusal)
{
    struct membership *member = membership_find(networks, refusal->id);

    if (member == NULL)
        return;
    member->refused_names = refusal->count;
    if (refusal->name != NULL)
        member->owner->publish(
            member, "egress_refused",
            &(struct string_map){(struct string_pair[]){{"query", refusal->name}}, 1});
}

void egress_note_stray(struct membership *member, const char *name, const char *address)
{
    cleanup_free char *rule = memory_printf("%s@%s", name, address);

    member->owner->publish(
        member, "egress_refused",
        &(struct string_map){
            (struct string_pair[]){{"query", name}, {"answer", address}, {"needs", rule}}, 3});
}
