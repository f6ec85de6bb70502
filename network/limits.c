/* What a device may cost the host: see limits.h. Comments have rules as nft(8) writes them. */
#include "limits.h"

#include <stdio.h>

#include "nft_rule.h"
#include "packet_log.h"

#define PRIORITY_COUNT (-150) /* connections are known, and nothing is translated yet */
#define REPORTS_PER_SECOND 20
#define REPORTS_BURST 50

#define SET_NEW "new_connections"
#define MAP_CONNECTIONS "connections"
#define SET_PACKETS "packets"
#define CHAIN_USUAL "count_usual"
#define NAME_SIZE 32

/* chain over_NAME { limit rate 2/second log prefix "davit limit NAME" group 27021; drop } */
static void write_over(struct nft_transaction *transaction, const char *chain, const char *prefix)
{
    struct nft_rule rule;

    nft_add_chain(transaction, chain);
    rule = nft_rule_begin(transaction, chain);
    nft_limit(&rule, REPORTS_PER_SECOND, REPORTS_BURST);
    nft_log(&rule, prefix, PACKET_LOG_GROUP);
    nft_rule_end(&rule);
    rule = nft_rule_begin(transaction, chain);
    nft_drop(&rule);
    nft_rule_end(&rule);
}

/* ct state new iifname "device" jump count */
static void write_hook(struct nft_transaction *transaction, const char *device)
{
    const struct nft_rule rule = nft_rule_begin(transaction, "limits");

    nft_match_state(&rule, NFT_STATE_NEW);
    nft_match_device(&rule, NFT_IIFNAME, true, device);
    nft_jump(&rule, "count");
    nft_rule_end(&rule);
}

/* ether saddr @new_connections jump over_rate; ether saddr vmap @connections. The rate comes first:
 * it costs nothing, and a count has to look through what it has counted. */
static void write_count(struct nft_transaction *transaction)
{
    static const enum nft_part sender[] = {NFT_PART_ETHER_SADDR};
    struct nft_rule rule = nft_rule_begin(transaction, "count");

    nft_match_parts(&rule, true, SET_NEW, sender, 1);
    nft_jump(&rule, "over_rate");
    nft_rule_end(&rule);
    rule = nft_rule_begin(transaction, "count");
    nft_jump_by_sender(&rule, MAP_CONNECTIONS);
    nft_rule_end(&rule);
}

/* chain NAME { add @SET { ether saddr ct count over N } jump over_count } */
static void add_count_chain(struct nft_transaction *transaction, const char *chain, const char *set,
                            uint32_t limit_at)
{
    struct nft_rule rule;

    nft_add_set(
        transaction,
        &(struct nft_set){.name = set, .key = {NFT_TYPE_ETHER}, .limit = NFT_LIMIT_CONNECTIONS});
    nft_add_chain(transaction, chain);
    rule = nft_rule_begin(transaction, chain);
    nft_count_connections(&rule, set, limit_at);
    nft_jump(&rule, "over_count");
    nft_rule_end(&rule);
}

void limits_write(struct nft_transaction *transaction, enum nft_family family,
                  uint32_t usual_connections)
{
    nft_use_table(transaction, family, LIMITS_TABLE);
    nft_add_table(transaction);
    nft_add_set(
        transaction,
        &(struct nft_set){.name = SET_NEW, .key = {NFT_TYPE_ETHER}, .limit = NFT_LIMIT_RATE});
    nft_add_set(transaction, &(struct nft_set){.name = MAP_CONNECTIONS,
                                               .key = {NFT_TYPE_ETHER},
                                               .data = {NFT_TYPE_VERDICT}});
    write_over(transaction, "over_rate", LIMITS_LOG_PREFIX LIMITS_NEW_CONNECTIONS);
    write_over(transaction, "over_count", LIMITS_LOG_PREFIX LIMITS_CONNECTIONS);
    if (usual_connections > 0)
        add_count_chain(transaction, CHAIN_USUAL, "counted", usual_connections);
    nft_add_chain(transaction, "count");
    write_count(transaction);
    nft_add_base_chain(transaction, "limits", "filter", NFT_PREROUTING, PRIORITY_COUNT);
    if (family == NFT_BRIDGE) {
        write_hook(transaction, "dve*");
    } else {
        write_hook(transaction, "davit0");
        write_hook(transaction, "dv-*");
    }
}

void limits_remove(struct nft_transaction *transaction, enum nft_family family)
{
    nft_use_table(transaction, family, LIMITS_TABLE);
    nft_delete_table(transaction);
}

static void change_rate(struct nft_transaction *transaction, const struct nft_element *element,
                        bool is_removed)
{
    if (element->limit_at > 0)
        nft_change_element(transaction, element, is_removed);
}

static void change_usual(struct nft_transaction *transaction, const uint8_t mac[6], bool is_removed)
{
    struct nft_element element = {.set = MAP_CONNECTIONS, .jump = CHAIN_USUAL};

    nft_value_append(&element.key, mac, 6);
    nft_change_element(transaction, &element, is_removed);
}

/* A chain and a set of its own: the kernel keeps a count with the limit that it began with. */
static void change_own(struct nft_transaction *transaction, const struct limited_device *device,
                       bool is_removed)
{
    char chain[NAME_SIZE];
    char set[NAME_SIZE];
    struct nft_element element = {.set = MAP_CONNECTIONS, .jump = chain};

    snprintf(chain, sizeof(chain), "count_%.15s", device->name);
    snprintf(set, sizeof(set), "counted_%.15s", device->name);
    nft_value_append(&element.key, device->mac, 6);
    if (is_removed) {
        nft_delete_element(transaction, &element);
        nft_flush_chain(transaction, chain);
        nft_delete_chain(transaction, chain);
        nft_delete_set(transaction, set);
    } else {
        add_count_chain(transaction, chain, set, device->limits.connections);
        nft_add_element(transaction, &element);
    }
}

static void change_count(struct nft_transaction *transaction, const struct limited_device *device,
                         bool is_removed)
{
    if (device->limits.connections == 0)
        return;
    if (device->is_usual)
        change_usual(transaction, device->mac, is_removed);
    else
        change_own(transaction, device, is_removed);
}

void limits_change_device(struct nft_transaction *transaction, enum nft_family family,
                          const struct limited_device *device, bool is_removed)
{
    struct nft_element rate = {
        .set = SET_NEW, .limit = NFT_LIMIT_RATE, .limit_at = device->limits.new_connections};

    nft_use_table(transaction, family, LIMITS_TABLE);
    nft_value_append(&rate.key, device->mac, 6);
    change_rate(transaction, &rate, is_removed);
    change_count(transaction, device, is_removed);
}

void limits_write_packets(struct nft_transaction *transaction, const char *next)
{
    static const enum nft_part device[] = {NFT_PART_IIFNAME};
    struct nft_rule rule;

    nft_add_set(
        transaction,
        &(struct nft_set){.name = SET_PACKETS, .key = {NFT_TYPE_DEVICE}, .limit = NFT_LIMIT_RATE});
    write_over(transaction, "over_packets", LIMITS_LOG_PREFIX LIMITS_PACKETS);
    nft_add_chain(transaction, LIMITS_CHAIN);
    rule = nft_rule_begin(transaction, LIMITS_CHAIN);
    nft_match_parts(&rule, true, SET_PACKETS, device, 1);
    nft_jump(&rule, "over_packets");
    nft_rule_end(&rule);
    rule = nft_rule_begin(transaction, LIMITS_CHAIN);
    nft_jump(&rule, next);
    nft_rule_end(&rule);
}

void limits_change_packets(struct nft_transaction *transaction, const char *device,
                           uint32_t packets, bool is_removed)
{
    struct nft_element element = {.set = SET_PACKETS, .limit = NFT_LIMIT_RATE, .limit_at = packets};

    nft_value_append_device(&element.key, device);
    change_rate(transaction, &element, is_removed);
}
