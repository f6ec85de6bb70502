/* Transactions of nfnetlink: see nft_elements.h. A batch stands between two messages that begin and
 * end it; each request in it is answered, and the first failure undoes all (linux/netfilter/
 * nf_tables.h, nfnetlink.h). */
#include "nft_elements.h"

#include <arpa/inet.h>
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"

#define REQUEST_MAX 512
#define ANSWER_MAX 16384

void nft_value_append(struct nft_value *value, const void *bytes, size_t length)
{
    assert(value->length + length <= NFT_VALUE_SIZE);
    memcpy(value->bytes + value->length, bytes, length);
    value->length += (length + 3) / 4 * 4;
}

static uint8_t protocol_family(enum nft_family family)
{
    return family == NFT_BRIDGE ? NFPROTO_BRIDGE : NFPROTO_INET;
}

static struct nlmsghdr *begin_message(char *bytes, uint16_t type, uint16_t flags, uint8_t family,
                                      uint32_t sequence)
{
    struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);
    struct nfgenmsg *generic;

    header->nlmsg_type = type;
    header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    header->nlmsg_seq = sequence;
    generic = mnl_nlmsg_put_extra_header(header, sizeof(*generic));
    generic->nfgen_family = family;
    generic->version = NFNETLINK_V0;
    generic->res_id = 0;
    return header;
}

/* NFNL_MSG_BATCH_BEGIN and _END: which subsystem the requests between them are for. */
static size_t put_bracket(char *bytes, uint16_t type, uint32_t sequence)
{
    struct nlmsghdr *header = begin_message(bytes, type, 0, AF_UNSPEC, sequence);
    struct nfgenmsg *generic = mnl_nlmsg_get_payload(header);

    generic->res_id = htons(NFNL_SUBSYS_NFTABLES);
    return header->nlmsg_len;
}

static void put_value(struct nlmsghdr *header, uint16_t type, const struct nft_value *value)
{
    struct nlattr *nest = mnl_attr_nest_start(header, type);

    mnl_attr_put(header, NFTA_DATA_VALUE, value->length, value->bytes);
    mnl_attr_nest_end(header, nest);
}

static size_t put_element(char *bytes, const struct nft_element *element, uint32_t sequence)
{
    uint16_t type = (NFNL_SUBSYS_NFTABLES << 8) |
                    (element->is_removed ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM);
    uint16_t flags = element->is_removed ? 0 : NLM_F_CREATE | NLM_F_EXCL;
    struct nlmsghdr *header = begin_message(bytes, type, (uint16_t)(NLM_F_ACK | flags),
                                            protocol_family(element->family), sequence);
    struct nlattr *list;
    struct nlattr *one;

    mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_TABLE, element->table);
    mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_SET, element->set);
    list = mnl_attr_nest_start(header, NFTA_SET_ELEM_LIST_ELEMENTS);
    one = mnl_attr_nest_start(header, NFTA_LIST_ELEM);
    put_value(header, NFTA_SET_ELEM_KEY, &element->key);
    if (element->data.length > 0)
        put_value(header, NFTA_SET_ELEM_DATA, &element->data);
    if (element->timeout_ms > 0)
        mnl_attr_put_u64(header, NFTA_SET_ELEM_TIMEOUT, htobe64(element->timeout_ms));
    mnl_attr_nest_end(header, one);
    mnl_attr_nest_end(header, list);
    return header->nlmsg_len;
}

static int open_channel(struct nft_channel *channel, struct error *err)
{
    if (channel->socket != NULL)
        return 0;
    channel->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    if (channel->socket != NULL && mnl_socket_bind(channel->socket, 0, MNL_SOCKET_AUTOPID) == 0)
        return 0;
    return error_errno(err, errno, "nfnetlink");
}

/* After a failure answers may be on their way that belong to nobody. */
static void close_channel(struct nft_channel *channel)
{
    if (channel->socket != NULL)
        mnl_socket_close(channel->socket);
    channel->socket = NULL;
}

/* Answers come until each request has one: also those after a failure are checked. A failure of
 * the whole is answered to the message that begins or ends it. */
static int read_answers(struct mnl_socket *socket, size_t count, struct error *err)
{
    _Alignas(8) char bytes[ANSWER_MAX];
    int failure = 0;

    while (count > 0) {
        ssize_t length = mnl_socket_recvfrom(socket, bytes, sizeof(bytes));
        const struct nlmsghdr *header = (const struct nlmsghdr *)(void *)bytes;
        int left = (int)length;

        if (length < 0 && errno == EINTR)
            continue;
        if (length <= 0)
            return error_errno(err, errno, "nftables: the kernel's answer");
        for (; mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
            const struct nlmsgerr *answer = mnl_nlmsg_get_payload(header);

            if (header->nlmsg_type != NLMSG_ERROR)
                continue;
            if (answer->error != 0 && failure == 0)
                failure = -answer->error;
            if (header->nlmsg_seq == 0)
                count = 1;
            count--;
        }
    }
    return failure != 0 ? error_errno(err, failure, "nftables: change elements") : 0;
}

int nft_elements_change(struct nft_channel *channel, const struct nft_element *elements,
                        size_t count, struct error *err)
{
    cleanup_free char *batch = memory_new(count + 2, REQUEST_MAX);
    size_t length = 0;
    int result = open_channel(channel, err);

    if (result < 0 || count == 0)
        return result;
    if (count > NFT_CHANGES_MAX)
        return error_set(err, ERROR_INTERNAL, E2BIG, "nftables: %zu changes", count);
    length += put_bracket(batch, NFNL_MSG_BATCH_BEGIN, 0);
    for (size_t i = 0; i < count; i++)
        length += put_element(batch + length, &elements[i], (uint32_t)i + 1);
    length += put_bracket(batch + length, NFNL_MSG_BATCH_END, 0);
    if (mnl_socket_sendto(channel->socket, batch, length) < 0)
        result = error_errno(err, errno, "nftables");
    else
        result = read_answers(channel->socket, count, err);
    if (result < 0)
        close_channel(channel);
    return result;
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

/* Sends one request and takes its answer into the same bytes. */
static int send_request(struct nft_channel *channel, char bytes[ANSWER_MAX])
{
    const struct nlmsghdr *header = (const struct nlmsghdr *)(void *)bytes;
    ssize_t length = -1;

    if (open_channel(channel, NULL) < 0)
        return -ENOENT;
    if (mnl_socket_sendto(channel->socket, header, header->nlmsg_len) >= 0)
        length = mnl_socket_recvfrom(channel->socket, bytes, ANSWER_MAX);
    if (length < (ssize_t)sizeof(*header)) {
        close_channel(channel);
        return -ENOENT;
    }
    return header->nlmsg_type == NLMSG_ERROR ? -ENOENT : 0;
}

bool nft_table_exists(struct nft_channel *channel, enum nft_family family, const char *name)
{
    _Alignas(8) char bytes[ANSWER_MAX];
    struct nlmsghdr *header = begin_message(bytes, (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETTABLE,
                                            0, protocol_family(family), 1);

    mnl_attr_put_strz(header, NFTA_TABLE_NAME, name);
    return send_request(channel, bytes) == 0;
}

int nft_counter_read(struct nft_channel *channel, enum nft_family family, const char *table,
                     const char *name, struct nft_counter *counter, struct error *err)
{
    _Alignas(8) char bytes[ANSWER_MAX];
    struct nlmsghdr *header = begin_message(bytes, (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETOBJ, 0,
                                            protocol_family(family), 1);

    mnl_attr_put_strz(header, NFTA_OBJ_TABLE, table);
    mnl_attr_put_strz(header, NFTA_OBJ_NAME, name);
    mnl_attr_put_u32(header, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
    *counter = (struct nft_counter){0};
    if (send_request(channel, bytes) < 0)
        return error_set(err, ERROR_NOT_FOUND, ENOENT, "nftables: counter %s", name);
    read_counter(header, counter);
    return 0;
}
