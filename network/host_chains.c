/* The host's own firewall: see host_chains.h (linux/netfilter/nf_tables.h). */
#include "host_chains.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "egress.h"
#include "firewall.h"
#include "limits.h"
#include "netlink.h"
#include "nft_rule.h"

#define REQUEST_BYTES 1024
#define DATAGRAM_MAX 65536
#define DATAGRAMS_AT_ONCE 64
#define OURS_MAX 16
#define FIREWALLD_TABLE "firewalld"

static bool is_message(const struct nlmsghdr *header, uint16_t type,
                       struct netlink_attributes *attributes)
{
    if (header->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | type) ||
        header->nlmsg_len < NLMSG_LENGTH(sizeof(struct nfgenmsg)))
        return false;
    *attributes = netlink_attributes(header, sizeof(struct nfgenmsg));
    return true;
}

static bool take_text(const struct nlattr *attribute, char *text, size_t size)
{
    if (attribute == NULL || mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) < 0 ||
        strlen(mnl_attr_get_str(attribute)) >= size)
        return false;
    strcpy(text, mnl_attr_get_str(attribute));
    return true;
}

static bool take_number(const struct nlattr *attribute, uint32_t *number)
{
    if (attribute == NULL || mnl_attr_get_payload_len(attribute) != sizeof(*number))
        return false;
    *number = ntohl(mnl_attr_get_u32(attribute));
    return true;
}

static bool has_text(const struct nlattr *attribute, const char *text)
{
    char said[64];

    return take_text(attribute, said, sizeof(said)) && strcmp(said, text) == 0;
}

static bool take_family(const struct nlmsghdr *header, enum nft_family *family)
{
    switch (((const struct nfgenmsg *)mnl_nlmsg_get_payload(header))->nfgen_family) {
    case NFPROTO_INET:
        *family = NFT_INET;
        return true;
    case NFPROTO_IPV4:
        *family = NFT_IPV4;
        return true;
    case NFPROTO_IPV6:
        *family = NFT_IPV6;
        return true;
    default:
        return false;
    }
}

bool host_chain_read(const struct nlmsghdr *header, struct host_chain *chain)
{
    struct netlink_attributes said;
    struct netlink_attributes hook;
    uint32_t number;
    uint32_t policy = NF_ACCEPT;

    if (!is_message(header, NFT_MSG_NEWCHAIN, &said) || !take_family(header, &chain->family) ||
        !take_text(said.at[NFTA_CHAIN_TABLE], chain->table, sizeof(chain->table)) ||
        !take_text(said.at[NFTA_CHAIN_NAME], chain->name, sizeof(chain->name)) ||
        !has_text(said.at[NFTA_CHAIN_TYPE], "filter"))
        return false;
    hook = netlink_nested(said.at[NFTA_CHAIN_HOOK]);
    if (!take_number(hook.at[NFTA_HOOK_HOOKNUM], &number) || number != NF_INET_FORWARD)
        return false;
    take_number(said.at[NFTA_CHAIN_POLICY], &policy);
    chain->is_dropping = policy == NF_DROP;
    return true;
}

static enum host_rule_kind verdict_kind(const struct netlink_attributes *expression,
                                        struct host_rule *rule)
{
    const struct netlink_attributes immediate = netlink_nested(expression->at[NFTA_EXPR_DATA]);
    const struct netlink_attributes data = netlink_nested(immediate.at[NFTA_IMMEDIATE_DATA]);
    const struct netlink_attributes verdict = netlink_nested(data.at[NFTA_DATA_VERDICT]);
    uint32_t code;

    if (!take_number(verdict.at[NFTA_VERDICT_CODE], &code))
        return HOST_RULE_ORDINARY;
    if ((code == (uint32_t)NFT_JUMP || code == (uint32_t)NFT_GOTO) &&
        take_text(verdict.at[NFTA_VERDICT_CHAIN], rule->chain, sizeof(rule->chain)))
        return HOST_RULE_JUMP;
    return code == NF_DROP ? HOST_RULE_CLOSING : HOST_RULE_ORDINARY;
}

/* "target" is one of iptables. */
static enum host_rule_kind expression_kind(const struct netlink_attributes *expression,
                                           struct host_rule *rule)
{
    const struct nlattr *name = expression->at[NFTA_EXPR_NAME];
    struct netlink_attributes target;

    if (has_text(name, "reject"))
        return HOST_RULE_CLOSING;
    if (has_text(name, "immediate"))
        return verdict_kind(expression, rule);
    if (!has_text(name, "target"))
        return HOST_RULE_ORDINARY;
    target = netlink_nested(expression->at[NFTA_EXPR_DATA]);
    return has_text(target.at[NFTA_TARGET_NAME], "REJECT") ||
                   has_text(target.at[NFTA_TARGET_NAME], "DROP")
               ? HOST_RULE_CLOSING
               : HOST_RULE_ORDINARY;
}

/* What stands in many last rules and lets nothing pass by. */
static bool says_nothing(const struct netlink_attributes *expression)
{
    const struct nlattr *name = expression->at[NFTA_EXPR_NAME];
    struct netlink_attributes match;

    if (!has_text(name, "match"))
        return has_text(name, "counter") || has_text(name, "log");
    match = netlink_nested(expression->at[NFTA_EXPR_DATA]);
    return has_text(match.at[NFTA_MATCH_NAME], "comment");
}

/* Nothing but counting, logging and comments stands before what it does. */
static enum host_rule_kind expressions_kind(const struct nlattr *expressions,
                                            struct host_rule *rule)
{
    struct nlattr *one;

    if (expressions == NULL)
        return HOST_RULE_ORDINARY;
    mnl_attr_for_each_nested(one, expressions)
    {
        const struct netlink_attributes expression = netlink_nested(one);

        if (!says_nothing(&expression))
            return expression_kind(&expression, rule);
    }
    return HOST_RULE_ORDINARY;
}

static bool is_ours(const struct nlattr *userdata)
{
    static const char comment[] = HOST_CHAINS_COMMENT;
    const uint8_t *bytes = userdata != NULL ? mnl_attr_get_payload(userdata) : NULL;

    /* Behind its type and length, as nft_rule_begin_at() writes it. */
    return userdata != NULL && mnl_attr_get_payload_len(userdata) == 2 + sizeof(comment) &&
           bytes[0] == 0 && memcmp(bytes + 2, comment, sizeof(comment)) == 0;
}

void host_rule_read(const struct nlmsghdr *header, struct host_rule *rule)
{
    struct netlink_attributes said;

    *rule = (struct host_rule){.kind = HOST_RULE_ORDINARY};
    if (!is_message(header, NFT_MSG_NEWRULE, &said))
        return;
    if (said.at[NFTA_RULE_HANDLE] != NULL &&
        mnl_attr_get_payload_len(said.at[NFTA_RULE_HANDLE]) == sizeof(rule->handle))
        rule->handle = be64toh(mnl_attr_get_u64(said.at[NFTA_RULE_HANDLE]));
    rule->kind = is_ours(said.at[NFTA_RULE_USERDATA])
                     ? HOST_RULE_OURS
                     : expressions_kind(said.at[NFTA_RULE_EXPRESSIONS], rule);
}

struct chain_list {
    struct host_chain items[HOST_CHAINS_MAX];
    size_t count;
};

static int on_chain(const struct nlmsghdr *header, void *context)
{
    struct chain_list *list = context;

    if (list->count < HOST_CHAINS_MAX && host_chain_read(header, &list->items[list->count]) &&
        strcmp(list->items[list->count].table, FIREWALL_TABLE) != 0 &&
        strcmp(list->items[list->count].table, EGRESS_TABLE) != 0 &&
        strcmp(list->items[list->count].table, LIMITS_TABLE) != 0)
        list->count++;
    return MNL_CB_OK;
}

/* What stands in one chain. */
struct rules {
    uint64_t ours[OURS_MAX];
    size_t our_count;
    size_t behind_ours;    /* that many others, without the last one */
    struct host_rule last; /* zeroed: it is ours, or there is none */
};

static int on_rule(const struct nlmsghdr *header, void *context)
{
    struct rules *rules = context;
    struct host_rule rule;

    host_rule_read(header, &rule);
    if (rules->last.handle != 0 && rules->our_count > 0)
        rules->behind_ours++;
    if (rule.kind == HOST_RULE_OURS && rules->our_count < OURS_MAX) {
        rules->ours[rules->our_count++] = rule.handle;
        rule = (struct host_rule){.kind = HOST_RULE_ORDINARY};
    }
    rules->last = rule;
    return MNL_CB_OK;
}

static int list_rules(const struct host_chain *chain, struct rules *rules, struct error *err)
{
    _Alignas(8) char bytes[REQUEST_BYTES];
    struct nlmsghdr *header = nfnetlink_put_header(
        bytes, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE, 0, nft_protocol_family(chain->family));

    mnl_attr_put_strz(header, NFTA_RULE_TABLE, chain->table);
    mnl_attr_put_strz(header, NFTA_RULE_CHAIN, chain->name);
    return nfnetlink_list(header, on_rule, rules, err);
}

/* Whether the last rule lets nothing by, itself or by the chain that it leads to. */
static bool is_closed_at_end(const struct host_chain *chain, const struct rules *rules)
{
    struct rules next = {.our_count = 0};
    struct host_chain led = *chain;

    if (rules->last.kind != HOST_RULE_JUMP)
        return rules->last.kind == HOST_RULE_CLOSING;
    strcpy(led.name, rules->last.chain);
    return list_rules(&led, &next, NULL) == 0 && next.last.kind == HOST_RULE_CLOSING;
}

static void add_rules(struct nft_transaction *transaction, const struct nft_place *place,
                      const char *const *devices, size_t count)
{
    for (size_t i = 0; i < 2 * count; i++) {
        const struct nft_rule rule = nft_rule_begin_at(transaction, place);

        nft_match_device(&rule, i % 2 == 0 ? NFT_IIFNAME : NFT_OIFNAME, true, devices[i / 2]);
        nft_accept(&rule);
        nft_rule_end(&rule);
    }
}

/* True in *was_closed: it has other rules now. */
static int open_chain(const struct nft_channel *channel, const struct host_chain *chain,
                      const char *const *devices, size_t count, bool *was_closed, struct error *err)
{
    cleanup_nft_transaction struct nft_transaction transaction = {0};
    struct rules rules = {.our_count = 0};
    struct nft_place place = {.chain = chain->name, .comment = HOST_CHAINS_COMMENT};
    bool is_closed;
    size_t behind;

    if (list_rules(chain, &rules, err) < 0)
        return -err->errnum;
    if (is_closed_at_end(chain, &rules))
        place.before = rules.last.handle;
    is_closed = count > 0 && (chain->is_dropping || place.before != 0);
    behind = rules.behind_ours + (place.before == 0 && rules.last.handle != 0);
    if (is_closed ? rules.our_count == 2 * count && behind == 0 : rules.our_count == 0)
        return 0;
    nft_use_table(&transaction, chain->family, chain->table);
    for (size_t i = 0; i < rules.our_count; i++)
        nft_delete_rule(&transaction, chain->name, rules.ours[i]);
    if (is_closed)
        add_rules(&transaction, &place, devices, count);
    *was_closed = is_closed;
    return nft_transaction_run(channel, &transaction, err);
}

static void name_chain(const struct host_chain *chain, char text[HOST_CHAIN_SIZE])
{
    static const char *const families[] = {
        [NFT_INET] = "inet", [NFT_IPV4] = "ip", [NFT_IPV6] = "ip6"};

    snprintf(text, HOST_CHAIN_SIZE, "%s %s %s", families[chain->family], chain->table, chain->name);
}

int host_chains_open(const struct nft_channel *channel, const char *const *devices, size_t count,
                     struct host_chains *found, struct error *err)
{
    _Alignas(8) char bytes[REQUEST_BYTES];
    struct chain_list list = {.count = 0};

    *found = (struct host_chains){.has_firewalld = false};
    if (nfnetlink_list(
            nfnetlink_put_header(bytes, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, 0, AF_UNSPEC),
            on_chain, &list, err) < 0)
        return -err->errnum;
    for (size_t i = 0; i < list.count; i++) {
        const struct host_chain *chain = &list.items[i];
        struct error problem = {0};
        bool was_closed = false;

        if (strcmp(chain->table, FIREWALLD_TABLE) == 0)
            found->has_firewalld = true;
        else
            open_chain(channel, chain, devices, count, &was_closed, &problem);
        if (problem.errnum == EPERM)
            name_chain(chain, found->closed);
        else if (problem.errnum != 0 && err->errnum == 0)
            *err = problem;
        else if (problem.errnum == 0 && was_closed)
            name_chain(chain, found->opened);
    }
    return -err->errnum;
}

/* The filter reads in network order what is in the host's. */
static int attach_filter(int fd, uint32_t own_port)
{
    struct sock_filter wanted[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(own_port), 2, 0),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN), 0,
                 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const struct sock_fprog program = {ARRAY_SIZE(wanted), wanted};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

/* A datagram has several messages. */
static bool is_about_rules(const char *bytes, ssize_t length)
{
    const struct nlmsghdr *header = (const struct nlmsghdr *)(const void *)bytes;
    int left = (int)length;

    for (; mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
        switch (header->nlmsg_type & 0xff) {
        case NFT_MSG_NEWTABLE:
        case NFT_MSG_DELTABLE:
        case NFT_MSG_NEWCHAIN:
        case NFT_MSG_DELCHAIN:
        case NFT_MSG_NEWRULE:
        case NFT_MSG_DELRULE:
            return true;
        default:
            break;
        }
    }
    /* What was cut may be anything. */
    return left > 0;
}

bool host_chains_have_changed(int fd)
{
    cleanup_free char *bytes = memory_new(1, DATAGRAM_MAX);
    bool have_changed = false;

    for (int i = 0; i < DATAGRAMS_AT_ONCE; i++) {
        ssize_t length = recv(fd, bytes, DATAGRAM_MAX, MSG_DONTWAIT);

        if (length < 0 && errno != ENOBUFS)
            break;
        have_changed = have_changed || length < 0 || is_about_rules(bytes, length);
    }
    return have_changed;
}

int host_chains_watch(uint32_t own_port, struct error *err)
{
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    int group = NFNLGRP_NFTABLES;
    cleanup_close int fd =
        socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);

    if (fd < 0 || attach_filter(fd, own_port) < 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
        return error_errno(err, errno, "watch the host's firewall");
    return take_fd(&fd);
}
