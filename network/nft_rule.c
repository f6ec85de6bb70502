/* The expressions of rules: see nft_rule.h. The kernel's machine has registers of 4 bytes; values
 * are loaded into some and compared, or looked up in a set (linux/netfilter/nf_tables.h). */
#include "nft_rule.h"

#include <arpa/inet.h>
#include <assert.h>
#include <endian.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"

#define FIRST NFT_REG32_00
#define NFT_COMMENT_SIZE 32

struct nft_rule nft_rule_begin(struct nft_transaction *transaction, const char *chain)
{
    return nft_rule_begin_at(transaction, &(struct nft_place){.chain = chain});
}

/* What nft shows as the rule's comment: a type, a length, and the text with its end. */
static void put_comment(struct nlmsghdr *header, const char *text)
{
    uint8_t bytes[2 + NFT_COMMENT_SIZE] = {0};
    size_t size = strlen(text) + 1;

    assert(size <= NFT_COMMENT_SIZE);
    bytes[1] = (uint8_t)size;
    memcpy(bytes + 2, text, size);
    mnl_attr_put(header, NFTA_RULE_USERDATA, 2 + size, bytes);
}

struct nft_rule nft_rule_begin_at(struct nft_transaction *transaction,
                                  const struct nft_place *place)
{
    struct nft_rule rule = {.transaction = transaction};
    uint16_t append = place->before == 0 ? NLM_F_APPEND : 0;

    rule.header =
        nft_request_begin(transaction, NFT_MSG_NEWRULE, (uint16_t)(NLM_F_CREATE | append));
    mnl_attr_put_strz(rule.header, NFTA_RULE_TABLE, transaction->table);
    mnl_attr_put_strz(rule.header, NFTA_RULE_CHAIN, place->chain);
    if (place->before != 0)
        mnl_attr_put_u64(rule.header, NFTA_RULE_POSITION, htobe64(place->before));
    if (place->comment != NULL)
        put_comment(rule.header, place->comment);
    rule.expressions = mnl_attr_nest_start(rule.header, NFTA_RULE_EXPRESSIONS);
    return rule;
}

void nft_delete_rule(struct nft_transaction *transaction, const char *chain, uint64_t handle)
{
    struct nlmsghdr *header = nft_request_begin(transaction, NFT_MSG_DELRULE, 0);

    mnl_attr_put_strz(header, NFTA_RULE_TABLE, transaction->table);
    mnl_attr_put_strz(header, NFTA_RULE_CHAIN, chain);
    mnl_attr_put_u64(header, NFTA_RULE_HANDLE, htobe64(handle));
    nft_request_end(transaction, header);
}

void nft_rule_end(const struct nft_rule *rule)
{
    mnl_attr_nest_end(rule->header, rule->expressions);
    nft_request_end(rule->transaction, rule->header);
}

/* An expression that is being written. */
struct expression {
    struct nlattr *element;
    struct nlattr *data;
};

static struct expression begin(const struct nft_rule *rule, const char *name)
{
    struct expression one;

    one.element = mnl_attr_nest_start(rule->header, NFTA_LIST_ELEM);
    mnl_attr_put_strz(rule->header, NFTA_EXPR_NAME, name);
    one.data = mnl_attr_nest_start(rule->header, NFTA_EXPR_DATA);
    return one;
}

static void end(const struct nft_rule *rule, struct expression one)
{
    mnl_attr_nest_end(rule->header, one.data);
    mnl_attr_nest_end(rule->header, one.element);
}

static void put_number(const struct nft_rule *rule, uint16_t type, uint32_t number)
{
    mnl_attr_put_u32(rule->header, type, htonl(number));
}

static void put_data(const struct nft_rule *rule, uint16_t type, const void *bytes, size_t length)
{
    struct nlattr *nest = mnl_attr_nest_start(rule->header, type);

    mnl_attr_put(rule->header, NFTA_DATA_VALUE, length, bytes);
    mnl_attr_nest_end(rule->header, nest);
}

static void load_meta(const struct nft_rule *rule, uint32_t key, uint32_t reg)
{
    struct expression one = begin(rule, "meta");

    put_number(rule, NFTA_META_KEY, key);
    put_number(rule, NFTA_META_DREG, reg);
    end(rule, one);
}

static void load_payload(const struct nft_rule *rule, uint32_t base, uint32_t offset,
                         uint32_t length, uint32_t reg)
{
    struct expression one = begin(rule, "payload");

    put_number(rule, NFTA_PAYLOAD_DREG, reg);
    put_number(rule, NFTA_PAYLOAD_BASE, base);
    put_number(rule, NFTA_PAYLOAD_OFFSET, offset);
    put_number(rule, NFTA_PAYLOAD_LEN, length);
    end(rule, one);
}

static void compare(const struct nft_rule *rule, uint32_t operation, const void *bytes,
                    size_t length)
{
    struct expression one = begin(rule, "cmp");

    put_number(rule, NFTA_CMP_SREG, FIRST);
    put_number(rule, NFTA_CMP_OP, operation);
    put_data(rule, NFTA_CMP_DATA, bytes, length);
    end(rule, one);
}

static void mask(const struct nft_rule *rule, const void *bytes, size_t length)
{
    static const uint8_t nothing[16];
    struct expression one = begin(rule, "bitwise");

    put_number(rule, NFTA_BITWISE_SREG, FIRST);
    put_number(rule, NFTA_BITWISE_DREG, FIRST);
    put_number(rule, NFTA_BITWISE_LEN, (uint32_t)length);
    put_data(rule, NFTA_BITWISE_MASK, bytes, length);
    put_data(rule, NFTA_BITWISE_XOR, nothing, length);
    end(rule, one);
}

/* Looks up what begins in the first register. */
static void look_up(const struct nft_rule *rule, const char *set, bool is_in)
{
    struct expression one = begin(rule, "lookup");

    mnl_attr_put_strz(rule->header, NFTA_LOOKUP_SET, set);
    put_number(rule, NFTA_LOOKUP_SREG, FIRST);
    if (!is_in)
        put_number(rule, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
    end(rule, one);
}

/* The same of a map, whose data comes to the register: NFT_REG_VERDICT is followed at once. */
static void look_up_data(const struct nft_rule *rule, const char *map, uint32_t reg)
{
    struct expression one = begin(rule, "lookup");

    mnl_attr_put_strz(rule->header, NFTA_LOOKUP_SET, map);
    put_number(rule, NFTA_LOOKUP_SREG, FIRST);
    put_number(rule, NFTA_LOOKUP_DREG, reg);
    end(rule, one);
}

static void load_device(const struct nft_rule *rule, enum nft_device device)
{
    load_meta(rule, device == NFT_IIFNAME ? NFT_META_IIFNAME : NFT_META_OIFNAME, FIRST);
}

void nft_match_device(const struct nft_rule *rule, enum nft_device device, bool is_it,
                      const char *name)
{
    char bytes[IFNAMSIZ] = "";
    size_t length = strnlen(name, IFNAMSIZ - 1);
    bool is_beginning = length > 0 && name[length - 1] == '*';

    memcpy(bytes, name, length);
    load_device(rule, device);
    compare(rule, is_it ? NFT_CMP_EQ : NFT_CMP_NEQ, bytes,
            is_beginning ? length - 1 : sizeof(bytes));
}

void nft_match_device_set(const struct nft_rule *rule, enum nft_device device, bool is_in,
                          const char *set)
{
    load_device(rule, device);
    look_up(rule, set, is_in);
}

void nft_match_family(const struct nft_rule *rule, int family)
{
    const uint8_t protocol = family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
    const uint16_t ether_type = htons(family == AF_INET6 ? ETH_P_IPV6 : ETH_P_IP);

    if (rule->transaction->family == NFT_BRIDGE) {
        /* Also below the tag of a VLAN. */
        load_meta(rule, NFT_META_PROTOCOL, FIRST);
        compare(rule, NFT_CMP_EQ, &ether_type, sizeof(ether_type));
        return;
    }
    load_meta(rule, NFT_META_NFPROTO, FIRST);
    compare(rule, NFT_CMP_EQ, &protocol, sizeof(protocol));
}

static void load_address(const struct nft_rule *rule, enum nft_direction direction, int family)
{
    nft_match_family(rule, family);
    if (family == AF_INET6)
        load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, direction == NFT_SADDR ? 8 : 24, 16, FIRST);
    else
        load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, direction == NFT_SADDR ? 12 : 16, 4, FIRST);
}

void nft_match_subnet(const struct nft_rule *rule, enum nft_direction direction,
                      const struct subnet *subnet)
{
    const struct subnet network = subnet_network(subnet);
    size_t length = address_length(&network.address);
    uint8_t bits[16] = {0};

    for (unsigned int i = 0; i < network.prefix; i++)
        bits[i / 8] = (uint8_t)(bits[i / 8] | 0x80 >> i % 8);
    load_address(rule, direction, network.address.family);
    if (network.prefix < 8 * length)
        mask(rule, bits, length);
    compare(rule, NFT_CMP_EQ, network.address.bytes, length);
}

void nft_match_address_set(const struct nft_rule *rule, enum nft_direction direction, int family,
                           const char *set)
{
    load_address(rule, direction, family);
    look_up(rule, set, true);
}

void nft_match_local(const struct nft_rule *rule)
{
    struct expression one = begin(rule, "fib");
    const uint32_t local = RTN_LOCAL;

    put_number(rule, NFTA_FIB_DREG, FIRST);
    put_number(rule, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
    put_number(rule, NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
    end(rule, one);
    compare(rule, NFT_CMP_EQ, &local, sizeof(local));
}

void nft_match_protocol(const struct nft_rule *rule, uint8_t protocol)
{
    load_meta(rule, NFT_META_L4PROTO, FIRST);
    compare(rule, NFT_CMP_EQ, &protocol, sizeof(protocol));
}

static void match_range(const struct nft_rule *rule, const void *first, const void *last,
                        size_t length)
{
    if (memcmp(first, last, length) == 0) {
        compare(rule, NFT_CMP_EQ, first, length);
        return;
    }
    compare(rule, NFT_CMP_GTE, first, length);
    compare(rule, NFT_CMP_LTE, last, length);
}

void nft_match_ports(const struct nft_rule *rule, uint16_t first, uint16_t last)
{
    const uint16_t range[2] = {htons(first), htons(last)};

    load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 2, sizeof(range[0]), FIRST);
    match_range(rule, &range[0], &range[1], sizeof(range[0]));
}

void nft_match_source_port(const struct nft_rule *rule, uint16_t port)
{
    const uint16_t value = htons(port);

    load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof(value), FIRST);
    compare(rule, NFT_CMP_EQ, &value, sizeof(value));
}

void nft_match_no_syn(const struct nft_rule *rule)
{
    const uint8_t syn = TH_SYN;
    const uint8_t none = 0;

    load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, offsetof(struct tcphdr, th_flags), 1, FIRST);
    mask(rule, &syn, 1);
    compare(rule, NFT_CMP_EQ, &none, 1);
}

void nft_match_icmp_types(const struct nft_rule *rule, uint8_t first, uint8_t last)
{
    load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, FIRST);
    match_range(rule, &first, &last, 1);
}

static void match_connection(const struct nft_rule *rule, uint32_t key, uint32_t bits)
{
    static const uint32_t none;
    struct expression one = begin(rule, "ct");

    put_number(rule, NFTA_CT_KEY, key);
    put_number(rule, NFTA_CT_DREG, FIRST);
    end(rule, one);
    mask(rule, &bits, sizeof(bits));
    compare(rule, NFT_CMP_NEQ, &none, sizeof(none));
}

void nft_match_state(const struct nft_rule *rule, uint32_t bits)
{
    match_connection(rule, NFT_CT_STATE, bits);
}

void nft_match_translated(const struct nft_rule *rule)
{
    match_connection(rule, NFT_CT_STATUS, IPS_DST_NAT);
}

void nft_match_ether_type(const struct nft_rule *rule, uint16_t type)
{
    const uint16_t value = htons(type);

    load_payload(rule, NFT_PAYLOAD_LL_HEADER, 12, sizeof(value), FIRST);
    compare(rule, NFT_CMP_EQ, &value, sizeof(value));
}

void nft_match_parts(const struct nft_rule *rule, bool is_in, const char *set,
                     const enum nft_part *parts, size_t count)
{
    static const struct {
        uint32_t base;
        uint32_t offset;
        uint32_t length;
    } places[] = {
        [NFT_PART_IIFNAME] = {0, 0, IFNAMSIZ},
        [NFT_PART_ETHER_SADDR] = {NFT_PAYLOAD_LL_HEADER, 6, 6},
        [NFT_PART_ARP_SENDER_ETHER] = {NFT_PAYLOAD_NETWORK_HEADER, 8, 6},
        [NFT_PART_ARP_SENDER_IP] = {NFT_PAYLOAD_NETWORK_HEADER, 14, 4},
        [NFT_PART_IP_SADDR] = {NFT_PAYLOAD_NETWORK_HEADER, 12, 4},
        [NFT_PART_IP6_SADDR] = {NFT_PAYLOAD_NETWORK_HEADER, 8, 16},
        [NFT_PART_ND_TARGET] = {NFT_PAYLOAD_TRANSPORT_HEADER, 8, 16},
    };
    uint32_t reg = FIRST;

    for (size_t i = 0; i < count; i++) {
        if (parts[i] == NFT_PART_IIFNAME)
            load_meta(rule, NFT_META_IIFNAME, reg);
        else
            load_payload(rule, places[parts[i]].base, places[parts[i]].offset,
                         places[parts[i]].length, reg);
        reg += (places[parts[i]].length + 3) / 4;
    }
    assert(reg <= NFT_REG32_15 + 1);
    look_up(rule, set, is_in);
}

static void load_sender(const struct nft_rule *rule)
{
    load_payload(rule, NFT_PAYLOAD_LL_HEADER, ETH_ALEN, ETH_ALEN, FIRST);
}

void nft_count_connections(const struct nft_rule *rule, const char *set, uint32_t limit_at)
{
    struct expression one;

    load_sender(rule);
    one = begin(rule, "dynset");
    mnl_attr_put_strz(rule->header, NFTA_DYNSET_SET_NAME, set);
    put_number(rule, NFTA_DYNSET_OP, NFT_DYNSET_OP_ADD);
    put_number(rule, NFTA_DYNSET_SREG_KEY, FIRST);
    nft_put_limit(rule->header, NFTA_DYNSET_EXPR, NFT_LIMIT_CONNECTIONS, limit_at);
    end(rule, one);
}

static void put_verdict(const struct nft_rule *rule, int32_t code, const char *chain)
{
    struct expression one = begin(rule, "immediate");
    struct nlattr *data;
    struct nlattr *verdict;

    put_number(rule, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    data = mnl_attr_nest_start(rule->header, NFTA_IMMEDIATE_DATA);
    verdict = mnl_attr_nest_start(rule->header, NFTA_DATA_VERDICT);
    put_number(rule, NFTA_VERDICT_CODE, (uint32_t)code);
    if (chain != NULL)
        mnl_attr_put_strz(rule->header, NFTA_VERDICT_CHAIN, chain);
    mnl_attr_nest_end(rule->header, verdict);
    mnl_attr_nest_end(rule->header, data);
    end(rule, one);
}

void nft_accept(const struct nft_rule *rule)
{
    put_verdict(rule, NF_ACCEPT, NULL);
}

void nft_drop(const struct nft_rule *rule)
{
    put_verdict(rule, NF_DROP, NULL);
}

void nft_return(const struct nft_rule *rule)
{
    put_verdict(rule, NFT_RETURN, NULL);
}

void nft_jump(const struct nft_rule *rule, const char *chain)
{
    put_verdict(rule, NFT_JUMP, chain);
}

void nft_jump_by_address(const struct nft_rule *rule, enum nft_direction direction, int family,
                         const char *map)
{
    load_address(rule, direction, family);
    look_up_data(rule, map, NFT_REG_VERDICT);
}

void nft_jump_by_sender(const struct nft_rule *rule, const char *map)
{
    load_sender(rule);
    look_up_data(rule, map, NFT_REG_VERDICT);
}

void nft_jump_by_device(const struct nft_rule *rule, enum nft_device device, const char *map)
{
    load_device(rule, device);
    look_up_data(rule, map, NFT_REG_VERDICT);
}

void nft_masquerade(const struct nft_rule *rule)
{
    end(rule, begin(rule, "masq"));
}

void nft_translate(const struct nft_rule *rule, int family, bool has_address, const char *map)
{
    uint32_t address_registers = family == AF_INET6 ? 4 : 1;
    uint32_t reg = FIRST;
    struct expression one;

    nft_match_family(rule, family);
    if (has_address) {
        load_address(rule, NFT_DADDR, family);
        reg += address_registers;
    }
    load_meta(rule, NFT_META_L4PROTO, reg);
    load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, reg + 1);
    look_up_data(rule, map, FIRST);
    one = begin(rule, "nat");
    put_number(rule, NFTA_NAT_TYPE, NFT_NAT_DNAT);
    put_number(rule, NFTA_NAT_FAMILY, family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
    put_number(rule, NFTA_NAT_REG_ADDR_MIN, FIRST);
    put_number(rule, NFTA_NAT_REG_PROTO_MIN, FIRST + address_registers);
    end(rule, one);
}

void nft_count(const struct nft_rule *rule, const char *counter)
{
    struct expression one = begin(rule, "objref");

    put_number(rule, NFTA_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
    mnl_attr_put_strz(rule->header, NFTA_OBJREF_IMM_NAME, counter);
    end(rule, one);
}

void nft_limit(const struct nft_rule *rule, uint32_t packets_per_second, uint32_t burst)
{
    struct expression one = begin(rule, "limit");

    mnl_attr_put_u64(rule->header, NFTA_LIMIT_RATE, htobe64(packets_per_second));
    mnl_attr_put_u64(rule->header, NFTA_LIMIT_UNIT, htobe64(1));
    put_number(rule, NFTA_LIMIT_BURST, burst);
    put_number(rule, NFTA_LIMIT_TYPE, NFT_LIMIT_PKTS);
    end(rule, one);
}

void nft_log(const struct nft_rule *rule, const char *prefix, uint16_t group)
{
    struct expression one = begin(rule, "log");

    mnl_attr_put_u16(rule->header, NFTA_LOG_GROUP, htons(group));
    mnl_attr_put_strz(rule->header, NFTA_LOG_PREFIX, prefix);
    end(rule, one);
}

void nft_reset(const struct nft_rule *rule)
{
    struct expression one = begin(rule, "reject");

    put_number(rule, NFTA_REJECT_TYPE, NFT_REJECT_TCP_RST);
    mnl_attr_put_u8(rule->header, NFTA_REJECT_ICMP_CODE, 0);
    end(rule, one);
}

void nft_reject(const struct nft_rule *rule)
{
    struct expression one = begin(rule, "reject");

    put_number(rule, NFTA_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH);
    mnl_attr_put_u8(rule->header, NFTA_REJECT_ICMP_CODE, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
    end(rule, one);
}
