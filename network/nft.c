/* Transactions of nfnetlink: see nft.h. A batch stands between two messages that begin and end it;
 * the first failure undoes all. Only the last request is to be acknowledged: failures are told
 * anyway, and thousands of acknowledgements would not fit into the socket. */
#include "nft.h"

#include <arpa/inet.h>
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "base/cleanup.h"
#include "netlink.h"

#ifndef NFT_TABLE_F_OWNER
#define NFT_TABLE_F_OWNER 2
#define NFTA_TABLE_OWNER 7
#endif

#define ANSWER_MAX 16384
#define DYNAMIC_SET_SIZE 65535
#define SEND_BUFFER_MAX (32 << 20) /* the largest transaction */
#define ANSWER_TIMEOUT_S 10        /* the kernel answers before sendmsg(2) returns */

static int set_up(struct nft_channel *channel, struct error *err)
{
    const struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
    int one = 1;
    int bytes = SEND_BUFFER_MAX;
    struct sockaddr_nl address = {0};
    socklen_t length = sizeof(address);

    if (getsockname(channel->fd, (struct sockaddr *)&address, &length) < 0)
        return error_errno(err, errno, "nfnetlink");
    channel->port = address.nl_pid;
    setsockopt(channel->fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
    setsockopt(channel->fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
    setsockopt(channel->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    setsockopt(channel->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
    return 0;
}

int nft_channel_open(struct nft_channel *channel, struct error *err)
{
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    int result;

    channel->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (channel->fd < 0 ||
        bind(channel->fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        result = error_errno(err, errno, "nfnetlink");
    else
        result = set_up(channel, err);
    if (result < 0)
        nft_channel_close(channel);
    return result;
}

int nft_channel_adopt(struct nft_channel *channel, int fd, struct error *err)
{
    channel->fd = fd;
    return set_up(channel, err);
}

void nft_channel_close(struct nft_channel *channel)
{
    fd_close(&channel->fd);
}

static bool is_own_namespace(int netns_fd)
{
    struct stat its;
    struct stat own;

    return netns_fd >= 0 && fstat(netns_fd, &its) == 0 && stat("/proc/self/ns/net", &own) == 0 &&
           its.st_ino == own.st_ino && its.st_dev == own.st_dev;
}

bool nft_socket_is(int fd, uint32_t port)
{
    struct sockaddr_nl address = {0};
    socklen_t length = sizeof(address);
    int protocol = -1;
    socklen_t size = sizeof(protocol);
    cleanup_close int netns_fd = ioctl(fd, SIOCGSKNS);

    return is_own_namespace(netns_fd) &&
           getsockname(fd, (struct sockaddr *)&address, &length) == 0 &&
           address.nl_family == AF_NETLINK && address.nl_pid == port &&
           getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 &&
           protocol == NETLINK_NETFILTER;
}

uint8_t nft_protocol_family(enum nft_family family)
{
    static const uint8_t numbers[] = {[NFT_INET] = NFPROTO_INET,
                                      [NFT_BRIDGE] = NFPROTO_BRIDGE,
                                      [NFT_IPV4] = NFPROTO_IPV4,
                                      [NFT_IPV6] = NFPROTO_IPV6};

    return numbers[family];
}

/* NFNL_MSG_BATCH_BEGIN and _END: which subsystem the requests between them are for. */
static size_t put_bracket(char *bytes, uint16_t type)
{
    struct nlmsghdr *header = nfnetlink_put_header(bytes, type, 0, AF_UNSPEC);
    struct nfgenmsg *generic = mnl_nlmsg_get_payload(header);

    generic->res_id = htons(NFNL_SUBSYS_NFTABLES);
    return header->nlmsg_len;
}

void nft_transaction_release(struct nft_transaction *transaction)
{
    buffer_release(&transaction->bytes);
}

struct nlmsghdr *nft_request_begin(struct nft_transaction *transaction, uint16_t type,
                                   uint16_t flags)
{
    char *bytes = buffer_reserve(&transaction->bytes, NFT_REQUEST_MAX);

    transaction->count++;
    return nfnetlink_put_header(bytes, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags,
                                nft_protocol_family(transaction->family));
}

void nft_request_end(struct nft_transaction *transaction, const struct nlmsghdr *header)
{
    assert(header->nlmsg_len <= NFT_REQUEST_MAX);
    transaction->bytes.length += NLMSG_ALIGN(header->nlmsg_len);
}

/* Answers to an earlier transaction whose reading failed. */
static void drop_old_answers(int fd)
{
    char bytes[ANSWER_MAX];

    while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
        ;
}

/* True when the answer to the last request is there, or that to the whole (sequence 0). */
static bool take_answers(const char *bytes, ssize_t length, uint32_t last, struct error *failure)
{
    const struct nlmsghdr *header = (const struct nlmsghdr *)(const void *)bytes;
    bool is_over = false;
    int left = (int)length;

    for (; mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
        const struct nlmsgerr *answer = mnl_nlmsg_get_payload(header);
        const char *reason;

        if (header->nlmsg_type != NLMSG_ERROR)
            continue;
        reason = netlink_reason(header);
        if (answer->error != 0 && failure->errnum == 0)
            error_errno(failure, -answer->error, "nftables: request %u%s%.200s", header->nlmsg_seq,
                        reason != NULL ? ": " : "", reason != NULL ? reason : "");
        is_over = is_over || header->nlmsg_seq == 0 || header->nlmsg_seq == last;
    }
    return is_over;
}

static int read_answers(int fd, uint32_t last, struct error *err)
{
    _Alignas(8) char bytes[ANSWER_MAX];
    struct error failure = {0};

    for (;;) {
        ssize_t length = recv(fd, bytes, sizeof(bytes), 0);

        if (length < 0 && errno == EINTR)
            continue;
        if (length <= 0)
            return error_errno(err, length < 0 ? errno : EPIPE, "nftables: the kernel's answer");
        if (take_answers(bytes, length, last, &failure))
            break;
    }
    if (failure.errnum != 0 && err != NULL)
        *err = failure;
    return -failure.errnum;
}

/* Requests get their numbers, from 1 on, and the last one has to be answered. */
static void number_requests(struct nft_transaction *transaction)
{
    size_t offset = 0;
    uint32_t number = 0;

    while (offset < transaction->bytes.length) {
        struct nlmsghdr *header = (struct nlmsghdr *)(void *)(transaction->bytes.data + offset);

        header->nlmsg_seq = ++number;
        if (number == transaction->count)
            header->nlmsg_flags |= NLM_F_ACK;
        offset += NLMSG_ALIGN(header->nlmsg_len);
    }
}

static int send_batch(int fd, struct nft_transaction *transaction)
{
    _Alignas(8) char begin[64];
    _Alignas(8) char end[64];
    struct iovec parts[] = {
        {begin, put_bracket(begin, NFNL_MSG_BATCH_BEGIN)},
        {transaction->bytes.data, transaction->bytes.length},
        {end, put_bracket(end, NFNL_MSG_BATCH_END)},
    };
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = ARRAY_SIZE(parts)};

    return sendmsg(fd, &message, 0) < 0 ? -errno : 0;
}

int nft_transaction_run(const struct nft_channel *channel, struct nft_transaction *transaction,
                        struct error *err)
{
    int result;

    if (transaction->count == 0)
        return 0;
    if (channel->fd < 0)
        return error_set(err, ERROR_UNSUPPORTED, EPROTONOSUPPORT,
                         "nftables: this kernel has none (nf_tables, nfnetlink)");
    drop_old_answers(channel->fd);
    number_requests(transaction);
    result = send_batch(channel->fd, transaction);
    if (result < 0)
        return error_errno(err, -result, "nftables");
    return read_answers(channel->fd, transaction->count, err);
}

void nft_use_table(struct nft_transaction *transaction, enum nft_family family, const char *table)
{
    transaction->family = family;
    transaction->table = table;
}

void nft_add_table(struct nft_transaction *transaction)
{
    struct nlmsghdr *header = nft_request_begin(transaction, NFT_MSG_NEWTABLE, NLM_F_CREATE);

    mnl_attr_put_strz(header, NFTA_TABLE_NAME, transaction->table);
    mnl_attr_put_u32(header, NFTA_TABLE_FLAGS, htonl(NFT_TABLE_F_OWNER));
    nft_request_end(transaction, header);
}

void nft_delete_table(struct nft_transaction *transaction)
{
    struct nlmsghdr *header = nft_request_begin(transaction, NFT_MSG_DELTABLE, 0);

    mnl_attr_put_strz(header, NFTA_TABLE_NAME, transaction->table);
    nft_request_end(transaction, header);
}

static struct nlmsghdr *begin_chain(struct nft_transaction *transaction, uint16_t type,
                                    uint16_t flags, const char *name)
{
    struct nlmsghdr *header = nft_request_begin(transaction, type, flags);

    mnl_attr_put_strz(header, NFTA_CHAIN_TABLE, transaction->table);
    mnl_attr_put_strz(header, NFTA_CHAIN_NAME, name);
    return header;
}

void nft_add_chain(struct nft_transaction *transaction, const char *name)
{
    nft_request_end(transaction, begin_chain(transaction, NFT_MSG_NEWCHAIN, NLM_F_CREATE, name));
}

void nft_add_base_chain(struct nft_transaction *transaction, const char *name, const char *type,
                        enum nft_hook hook, int32_t priority)
{
    struct nlmsghdr *header = begin_chain(transaction, NFT_MSG_NEWCHAIN, NLM_F_CREATE, name);
    struct nlattr *nest = mnl_attr_nest_start(header, NFTA_CHAIN_HOOK);

    mnl_attr_put_u32(header, NFTA_HOOK_HOOKNUM, htonl((uint32_t)hook));
    mnl_attr_put_u32(header, NFTA_HOOK_PRIORITY, htonl((uint32_t)priority));
    mnl_attr_nest_end(header, nest);
    mnl_attr_put_u32(header, NFTA_CHAIN_POLICY, htonl(NF_ACCEPT));
    mnl_attr_put_strz(header, NFTA_CHAIN_TYPE, type);
    nft_request_end(transaction, header);
}

void nft_flush_chain(struct nft_transaction *transaction, const char *name)
{
    struct nlmsghdr *header = nft_request_begin(transaction, NFT_MSG_DELRULE, 0);

    mnl_attr_put_strz(header, NFTA_RULE_TABLE, transaction->table);
    mnl_attr_put_strz(header, NFTA_RULE_CHAIN, name);
    nft_request_end(transaction, header);
}

void nft_delete_chain(struct nft_transaction *transaction, const char *name)
{
    nft_request_end(transaction, begin_chain(transaction, NFT_MSG_DELCHAIN, 0, name));
}

static void put_counter(struct nft_transaction *transaction, uint16_t type, uint16_t flags,
                        const char *name)
{
    struct nlmsghdr *header = nft_request_begin(transaction, type, flags);

    mnl_attr_put_strz(header, NFTA_OBJ_TABLE, transaction->table);
    mnl_attr_put_strz(header, NFTA_OBJ_NAME, name);
    mnl_attr_put_u32(header, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
    if (type == NFT_MSG_NEWOBJ)
        mnl_attr_nest_end(header, mnl_attr_nest_start(header, NFTA_OBJ_DATA));
    nft_request_end(transaction, header);
}

void nft_add_counter(struct nft_transaction *transaction, const char *name)
{
    put_counter(transaction, NFT_MSG_NEWOBJ, NLM_F_CREATE, name);
}

void nft_delete_counter(struct nft_transaction *transaction, const char *name)
{
    put_counter(transaction, NFT_MSG_DELOBJ, 0, name);
}

static uint32_t type_length(enum nft_type type)
{
    switch (type) {
    case NFT_TYPE_IPV4:
        return 4;
    case NFT_TYPE_IPV6:
    case NFT_TYPE_DEVICE:
        return 16;
    case NFT_TYPE_ETHER:
        return 6;
    case NFT_TYPE_PROTOCOL:
        return 1;
    case NFT_TYPE_PORT:
        return 2;
    case NFT_TYPE_NONE:
    case NFT_TYPE_VERDICT:
        break;
    }
    return 0;
}

/* The number of a concatenation has 6 bits for each of its types; each value in it has whole
 * registers. */
static void add_up_types(const enum nft_type types[NFT_TYPES_MAX], uint32_t *number,
                         uint32_t *length)
{
    bool is_single = types[1] == NFT_TYPE_NONE;

    *number = *length = 0;
    for (size_t i = 0; i < NFT_TYPES_MAX && types[i] != NFT_TYPE_NONE; i++) {
        uint32_t one = type_length(types[i]);

        *number = *number << 6 | (uint32_t)types[i];
        *length += is_single ? one : (one + 3) / 4 * 4;
    }
}

/* What `nft list` needs to show names of devices: NFTNL_UDATA_SET_KEYBYTEORDER, of 4 bytes, is that
 * of the host. */
static void put_byte_order(struct nlmsghdr *header)
{
    const uint32_t host_endian = 1;
    uint8_t bytes[2 + sizeof(host_endian)] = {0, sizeof(host_endian)};

    memcpy(bytes + 2, &host_endian, sizeof(host_endian));
    mnl_attr_put(header, NFTA_SET_USERDATA, sizeof(bytes), bytes);
}

static void put_connections(struct nlmsghdr *header, uint32_t limit_at)
{
    mnl_attr_put_u32(header, NFTA_CONNLIMIT_COUNT, htonl(limit_at));
    mnl_attr_put_u32(header, NFTA_CONNLIMIT_FLAGS, htonl(NFT_CONNLIMIT_F_INV));
}

static void put_rate(struct nlmsghdr *header, uint32_t limit_at)
{
    mnl_attr_put_u64(header, NFTA_LIMIT_RATE, htobe64(limit_at));
    mnl_attr_put_u64(header, NFTA_LIMIT_UNIT, htobe64(1));
    mnl_attr_put_u32(header, NFTA_LIMIT_BURST, htonl(limit_at));
    mnl_attr_put_u32(header, NFTA_LIMIT_TYPE, htonl(NFT_LIMIT_PKTS));
    mnl_attr_put_u32(header, NFTA_LIMIT_FLAGS, htonl(NFT_LIMIT_F_INV));
}

/* A statement of a set or of its element: it ends the search where it is not over its limit. */
void nft_put_limit(struct nlmsghdr *header, uint16_t type, enum nft_limit limit, uint32_t limit_at)
{
    bool is_rate = limit == NFT_LIMIT_RATE;
    struct nlattr *one;
    struct nlattr *data;

    if (limit == NFT_LIMIT_NONE)
        return;
    one = mnl_attr_nest_start(header, type);
    mnl_attr_put_strz(header, NFTA_EXPR_NAME, is_rate ? "limit" : "connlimit");
    data = mnl_attr_nest_start(header, NFTA_EXPR_DATA);
    if (is_rate)
        put_rate(header, limit_at);
    else
        put_connections(header, limit_at);
    mnl_attr_nest_end(header, data);
    mnl_attr_nest_end(header, one);
}

/* What the kernel adds elements to has to have one. */
static void put_size(struct nlmsghdr *header)
{
    struct nlattr *description = mnl_attr_nest_start(header, NFTA_SET_DESC);

    mnl_attr_put_u32(header, NFTA_SET_DESC_SIZE, htonl(DYNAMIC_SET_SIZE));
    mnl_attr_nest_end(header, description);
}

static uint32_t set_flags(const struct nft_set *set)
{
    return (set->data[0] != NFT_TYPE_NONE ? NFT_SET_MAP : 0) |
           (set->has_timeouts ? NFT_SET_TIMEOUT : 0) |
           (set->limit != NFT_LIMIT_NONE ? NFT_SET_EVAL : 0);
}

void nft_add_set(struct nft_transaction *transaction, const struct nft_set *set)
{
    struct nlmsghdr *header = nft_request_begin(transaction, NFT_MSG_NEWSET, NLM_F_CREATE);
    bool is_map = set->data[0] != NFT_TYPE_NONE;
    uint32_t number;
    uint32_t length;

    add_up_types(set->key, &number, &length);
    mnl_attr_put_strz(header, NFTA_SET_TABLE, transaction->table);
    mnl_attr_put_strz(header, NFTA_SET_NAME, set->name);
    mnl_attr_put_u32(header, NFTA_SET_FLAGS, htonl(set_flags(set)));
    mnl_attr_put_u32(header, NFTA_SET_KEY_TYPE, htonl(number));
    mnl_attr_put_u32(header, NFTA_SET_KEY_LEN, htonl(length));
    mnl_attr_put_u32(header, NFTA_SET_ID, htonl(transaction->count));
    if (set->key[0] == NFT_TYPE_DEVICE && set->key[1] == NFT_TYPE_NONE)
        put_byte_order(header);
    if (is_map && set->data[0] == NFT_TYPE_VERDICT) {
        mnl_attr_put_u32(header, NFTA_SET_DATA_TYPE, htonl(NFT_DATA_VERDICT));
    } else if (is_map) {
        add_up_types(set->data, &number, &length);
        mnl_attr_put_u32(header, NFTA_SET_DATA_TYPE, htonl(number));
        mnl_attr_put_u32(header, NFTA_SET_DATA_LEN, htonl(length));
    }
    if (set->limit == NFT_LIMIT_RATE)
        nft_put_limit(header, NFTA_SET_EXPR, set->limit, 1);
    if (set->limit == NFT_LIMIT_CONNECTIONS)
        put_size(header);
    nft_request_end(transaction, header);
}

static struct nlmsghdr *begin_set(struct nft_transaction *transaction, uint16_t type,
                                  uint16_t flags, const char *name)
{
    struct nlmsghdr *header = nft_request_begin(transaction, type, flags);

    /* The same numbers in both kinds of requests: NFTA_SET_TABLE, NFTA_SET_NAME. */
    mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_TABLE, transaction->table);
    mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_SET, name);
    return header;
}

void nft_flush_set(struct nft_transaction *transaction, const char *name)
{
    nft_request_end(transaction, begin_set(transaction, NFT_MSG_DELSETELEM, 0, name));
}

void nft_delete_set(struct nft_transaction *transaction, const char *name)
{
    nft_request_end(transaction, begin_set(transaction, NFT_MSG_DELSET, 0, name));
}

void nft_value_append(struct nft_value *value, const void *bytes, size_t length)
{
    size_t end = (value->length + 3) / 4 * 4;

    assert(end + length <= NFT_VALUE_SIZE);
    memcpy(value->bytes + end, bytes, length);
    /* One value alone is as long as it is, several have whole registers. */
    value->length = end == 0 ? length : end + (length + 3) / 4 * 4;
}

void nft_value_append_device(struct nft_value *value, const char *name)
{
    char bytes[IFNAMSIZ] = "";

    memcpy(bytes, name, strnlen(name, IFNAMSIZ - 1));
    nft_value_append(value, bytes, sizeof(bytes));
}

static void put_value(struct nlmsghdr *header, uint16_t type, const struct nft_value *value)
{
    struct nlattr *nest = mnl_attr_nest_start(header, type);

    mnl_attr_put(header, NFTA_DATA_VALUE, value->length, value->bytes);
    mnl_attr_nest_end(header, nest);
}

static void put_jump(struct nlmsghdr *header, const char *chain)
{
    struct nlattr *data = mnl_attr_nest_start(header, NFTA_SET_ELEM_DATA);
    struct nlattr *verdict = mnl_attr_nest_start(header, NFTA_DATA_VERDICT);

    mnl_attr_put_u32(header, NFTA_VERDICT_CODE, htonl((uint32_t)NFT_JUMP));
    mnl_attr_put_strz(header, NFTA_VERDICT_CHAIN, chain);
    mnl_attr_nest_end(header, verdict);
    mnl_attr_nest_end(header, data);
}

static void put_element(struct nft_transaction *transaction, uint16_t type, uint16_t flags,
                        const struct nft_element *element)
{
    struct nlmsghdr *header = begin_set(transaction, type, flags, element->set);
    struct nlattr *list = mnl_attr_nest_start(header, NFTA_SET_ELEM_LIST_ELEMENTS);
    struct nlattr *one = mnl_attr_nest_start(header, NFTA_LIST_ELEM);

    put_value(header, NFTA_SET_ELEM_KEY, &element->key);
    if (element->data.length > 0)
        put_value(header, NFTA_SET_ELEM_DATA, &element->data);
    if (element->jump != NULL)
        put_jump(header, element->jump);
    if (element->timeout_ms > 0 && type == NFT_MSG_NEWSETELEM)
        mnl_attr_put_u64(header, NFTA_SET_ELEM_TIMEOUT, htobe64(element->timeout_ms));
    if (type == NFT_MSG_NEWSETELEM)
        nft_put_limit(header, NFTA_SET_ELEM_EXPR, element->limit, element->limit_at);
    mnl_attr_nest_end(header, one);
    mnl_attr_nest_end(header, list);
    nft_request_end(transaction, header);
}

void nft_add_element(struct nft_transaction *transaction, const struct nft_element *element)
{
    put_element(transaction, NFT_MSG_NEWSETELEM,
                (uint16_t)(NLM_F_CREATE | (element->is_new ? NLM_F_EXCL : 0)), element);
}

void nft_delete_element(struct nft_transaction *transaction, const struct nft_element *element)
{
    put_element(transaction, NFT_MSG_DELSETELEM, 0, element);
}

void nft_change_element(struct nft_transaction *transaction, const struct nft_element *element,
                        bool is_removed)
{
    if (is_removed)
        nft_delete_element(transaction, element);
    else
        nft_add_element(transaction, element);
}

/* Asks one question and takes its answer into the same bytes. */
static int ask(const struct nft_channel *channel, char bytes[ANSWER_MAX])
{
    struct nlmsghdr *header = (struct nlmsghdr *)(void *)bytes;
    ssize_t length = -1;

    if (channel->fd < 0)
        return -ENOENT;
    /* 0 would be the answer to a whole transaction. */
    header->nlmsg_seq = 1;
    drop_old_answers(channel->fd);
    if (send(channel->fd, header, header->nlmsg_len, 0) >= 0)
        length = recv(channel->fd, bytes, ANSWER_MAX, 0);
    return length < (ssize_t)sizeof(*header) || header->nlmsg_type == NLMSG_ERROR ? -ENOENT : 0;
}

int nft_table_look_up(const struct nft_channel *channel, enum nft_family family, const char *name,
                      uint32_t *owner)
{
    _Alignas(8) char bytes[ANSWER_MAX];
    struct nlmsghdr *header = nfnetlink_put_header(
        bytes, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, 0, nft_protocol_family(family));
    struct nlattr *attribute;

    *owner = 0;
    mnl_attr_put_strz(header, NFTA_TABLE_NAME, name);
    if (ask(channel, bytes) < 0)
        return -ENOENT;
    mnl_attr_for_each(attribute, header, sizeof(struct nfgenmsg))
    {
        if (mnl_attr_get_type(attribute) == NFTA_TABLE_OWNER &&
            mnl_attr_get_payload_len(attribute) == sizeof(uint32_t))
            *owner = ntohl(mnl_attr_get_u32(attribute));
    }
    return 0;
}

static uint64_t read_number(const struct nlattr *attribute)
{
    return mnl_attr_get_payload_len(attribute) == sizeof(uint64_t)
               ? be64toh(mnl_attr_get_u64(attribute))
               : 0;
}

static void read_counter(const struct nlmsghdr *header, struct nft_counter *counter)
{
    struct nlattr *attribute;
    struct nlattr *part;

    mnl_attr_for_each(attribute, header, sizeof(struct nfgenmsg))
    {
        if (mnl_attr_get_type(attribute) != NFTA_OBJ_DATA)
            continue;
        mnl_attr_for_each_nested(part, attribute)
        {
            if (mnl_attr_get_type(part) == NFTA_COUNTER_PACKETS)
                counter->packets = read_number(part);
            else if (mnl_attr_get_type(part) == NFTA_COUNTER_BYTES)
                counter->bytes = read_number(part);
        }
    }
}

int nft_counter_read(const struct nft_channel *channel, enum nft_family family, const char *table,
                     const char *name, struct nft_counter *counter, struct error *err)
{
    _Alignas(8) char bytes[ANSWER_MAX];
    struct nlmsghdr *header = nfnetlink_put_header(
        bytes, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETOBJ, 0, nft_protocol_family(family));

    mnl_attr_put_strz(header, NFTA_OBJ_TABLE, table);
    mnl_attr_put_strz(header, NFTA_OBJ_NAME, name);
    mnl_attr_put_u32(header, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
    *counter = (struct nft_counter){0};
    if (ask(channel, bytes) < 0)
        return error_set(err, ERROR_NOT_FOUND, ENOENT, "nftables: counter %s", name);
    read_counter(header, counter);
    return 0;
}
