/* nfnetlink_log: see packet_log.h (linux/netfilter/nfnetlink_log.h). */
#include "packet_log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "netlink.h"

#define FLUSHED_AFTER 5 /* hundredths of a second; the kernel collects several */
#define COPIED_BYTES 64 /* of each packet: headers */
#define DATAGRAM_MAX 65536
#define DATAGRAMS_AT_ONCE 16

static uint16_t read_port(const uint8_t *bytes, size_t length, size_t offset, uint8_t protocol)
{
    bool has_ports = protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;

    return has_ports && offset + 4 <= length
               ? (uint16_t)(bytes[offset + 2] << 8 | bytes[offset + 3])
               : 0;
}

static void parse_ipv4(const uint8_t *bytes, size_t length, struct logged_packet *packet)
{
    if (length < 20)
        return;
    packet->source.family = packet->destination.family = AF_INET;
    memcpy(packet->source.bytes, bytes + 12, 4);
    memcpy(packet->destination.bytes, bytes + 16, 4);
    packet->protocol = bytes[9];
    packet->port = read_port(bytes, length, 4 * (size_t)(bytes[0] & 0x0f), packet->protocol);
}

static void parse_ipv6(const uint8_t *bytes, size_t length, struct logged_packet *packet)
{
    if (length < 40)
        return;
    packet->source.family = packet->destination.family = AF_INET6;
    memcpy(packet->source.bytes, bytes + 8, 16);
    memcpy(packet->destination.bytes, bytes + 24, 16);
    packet->protocol = bytes[6];
    packet->port = read_port(bytes, length, 40, packet->protocol);
}

void packet_parse(const uint8_t *bytes, size_t length, struct logged_packet *packet)
{
    if (length > 0 && bytes[0] >> 4 == 4)
        parse_ipv4(bytes, length, packet);
    else if (length > 0 && bytes[0] >> 4 == 6)
        parse_ipv6(bytes, length, packet);
}

static struct nlmsghdr *begin_group_config(char *bytes, uint16_t group)
{
    struct nlmsghdr *header = nfnetlink_put_header(bytes, NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG,
                                                   NLM_F_ACK, AF_UNSPEC);
    struct nfgenmsg *generic = mnl_nlmsg_get_payload(header);

    generic->res_id = htons(group);
    return header;
}

static int send_config(int fd, const struct nlmsghdr *header)
{
    _Alignas(8) char answer[1024];
    const struct nlmsghdr *head = (const struct nlmsghdr *)(void *)answer;
    ssize_t length;

    if (send(fd, header, header->nlmsg_len, 0) < 0)
        return -errno;
    length = recv(fd, answer, sizeof(answer), 0);
    if (length < 0)
        return -errno;
    if (!mnl_nlmsg_ok(head, (int)length) || head->nlmsg_type != NLMSG_ERROR)
        return -EPROTO;
    return ((const struct nlmsgerr *)mnl_nlmsg_get_payload(head))->error;
}

static int join_log_group(int fd, uint16_t group)
{
    _Alignas(8) char bytes[256];
    struct nlmsghdr *header = begin_group_config(bytes, group);
    const struct nfulnl_msg_config_cmd bind = {.command = NFULNL_CFG_CMD_BIND};
    const struct nfulnl_msg_config_mode mode = {.copy_range = htonl(COPIED_BYTES),
                                                .copy_mode = NFULNL_COPY_PACKET};
    int result;

    mnl_attr_put(header, NFULA_CFG_CMD, sizeof(bind), &bind);
    result = send_config(fd, header);
    if (result < 0)
        return result;
    header = begin_group_config(bytes, group);
    mnl_attr_put(header, NFULA_CFG_MODE, sizeof(mode), &mode);
    mnl_attr_put_u32(header, NFULA_CFG_TIMEOUT, htonl(FLUSHED_AFTER));
    return send_config(fd, header);
}

int packet_log_open(uint16_t group, struct error *err)
{
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    int result;

    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return error_errno(err, errno, "packet log");
    result = join_log_group(fd, group);
    return result < 0 ? error_errno(err, -result, "packet log, group %u", group) : take_fd(&fd);
}

void packet_log_take(const struct nlmsghdr *header, struct logged_packet *packet)
{
    struct nlattr *attribute;

    mnl_attr_for_each(attribute, header, sizeof(struct nfgenmsg))
    {
        const char *value = mnl_attr_get_payload(attribute);
        size_t length = mnl_attr_get_payload_len(attribute);

        if (mnl_attr_get_type(attribute) == NFULA_PREFIX) {
            length = strnlen(value, length);
            if (length >= sizeof(packet->prefix))
                length = sizeof(packet->prefix) - 1;
            memcpy(packet->prefix, value, length);
        } else if (mnl_attr_get_type(attribute) == NFULA_IFINDEX_PHYSINDEV &&
                   length == sizeof(uint32_t)) {
            packet->bridge_port = ntohl(mnl_attr_get_u32(attribute));
        } else if (mnl_attr_get_type(attribute) == NFULA_PAYLOAD) {
            packet_parse((const uint8_t *)value, length, packet);
        }
    }
}

void packet_log_read(int fd, void (*handle)(void *context, const struct logged_packet *packet),
                     void *context)
{
    cleanup_free char *bytes = memory_new(1, DATAGRAM_MAX);

    for (int i = 0; i < DATAGRAMS_AT_ONCE; i++) {
        ssize_t length = recv(fd, bytes, DATAGRAM_MAX, MSG_DONTWAIT);
        const struct nlmsghdr *header = (const struct nlmsghdr *)(void *)bytes;
        int left = (int)length;

        if (length < 0 && errno != ENOBUFS)
            return;
        for (; mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
            struct logged_packet packet = {.port = 0};

            if (header->nlmsg_type != ((NFNL_SUBSYS_ULOG << 8) | NFULNL_MSG_PACKET))
                continue;
            packet_log_take(header, &packet);
            handle(context, &packet);
        }
    }
}
