/* Egress rules and their script: see egress.h. */
#include "egress.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "dns.h"

#define PORT_MAX 65535

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

static bool take_name(const char *text, struct egress_rule *rule)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    const char *rest = text[0] == '*' ? text + 1 : text;
    size_t length = strlen(text);

    if (length == 0 || length >= sizeof(rule->name) || (rest != text && rest[0] != '.' && rest[0]))
        return false;
    for (size_t i = 0; i < length; i++)
        rule->name[i] = (char)tolower((unsigned char)text[i]);
    rest = rule->name + (rest - text);
    /* A number with points is a mistake, not a name. */
    return strspn(rest, allowed) == strlen(rest) && strspn(text, "0123456789./") < length;
}

int egress_rule_parse(const char *text, struct egress_rule *rule, struct error *err)
{
    char copy[EGRESS_NAME_SIZE + ADDRESS_TEXT_SIZE + 32];
    char *within;

    *rule = (struct egress_rule){.protocol = NULL};
    if (strlen(text) >= sizeof(copy))
        return egress_rule_error(text, err);
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

#define SHORT_ID 12

static void set_name(const char *id, size_t rule, int family, char name[EGRESS_IDENTIFIER_SIZE])
{
    snprintf(name, EGRESS_IDENTIFIER_SIZE, "%c%zu_%.*s", family == AF_INET6 ? 's' : 'r', rule,
             SHORT_ID, id);
}

void egress_counter_name(const char *id, char name[EGRESS_IDENTIFIER_SIZE])
{
    snprintf(name, EGRESS_IDENTIFIER_SIZE, "n_%.*s", SHORT_ID, id);
}

void egress_element(const char *id, size_t rule, const struct address *address, uint64_t timeout_ms,
                    bool is_removed, struct nft_element elements[2],
                    char set[2][EGRESS_IDENTIFIER_SIZE])
{
    static const enum nft_family families[] = {NFT_INET, NFT_BRIDGE};

    for (size_t i = 0; i < 2; i++) {
        set_name(id, rule, address->family, set[i]);
        elements[i] = (struct nft_element){.family = families[i],
                                           .table = EGRESS_TABLE,
                                           .set = set[i],
                                           .timeout_ms = timeout_ms,
                                           .is_removed = is_removed};
        nft_value_append(&elements[i].key, address->bytes, address_length(address));
    }
}

static const char *const table_families[] = {"inet", "bridge"};

static void write_condition(struct buffer *script, const struct egress_rule *rule)
{
    if (rule->protocol == NULL)
        return;
    if (rule->first_port == 0)
        buffer_printf(script, " meta l4proto %s", rule->protocol);
    else if (rule->first_port == rule->last_port)
        buffer_printf(script, " %s dport %u", rule->protocol, rule->first_port);
    else
        buffer_printf(script, " %s dport %u-%u", rule->protocol, rule->first_port, rule->last_port);
}

static void write_name_rule(struct buffer *script, const char *table, const char *id, size_t index,
                            const struct egress_rule *rule, int family)
{
    bool is_ipv6 = family == AF_INET6;
    char set[EGRESS_IDENTIFIER_SIZE];

    set_name(id, index, family, set);
    buffer_printf(script, "add set %s " EGRESS_TABLE " %s { type %s ; flags timeout ; }\n", table,
                  set, is_ipv6 ? "ipv6_addr" : "ipv4_addr");
    buffer_printf(script, "add rule %s " EGRESS_TABLE " c_%.*s %s daddr @%s", table, SHORT_ID, id,
                  is_ipv6 ? "ip6" : "ip", set);
    write_condition(script, rule);
    buffer_append_string(script, " return\n");
}

static void write_rule(struct buffer *script, const char *table, const char *id, size_t index,
                       const struct egress_rule *rule)
{
    char subnet[ADDRESS_TEXT_SIZE];

    if (rule->name[0] != '\0') {
        write_name_rule(script, table, id, index, rule, AF_INET);
        write_name_rule(script, table, id, index, rule, AF_INET6);
        return;
    }
    subnet_format(&rule->subnet, subnet);
    buffer_printf(script, "add rule %s " EGRESS_TABLE " c_%.*s %s daddr %s", table, SHORT_ID, id,
                  rule->subnet.address.family == AF_INET6 ? "ip6" : "ip", subnet);
    write_condition(script, rule);
    buffer_append_string(script, " return\n");
}

/* What is left is refused: seen by the counter and, a few times a second, by davitd. */
static void write_refusal(struct buffer *script, const char *table, const char *id)
{
    char counter[EGRESS_IDENTIFIER_SIZE];

    if (strcmp(table, "bridge") == 0) {
        buffer_printf(script, "add rule bridge " EGRESS_TABLE " c_%.*s drop\n", SHORT_ID, id);
        return;
    }
    egress_counter_name(id, counter);
    buffer_printf(script,
                  "add counter inet " EGRESS_TABLE " %s\n"
                  "add rule inet " EGRESS_TABLE " c_%.*s counter name %s\n"
                  "add rule inet " EGRESS_TABLE
                  " c_%.*s limit rate 5/second burst 10 packets log prefix \"" EGRESS_LOG_PREFIX
                  "%.*s\" group %d\n"
                  "add rule inet " EGRESS_TABLE " c_%.*s reject with icmpx admin-prohibited\n",
                  counter, SHORT_ID, id, counter, SHORT_ID, id, SHORT_ID, id, EGRESS_LOG_GROUP,
                  SHORT_ID, id);
}

/* The rules of one container. Where connections are tracked, packets that answer others are
 * allowed, whomever they go to. */
static void write_chain(struct buffer *script, const struct egress *egress, const char *table,
                        const struct egress_container *container)
{
    buffer_printf(script,
                  "add chain %s " EGRESS_TABLE " c_%.*s\n"
                  "flush chain %s " EGRESS_TABLE " c_%.*s\n",
                  table, SHORT_ID, container->id, table, SHORT_ID, container->id);
    if (strcmp(table, "inet") == 0 || !egress->lacks_bridge_tracking)
        buffer_printf(script,
                      "add rule %s " EGRESS_TABLE " c_%.*s ct state established,related return\n",
                      table, SHORT_ID, container->id);
    /* Without asking for neighbours there is no IPv6 at all. */
    buffer_printf(script,
                  "add rule %s " EGRESS_TABLE " c_%.*s icmpv6 type { nd-neighbor-solicit, "
                  "nd-neighbor-advert } return\n",
                  table, SHORT_ID, container->id);
    for (size_t i = 0; i < container->rule_count; i++)
        write_rule(script, table, container->id, i, &container->rules[i]);
    write_refusal(script, table, container->id);
}

static void write_jump(struct buffer *script, const char *table, const char *map, const char *id,
                       const struct address *address)
{
    char text[ADDRESS_TEXT_SIZE];

    address_format(address, text);
    if (text[0] != '\0')
        buffer_printf(script, "add element %s " EGRESS_TABLE " %s { %s : jump c_%.*s }\n", table,
                      map, text, SHORT_ID, id);
}

static void write_source(struct buffer *script, const char *set, const struct egress_device *device,
                         const struct address *address)
{
    char text[ADDRESS_TEXT_SIZE];

    address_format(address, text);
    if (text[0] != '\0')
        buffer_printf(script,
                      "add element bridge " EGRESS_TABLE
                      " %s { \"%s\" . %02x:%02x:%02x:%02x:%02x:%02x . %s }\n",
                      set, device->host_device, device->mac[0], device->mac[1], device->mac[2],
                      device->mac[3], device->mac[4], device->mac[5], text);
}

static void write_container(struct buffer *script, const struct egress *egress,
                            const struct egress_container *container)
{
    for (size_t family = 0; family < 2; family++) {
        const char *table = table_families[family];

        write_chain(script, egress, table, container);
        for (size_t i = 0; i < container->device_count; i++) {
            write_jump(script, table, "containers", container->id, &container->devices[i].address);
            write_jump(script, table, "containers6", container->id,
                       &container->devices[i].address6);
        }
    }
    for (size_t i = 0; i < container->device_count; i++) {
        const struct egress_device *device = &container->devices[i];

        buffer_printf(script, "add element bridge " EGRESS_TABLE " ports { \"%s\" }\n",
                      device->host_device);
        write_source(script, "sources", device, &device->address);
        write_source(script, "sources6", device, &device->address6);
    }
}

/* nft fails if it deletes what is not there: so everything is added first. */
static void remove_container(struct buffer *script, const struct egress_container *container)
{
    const char *id = container->id;
    char counter[EGRESS_IDENTIFIER_SIZE];

    for (size_t family = 0; family < 2; family++) {
        const char *table = table_families[family];

        buffer_printf(script,
                      "add chain %s " EGRESS_TABLE " c_%.*s\n"
                      "flush chain %s " EGRESS_TABLE " c_%.*s\n"
                      "delete chain %s " EGRESS_TABLE " c_%.*s\n",
                      table, SHORT_ID, id, table, SHORT_ID, id, table, SHORT_ID, id);
        for (size_t i = 0; i < container->rule_count; i++) {
            char set[EGRESS_IDENTIFIER_SIZE];
            char set6[EGRESS_IDENTIFIER_SIZE];

            set_name(id, i, AF_INET, set);
            set_name(id, i, AF_INET6, set6);
            buffer_printf(script,
                          "add set %s " EGRESS_TABLE " %s { type ipv4_addr ; flags timeout ; }\n"
                          "delete set %s " EGRESS_TABLE " %s\n"
                          "add set %s " EGRESS_TABLE " %s { type ipv6_addr ; flags timeout ; }\n"
                          "delete set %s " EGRESS_TABLE " %s\n",
                          table, set, table, set, table, set6, table, set6);
        }
    }
    egress_counter_name(id, counter);
    buffer_printf(script,
                  "add counter inet " EGRESS_TABLE " %s\ndelete counter inet " EGRESS_TABLE " %s\n",
                  counter, counter);
}

/* Sends packets of containers to their rules: packets that are forwarded, by address or by a
 * bridge, and packets for the host itself. Priority -10 is before the usual filter rules of the
 * family inet. */
static void write_hooks(struct buffer *script)
{
    static const char *const hooks[][2] = {
        {"inet", "forward"}, {"inet", "input"}, {"bridge", "forward"}};

    for (size_t i = 0; i < 2; i++)
        buffer_printf(script,
                      "add table %s " EGRESS_TABLE "\n"
                      "add map %s " EGRESS_TABLE " containers { type ipv4_addr : verdict ; }\n"
                      "add map %s " EGRESS_TABLE " containers6 { type ipv6_addr : verdict ; }\n"
                      "flush map %s " EGRESS_TABLE " containers\n"
                      "flush map %s " EGRESS_TABLE " containers6\n",
                      table_families[i], table_families[i], table_families[i], table_families[i],
                      table_families[i]);
    for (size_t i = 0; i < ARRAY_SIZE(hooks); i++)
        buffer_printf(script,
                      "add chain %s " EGRESS_TABLE
                      " %s { type filter hook %s priority -10 ; policy accept ; }\n"
                      "flush chain %s " EGRESS_TABLE " %s\n"
                      "add rule %s " EGRESS_TABLE " %s ip saddr vmap @containers\n"
                      "add rule %s " EGRESS_TABLE " %s ip6 saddr vmap @containers6\n",
                      hooks[i][0], hooks[i][1], hooks[i][1], hooks[i][0], hooks[i][1], hooks[i][0],
                      hooks[i][1], hooks[i][0], hooks[i][1]);
}

/* Rules go by source address. So a container may send only with the MAC and the addresses of its
 * own device. */
static void write_guard(struct buffer *script)
{
    buffer_append_string(
        script,
        "add set bridge " EGRESS_TABLE " ports { type ifname ; }\n"
        "add set bridge " EGRESS_TABLE " sources { type ifname . ether_addr . ipv4_addr ; }\n"
        "add set bridge " EGRESS_TABLE " sources6 { type ifname . ether_addr . ipv6_addr ; }\n"
        "flush set bridge " EGRESS_TABLE " ports\n"
        "flush set bridge " EGRESS_TABLE " sources\n"
        "flush set bridge " EGRESS_TABLE " sources6\n"
        "add chain bridge " EGRESS_TABLE
        " guard { type filter hook prerouting priority -310 ; policy accept ; }\n"
        "flush chain bridge " EGRESS_TABLE " guard\n"
        "add rule bridge " EGRESS_TABLE " guard iifname != @ports accept\n"
        "add rule bridge " EGRESS_TABLE
        " guard ether type arp iifname . ether saddr . arp saddr ip @sources accept\n"
        "add rule bridge " EGRESS_TABLE
        " guard ether type ip iifname . ether saddr . ip saddr @sources accept\n"
        "add rule bridge " EGRESS_TABLE
        " guard ether type ip6 iifname . ether saddr . ip6 saddr @sources6 accept\n"
        "add rule bridge " EGRESS_TABLE " guard ip6 saddr fe80::/64 icmpv6 type { "
        "nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } accept\n"
        "add rule bridge " EGRESS_TABLE
        " guard ip6 saddr :: icmpv6 type nd-neighbor-solicit accept\n"
        "add rule bridge " EGRESS_TABLE " guard drop\n");
}

void egress_write(struct buffer *script, const struct egress *egress)
{
    if (egress->count == 0) {
        for (size_t i = 0; i < 2; i++)
            buffer_printf(script,
                          "add table %s " EGRESS_TABLE "\ndelete table %s " EGRESS_TABLE "\n",
                          table_families[i], table_families[i]);
        return;
    }
    write_hooks(script);
    write_guard(script);
    for (size_t i = 0; i < egress->ended_count; i++)
        remove_container(script, &egress->ended[i]);
    for (size_t i = 0; i < egress->count; i++)
        write_container(script, egress, &egress->containers[i]);
}
