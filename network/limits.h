/*
 * What one device of a container may cost the host: connections that its kernel tracks, new ones a
 * second, packets a second. Elements of sets in the tables of firewall.h count, one for each
 * device; what is over is dropped before the kernel remembers anything of it, and reported a few
 * times.
 */
#ifndef DAVIT_NETWORK_LIMITS_H
#define DAVIT_NETWORK_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "nft.h"

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

/* The chain of the family bridge that checks the packets of a device which has that limit, and then
 * calls `next`. */
#define LIMITS_CHAIN "limited"

/* Adds chains and sets to the table that the transaction is at, of its family. In bridges
 * connections are counted only where the kernel tracks them. */
void limits_write(struct nft_transaction *transaction, const char *bridges);
void limits_write_in_bridges(struct nft_transaction *transaction, const char *next,
                             bool tracks_bridges);

/* A device, and whether connections in bridges are tracked, as they were written. */
struct limited_device {
    const char *name;
    const uint8_t *mac; /* 6 bytes */
    struct network_limits limits;
    bool tracks_bridges;
};
void limits_change_device(struct nft_transaction *transaction, enum nft_family family,
                          const struct limited_device *device, bool is_removed);

#endif
