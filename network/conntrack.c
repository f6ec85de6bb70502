/* Connections that the kernel tracks: see conntrack.h. */
#include "conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"
#include "netlink.h"

#define COUNT_FILE "/proc/sys/net/netfilter/nf_conntrack_count"
#define REQUEST_BYTES 1024

bool conntrack_has_any(void)
{
    cleanup_buffer struct buffer text = {0};
    int result = file_read(AT_FDCWD, COUNT_FILE, 64, &text, NULL);

    /* Without the module there is nothing; what cannot be read may be anything. */
    return result == 0 ? strcmp(buffer_text(&text), "0\n") != 0 : result != -ENOENT;
}

static bool take_address(const struct nlattr *attribute, int family, struct address *address)
{
    size_t length = family == AF_INET6 ? 16 : 4;

    if (attribute == NULL || mnl_attr_get_payload_len(attribute) != length)
        return false;
    *address = (struct address){.family = family};
    memcpy(address->bytes, mnl_attr_get_payload(attribute), length);
    return true;
}

static bool take_source(const struct netlink_attributes *tuple, struct address *address)
{
    const struct netlink_attributes ip = netlink_nested(tuple->at[CTA_TUPLE_IP]);

    return take_address(ip.at[CTA_IP_V4_SRC], AF_INET, address) ||
           take_address(ip.at[CTA_IP_V6_SRC], AF_INET6, address);
}

static bool asks_for(const struct netlink_attributes *tuple, const struct address *address)
{
    const struct netlink_attributes ip = netlink_nested(tuple->at[CTA_TUPLE_IP]);
    struct address asked;

    return (take_address(ip.at[CTA_IP_V4_DST], AF_INET, &asked) ||
            take_address(ip.at[CTA_IP_V6_DST], AF_INET6, &asked)) &&
           address_equals(&asked, address);
}

/* Who answers is whom it leads to: ports of the host lead elsewhere than they say. */
bool conntrack_read_flow(const struct nlmsghdr *header, struct conntrack_flow *flow)
{
    const struct netlink_attributes entry = netlink_attributes(header, sizeof(struct nfgenmsg));
    struct netlink_attributes tuple;
    struct netlink_attributes protocol;
    const struct nlattr *number;
    const struct nlattr *port;

    *flow = (struct conntrack_flow){.protocol = 0};
    tuple = netlink_nested(entry.at[CTA_TUPLE_ORIG]);
    if (!take_source(&tuple, &flow->source))
        return false;
    tuple = netlink_nested(entry.at[CTA_TUPLE_REPLY]);
    if (!take_source(&tuple, &flow->destination))
        return false;
    protocol = netlink_nested(tuple.at[CTA_TUPLE_PROTO]);
    number = protocol.at[CTA_PROTO_NUM];
    port = protocol.at[CTA_PROTO_SRC_PORT];
    if (number != NULL && mnl_attr_get_payload_len(number) == sizeof(uint8_t))
        flow->protocol = mnl_attr_get_u8(number);
    if (port != NULL && mnl_attr_get_payload_len(port) == sizeof(uint16_t))
        flow->port = ntohs(mnl_attr_get_u16(port));
    tuple = netlink_nested(entry.at[CTA_TUPLE_ORIG]);
    flow->is_direct = asks_for(&tuple, &flow->destination);
    return true;
}

/* Connections end by a conversation of their own, while the kernel is in the middle of its list. */
struct exchange {
    struct mnl_socket *change;
    conntrack_choice *is_over;
    const void *context;
    struct error *err;
};

static void copy_attribute(struct nlmsghdr *header, const struct nlattr *attribute)
{
    if (attribute != NULL)
        mnl_attr_put(header, attribute->nla_type, mnl_attr_get_payload_len(attribute),
                     mnl_attr_get_payload(attribute));
}

/* The number keeps it from being another one with the same addresses, which came since. */
static int end_one(const struct exchange *exchange, const struct nlmsghdr *listed)
{
    const struct nfgenmsg *generic = mnl_nlmsg_get_payload(listed);
    const struct netlink_attributes entry = netlink_attributes(listed, sizeof(*generic));
    _Alignas(8) char bytes[REQUEST_BYTES];
    struct nlmsghdr *header = nfnetlink_put_header(
        bytes, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, NLM_F_ACK, generic->nfgen_family);
    ssize_t length;
    int result;

    if (mnl_attr_get_payload_len(entry.at[CTA_TUPLE_ORIG]) > REQUEST_BYTES / 2)
        return error_set(exchange->err, ERROR_INTERNAL, EMSGSIZE, "conntrack: a long entry");
    copy_attribute(header, entry.at[CTA_TUPLE_ORIG]);
    copy_attribute(header, entry.at[CTA_ZONE]);
    copy_attribute(header, entry.at[CTA_ID]);
    if (mnl_socket_sendto(exchange->change, header, header->nlmsg_len) < 0)
        return error_errno(exchange->err, errno, "conntrack");
    length = mnl_socket_recvfrom(exchange->change, bytes, sizeof(bytes));
    result = length < 0 ? -1
                        : mnl_cb_run(bytes, (size_t)length, 0,
                                     mnl_socket_get_portid(exchange->change), NULL, NULL);
    return result < 0 && errno != ENOENT
               ? error_errno(exchange->err, errno, "conntrack: end a connection")
               : 0;
}

static int on_entry(const struct nlmsghdr *header, void *context)
{
    const struct exchange *exchange = context;
    struct conntrack_flow flow;

    if (!conntrack_read_flow(header, &flow) || !exchange->is_over(exchange->context, &flow))
        return MNL_CB_OK;
    return end_one(exchange, header) < 0 ? MNL_CB_ERROR : MNL_CB_OK;
}

static void go_through(struct exchange *exchange)
{
    _Alignas(8) char bytes[REQUEST_BYTES];
    struct error problem = {0};

    if (nfnetlink_list(nfnetlink_put_header(bytes, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET,
                                            0, AF_UNSPEC),
                       on_entry, exchange, &problem) == 0 ||
        exchange->err->errnum != 0)
        return;
    *exchange->err = problem;
    error_prefix(exchange->err, "list connections");
}

int conntrack_end(conntrack_choice *is_over, const void *context, struct error *err)
{
    struct error problem = {0};
    struct exchange exchange = {.change = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC),
                                .is_over = is_over,
                                .context = context,
                                .err = err != NULL ? err : &problem};

    if (exchange.change == NULL || mnl_socket_bind(exchange.change, 0, MNL_SOCKET_AUTOPID) < 0)
        error_errno(exchange.err, errno, "nfnetlink");
    else
        go_through(&exchange);
    if (exchange.change != NULL)
        mnl_socket_close(exchange.change);
    return -exchange.err->errnum;
}
