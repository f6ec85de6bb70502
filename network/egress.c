/* Egress rules, and what nftables makes of them: see egress.h. */
#include "egress.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "dns.h"
#include "nft_rule.h"
#include "packet_log.h"

#define PORT_MAX 65535
#define REPORTS_PER_SECOND 5 /* of refused packets */
#define REPORTS_BURST 10
#define NOTES_PER_SECOND 200
#define NOTES_BURST 1000

static int egress_rule_error(const char *text, struct error *err)
{
    return error_set(err, ERROR_INVALID, EINVAL,
                     "egress: \"%.64s\" is not ADDRESS, SUBNET, NAME or NAME@SUBNET, with "
                     "[:PORT[-PORT]] and [/tcp|udp|sctp]",
                     text);
}

/* Cut from the end: "/udp", not "/8". */
static bool cut_protocol(char *text, struct egress_rule *rule)
{
    static const char *const protocols[] = {"tcp", "udp", "sctp"};
    char *slash = strrchr(text, '/');

    if (slash == NULL || !isalpha((unsigned char)slash[1]))
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
        if (strcmp(slash + 1, protocols[i]) == 0)
            rule->protocol = protocols[i];
    }
    *slash = '\0';
    return rule->protocol != NULL;
}

/* Addresses of IPv6 have colons of their own: with a port they stand in brackets. */
static bool cut_ports(char *text, struct egress_rule *rule)
{
    char *colon = strrchr(text, ':');
    const char *end;
    uint64_t first;
    uint64_t last;

    if (colon == NULL || (text[0] != '[' && strchr(text, ':') != colon) || colon[1] == '\0' ||
        (text[0] == '[' && colon > text && colon[-1] != ']'))
        return true;
    end = colon + 1;
    if (!number_take_range(&end, PORT_MAX, &first, &last) || *end != '\0' || first == 0)
        return false;
    rule->first_port = (uint16_t)first;
    rule->last_port = (uint16_t)last;
    if (rule->protocol == NULL)
        rule->protocol = "tcp";
    *colon = '\0';
    return true;
}

static bool take_subnet(char *text, struct subnet *subnet)
{
    size_t length = strlen(text);

    if (length > 2 && text[0] == '[' && text[length - 1] == ']') {
        text[length - 1] = '\0';
        text++;
    }
    if (subnet_parse(text, subnet) == 0) {
        *subnet = subnet_network(subnet);
        return true;
    }
    if (address_parse(text, &subnet->address) < 0)
        return false;
    subnet->prefix = (unsigned int)(8 * address_length(&subnet->address));
    return true;
}

/* Labels as DNS has them: none is empty, none is longer than 63. */
static bool has_labels(const char *name)
{
    for (;;) {
        size_t length = strcspn(name, ".");

        if (length == 0 || length > DNS_LABEL_MAX)
            return false;
        if (name[length] == '\0')
            return true;
        name += length + 1;
    }
}

/* A dot at the end says that the name is complete, which it is here without. */
static bool take_name(const char *text, struct egress_rule *rule)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    const char *rest = rule->name;
    size_t length = strlen(text);

    if (length > 2 && text[length - 1] == '.')
        length--;
    if (length >= sizeof(rule->name))
        return false;
    for (size_t i = 0; i < length; i++)
        rule->name[i] = (char)tolower((unsigned char)text[i]);
    if (strcmp(rest, "*") == 0)
        return true;
    if (strncmp(rest, "*.", 2) == 0)
        rest += 2;
    /* A number with points is a mistake, not a name. */
    return strspn(rest, allowed) == strlen(rest) && strspn(text, "0123456789./") < strlen(text) &&
           has_labels(rest);
}

int egress_rule_parse(const char *text, struct egress_rule *rule, struct error *err)
{
    char copy[EGRESS_NAME_SIZE + ADDRESS_TEXT_SIZE + 32];
    char *within;

    *rule = (struct egress_rule){.protocol = NULL};
    if (strlen(text) >= sizeof(copy))
        return egress_rule_error(text, err);
    for (const char *one = text; *one != '\0'; one++) {
        if ((unsigned char)*one >= 0x80)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "egress: \"%.64s\": names stand as DNS has them, in ASCII: "
                             "\"xn--...\" (see idn(1), or what `dig` asks for)",
                             text);
    }
    strcpy(copy, text);
    within = strchr(copy, '@');
    if (within != NULL)
        *within++ = '\0';
    if (!cut_protocol(within != NULL ? within : copy, rule) ||
        !cut_ports(within != NULL ? within : copy, rule))
        return egress_rule_error(text, err);
    if (within != NULL && take_subnet(within, &rule->within) && take_name(copy, rule))
        return 0;
    if (within == NULL && (take_subnet(copy, &rule->subnet) || take_name(copy, rule)))
        return 0;
    return egress_rule_error(text, err);
}

bool egress_rule_takes(const struct egress_rule *rule, const struct address *address)
{
    return rule->within.address.family != 0 ? subnet_contains(&rule->within, address)
                                            : address_is_public(address);
}

bool egress_rule_matches(const struct egress_rule *rule, const char *name)
{
    return rule->name[0] != '\0' && dns_name_matches(rule->name, name);
}

static uint8_t protocol_number(const char *name)
{
    return strcmp(name, "tcp") == 0   ? IPPROTO_TCP
           : strcmp(name, "udp") == 0 ? IPPROTO_UDP
                                      : IPPROTO_SCTP;
}

bool egress_rule_allows(const struct egress_rule *rule, const struct address *address,
                        uint8_t protocol, uint16_t port)
{
    if (rule->name[0] != '\0' || !subnet_contains(&rule->subnet, address))
        return false;
    if (rule->protocol != NULL && protocol_number(rule->protocol) != protocol)
        return false;
    return rule->first_port == 0 || (port >= rule->first_port && port <= rule->last_port);
}

#define SHORT_ID 12
#define PRIORITY (-10) /* before the usual filter rules */

static const enum nft_family table_families[] = {NFT_INET, NFT_BRIDGE};
static const int address_families[] = {AF_INET, AF_INET6};

static const char *map_of(int family)
{
    return family == AF_INET6 ? "containers6" : "containers";
}

static enum nft_type type_of(int family)
{
    return family == AF_INET6 ? NFT_TYPE_IPV6 : NFT_TYPE_IPV4;
}

static void set_name(const char *id, size_t rule, int family, char name[EGRESS_IDENTIFIER_SIZE])
{
    snprintf(name, EGRESS_IDENTIFIER_SIZE, "%c%zu_%.*s", family == AF_INET6 ? 's' : 'r', rule,
             SHORT_ID, id);
}

static void chain_name(const char *id, char name[EGRESS_IDENTIFIER_SIZE])
{
    snprintf(name, EGRESS_IDENTIFIER_SIZE, "c_%.*s", SHORT_ID, id);
}

void egress_counter_name(const char *id, char name[EGRESS_IDENTIFIER_SIZE])
{
    snprintf(name, EGRESS_IDENTIFIER_SIZE, "n_%.*s", SHORT_ID, id);
}

void egress_change_address(struct nft_transaction *transaction, const char *id, size_t rule,
                           const struct address *address, uint64_t timeout_ms, bool is_removed)
{
    char set[EGRESS_IDENTIFIER_SIZE];
    struct nft_element element = {.set = set, .timeout_ms = timeout_ms, .is_new = true};

    set_name(id, rule, address->family, set);
    nft_value_append(&element.key, address->bytes, address_length(address));
    for (size_t i = 0; i < ARRAY_SIZE(table_families); i++) {
        nft_use_table(transaction, table_families[i], EGRESS_TABLE);
        nft_change_element(transaction, &element, is_removed);
    }
}

void egress_match_protocol(const struct nft_rule *rule, const struct egress_rule *allowed)
{
    if (allowed->protocol == NULL)
        return;
    nft_match_protocol(rule, protocol_number(allowed->protocol));
    if (allowed->first_port != 0)
        nft_match_ports(rule, allowed->first_port, allowed->last_port);
}

static void write_name_rule(struct nft_transaction *transaction, const char *chain, const char *id,
                            size_t index, const struct egress_rule *allowed, int family)
{
    char set[EGRESS_IDENTIFIER_SIZE];
    struct nft_rule rule;

    set_name(id, index, family, set);
    nft_add_set(transaction, &(struct nft_set){
                                 .name = set,
                                 .key = {type_of(family)},
                                 .has_timeouts = true,
                             });
    rule = nft_rule_begin(transaction, chain);
    nft_match_address_set(&rule, NFT_DADDR, family, set);
    egress_match_protocol(&rule, allowed);
    nft_return(&rule);
    nft_rule_end(&rule);
}

static void write_rule(struct nft_transaction *transaction, const char *chain, const char *id,
                       size_t index, const struct egress_rule *allowed)
{
    struct nft_rule rule;

    for (size_t i = 0; allowed->name[0] != '\0' && i < ARRAY_SIZE(address_families); i++)
        write_name_rule(transaction, chain, id, index, allowed, address_families[i]);
    if (allowed->name[0] != '\0')
        return;
    rule = nft_rule_begin(transaction, chain);
    nft_match_subnet(&rule, NFT_DADDR, &allowed->subnet);
    egress_match_protocol(&rule, allowed);
    nft_return(&rule);
    nft_rule_end(&rule);
}

/* What is left goes through, and davitd sees what begins. */
static void write_note(struct nft_transaction *transaction, const struct egress *egress,
                       const char *chain, const char *id)
{
    char prefix[sizeof(EGRESS_LEARN_PREFIX) + SHORT_ID];
    struct nft_rule rule;

    /* Without tracking answers would look like questions. */
    if (transaction->family == NFT_BRIDGE && egress->lacks_bridge_tracking)
        return;
    snprintf(prefix, sizeof(prefix), EGRESS_LEARN_PREFIX "%.*s", SHORT_ID, id);
    rule = nft_rule_begin(transaction, chain);
    nft_match_state(&rule, NFT_STATE_NEW);
    nft_limit(&rule, NOTES_PER_SECOND, NOTES_BURST);
    nft_log(&rule, prefix, PACKET_LOG_GROUP);
    nft_rule_end(&rule);
}

/* What is left is refused: seen by the counter and, a few times a second, by davitd. */
static void write_refusal(struct nft_transaction *transaction, const char *chain, const char *id)
{
    char counter[EGRESS_IDENTIFIER_SIZE];
    char prefix[sizeof(EGRESS_LOG_PREFIX) + SHORT_ID];
    struct nft_rule rule;

    egress_counter_name(id, counter);
    snprintf(prefix, sizeof(prefix), EGRESS_LOG_PREFIX "%.*s", SHORT_ID, id);
    nft_add_counter(transaction, counter);
    rule = nft_rule_begin(transaction, chain);
    nft_count(&rule, counter);
    nft_rule_end(&rule);
    rule = nft_rule_begin(transaction, chain);
    nft_limit(&rule, REPORTS_PER_SECOND, REPORTS_BURST);
    nft_log(&rule, prefix, PACKET_LOG_GROUP);
    nft_rule_end(&rule);
    rule = nft_rule_begin(transaction, chain);
    /* Many kernels cannot answer in bridges. */
    if (transaction->family == NFT_BRIDGE)
        nft_drop(&rule);
    else
        nft_reject(&rule);
    nft_rule_end(&rule);
}

/* The rules of one container. Where connections are tracked, packets that answer others are
 * allowed, whomever they go to. */
static void write_chain(struct nft_transaction *transaction, const struct egress *egress,
                        const struct egress_container *container)
{
    char chain[EGRESS_IDENTIFIER_SIZE];
    struct nft_rule rule;

    chain_name(container->id, chain);
    nft_add_chain(transaction, chain);
    nft_flush_chain(transaction, chain);
    if (transaction->family == NFT_INET || !egress->lacks_bridge_tracking) {
        rule = nft_rule_begin(transaction, chain);
        nft_match_state(&rule, NFT_STATE_ESTABLISHED | NFT_STATE_RELATED);
        nft_return(&rule);
        nft_rule_end(&rule);
    }
    /* Without asking for neighbours there is no IPv6 at all. */
    rule = nft_rule_begin(transaction, chain);
    nft_match_protocol(&rule, IPPROTO_ICMPV6);
    nft_match_icmp_types(&rule, ND_NEIGHBOR_SOLICIT, ND_NEIGHBOR_ADVERT);
    nft_return(&rule);
    nft_rule_end(&rule);
    for (size_t i = 0; i < container->rule_count; i++)
        write_rule(transaction, chain, container->id, i, &container->rules[i]);
    if (container->learns)
        write_note(transaction, egress, chain, container->id);
    else
        write_refusal(transaction, chain, container->id);
}

static void write_jump(struct nft_transaction *transaction, const char *id,
                       const struct address *address)
{
    char chain[EGRESS_IDENTIFIER_SIZE];
    struct nft_element element = {.set = map_of(address->family), .jump = chain};

    if (address->family == 0)
        return;
    chain_name(id, chain);
    nft_value_append(&element.key, address->bytes, address_length(address));
    nft_add_element(transaction, &element);
}

static void write_container(struct nft_transaction *transaction, const struct egress *egress,
                            const struct egress_container *container)
{
    for (size_t i = 0; i < ARRAY_SIZE(table_families); i++) {
        nft_use_table(transaction, table_families[i], EGRESS_TABLE);
        if (!container->is_written)
            write_chain(transaction, egress, container);
        for (size_t j = 0; j < container->address_count; j++)
            write_jump(transaction, container->id, &container->addresses[j]);
    }
    for (size_t i = 0; !container->is_written && i < container->learnt_count; i++)
        egress_change_address(transaction, container->id, container->learnt[i].rule,
                              &container->learnt[i].address, container->learnt[i].timeout_ms,
                              false);
}

/* What is not there cannot be removed: so everything is added first. */
static void remove_from_table(struct nft_transaction *transaction,
                              const struct egress_container *container)
{
    char name[EGRESS_IDENTIFIER_SIZE];

    chain_name(container->id, name);
    nft_add_chain(transaction, name);
    nft_flush_chain(transaction, name);
    nft_delete_chain(transaction, name);
    for (size_t i = 0; i < container->rule_count; i++) {
        for (size_t j = 0; j < ARRAY_SIZE(address_families); j++) {
            set_name(container->id, i, address_families[j], name);
            nft_add_set(transaction, &(struct nft_set){
                                         .name = name,
                                         .key = {type_of(address_families[j])},
                                         .has_timeouts = true,
                                     });
            nft_delete_set(transaction, name);
        }
    }
    egress_counter_name(container->id, name);
    nft_add_counter(transaction, name);
    nft_delete_counter(transaction, name);
}

static void remove_container(struct nft_transaction *transaction,
                             const struct egress_container *container)
{
    for (size_t i = 0; i < ARRAY_SIZE(table_families); i++) {
        nft_use_table(transaction, table_families[i], EGRESS_TABLE);
        remove_from_table(transaction, container);
    }
}

static void write_hook(struct nft_transaction *transaction, enum nft_family table,
                       const char *chain, enum nft_hook hook)
{
    nft_use_table(transaction, table, EGRESS_TABLE);
    nft_add_base_chain(transaction, chain, "filter", hook, PRIORITY);
    nft_flush_chain(transaction, chain);
    for (size_t i = 0; i < ARRAY_SIZE(address_families); i++) {
        const struct nft_rule rule = nft_rule_begin(transaction, chain);

        nft_jump_by_address(&rule, NFT_SADDR, address_families[i], map_of(address_families[i]));
        nft_rule_end(&rule);
    }
}

/* Sends packets of containers to their rules: packets that are forwarded, by address or by a
 * bridge, and packets for the host itself. */
static void write_hooks(struct nft_transaction *transaction)
{
    for (size_t i = 0; i < ARRAY_SIZE(table_families); i++) {
        nft_use_table(transaction, table_families[i], EGRESS_TABLE);
        nft_add_table(transaction);
        for (size_t j = 0; j < ARRAY_SIZE(address_families); j++) {
            nft_add_set(transaction, &(struct nft_set){
                                         .name = map_of(address_families[j]),
                                         .key = {type_of(address_families[j])},
                                         .data = {NFT_TYPE_VERDICT},
                                     });
            nft_flush_set(transaction, map_of(address_families[j]));
        }
    }
    write_hook(transaction, NFT_INET, "forward", NFT_FORWARD);
    write_hook(transaction, NFT_INET, "input", NFT_INPUT);
    write_hook(transaction, NFT_BRIDGE, "forward", NFT_FORWARD);
}

void egress_write(struct nft_transaction *transaction, const struct egress *egress)
{
    if (egress->is_not_ours || egress->count == 0) {
        for (size_t i = 0; i < ARRAY_SIZE(table_families); i++) {
            nft_use_table(transaction, table_families[i], EGRESS_TABLE);
            if (egress->has_tables)
                nft_delete_table(transaction);
        }
    }
    if (egress->count == 0)
        return;
    write_hooks(transaction);
    for (size_t i = 0; i < egress->ended_count; i++)
        remove_container(transaction, &egress->ended[i]);
    for (size_t i = 0; i < egress->count; i++)
        write_container(transaction, egress, &egress->containers[i]);
}
