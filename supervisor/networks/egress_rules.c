/* The rules of what containers may reach: see egress.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "egress.h"
#include "egress_learnt.h"
#include "network/links.h"

/* A container without rules any more, of which the kernel may have some until the next script. */
struct egress_ended {
    struct egress_ended *next;
    char id[IDENTIFIER_SIZE];
    size_t rule_count;
    bool is_being_written;
};

bool egress_learns(const struct membership *member)
{
    const struct docker_egress *egress = member->definition->host_config.egress;

    return egress != NULL && egress->learns;
}

int egress_parse(struct arena *arena, const struct docker_egress *egress,
                 struct egress_rule **rules, struct error *err)
{
    if (egress->allow.count > EGRESS_RULES_MAX)
        return error_set(err, ERROR_INVALID, E2BIG, "HostConfig.Egress: more than %d rules",
                         EGRESS_RULES_MAX);
    *rules = arena_new(arena, egress->allow.count, sizeof(**rules));
    for (size_t i = 0; i < egress->allow.count; i++) {
        if (egress_rule_parse(egress->allow.items[i], &(*rules)[i], err) < 0)
            return error_prefix(err, "HostConfig.Egress");
    }
    return 0;
}

/* Rules need the host's end of a device on a bridge: refuses other networks. */
static int check_networks(const struct networks *networks, const struct definition *definition,
                          struct error *err)
{
    const char *mode = definition_network_mode(definition);

    if (definition->endpoints.count == 0 && strcmp(mode, "none") != 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "HostConfig.Egress: rules cannot be kept on network %s", mode);
    for (size_t i = 0; i < definition->endpoints.count; i++) {
        const struct network *network =
            network_by_id(networks, definition->endpoints.items[i].network_id);

        if (network != NULL && network->driver != NETWORK_DRIVER_BRIDGE)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "HostConfig.Egress: rules cannot be kept on network %s (%s)",
                             network->name, network_driver_name(network));
    }
    return 0;
}

int egress_check(const struct networks *networks, const struct definition *definition,
                 struct error *err)
{
    cleanup_arena struct arena arena = {0};
    const struct docker_egress *egress = definition->host_config.egress;
    struct egress_rule *rules = NULL;

    if (egress == NULL)
        return 0;
    if (egress_parse(&arena, egress, &rules, err) < 0)
        return -err->errnum;
    return check_networks(networks, definition, err);
}

void egress_list_names(struct arena *arena, const struct membership *member,
                       struct resolver_container *said)
{
    const struct docker_egress *egress = member->definition->host_config.egress;
    struct egress_rule *rules = NULL;

    if (egress == NULL)
        return;
    said->is_limited = true;
    if (egress_parse(arena, egress, &rules, NULL) < 0)
        return;
    for (size_t i = 0; i < egress->allow.count; i++) {
        if (rules[i].name[0] != '\0')
            string_list_append(arena, &said->allowed, rules[i].name);
    }
    if (egress->learns)
        string_list_append(arena, &said->allowed, "*");
}

void egress_note_ended(struct networks *networks, const char *id, size_t rule_count)
{
    struct egress_ended *ended = memory_new_one(struct egress_ended);

    strcpy(ended->id, id);
    ended->rule_count = rule_count;
    ended->next = networks->egress.ended;
    networks->egress.ended = ended;
}

static void note_unlimited(struct networks *networks, struct membership *member)
{
    const struct docker_egress *egress = member->definition->host_config.egress;

    if (egress == NULL || member->definition->endpoints.count == 0)
        return;
    member->refused_names = 0;
    egress_note_ended(networks, member->definition->id, egress->allow.count);
}

static void list_addresses(struct arena *arena, const struct membership *member,
                           struct egress_container *said)
{
    size_t count = member->definition->endpoints.count;
    struct address *addresses = arena_new(arena, LEASE_ADDRESSES * count, sizeof(*addresses));

    for (size_t i = 0; i < count; i++)
        lease_list_addresses(&member->leases[i], addresses + LEASE_ADDRESSES * i);
    said->addresses = addresses;
    said->address_count = LEASE_ADDRESSES * count;
}

static void egress_describe_container(struct arena *arena, const struct membership *member,
                                      bool keeps_written, struct egress_container *said)
{
    const struct docker_egress *egress = member->definition->host_config.egress;
    struct egress_rule *rules = NULL;

    /* They were checked; what cannot be read any more allows nothing. */
    if (egress_parse(arena, egress, &rules, NULL) == 0)
        said->rule_count = egress->allow.count;
    said->rules = rules;
    said->learns = egress->learns;
    said->id = member->definition->id;
    list_addresses(arena, member, said);
    if (member->has_moved_learnt)
        egress_describe_learnt(arena, member, said);
    said->is_written = keeps_written && member->has_egress_written;
}

static bool is_limited(const struct membership *member)
{
    return member->definition->host_config.egress != NULL && membership_is_attached(member);
}

/* The first time it notes the containers whose rules ended without a davitd. */
bool egress_is_needed(struct networks *networks)
{
    uint32_t owner;

    if (networks->egress.is_there)
        return true;
    networks->egress.is_there =
        networks->egress.ended != NULL ||
        nft_table_look_up(&networks->nft, NFT_INET, EGRESS_TABLE, &owner) == 0;
    for (const struct membership *one = networks->members; one != NULL; one = one->next)
        networks->egress.is_there = networks->egress.is_there || is_limited(one);
    /* What ended while there was no davitd. */
    for (struct membership *one = networks->members; one != NULL; one = one->next) {
        if (networks->egress.is_there && !is_limited(one))
            note_unlimited(networks, one);
    }
    return networks->egress.is_there;
}

/* Only what has changed is written: the kernel takes long for many sets at once. */
static void list_limited(struct arena *arena, const struct networks *networks,
                         struct egress *egress)
{
    bool keeps_written =
        egress->has_tables && !egress->is_not_ours &&
        networks->egress.written_lacks_tracking == networks->firewall.lacks_bridge_tracking;
    struct egress_container *limited = arena_new(arena, networks->member_count, sizeof(*limited));

    for (const struct membership *one = networks->members; one != NULL; one = one->next) {
        if (is_limited(one))
            egress_describe_container(arena, one, keeps_written, &limited[egress->count++]);
    }
    egress->containers = limited;
}

static void list_ended(struct arena *arena, struct networks *networks, struct egress *egress)
{
    struct egress_container *ended;
    size_t count = 0;

    for (const struct egress_ended *one = networks->egress.ended; one != NULL; one = one->next)
        count++;
    ended = arena_new(arena, count, sizeof(*ended));
    for (struct egress_ended *one = networks->egress.ended; one != NULL; one = one->next) {
        one->is_being_written = true;
        ended[egress->ended_count++] =
            (struct egress_container){.id = one->id, .rule_count = one->rule_count};
    }
    egress->ended = ended;
}

void egress_add_rules(struct networks *networks, struct arena *arena,
                      struct nft_transaction *transaction)
{
    struct egress egress = {.count = 0};
    uint32_t owner;

    if (!egress_is_needed(networks))
        return;
    egress.lacks_bridge_tracking = networks->firewall.lacks_bridge_tracking;
    egress.has_tables = nft_table_look_up(&networks->nft, NFT_INET, EGRESS_TABLE, &owner) == 0;
    egress.is_not_ours = owner == 0;
    list_limited(arena, networks, &egress);
    list_ended(arena, networks, &egress);
    egress_write(transaction, &egress);
}

void egress_forget_written(struct networks *networks)
{
    struct egress_ended **link = &networks->egress.ended;

    networks->egress.written_lacks_tracking = networks->firewall.lacks_bridge_tracking;
    for (struct membership *one = networks->members; one != NULL; one = one->next) {
        one->has_moved_learnt = false;
        one->has_egress_written = networks->egress.is_there && is_limited(one);
    }
    while (*link != NULL) {
        struct egress_ended *one = *link;

        if (one->is_being_written) {
            *link = one->next;
            free(one);
        } else {
            link = &one->next;
        }
    }
}
