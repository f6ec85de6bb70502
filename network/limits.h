/*
 * What one device of a container may cost the host: connections that its kernel tracks, new ones a
 * second, packets a second. What is over is dropped before the kernel remembers anything of it, and
 * reported a few times. Connections are counted in tables of their own, which stay when networks
 * and rules change: what has been counted is counted once, when it begins.
 */
#ifndef DAVIT_NETWORK_LIMITS_H
#define DAVIT_NETWORK_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "nft.h"

#define LIMITS_TABLE "davit_limits"
#define LIMITS_LOG_PREFIX "davit limit " /* and the limit's name, LIMITS_* */
#define LIMITS_PACKETS "packets"
#define LIMITS_NEW_CONNECTIONS "new-connections"
#define LIMITS_CONNECTIONS "connections"

/* 0: no limit. */
struct network_limits {
    uint32_t connections;     /* that it has begun and the host tracks */
    uint32_t new_connections; /* a second */
    uint32_t packets;         /* that it sends, a second */
};

/* Adds the table, without any device; removes it, where it is there. In the family bridge it is
 * only for kernels that track connections there. */
void limits_write(struct nft_transaction *transaction, enum nft_family family,
                  uint32_t usual_connections);
void limits_remove(struct nft_transaction *transaction, enum nft_family family);

/* A device in the table. */
struct limited_device {
    const char *name;
    const uint8_t *mac; /* 6 bytes */
    struct network_limits limits;
    bool is_usual; /* its limit of connections is the one that was written with the table */
};
void limits_change_device(struct nft_transaction *transaction, enum nft_family family,
                          const struct limited_device *device, bool is_removed);

/* Packets are counted where the bridge's rules begin, in the table that the transaction is at: the
 * chain LIMITS_CHAIN checks the packets of a device which has that limit, and then calls `next`. */
#define LIMITS_CHAIN "limited"
void limits_write_packets(struct nft_transaction *transaction, const char *next);
void limits_change_packets(struct nft_transaction *transaction, const char *device,
                           uint32_t packets, bool is_removed);

#endif
