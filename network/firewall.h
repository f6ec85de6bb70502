/*
 * The rules that networks need: the tables "inet davit" and "bridge davit", which are ours (nft.h).
 * They are written anew as a whole when networks come or go, and so are right whatever was there
 * before; ports and devices are elements of their sets, which change by themselves.
 */
#ifndef DAVIT_NETWORK_FIREWALL_H
#define DAVIT_NETWORK_FIREWALL_H

#include "address.h"
#include "limits.h"
#include "nft.h"

#define FIREWALL_TABLE "davit"

/* Devices of ours in a bridge begin so: one that is not known lets nothing through. */
#define FIREWALL_DEVICE_PREFIX "dve"

struct firewall_network {
    const char *bridge;
    struct subnet subnet;
    struct subnet subnet6; /* family 0: none */
    bool is_internal;      /* nothing is forwarded into it or out of it */
    bool is_isolated;      /* its containers do not reach each other */
    bool keeps_sources;    /* what leaves it is not masqueraded */
    bool reaches_host;     /* its containers may begin connections to this host */
};

/* A port of the host whose connections go to a container. */
struct firewall_port {
    const char *protocol; /* "tcp", "udp" or "sctp" */
    struct address host;  /* of the container's family; family 0: any */
    uint16_t host_port;
    struct address container;
    uint16_t container_port;
};

/* A container's device, as its bridge sees it: packets that come in by it must have its MAC and one
 * of its addresses. */
struct firewall_device {
    const char *name;
    uint8_t mac[6];
    struct address address;
    struct address address6; /* family 0: none */
    struct network_limits limits;
};

/* Removes our table of that family, which is there. */
void firewall_remove(struct nft_transaction *transaction, enum nft_family family);

/* Makes both tables, without any port or device. */
struct firewall {
    const struct firewall_network *networks;
    size_t count;
    bool tracks_bridges; /* the kernel does, for egress rules: then it is limited as well */
};
void firewall_write(struct nft_transaction *transaction, const struct firewall *firewall);

/* Changes one port, or one device. */
void firewall_change_port(struct nft_transaction *transaction, const struct firewall_port *port,
                          bool is_removed);
void firewall_change_device(struct nft_transaction *transaction,
                            const struct firewall_device *device, bool tracks_bridges,
                            bool is_removed);

#endif
