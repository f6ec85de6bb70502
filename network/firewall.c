/* The rules of networks: see firewall.h. Comments have them as nft(8) writes them. */
#include "firewall.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "nft_rule.h"

#define PRIORITY_RAW (-300)
#define PRIORITY_DSTNAT (-100)
#define PRIORITY_FILTER 0
#define PRIORITY_SRCNAT 100
#define PRIORITY_BRIDGE_GUARD (-310)
#define PRIORITY_BRIDGE_FILTER (-200)

#define DHCP_SERVER_PORT 67
#define DHCP6_SERVER_PORT 547

/* What differs between the families. */
struct family {
    int family;
    enum nft_type type;
    const char *ports;    /* map: protocol and port of the host */
    const char *ports_at; /* map: with the host's address */
};

static const struct family families[] = {{AF_INET, NFT_TYPE_IPV4, "ports", "ports_at"},
                                         {AF_INET6, NFT_TYPE_IPV6, "ports6", "ports6_at"}};

static const uint8_t port_protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};

/* map ports { type inet_proto . inet_service : ipv4_addr . inet_service }, and with an address. */
static void add_port_maps(struct nft_transaction *transaction, const struct family *family)
{
    nft_add_set(transaction, &(struct nft_set){
                                 .name = family->ports,
                                 .key = {NFT_TYPE_PROTOCOL, NFT_TYPE_PORT},
                                 .data = {family->type, NFT_TYPE_PORT},
                             });
    nft_add_set(transaction, &(struct nft_set){
                                 .name = family->ports_at,
                                 .key = {family->type, NFT_TYPE_PROTOCOL, NFT_TYPE_PORT},
                                 .data = {family->type, NFT_TYPE_PORT},
                             });
}

static void add_translation(struct nft_transaction *transaction, const char *map, bool has_address,
                            int family)
{
    const struct nft_rule rule = nft_rule_begin(transaction, "ports");

    nft_translate(&rule, family, has_address, map);
    nft_rule_end(&rule);
}

/* meta l4proto { tcp, udp, sctp } fib daddr type local jump ports */
static void add_port_hook(struct nft_transaction *transaction, const char *chain,
                          enum nft_hook hook)
{
    nft_add_base_chain(transaction, chain, "nat", hook, PRIORITY_DSTNAT);
    for (size_t i = 0; i < ARRAY_SIZE(port_protocols); i++) {
        const struct nft_rule rule = nft_rule_begin(transaction, chain);

        nft_match_protocol(&rule, port_protocols[i]);
        nft_match_local(&rule);
        nft_jump(&rule, "ports");
        nft_rule_end(&rule);
    }
}

static void write_ports(struct nft_transaction *transaction)
{
    for (size_t i = 0; i < ARRAY_SIZE(families); i++)
        add_port_maps(transaction, &families[i]);
    nft_add_chain(transaction, "ports");
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        add_translation(transaction, families[i].ports_at, true, families[i].family);
        add_translation(transaction, families[i].ports, false, families[i].family);
    }
    add_port_hook(transaction, "prerouting", NFT_PREROUTING);
    add_port_hook(transaction, "output", NFT_OUTPUT);
}

static void add_loopback_guard(struct nft_transaction *transaction, enum nft_direction direction,
                               const char *subnet_text)
{
    const struct nft_rule rule = nft_rule_begin(transaction, "guard");
    struct subnet subnet;

    subnet_parse(subnet_text, &subnet);
    nft_match_device(&rule, NFT_IIFNAME, false, "lo");
    nft_match_subnet(&rule, direction, &subnet);
    nft_drop(&rule);
    nft_rule_end(&rule);
}

/* For published ports loopback addresses are routed to bridges. Only the host itself may use them:
 * a machine on the same wire that sends to or from such an address, with a route to it by us, would
 * reach ports that were published for the host alone (CVE-2020-8558). This chain runs before the
 * rules that change where a packet goes. */
static void write_guard(struct nft_transaction *transaction)
{
    struct nft_rule rule;

    nft_add_base_chain(transaction, "guard", "filter", NFT_PREROUTING, PRIORITY_RAW);
    /* Frames for 01:80:c2:00:00:02 and others of the bridge itself (IEEE 802.1D, 7.12.6) the kernel
     * gives to the host as if they had come by a device of its own, past all rules of the bridge.
     */
    rule = nft_rule_begin(transaction, "guard");
    nft_match_device(&rule, NFT_IIFNAME, true, FIREWALL_DEVICE_PREFIX "*");
    nft_drop(&rule);
    nft_rule_end(&rule);
    add_loopback_guard(transaction, NFT_DADDR, "127.0.0.0/8");
    add_loopback_guard(transaction, NFT_SADDR, "127.0.0.0/8");
    add_loopback_guard(transaction, NFT_DADDR, "::1/128");
}

static void add_device_name(struct nft_transaction *transaction, const char *set, const char *name)
{
    struct nft_element element = {.set = set};

    nft_value_append_device(&element.key, name);
    nft_add_element(transaction, &element);
}

/* Sets of device names: the bridges, and those whose containers reach the host. */
static void write_bridges(struct nft_transaction *transaction,
                          const struct firewall_network *networks, size_t count)
{
    static const char *const sets[] = {"bridges", "open"};

    for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
        nft_add_set(transaction, &(struct nft_set){.name = sets[i], .key = {NFT_TYPE_DEVICE}});
    for (size_t i = 0; i < count; i++) {
        add_device_name(transaction, "bridges", networks[i].bridge);
        if (networks[i].reaches_host)
            add_device_name(transaction, "open", networks[i].bridge);
    }
}

static void write_source(struct nft_transaction *transaction,
                         const struct firewall_network *network, const struct subnet *subnet)
{
    struct nft_rule rule;

    if (subnet->address.family == 0)
        return;
    /* oifname "bridge" ip saddr SUBNET ct status dnat masquerade */
    rule = nft_rule_begin(transaction, "postrouting");
    nft_match_device(&rule, NFT_OIFNAME, true, network->bridge);
    nft_match_subnet(&rule, NFT_SADDR, subnet);
    nft_match_translated(&rule);
    nft_masquerade(&rule);
    nft_rule_end(&rule);
    if (network->is_internal || network->keeps_sources)
        return;
    /* ip saddr SUBNET oifname != "bridge" masquerade */
    rule = nft_rule_begin(transaction, "postrouting");
    nft_match_subnet(&rule, NFT_SADDR, subnet);
    nft_match_device(&rule, NFT_OIFNAME, false, network->bridge);
    nft_masquerade(&rule);
    nft_rule_end(&rule);
}

/* Connections that a port of the host leads back into the same network, or that come from the
 * loopback of the host, get the host's address as source: the answers have to come back through the
 * host. The same holds for what leaves a network, unless the network keeps its sources. */
static void write_sources(struct nft_transaction *transaction,
                          const struct firewall_network *networks, size_t count)
{
    struct nft_rule rule;
    struct subnet loopback;

    subnet_parse("127.0.0.0/8", &loopback);
    nft_add_base_chain(transaction, "postrouting", "nat", NFT_POSTROUTING, PRIORITY_SRCNAT);
    rule = nft_rule_begin(transaction, "postrouting");
    nft_match_device_set(&rule, NFT_OIFNAME, true, "bridges");
    nft_match_subnet(&rule, NFT_SADDR, &loopback);
    nft_masquerade(&rule);
    nft_rule_end(&rule);
    for (size_t i = 0; i < count; i++) {
        write_source(transaction, &networks[i], &networks[i].subnet);
        write_source(transaction, &networks[i], &networks[i].subnet6);
    }
}

/* iifname "one" oifname "other" accept; NULL: any device. */
static void add_forward(struct nft_transaction *transaction, const char *from, const char *to,
                        bool is_accepted)
{
    const struct nft_rule rule = nft_rule_begin(transaction, "forward");

    if (from != NULL)
        nft_match_device(&rule, NFT_IIFNAME, true, from);
    if (to != NULL)
        nft_match_device(&rule, NFT_OIFNAME, true, to);
    if (is_accepted)
        nft_accept(&rule);
    else
        nft_drop(&rule);
    nft_rule_end(&rule);
}

/* iifname "bridge" oifname "bridge" jump groups_bridge, which decides all. */
static void write_groups(struct nft_transaction *transaction,
                         const struct firewall_network *network)
{
    char chain[FIREWALL_GROUPS_CHAIN_SIZE];
    struct nft_rule rule;

    firewall_groups_write(transaction, network);
    firewall_groups_chain(network->bridge, chain);
    rule = nft_rule_begin(transaction, "forward");
    nft_match_device(&rule, NFT_IIFNAME, true, network->bridge);
    nft_match_device(&rule, NFT_OIFNAME, true, network->bridge);
    nft_jump(&rule, chain);
    nft_rule_end(&rule);
}

/* Containers of one network reach each other, all reach the outside; from there and from other
 * networks only what was asked for and ports of the host come in. To a bridge of davit's that is
 * not among the networks, because what it was could not be read, nothing comes. */
static void write_forward(struct nft_transaction *transaction,
                          const struct firewall_network *networks, size_t count)
{
    struct nft_rule rule;

    nft_add_base_chain(transaction, "forward", "filter", NFT_FORWARD, PRIORITY_FILTER);
    for (size_t i = 0; i < count; i++) {
        const struct firewall_network *network = &networks[i];

        if (network->group_count > 0)
            write_groups(transaction, network);
        else
            add_forward(transaction, network->bridge, network->bridge, !network->is_isolated);
        if (!network->is_internal)
            continue;
        add_forward(transaction, network->bridge, NULL, false);
        add_forward(transaction, NULL, network->bridge, false);
    }
    rule = nft_rule_begin(transaction, "forward");
    nft_match_device_set(&rule, NFT_OIFNAME, true, "bridges");
    nft_match_state(&rule, NFT_STATE_ESTABLISHED | NFT_STATE_RELATED);
    nft_accept(&rule);
    nft_rule_end(&rule);
    rule = nft_rule_begin(transaction, "forward");
    nft_match_device_set(&rule, NFT_OIFNAME, true, "bridges");
    nft_match_translated(&rule);
    nft_accept(&rule);
    nft_rule_end(&rule);
    rule = nft_rule_begin(transaction, "forward");
    nft_match_device_set(&rule, NFT_OIFNAME, true, "bridges");
    nft_drop(&rule);
    nft_rule_end(&rule);
    add_forward(transaction, NULL, "davit0", false);
    add_forward(transaction, NULL, "dv-*", false);
}

static void add_input_icmp(struct nft_transaction *transaction, uint8_t protocol, uint8_t first,
                           uint8_t last)
{
    const struct nft_rule rule = nft_rule_begin(transaction, "input");

    nft_match_protocol(&rule, protocol);
    nft_match_icmp_types(&rule, first, last);
    nft_accept(&rule);
    nft_rule_end(&rule);
}

/* What containers send to the host itself: answers, what keeps IPv6 going, and whether it is there.
 * Its services are not theirs, whatever addresses these listen on. */
static void write_input(struct nft_transaction *transaction)
{
    struct nft_rule rule;

    nft_add_base_chain(transaction, "input", "filter", NFT_INPUT, PRIORITY_FILTER);
    rule = nft_rule_begin(transaction, "input");
    nft_match_device_set(&rule, NFT_IIFNAME, false, "bridges");
    nft_accept(&rule);
    nft_rule_end(&rule);
    rule = nft_rule_begin(transaction, "input");
    nft_match_state(&rule, NFT_STATE_ESTABLISHED | NFT_STATE_RELATED);
    nft_accept(&rule);
    nft_rule_end(&rule);
    add_input_icmp(transaction, IPPROTO_ICMP, ICMP_ECHO, ICMP_ECHO);
    add_input_icmp(transaction, IPPROTO_ICMPV6, ICMP6_ECHO_REQUEST, ICMP6_ECHO_REQUEST);
    add_input_icmp(transaction, IPPROTO_ICMPV6, ND_NEIGHBOR_SOLICIT, ND_NEIGHBOR_ADVERT);
    rule = nft_rule_begin(transaction, "input");
    nft_match_device_set(&rule, NFT_IIFNAME, true, "open");
    nft_accept(&rule);
    nft_rule_end(&rule);
    rule = nft_rule_begin(transaction, "input");
    nft_reject(&rule);
    nft_rule_end(&rule);
}

static void drop_redirects(struct nft_transaction *transaction, uint8_t protocol, uint8_t type)
{
    const struct nft_rule rule = nft_rule_begin(transaction, "local");

    nft_match_device_set(&rule, NFT_OIFNAME, true, "bridges");
    nft_match_protocol(&rule, protocol);
    nft_match_icmp_types(&rule, type, type);
    nft_drop(&rule);
    nft_rule_end(&rule);
}

/* The kernel takes TCP connections up in the middle, as begun by whoever speaks first. One that was
 * ended because rules refuse it would go on when the host speaks. */
static void write_output(struct nft_transaction *transaction)
{
    struct nft_rule rule;

    nft_add_base_chain(transaction, "local", "filter", NFT_OUTPUT, PRIORITY_FILTER);
    /* Members of groups are neighbours, who are not to talk but through the host. */
    drop_redirects(transaction, IPPROTO_ICMP, ICMP_REDIRECT);
    drop_redirects(transaction, IPPROTO_ICMPV6, ND_REDIRECT);
    rule = nft_rule_begin(transaction, "local");
    nft_match_device_set(&rule, NFT_OIFNAME, true, "bridges");
    nft_match_state(&rule, NFT_STATE_NEW);
    nft_match_protocol(&rule, IPPROTO_TCP);
    nft_match_no_syn(&rule);
    nft_drop(&rule);
    nft_rule_end(&rule);
}

static void add_bridge_drop(struct nft_transaction *transaction, uint8_t protocol, uint16_t port)
{
    const struct nft_rule rule = nft_rule_begin(transaction, "port");

    nft_match_protocol(&rule, protocol);
    nft_match_source_port(&rule, port);
    nft_drop(&rule);
    nft_rule_end(&rule);
}

static void add_bridge_icmp_drop(struct nft_transaction *transaction, uint8_t type)
{
    const struct nft_rule rule = nft_rule_begin(transaction, "port");

    nft_match_protocol(&rule, IPPROTO_ICMPV6);
    nft_match_icmp_types(&rule, type, type);
    nft_drop(&rule);
    nft_rule_end(&rule);
}

/* What a container's neighbours and the host would believe of it: that it is a router, that it has
 * addresses to give, and other containers' addresses. */
static void write_pretences(struct nft_transaction *transaction)
{
    static const enum nft_part target[] = {NFT_PART_IIFNAME, NFT_PART_ND_TARGET};
    static const enum nft_part sender[] = {NFT_PART_IIFNAME, NFT_PART_ARP_SENDER_ETHER,
                                           NFT_PART_ARP_SENDER_IP};
    struct nft_rule rule;

    add_bridge_icmp_drop(transaction, ND_ROUTER_ADVERT);
    add_bridge_icmp_drop(transaction, ND_REDIRECT);
    add_bridge_drop(transaction, IPPROTO_UDP, DHCP_SERVER_PORT);
    add_bridge_drop(transaction, IPPROTO_UDP, DHCP6_SERVER_PORT);
    rule = nft_rule_begin(transaction, "port");
    nft_match_protocol(&rule, IPPROTO_ICMPV6);
    nft_match_icmp_types(&rule, ND_NEIGHBOR_ADVERT, ND_NEIGHBOR_ADVERT);
    nft_match_parts(&rule, false, "targets6", target, ARRAY_SIZE(target));
    nft_drop(&rule);
    nft_rule_end(&rule);
    rule = nft_rule_begin(transaction, "port");
    nft_match_ether_type(&rule, ETH_P_ARP);
    nft_match_parts(&rule, false, "sources", sender, ARRAY_SIZE(sender));
    nft_drop(&rule);
    nft_rule_end(&rule);
}

/* What has the device's own addresses. */
static void write_own(struct nft_transaction *transaction)
{
    static const struct {
        uint16_t ether_type;
        const char *set;
        enum nft_part address;
    } kinds[] = {{ETH_P_ARP, "sources", NFT_PART_ARP_SENDER_IP},
                 {ETH_P_IP, "sources", NFT_PART_IP_SADDR},
                 {ETH_P_IPV6, "sources6", NFT_PART_IP6_SADDR}};
    struct subnet nobody;
    struct nft_rule rule;

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        const enum nft_part parts[] = {NFT_PART_IIFNAME, NFT_PART_ETHER_SADDR, kinds[i].address};

        rule = nft_rule_begin(transaction, "port");
        nft_match_ether_type(&rule, kinds[i].ether_type);
        nft_match_parts(&rule, true, kinds[i].set, parts, ARRAY_SIZE(parts));
        nft_accept(&rule);
        nft_rule_end(&rule);
    }
    /* Asking whether its address is taken (RFC 4862, 5.4). */
    subnet_parse("::/128", &nobody);
    rule = nft_rule_begin(transaction, "port");
    nft_match_ether_type(&rule, ETH_P_IPV6);
    nft_match_subnet(&rule, NFT_SADDR, &nobody);
    nft_match_protocol(&rule, IPPROTO_ICMPV6);
    nft_match_icmp_types(&rule, ND_NEIGHBOR_SOLICIT, ND_NEIGHBOR_SOLICIT);
    nft_accept(&rule);
    nft_rule_end(&rule);
}

/* Devices whose neighbours are reached through the host, or not at all: nothing goes from them to
 * another port, also while the ports are not what they are to be. */
static void write_apart(struct nft_transaction *transaction)
{
    struct nft_rule rule;

    nft_add_set(transaction, &(struct nft_set){.name = "apart", .key = {NFT_TYPE_DEVICE}});
    nft_add_base_chain(transaction, "forward", "filter", NFT_FORWARD, PRIORITY_BRIDGE_FILTER);
    rule = nft_rule_begin(transaction, "forward");
    nft_match_device_set(&rule, NFT_IIFNAME, true, "apart");
    nft_drop(&rule);
    nft_rule_end(&rule);
}

/* What comes in by a device of ours in a bridge: in its name alone, and nothing but ARP and IP. */
static void write_bridge_guard(struct nft_transaction *transaction)
{
    struct nft_rule rule;

    nft_add_set(transaction, &(struct nft_set){.name = "own_devices",
                                               .key = {NFT_TYPE_DEVICE},
                                               .data = {NFT_TYPE_VERDICT}});
    nft_add_set(transaction, &(struct nft_set){
                                 .name = "sources",
                                 .key = {NFT_TYPE_DEVICE, NFT_TYPE_ETHER, NFT_TYPE_IPV4},
                             });
    nft_add_set(transaction, &(struct nft_set){
                                 .name = "sources6",
                                 .key = {NFT_TYPE_DEVICE, NFT_TYPE_ETHER, NFT_TYPE_IPV6},
                             });
    nft_add_set(transaction, &(struct nft_set){
                                 .name = "targets6",
                                 .key = {NFT_TYPE_DEVICE, NFT_TYPE_IPV6},
                             });
    nft_add_chain(transaction, "port");
    write_pretences(transaction);
    write_own(transaction);
    rule = nft_rule_begin(transaction, "port");
    nft_drop(&rule);
    nft_rule_end(&rule);
    limits_write_packets(transaction, "port");
    nft_add_base_chain(transaction, "guard", "filter", NFT_PREROUTING, PRIORITY_BRIDGE_GUARD);
    rule = nft_rule_begin(transaction, "guard");
    nft_jump_by_device(&rule, NFT_IIFNAME, "own_devices");
    nft_rule_end(&rule);
    rule = nft_rule_begin(transaction, "guard");
    nft_match_device(&rule, NFT_IIFNAME, true, FIREWALL_DEVICE_PREFIX "*");
    nft_drop(&rule);
    nft_rule_end(&rule);
}

void firewall_remove(struct nft_transaction *transaction, enum nft_family family)
{
    nft_use_table(transaction, family, FIREWALL_TABLE);
    nft_delete_table(transaction);
}

void firewall_write(struct nft_transaction *transaction, const struct firewall_network *networks,
                    size_t count)
{
    nft_use_table(transaction, NFT_BRIDGE, FIREWALL_TABLE);
    nft_add_table(transaction);
    write_bridge_guard(transaction);
    write_apart(transaction);
    nft_use_table(transaction, NFT_INET, FIREWALL_TABLE);
    nft_add_table(transaction);
    write_bridges(transaction, networks, count);
    write_ports(transaction);
    write_guard(transaction);
    write_sources(transaction, networks, count);
    write_input(transaction);
    write_output(transaction);
    write_forward(transaction, networks, count);
}

void firewall_change_port(struct nft_transaction *transaction, const struct firewall_port *port,
                          bool is_removed)
{
    static const char *const names[] = {"tcp", "udp", "sctp"};
    const struct family *family = &families[port->container.family == AF_INET6];
    bool has_address = port->host.family != 0;
    struct nft_element element = {.set = has_address ? family->ports_at : family->ports};
    size_t length = address_length(&port->container);
    uint16_t host_port = htons(port->host_port);
    uint16_t container_port = htons(port->container_port);
    uint8_t protocol = 0;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(names[i], port->protocol) == 0)
            protocol = port_protocols[i];
    }
    if (has_address)
        nft_value_append(&element.key, port->host.bytes, length);
    nft_value_append(&element.key, &protocol, sizeof(protocol));
    nft_value_append(&element.key, &host_port, sizeof(host_port));
    nft_value_append(&element.data, port->container.bytes, length);
    nft_value_append(&element.data, &container_port, sizeof(container_port));
    nft_use_table(transaction, NFT_INET, FIREWALL_TABLE);
    nft_change_element(transaction, &element, is_removed);
}

static void change_source(struct nft_transaction *transaction, const struct firewall_device *device,
                          const struct address *address, bool is_removed)
{
    bool is_ipv6 = address->family == AF_INET6;
    struct nft_element source = {.set = is_ipv6 ? "sources6" : "sources"};
    struct nft_element target = {.set = "targets6"};

    nft_value_append_device(&source.key, device->name);
    nft_value_append(&source.key, device->mac, sizeof(device->mac));
    nft_value_append(&source.key, address->bytes, address_length(address));
    nft_change_element(transaction, &source, is_removed);
    if (!is_ipv6)
        return;
    nft_value_append_device(&target.key, device->name);
    nft_value_append(&target.key, address->bytes, address_length(address));
    nft_change_element(transaction, &target, is_removed);
}

void firewall_change_device(struct nft_transaction *transaction,
                            const struct firewall_device *device, bool is_removed)
{
    const struct address local = address_link_local(device->mac);
    struct nft_element element = {.set = "own_devices",
                                  .jump = device->packets > 0 ? LIMITS_CHAIN : "port"};

    nft_use_table(transaction, NFT_BRIDGE, FIREWALL_TABLE);
    limits_change_packets(transaction, device->name, device->packets, is_removed);
    nft_value_append_device(&element.key, device->name);
    nft_change_element(transaction, &element, is_removed);
    element = (struct nft_element){.set = "apart", .key = element.key};
    if (device->is_apart)
        nft_change_element(transaction, &element, is_removed);
    change_source(transaction, device, &device->address, is_removed);
    if (device->address6.family == 0)
        return;
    change_source(transaction, device, &device->address6, is_removed);
    change_source(transaction, device, &local, is_removed);
}
