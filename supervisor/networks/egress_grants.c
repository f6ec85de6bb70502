/* Addresses of names that containers may reach: see egress.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "egress.h"
#include "egress_learnt.h"
#include "network/host_addresses.h"

/* An answer is used a little longer than it says, by programs that have it already. */
#define GRANT_SHORTEST_S 5
#define GRANT_GRACE_S 30
#define LEARNT_MAX 1024
#define LEARNT_TOTAL_MAX 32768

/* How long its addresses may be reached. */
static uint64_t granted_s(const struct resolver_grant *grant)
{
    uint64_t ttl_s = grant->ttl_s < GRANT_SHORTEST_S ? GRANT_SHORTEST_S : grant->ttl_s;

    return (ttl_s > EGRESS_TTL_MAX_S ? EGRESS_TTL_MAX_S : ttl_s) + GRANT_GRACE_S;
}

static const char *rule_for_address(struct arena *arena, const struct egress_rule *rule,
                                    const struct address *address)
{
    char text[ADDRESS_TEXT_SIZE];

    address_format(address, text);
    if (rule->protocol == NULL)
        return arena_strdup(arena, text);
    if (rule->first_port == 0)
        return arena_printf(arena, "%s/%s", text, rule->protocol);
    return arena_printf(arena, "[%s]:%u-%u/%s", text, rule->first_port, rule->last_port,
                        rule->protocol);
}

void egress_list_addresses(struct arena *arena, const struct membership *member,
                           struct string_list *list)
{
    const struct docker_egress *egress = member->definition->host_config.egress;
    const struct egress_learnt *learnt = member->learnt;
    struct egress_rule *rules = NULL;

    if (egress == NULL || egress_parse(arena, egress, &rules, NULL) < 0)
        return;
    for (size_t i = 0; i < egress->allow.count; i++) {
        if (rules[i].name[0] == '\0')
            string_list_append(arena, list, egress->allow.items[i]);
    }
    for (size_t i = 0; learnt != NULL && i < learnt->count; i++)
        string_list_append(
            arena, list,
            rule_for_address(arena, &rules[learnt->items[i].rule], &learnt->items[i].address));
}

/* What has ended the kernel has forgotten. */
static void forget_ended(struct networks *networks, struct egress_learnt *learnt, uint64_t now_us)
{
    size_t kept = 0;

    for (size_t i = 0; i < learnt->count; i++) {
        if (learnt->items[i].ends_us > now_us)
            learnt->items[kept++] = learnt->items[i];
    }
    networks->egress.learnt_count -= learnt->count - kept;
    learnt->count = kept;
}

static struct learnt_address *find_oldest(struct egress_learnt *learnt)
{
    struct learnt_address *oldest = NULL;

    for (size_t i = 0; i < learnt->count; i++) {
        if (oldest == NULL || learnt->items[i].ends_us < oldest->ends_us)
            oldest = &learnt->items[i];
    }
    return oldest;
}

static struct learnt_address *add_learnt(struct egress_learnt *learnt)
{
    if (learnt->count == learnt->room) {
        learnt->room = learnt->room > 0 ? 2 * learnt->room : 8;
        learnt->items = memory_resize(learnt->items, learnt->room, sizeof(*learnt->items));
    }
    return &learnt->items[learnt->count++];
}

/* Takes the address out of the tables of both families. It may have ended. */
static void withdraw(const struct membership *member, const struct learnt_address *learnt)
{
    cleanup_nft_transaction struct nft_transaction transaction = {0};

    egress_change_address(&transaction, member->definition->id, learnt->rule, &learnt->address, 0,
                          true);
    nft_transaction_run(&member->networks->nft, &transaction, NULL);
}

/* Room for one address more: an old one's, if there are too many. */
static struct learnt_address *make_room(struct membership *member, uint64_t now_us,
                                        struct error *err)
{
    struct networks *networks = member->networks;
    struct learnt_address *oldest;

    if (member->learnt == NULL)
        member->learnt = memory_new_one(struct egress_learnt);
    if (member->learnt->count == LEARNT_MAX || networks->egress.learnt_count >= LEARNT_TOTAL_MAX)
        forget_ended(networks, member->learnt, now_us);
    if (member->learnt->count < LEARNT_MAX && networks->egress.learnt_count < LEARNT_TOTAL_MAX) {
        networks->egress.learnt_count++;
        return add_learnt(member->learnt);
    }
    oldest = find_oldest(member->learnt);
    if (oldest == NULL)
        error_set(err, ERROR_BUSY, ENOSPC, "all containers know %d addresses, and no more",
                  LEARNT_TOTAL_MAX);
    else
        withdraw(member, oldest);
    return oldest;
}

/* In the tables of both families (inet and bridge). */
static int let_through(const struct membership *member, size_t rule, const struct address *address,
                       uint64_t timeout_ms, bool is_known, struct error *err)
{
    cleanup_nft_transaction struct nft_transaction transaction = {0};

    if (is_known)
        egress_change_address(&transaction, member->definition->id, rule, address, 0, true);
    egress_change_address(&transaction, member->definition->id, rule, address, timeout_ms, false);
    return nft_transaction_run(&member->networks->nft, &transaction, err);
}

/* Adds the address, or gives it its new time. */
static int grant_address(struct membership *member, size_t rule, const struct address *address,
                         uint64_t ttl_s, struct error *err)
{
    uint64_t now_us = clock_monotonic_us();
    struct learnt_address *learnt =
        member->learnt != NULL ? egress_find_learnt(member->learnt, rule, address) : NULL;
    int result;

    if (learnt == NULL)
        learnt = make_room(member, now_us, err);
    if (learnt == NULL)
        return -ENOSPC;
    *learnt = (struct learnt_address){now_us + ttl_s * 1000000, *address, (uint32_t)rule};
    result = let_through(member, rule, address, ttl_s * 1000, false, err);
    if (result != -EEXIST)
        return result;
    *err = (struct error){0};
    return let_through(member, rule, address, ttl_s * 1000, true, err);
}

/* Whether it is one of the host's, or of a container's. */
static bool is_ours(const struct networks *networks, const struct address *address)
{
    for (const struct network *one = networks->list; one != NULL; one = one->next) {
        const struct network_addresses *addresses = network_addresses(one, address->family);

        if (addresses->subnet.address.family != 0 && subnet_contains(&addresses->subnet, address))
            return true;
    }
    return host_has_address(address);
}

bool egress_is_outside(const struct networks *networks, const struct address *address)
{
    return address_is_public(address) && !is_ours(networks, address);
}

static bool is_allowed(const struct networks *networks, const struct egress_rule *rule,
                       const struct address *address)
{
    return egress_rule_takes(rule, address) &&
           (rule->within.address.family != 0 || !is_ours(networks, address));
}

uint64_t egress_end_of_answer(const struct resolver_grant *grant)
{
    return clock_monotonic_us() + granted_s(grant) * 1000000;
}

void egress_learn_answer(struct membership *member, const char *name, const struct address *address,
                         bool is_member, uint64_t ends_us)
{
    cleanup_arena struct arena arena = {0};
    const struct docker_egress *egress = member->definition->host_config.egress;
    struct egress_rule *rules = NULL;
    struct error err = {0};

    if (egress == NULL || egress_parse(&arena, egress, &rules, NULL) < 0)
        return;
    for (size_t i = 0; i < egress->allow.count; i++) {
        struct learnt_address *learnt;

        if (!egress_rule_matches(&rules[i], name) ||
            (!is_member && !is_allowed(member->networks, &rules[i], address)) ||
            (member->learnt != NULL && egress_find_learnt(member->learnt, i, address) != NULL))
            continue;
        learnt = make_room(member, clock_monotonic_us(), &err);
        if (learnt == NULL)
            return;
        *learnt = (struct learnt_address){ends_us, *address, (uint32_t)i};
        member->has_moved_learnt = true;
    }
}

static void grant_by_rule(struct membership *member, const struct resolver_grant *grant,
                          const struct egress_rule *rule, size_t index, uint64_t ttl_s,
                          struct error *err)
{
    const char *stray = NULL;

    for (size_t i = 0; i < grant->addresses.count; i++) {
        struct address address;

        if (address_parse(grant->addresses.items[i], &address) < 0)
            continue;
        if (!grant->is_member && !is_allowed(member->networks, rule, &address))
            stray = grant->addresses.items[i];
        else if (grant_address(member, index, &address, ttl_s, err) < 0)
            return;
    }
    if (stray != NULL && !egress_learns(member))
        egress_note_stray(member, grant->name, stray);
}

static void grant_addresses(struct membership *member, const struct resolver_grant *grant,
                            struct error *err)
{
    cleanup_arena struct arena arena = {0};
    const struct docker_egress *egress = member->definition->host_config.egress;
    struct egress_rule *rules = NULL;
    if (egress == NULL || egress_parse(&arena, egress, &rules, err) < 0)
        return;
    for (size_t i = 0; i < egress->allow.count && err->errnum == 0; i++) {
        if (egress_rule_matches(&rules[i], grant->name))
            grant_by_rule(member, grant, &rules[i], i, granted_s(grant), err);
    }
}

bool egress_grant(struct networks *networks, const struct resolver_grant *grant)
{
    struct membership *member = grant->id != NULL ? membership_find(networks, grant->id) : NULL;
    struct error err = {0};

    if (grant->name == NULL || member == NULL)
        return false;
    grant_addresses(member, grant, &err);
    if (err.errnum != 0)
        log_warning("container %s: egress to %.64s: %s", member->definition->name, grant->name,
                    err.message);
    return err.errnum == 0;
}
