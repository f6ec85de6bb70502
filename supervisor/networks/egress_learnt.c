/* Addresses that were learnt: see egress_learnt.h. */
#include "egress_learnt.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"

void egress_forget_learnt(struct membership *member)
{
    if (member->learnt == NULL)
        return;
    member->networks->egress.learnt_count -= member->learnt->count;
    free(member->learnt->items);
    free(take_pointer(&member->learnt));
}

struct learnt_address *egress_find_learnt(struct egress_learnt *learnt, size_t rule,
                                          const struct address *address)
{
    for (size_t i = 0; i < learnt->count; i++) {
        struct learnt_address *one = &learnt->items[i];

        if (one->rule == rule && address_equals(&one->address, address))
            return one;
    }
    return NULL;
}

/* The number that the rule has now; `count` of them: none. */
static size_t find_rule(const struct string_list *rules, const char *text)
{
    size_t index = 0;

    while (index < rules->count && strcmp(rules->items[index], text) != 0)
        index++;
    return index;
}

void egress_keep_learnt(struct membership *member, const struct string_list *former)
{
    const struct docker_egress *egress = member->definition->host_config.egress;
    struct egress_learnt *learnt = member->learnt;
    size_t count;

    if (learnt == NULL || egress == NULL) {
        egress_forget_learnt(member);
        return;
    }
    count = learnt->count;
    learnt->count = 0;
    for (size_t i = 0; i < count; i++) {
        struct learnt_address one = learnt->items[i];

        one.rule =
            (uint32_t)(one.rule < former->count ? find_rule(&egress->allow, former->items[one.rule])
                                                : egress->allow.count);
        if (one.rule < egress->allow.count &&
            egress_find_learnt(learnt, one.rule, &one.address) == NULL)
            learnt->items[learnt->count++] = one;
    }
    member->networks->egress.learnt_count -= count - learnt->count;
    member->has_moved_learnt = true;
}

void egress_describe_learnt(struct arena *arena, const struct membership *member,
                            struct egress_container *said)
{
    const struct egress_learnt *learnt = member->learnt;
    uint64_t now_us = clock_monotonic_us();
    struct egress_address *addresses;

    if (learnt == NULL)
        return;
    addresses = arena_new(arena, learnt->count, sizeof(*addresses));
    for (size_t i = 0; i < learnt->count; i++) {
        const struct learnt_address *one = &learnt->items[i];

        if (one->ends_us > now_us + 1000)
            addresses[said->learnt_count++] =
                (struct egress_address){one->rule, one->address, (one->ends_us - now_us) / 1000};
    }
    said->learnt = addresses;
}
