/* What a device may cost the host: see limits.h. Comments have rules as nft(8) writes them. */
#include "limits.h"

#include "nft_rule.h"
#include "packet_log.h"

#define PRIORITY_COUNT (-150) /* connections are known, and nothing is translated yet */
#define REPORTS_PER_SECOND 2
#define REPORTS_BURST 10

#define SET_CONNECTIONS "connections"
#define SET_NEW "new_connections"
#define SET_PACKETS "packets"

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

/* ct state new [iifname @bridges] ether saddr @set jump over_SET */
static void write_count(struct nft_transaction *transaction, const char *bridges, const char *set,
                        const char *over)
{
    static const enum nft_part sender[] = {NFT_PART_ETHER_SADDR};
    const struct nft_rule rule = nft_rule_begin(transaction, "limits");

    nft_match_state(&rule, NFT_STATE_NEW);
    if (bridges != NULL)
        nft_match_device_set(&rule, NFT_IIFNAME, true, bridges);
    nft_match_parts(&rule, true, set, sender, 1);
    nft_jump(&rule, over);
    nft_rule_end(&rule);
}

/* The rate comes first: it costs nothing, and a count has to look through what it has counted. */
void limits_write(struct nft_transaction *transaction, const char *bridges)
{
    nft_add_set(
        transaction,
        &(struct nft_set){.name = SET_NEW, .key = {NFT_TYPE_ETHER}, .limit = NFT_LIMIT_RATE});
    nft_add_set(transaction, &(struct nft_set){.name = SET_CONNECTIONS,
                                               .key = {NFT_TYPE_ETHER},
                                               .limit = NFT_LIMIT_CONNECTIONS});
    write_over(transaction, "over_rate", LIMITS_LOG_PREFIX LIMITS_NEW_CONNECTIONS);
    write_over(transaction, "over_count", LIMITS_LOG_PREFIX LIMITS_CONNECTIONS);
    nft_add_base_chain(transaction, "limits", "filter", NFT_PREROUTING, PRIORITY_COUNT);
    write_count(transaction, bridges, SET_NEW, "over_rate");
    write_count(transaction, bridges, SET_CONNECTIONS, "over_count");
}

void limits_write_in_bridges(struct nft_transaction *transaction, const char *next,
                             bool tracks_bridges)
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
    if (tracks_bridges)
        limits_write(transaction, NULL);
}

static void change(struct nft_transaction *transaction, const struct nft_element *element,
                   bool is_removed)
{
    if (element->limit_at == 0)
        return;
    if (is_removed)
        nft_delete_element(transaction, element);
    else
        nft_add_element(transaction, element);
}

static void change_connections(struct nft_transaction *transaction,
                               const struct limited_device *device, bool is_removed)
{
    struct nft_element rate = {
        .set = SET_NEW, .limit = NFT_LIMIT_RATE, .limit_at = device->limits.new_connections};
    struct nft_element count = {.set = SET_CONNECTIONS,
                                .limit = NFT_LIMIT_CONNECTIONS,
                                .limit_at = device->limits.connections};

    nft_value_append(&rate.key, device->mac, 6);
    nft_value_append(&count.key, device->mac, 6);
    change(transaction, &rate, is_removed);
    change(transaction, &count, is_removed);
}

void limits_change_device(struct nft_transaction *transaction, enum nft_family family,
                          const struct limited_device *device, bool is_removed)
{
    struct nft_element packets = {
        .set = SET_PACKETS, .limit = NFT_LIMIT_RATE, .limit_at = device->limits.packets};

    if (family == NFT_INET || device->tracks_bridges)
        change_connections(transaction, device, is_removed);
    if (family == NFT_INET)
        return;
    nft_value_append_device(&packets.key, device->name);
    change(transaction, &packets, is_removed);
}
