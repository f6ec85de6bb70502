/* The nftables script: see firewall.h. */
#include "firewall.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* What differs between the families. */
struct family {
    int family;
    const char *protocol; /* in rules */
    const char *type;     /* of addresses */
    const char *suffix;   /* of names */
};

static const struct family families[] = {{AF_INET, "ip", "ipv4_addr", ""},
                                         {AF_INET6, "ip6", "ipv6_addr", "6"}};

static void write_elements(struct buffer *script, const struct firewall *firewall, int family,
                           bool is_chosen)
{
    bool has_any = false;

    for (size_t i = 0; i < firewall->port_count; i++) {
        const struct firewall_port *port = &firewall->ports[i];
        char host[ADDRESS_TEXT_SIZE];
        char container[ADDRESS_TEXT_SIZE];

        if (port->container.family != family || (port->host.family != 0) != is_chosen)
            continue;
        address_format(&port->host, host);
        address_format(&port->container, container);
        buffer_append_string(script, has_any ? ",\n" : "    elements = {\n");
        buffer_printf(script, "      %s%s%s . %u : %s . %u", host, is_chosen ? " . " : "",
                      port->protocol, port->host_port, container, port->container_port);
        has_any = true;
    }
    if (has_any)
        buffer_append_string(script, "\n    }\n");
}

static void write_maps(struct buffer *script, const struct firewall *firewall,
                       const struct family *family)
{
    buffer_printf(script,
                  "  map ports%s {\n"
                  "    type inet_proto . inet_service : %s . inet_service\n",
                  family->suffix, family->type);
    write_elements(script, firewall, family->family, false);
    buffer_printf(script,
                  "  }\n"
                  "  map ports%s_at {\n"
                  "    type %s . inet_proto . inet_service : %s . inet_service\n",
                  family->suffix, family->type, family->type);
    write_elements(script, firewall, family->family, true);
    buffer_append_string(script, "  }\n");
}

static void write_ports(struct buffer *script, const struct firewall *firewall)
{
    for (size_t i = 0; i < 2; i++)
        write_maps(script, firewall, &families[i]);
    buffer_append_string(script, "  chain ports {\n");
    for (size_t i = 0; i < 2; i++) {
        const char *protocol = families[i].protocol;
        const char *suffix = families[i].suffix;

        buffer_printf(script,
                      "    dnat %s to %s daddr . meta l4proto . th dport map @ports%s_at\n"
                      "    dnat %s to meta l4proto . th dport map @ports%s\n",
                      protocol, protocol, suffix, protocol, suffix);
    }
    buffer_append_string(script,
                         "  }\n"
                         "  chain prerouting {\n"
                         "    type nat hook prerouting priority dstnat; policy accept;\n"
                         "    meta l4proto { tcp, udp, sctp } fib daddr type local jump ports\n"
                         "  }\n"
                         "  chain output {\n"
                         "    type nat hook output priority -100; policy accept;\n"
                         "    meta l4proto { tcp, udp, sctp } fib daddr type local jump ports\n"
                         "  }\n");
}

/* For published ports loopback addresses are routed to bridges. Only the host itself may use them:
 * a machine on the same wire that sends to or from such an address, with a route to it by us, would
 * reach ports that were published for the host alone. This chain runs before the rules that change
 * where a packet goes. */
static void write_guard(struct buffer *script)
{
    buffer_append_string(script, "  chain guard {\n"
                                 "    type filter hook prerouting priority raw; policy accept;\n"
                                 "    iifname != \"lo\" ip daddr 127.0.0.0/8 drop\n"
                                 "    iifname != \"lo\" ip saddr 127.0.0.0/8 drop\n"
                                 "    iifname != \"lo\" ip6 daddr ::1 drop\n"
                                 "  }\n");
}

static void write_bridges(struct buffer *script, const struct firewall *firewall)
{
    buffer_append_string(script, "  set bridges {\n    type ifname\n    elements = { ");
    for (size_t i = 0; i < firewall->network_count; i++)
        buffer_printf(script, "%s\"%s\"", i > 0 ? ", " : "", firewall->networks[i].bridge);
    buffer_append_string(script, " }\n  }\n");
}

static void write_source(struct buffer *script, const struct firewall_network *network,
                         const struct subnet *subnet, const char *protocol)
{
    char text[ADDRESS_TEXT_SIZE];

    subnet_format(subnet, text);
    if (text[0] == '\0')
        return;
    buffer_printf(script, "    oifname \"%s\" %s saddr %s ct status dnat masquerade\n",
                  network->bridge, protocol, text);
    if (!network->is_internal && !network->keeps_sources)
        buffer_printf(script, "    %s saddr %s oifname != \"%s\" masquerade\n", protocol, text,
                      network->bridge);
}

/* Connections that a port of the host leads back into the same network, or that come from the
 * loopback of the host, get the host's address as source: the answers have to come back through the
 * host. The same holds for what leaves a network, unless the network keeps its sources. */
static void write_sources(struct buffer *script, const struct firewall *firewall)
{
    buffer_append_string(script, "  chain postrouting {\n"
                                 "    type nat hook postrouting priority srcnat; policy accept;\n"
                                 "    oifname @bridges ip saddr 127.0.0.0/8 masquerade\n");
    for (size_t i = 0; i < firewall->network_count; i++) {
        const struct firewall_network *network = &firewall->networks[i];

        write_source(script, network, &network->subnet, "ip");
        write_source(script, network, &network->subnet6, "ip6");
    }
    buffer_append_string(script, "  }\n");
}

/* Containers of one network reach each other, all reach the outside; from there and from other
 * networks only what was asked for and ports of the host come in. To a bridge of davit's that is
 * not among the networks, because what it was could not be read, nothing comes. */
static void write_forward(struct buffer *script, const struct firewall *firewall)
{
    buffer_append_string(script, "  chain forward {\n"
                                 "    type filter hook forward priority filter; policy accept;\n");
    for (size_t i = 0; i < firewall->network_count; i++) {
        const struct firewall_network *network = &firewall->networks[i];

        buffer_printf(script, "    iifname \"%s\" oifname \"%s\" %s\n", network->bridge,
                      network->bridge, network->is_isolated ? "drop" : "accept");
        if (network->is_internal)
            buffer_printf(script, "    iifname \"%s\" drop\n    oifname \"%s\" drop\n",
                          network->bridge, network->bridge);
    }
    buffer_append_string(script, "    oifname @bridges ct state established,related accept\n"
                                 "    oifname @bridges ct status dnat accept\n"
                                 "    oifname @bridges drop\n"
                                 "    oifname \"davit0\" drop\n"
                                 "    oifname \"dv-*\" drop\n"
                                 "  }\n");
}

void firewall_write(struct buffer *script, const struct firewall *firewall)
{
    /* Deleting what is not there would fail. */
    buffer_append_string(script, "table inet " FIREWALL_TABLE "\n"
                                 "delete table inet " FIREWALL_TABLE "\n");
    if (firewall->network_count == 0)
        return;
    buffer_append_string(script, "table inet " FIREWALL_TABLE " {\n");
    write_bridges(script, firewall);
    write_ports(script, firewall);
    write_guard(script);
    write_sources(script, firewall);
    write_forward(script, firewall);
    buffer_append_string(script, "}\n");
}

void firewall_port_element(const struct firewall_port *port, bool is_removed,
                           struct nft_element *element)
{
    static const struct {
        const char *name;
        uint8_t number;
    } protocols[] = {{"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {"sctp", IPPROTO_SCTP}};
    static const char *const maps[2][2] = {{"ports", "ports_at"}, {"ports6", "ports6_at"}};
    size_t length = address_length(&port->container);
    uint16_t host_port = htons(port->host_port);
    uint16_t container_port = htons(port->container_port);
    uint8_t protocol = 0;

    for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
        if (strcmp(protocols[i].name, port->protocol) == 0)
            protocol = protocols[i].number;
    }
    *element = (struct nft_element){
        .family = NFT_INET,
        .table = FIREWALL_TABLE,
        .set = maps[port->container.family == AF_INET6][port->host.family != 0],
        .is_removed = is_removed,
    };
    if (port->host.family != 0)
        nft_value_append(&element->key, port->host.bytes, length);
    nft_value_append(&element->key, &protocol, sizeof(protocol));
    nft_value_append(&element->key, &host_port, sizeof(host_port));
    nft_value_append(&element->data, port->container.bytes, length);
    nft_value_append(&element->data, &container_port, sizeof(container_port));
}
