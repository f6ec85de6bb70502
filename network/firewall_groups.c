/* Rules between the members of one network: see firewall.h. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "egress.h"
#include "firewall.h"
#include "nft_rule.h"
#include "packet_log.h"

#define REPORTS_PER_SECOND 5
#define REPORTS_BURST 10

#define SET_NAME_SIZE (IFNAMSIZ + FIREWALL_GROUP_SIZE + 3)

static const int families[] = {AF_INET, AF_INET6};

void firewall_groups_chain(const char *bridge, char name[FIREWALL_GROUPS_CHAIN_SIZE])
{
    snprintf(name, FIREWALL_GROUPS_CHAIN_SIZE, "groups_%.15s", bridge);
}

static void set_name(const char *bridge, const char *group, int family, char name[SET_NAME_SIZE])
{
    snprintf(name, SET_NAME_SIZE, "%.15s_%.32s%s", bridge, group, family == AF_INET6 ? ".6" : "");
}

/* ip saddr @bridge_from ip daddr @bridge_group tcp dport PORT accept */
static void write_rule(struct nft_transaction *transaction, const struct firewall_network *network,
                       const char *group, const struct egress_rule *said, int family)
{
    char chain[FIREWALL_GROUPS_CHAIN_SIZE];
    char set[SET_NAME_SIZE];
    struct nft_rule rule;

    firewall_groups_chain(network->bridge, chain);
    rule = nft_rule_begin(transaction, chain);
    if (strcmp(said->name, "*") != 0) {
        set_name(network->bridge, said->name, family, set);
        nft_match_address_set(&rule, NFT_SADDR, family, set);
    }
    set_name(network->bridge, group, family, set);
    nft_match_address_set(&rule, NFT_DADDR, family, set);
    egress_match_protocol(&rule, said);
    nft_accept(&rule);
    nft_rule_end(&rule);
}

static void add_sets(struct nft_transaction *transaction, const struct firewall_network *network,
                     const char *group)
{
    char set[SET_NAME_SIZE];

    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        set_name(network->bridge, group, families[i], set);
        nft_add_set(
            transaction,
            &(struct nft_set){.name = set,
                              .key = {families[i] == AF_INET6 ? NFT_TYPE_IPV6 : NFT_TYPE_IPV4}});
    }
}

static void write_group(struct nft_transaction *transaction, const struct firewall_network *network,
                        const struct firewall_group *group)
{
    for (size_t i = 0; i < group->rule_count; i++) {
        for (size_t j = 0; j < ARRAY_SIZE(families); j++)
            write_rule(transaction, network, group->name, &group->rules[i], families[j]);
    }
}

/* Reported a few times a second. The kernel is miserly with ICMP to who gets redirects, which
 * routing within a bridge would send: TCP is reset. */
static void write_refusal(struct nft_transaction *transaction, const char *chain)
{
    struct nft_rule rule = nft_rule_begin(transaction, chain);

    nft_limit(&rule, REPORTS_PER_SECOND, REPORTS_BURST);
    nft_log(&rule, FIREWALL_GROUPS_PREFIX, PACKET_LOG_GROUP);
    nft_rule_end(&rule);
    rule = nft_rule_begin(transaction, chain);
    nft_match_protocol(&rule, IPPROTO_TCP);
    nft_reset(&rule);
    nft_rule_end(&rule);
    rule = nft_rule_begin(transaction, chain);
    nft_reject(&rule);
    nft_rule_end(&rule);
}

void firewall_groups_write(struct nft_transaction *transaction,
                           const struct firewall_network *network)
{
    char chain[FIREWALL_GROUPS_CHAIN_SIZE];
    struct nft_rule rule;

    firewall_groups_chain(network->bridge, chain);
    nft_add_chain(transaction, chain);
    for (size_t i = 0; i < network->group_count; i++)
        add_sets(transaction, network, network->groups[i].name);
    rule = nft_rule_begin(transaction, chain);
    nft_match_state(&rule, NFT_STATE_ESTABLISHED | NFT_STATE_RELATED);
    nft_accept(&rule);
    nft_rule_end(&rule);
    for (size_t i = 0; i < network->group_count; i++)
        write_group(transaction, network, &network->groups[i]);
    write_refusal(transaction, chain);
}

void firewall_change_member(struct nft_transaction *transaction,
                            const struct firewall_member *member, bool is_removed)
{
    char set[SET_NAME_SIZE];
    struct nft_element element = {.set = set};

    set_name(member->bridge, member->group, member->address.family, set);
    nft_value_append(&element.key, member->address.bytes, address_length(&member->address));
    nft_use_table(transaction, NFT_INET, FIREWALL_TABLE);
    nft_change_element(transaction, &element, is_removed);
}
