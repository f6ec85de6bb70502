/* Devices, addresses and routes: see links.h. */
#include "links.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/veth.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static struct nlmsghdr *add_link(struct netlink_batch *batch, const char *name,
                                 const struct ifinfomsg *info)
{
    return netlink_add(batch, name, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, info, sizeof(*info));
}

void link_make_mac(const struct address *address, uint8_t mac[6])
{
    mac[0] = 0x02;
    mac[1] = 0x42;
    memcpy(mac + 2, address->bytes, 4);
}

void link_add_bridge(struct netlink_batch *batch, const char *name, const uint8_t mac[6],
                     unsigned int mtu)
{
    const struct ifinfomsg info = {0};
    struct nlmsghdr *header = add_link(batch, "make the bridge", &info);
    struct nlattr *link;

    mnl_attr_put_strz(header, IFLA_IFNAME, name);
    mnl_attr_put(header, IFLA_ADDRESS, 6, mac);
    if (mtu > 0)
        mnl_attr_put_u32(header, IFLA_MTU, mtu);
    link = mnl_attr_nest_start(header, IFLA_LINKINFO);
    mnl_attr_put_strz(header, IFLA_INFO_KIND, "bridge");
    mnl_attr_nest_end(header, link);
}

static void put_peer(struct nlmsghdr *header, const struct veth *veth)
{
    const struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
    struct nlattr *peer = mnl_attr_nest_start(header, VETH_INFO_PEER);

    memcpy(mnl_nlmsg_put_extra_header(header, sizeof(info)), &info, sizeof(info));
    mnl_attr_put_strz(header, IFLA_IFNAME, veth->peer_name);
    mnl_attr_put_u32(header, IFLA_NET_NS_FD, (uint32_t)veth->peer_netns_fd);
    mnl_attr_put(header, IFLA_ADDRESS, 6, veth->peer_mac);
    if (veth->mtu > 0)
        mnl_attr_put_u32(header, IFLA_MTU, veth->mtu);
    mnl_attr_nest_end(header, peer);
}

void link_add_veth(struct netlink_batch *batch, const struct veth *veth)
{
    const struct ifinfomsg info = {0};
    struct nlmsghdr *header = add_link(batch, "make the container's network device", &info);
    struct nlattr *link;
    struct nlattr *data;

    mnl_attr_put_strz(header, IFLA_IFNAME, veth->name);
    if (veth->mtu > 0)
        mnl_attr_put_u32(header, IFLA_MTU, veth->mtu);
    if (veth->master > 0)
        mnl_attr_put_u32(header, IFLA_MASTER, veth->master);
    link = mnl_attr_nest_start(header, IFLA_LINKINFO);
    mnl_attr_put_strz(header, IFLA_INFO_KIND, "veth");
    data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
    put_peer(header, veth);
    mnl_attr_nest_end(header, data);
    mnl_attr_nest_end(header, link);
}

void link_add_dummy(struct netlink_batch *batch, const char *name)
{
    const struct ifinfomsg info = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    struct nlmsghdr *header = add_link(batch, "make the network's device", &info);
    struct nlattr *link;

    mnl_attr_put_strz(header, IFLA_IFNAME, name);
    link = mnl_attr_nest_start(header, IFLA_LINKINFO);
    mnl_attr_put_strz(header, IFLA_INFO_KIND, "dummy");
    mnl_attr_nest_end(header, link);
}

void link_add_vlan(struct netlink_batch *batch, const char *name, unsigned int parent,
                   unsigned int id)
{
    const struct ifinfomsg info = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    struct nlmsghdr *header = add_link(batch, "make the VLAN's device", &info);
    struct nlattr *link;
    struct nlattr *data;

    mnl_attr_put_strz(header, IFLA_IFNAME, name);
    mnl_attr_put_u32(header, IFLA_LINK, parent);
    link = mnl_attr_nest_start(header, IFLA_LINKINFO);
    mnl_attr_put_strz(header, IFLA_INFO_KIND, "vlan");
    data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
    mnl_attr_put_u16(header, IFLA_VLAN_ID, (uint16_t)id);
    mnl_attr_nest_end(header, data);
    mnl_attr_nest_end(header, link);
}

static void put_mode(struct nlmsghdr *header, const struct upper_link *upper)
{
    static const struct {
        const char *kind;
        const char *mode;
        uint32_t value;
    } modes[] = {
        {"macvlan", "private", MACVLAN_MODE_PRIVATE},
        {"macvlan", "vepa", MACVLAN_MODE_VEPA},
        {"macvlan", "bridge", MACVLAN_MODE_BRIDGE},
        {"macvlan", "passthru", MACVLAN_MODE_PASSTHRU},
        {"ipvlan", "l2", IPVLAN_MODE_L2},
        {"ipvlan", "l3", IPVLAN_MODE_L3},
        {"ipvlan", "l3s", IPVLAN_MODE_L3S},
    };

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(modes[i].kind, upper->kind) != 0 || strcmp(modes[i].mode, upper->mode) != 0)
            continue;
        if (strcmp(upper->kind, "macvlan") == 0)
            mnl_attr_put_u32(header, IFLA_MACVLAN_MODE, modes[i].value);
        else
            mnl_attr_put_u16(header, IFLA_IPVLAN_MODE, (uint16_t)modes[i].value);
    }
}

void link_add_upper(struct netlink_batch *batch, const struct upper_link *upper)
{
    const struct ifinfomsg info = {0};
    struct nlmsghdr *header = add_link(batch, "make the container's network device", &info);
    struct nlattr *link;
    struct nlattr *data;

    mnl_attr_put_strz(header, IFLA_IFNAME, upper->name);
    mnl_attr_put_u32(header, IFLA_NET_NS_FD, (uint32_t)upper->netns_fd);
    mnl_attr_put_u32(header, IFLA_LINK, upper->parent);
    if (upper->mac != NULL)
        mnl_attr_put(header, IFLA_ADDRESS, 6, upper->mac);
    if (upper->mtu > 0)
        mnl_attr_put_u32(header, IFLA_MTU, upper->mtu);
    link = mnl_attr_nest_start(header, IFLA_LINKINFO);
    mnl_attr_put_strz(header, IFLA_INFO_KIND, upper->kind);
    data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
    put_mode(header, upper);
    mnl_attr_nest_end(header, data);
    mnl_attr_nest_end(header, link);
}

void link_join(struct netlink_batch *batch, unsigned int index, unsigned int bridge)
{
    const struct ifinfomsg info = {.ifi_index = (int)index};
    struct nlmsghdr *header =
        netlink_add(batch, "let the device join its bridge", RTM_NEWLINK, 0, &info, sizeof(info));

    mnl_attr_put_u32(header, IFLA_MASTER, bridge);
}

void link_set_port(struct netlink_batch *batch, unsigned int index, const struct bridge_port *port)
{
    const struct ifinfomsg info = {.ifi_family = AF_BRIDGE, .ifi_index = (int)index};
    struct nlmsghdr *header =
        netlink_add(batch, "set up the port of the bridge", RTM_SETLINK, 0, &info, sizeof(info));
    struct nlattr *settings = mnl_attr_nest_start(header, IFLA_PROTINFO);

    mnl_attr_put_u8(header, IFLA_BRPORT_MODE, port->gets_own_back);
    mnl_attr_put_u8(header, IFLA_BRPORT_ISOLATED, port->is_isolated);
    mnl_attr_nest_end(header, settings);
}

static void change_proxy(struct netlink_batch *batch, unsigned int index,
                         const struct address *address, uint16_t type, uint16_t flags)
{
    const struct ndmsg info = {.ndm_family = (uint8_t)address->family,
                               .ndm_ifindex = (int)index,
                               .ndm_state = NUD_PERMANENT,
                               .ndm_flags = NTF_PROXY};
    struct nlmsghdr *header =
        netlink_add(batch, "answer for an address", type, flags, &info, sizeof(info));

    mnl_attr_put(header, NDA_DST, address_length(address), address->bytes);
}

void link_add_proxy(struct netlink_batch *batch, unsigned int index, const struct address *address)
{
    change_proxy(batch, index, address, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
}

void link_delete_proxy(struct netlink_batch *batch, unsigned int index,
                       const struct address *address)
{
    change_proxy(batch, index, address, RTM_DELNEIGH, 0);
}

void link_limit(struct netlink_batch *batch, unsigned int index, uint64_t bytes_per_second)
{
    enum { LATENCY_MS = 50, BURST_MS = 5, BURST_MIN = 64 << 10 };
    const struct tcmsg info = {
        .tcm_family = AF_UNSPEC, .tcm_ifindex = (int)index, .tcm_parent = TC_H_ROOT};
    struct nlmsghdr *header = netlink_add(batch, "limit the network device", RTM_NEWQDISC,
                                          NLM_F_CREATE | NLM_F_REPLACE, &info, sizeof(info));
    uint64_t burst = bytes_per_second * BURST_MS / 1000;
    struct tc_tbf_qopt options = {.rate = {.linklayer = TC_LINKLAYER_ETHERNET}};
    struct nlattr *nest;

    /* Packets that are handed on together have to fit at once. */
    if (burst < BURST_MIN)
        burst = BURST_MIN;
    if (burst > INT32_MAX)
        burst = INT32_MAX;
    options.rate.rate = bytes_per_second < UINT32_MAX ? (uint32_t)bytes_per_second : UINT32_MAX;
    options.limit = (uint32_t)(burst + bytes_per_second * LATENCY_MS / 1000 > UINT32_MAX
                                   ? UINT32_MAX
                                   : burst + bytes_per_second * LATENCY_MS / 1000);
    mnl_attr_put_strz(header, TCA_KIND, "tbf");
    nest = mnl_attr_nest_start(header, TCA_OPTIONS);
    mnl_attr_put(header, TCA_TBF_PARMS, sizeof(options), &options);
    mnl_attr_put_u32(header, TCA_TBF_BURST, (uint32_t)burst);
    if (bytes_per_second >= UINT32_MAX)
        mnl_attr_put_u64(header, TCA_TBF_RATE64, bytes_per_second);
    mnl_attr_nest_end(header, nest);
}

void link_set_up(struct netlink_batch *batch, const char *name)
{
    const struct ifinfomsg info = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    struct nlmsghdr *header =
        netlink_add(batch, "bring the network device up", RTM_NEWLINK, 0, &info, sizeof(info));

    mnl_attr_put_strz(header, IFLA_IFNAME, name);
}

void link_forgo_ipv6(struct netlink_batch *batch, const char *name)
{
    const struct ifinfomsg info = {0};
    struct nlmsghdr *header =
        netlink_add(batch, "set up the network device", RTM_NEWLINK, 0, &info, sizeof(info));
    struct nlattr *families;
    struct nlattr *ipv6;

    mnl_attr_put_strz(header, IFLA_IFNAME, name);
    families = mnl_attr_nest_start(header, IFLA_AF_SPEC);
    ipv6 = mnl_attr_nest_start(header, AF_INET6);
    mnl_attr_put_u8(header, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
    mnl_attr_nest_end(header, ipv6);
    mnl_attr_nest_end(header, families);
}

void link_delete(struct netlink_batch *batch, const char *name)
{
    const struct ifinfomsg info = {0};
    struct nlmsghdr *header =
        netlink_add(batch, "remove the network device", RTM_DELLINK, 0, &info, sizeof(info));

    mnl_attr_put_strz(header, IFLA_IFNAME, name);
}

unsigned int link_index(const struct netlink *netlink, const char *name)
{
    struct ifreq request = {0};

    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    return ioctl(mnl_socket_get_fd(netlink->socket), SIOCGIFINDEX, &request) < 0
               ? 0
               : (unsigned int)request.ifr_ifindex;
}

void link_add_address(struct netlink_batch *batch, unsigned int index, const struct subnet *address)
{
    const struct ifaddrmsg info = {
        .ifa_family = (uint8_t)address->address.family,
        .ifa_prefixlen = (uint8_t)address->prefix,
        /* Nobody else gives addresses on our networks: no time is lost looking for duplicates. */
        .ifa_flags = address->address.family == AF_INET6 ? IFA_F_NODAD : 0,
        .ifa_index = index,
    };
    struct nlmsghdr *header = netlink_add(batch, "give the network device its address", RTM_NEWADDR,
                                          NLM_F_CREATE | NLM_F_REPLACE, &info, sizeof(info));
    size_t length = address_length(&address->address);

    mnl_attr_put(header, IFA_LOCAL, length, address->address.bytes);
    mnl_attr_put(header, IFA_ADDRESS, length, address->address.bytes);
    if (address->address.family == AF_INET && address->prefix < 31) {
        struct address broadcast = subnet_at(address, subnet_size(address) - 1);

        mnl_attr_put(header, IFA_BROADCAST, length, broadcast.bytes);
    }
}

void link_add_default_route(struct netlink_batch *batch, unsigned int index,
                            const struct address *gateway)
{
    bool is_direct = address_is_any(gateway);
    const struct rtmsg route = {
        .rtm_family = (unsigned char)gateway->family,
        .rtm_table = RT_TABLE_MAIN,
        .rtm_protocol = RTPROT_STATIC,
        .rtm_scope = is_direct ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
        .rtm_type = RTN_UNICAST,
    };
    struct nlmsghdr *header = netlink_add(batch, "add the default route", RTM_NEWROUTE,
                                          NLM_F_CREATE | NLM_F_REPLACE, &route, sizeof(route));

    mnl_attr_put_u32(header, RTA_OIF, index);
    if (!is_direct)
        mnl_attr_put(header, RTA_GATEWAY, address_length(gateway), gateway->bytes);
}

static void take_counters(const struct nlmsghdr *header, struct link_counters *counters)
{
    struct nlattr *attribute;

    mnl_attr_for_each(attribute, header, sizeof(struct ifinfomsg))
    {
        struct rtnl_link_stats64 from;

        if (mnl_attr_get_type(attribute) != IFLA_STATS64 ||
            mnl_attr_get_payload_len(attribute) < offsetof(struct rtnl_link_stats64, multicast))
            continue;
        memcpy(&from, mnl_attr_get_payload(attribute),
               offsetof(struct rtnl_link_stats64, multicast));
        *counters =
            (struct link_counters){from.rx_bytes, from.rx_packets, from.rx_errors, from.rx_dropped,
                                   from.tx_bytes, from.tx_packets, from.tx_errors, from.tx_dropped};
    }
}

#define LINK_BYTES 16384

/* What the kernel says of a device stands in `bytes`, of LINK_BYTES, afterwards. */
static int read_link(struct netlink *netlink, const char *name, char *bytes, struct error *err)
{
    struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);
    ssize_t length;

    header->nlmsg_type = RTM_GETLINK;
    header->nlmsg_flags = NLM_F_REQUEST;
    header->nlmsg_seq = ++netlink->sequence;
    mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(header, IFLA_IFNAME, name);
    if (mnl_socket_sendto(netlink->socket, header, header->nlmsg_len) < 0)
        return error_errno(err, errno, "device %s", name);
    length = mnl_socket_recvfrom(netlink->socket, bytes, LINK_BYTES);
    if (length < (ssize_t)sizeof(*header) || header->nlmsg_type != RTM_NEWLINK)
        return error_set(err, ERROR_NOT_FOUND, ENODEV, "device %s", name);
    return 0;
}

int link_read_counters(struct netlink *netlink, const char *name, struct link_counters *counters,
                       struct error *err)
{
    _Alignas(8) char bytes[LINK_BYTES];
    int result = read_link(netlink, name, bytes, err);

    *counters = (struct link_counters){0};
    if (result == 0)
        take_counters((const struct nlmsghdr *)(const void *)bytes, counters);
    return result;
}

unsigned int link_master(struct netlink *netlink, const char *name)
{
    _Alignas(8) char bytes[LINK_BYTES];
    struct nlattr *attribute;

    if (read_link(netlink, name, bytes, NULL) < 0)
        return 0;
    mnl_attr_for_each(attribute, (const struct nlmsghdr *)(const void *)bytes,
                      sizeof(struct ifinfomsg))
    {
        if (mnl_attr_get_type(attribute) == IFLA_MASTER &&
            mnl_attr_get_payload_len(attribute) == sizeof(uint32_t))
            return mnl_attr_get_u32(attribute);
    }
    return 0;
}
