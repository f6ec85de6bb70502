/*
 * The rules that networks need: one nftables table of ours, "inet davit", which is written anew as
 * a whole and so is right whatever was there before. Other tables stay as they are.
 */
#ifndef DAVIT_NETWORK_FIREWALL_H
#define DAVIT_NETWORK_FIREWALL_H

#include "address.h"
#include "base/buffer.h"
#include "nft_elements.h"

#define FIREWALL_TABLE "davit"

struct firewall_network {
    const char *bridge;
    struct subnet subnet;
    struct subnet subnet6; /* family 0: none */
    bool is_internal;      /* nothing is forwarded into it or out of it */
    bool is_isolated;      /* its containers do not reach each other */
    bool keeps_sources;    /* what leaves it is not masqueraded */
};

/* A port of the host whose connections go to a container. */
struct firewall_port {
    const char *protocol; /* "tcp", "udp" or "sctp" */
    struct address host;  /* of the container's family; family 0: any */
    uint16_t host_port;
    struct address container;
    uint16_t container_port;
};

struct firewall {
    const struct firewall_network *networks;
    size_t network_count;
    const struct firewall_port *ports;
    size_t port_count;
};

/* Writes a script for `nft -f -` (nft(8)): one transaction, that replaces the table, or removes it
 * when there are no networks. */
void firewall_write(struct buffer *script, const struct firewall *firewall);

/* Makes the element for a port in a table that was written before, to change the port without the
 * nft program. */
void firewall_port_element(const struct firewall_port *port, bool is_removed,
                           struct nft_element *element);

#endif
