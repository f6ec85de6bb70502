/* Addresses of names that containers may reach: see egress.h. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "egress.h"

/* An answer is used a little longer than it says, by programs that have it already. */
#define GRANT_SHORTEST_S 5
#define GRANT_LONGEST_S 86400
#define GRANT_GRACE_S 30

/* Adds the address, or gives it its new time, in the table of both families (inet and bridge). */
static int grant_address(struct nft_channel *nft, const char *id, size_t rule,
                         const struct address *address, uint64_t timeout_ms, struct error *err)
{
    char set[2][EGRESS_IDENTIFIER_SIZE];
    struct nft_element elements[4];
    int result;

    egress_element(id, rule, address, timeout_ms, false, elements, set);
    result = nft_elements_change(nft, elements, 2, err);
    if (result != -EEXIST)
        return result;
    memcpy(elements + 2, elements, 2 * sizeof(*elements));
    elements[0].is_removed = elements[1].is_removed = true;
    *err = (struct error){0};
    return nft_elements_change(nft, elements, 4, err);
}

static void grant_addresses(const struct membership *member, const struct resolver_grant *grant,
                            struct error *err)
{
    cleanup_arena struct arena arena = {0};
    const struct docker_egress *egress = member->definition->host_config.egress;
    struct egress_rule *rules = NULL;
    uint64_t ttl_s = grant->ttl_s < GRANT_SHORTEST_S ? GRANT_SHORTEST_S : grant->ttl_s;

    if (ttl_s > GRANT_LONGEST_S)
        ttl_s = GRANT_LONGEST_S;
    if (egress == NULL || egress_parse(&arena, egress, &rules, err) < 0)
        return;
    for (size_t i = 0; i < egress->allow.count; i++) {
        if (!egress_rule_matches(&rules[i], grant->name))
            continue;
        for (size_t j = 0; j < grant->addresses.count; j++) {
            struct address address;

            if (address_parse(grant->addresses.items[j], &address) == 0 &&
                grant_address(&member->networks->nft, member->definition->id, i, &address,
                              (ttl_s + GRANT_GRACE_S) * 1000, err) < 0)
                return;
        }
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
