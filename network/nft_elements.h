/*
 * Elements of nftables' sets and maps (nft(8)), changed in the kernel without the nft program: one
 * transaction, in the time of a system call. Tables, chains and sets themselves come from scripts
 * (firewall.h).
 */
#ifndef DAVIT_NETWORK_NFT_ELEMENTS_H
#define DAVIT_NETWORK_NFT_ELEMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define NFT_VALUE_SIZE 32
#define NFT_CHANGES_MAX 256 /* in one transaction */

/* Opened by the first use, and kept: closing it waits for the kernel to free what was removed, tens
 * of milliseconds. Zero bytes are a channel that is not open. */
struct mnl_socket;
struct nft_channel {
    struct mnl_socket *socket;
};

enum nft_family {
    NFT_INET,
    NFT_BRIDGE,
};

/* Several values are one behind the other, each filled up to 4 bytes; in network order. */
struct nft_value {
    uint8_t bytes[NFT_VALUE_SIZE];
    size_t length;
};

void nft_value_append(struct nft_value *value, const void *bytes, size_t length);

struct nft_element {
    enum nft_family family;
    const char *table;
    const char *set;
    struct nft_value key;
    struct nft_value data; /* of maps; length 0: a set */
    uint64_t timeout_ms;   /* 0: stays */
    bool is_removed;
};

/* All or nothing, in order. -EEXIST: one that is added is there (a set that has timeouts keeps the
 * old one). -ENOENT: a table, a set, or one that is removed is not there. */
int nft_elements_change(struct nft_channel *channel, const struct nft_element *elements,
                        size_t count, struct error *err);

bool nft_table_exists(struct nft_channel *channel, enum nft_family family, const char *name);

/* What a named counter has seen. */
struct nft_counter {
    uint64_t packets;
    uint64_t bytes;
};
int nft_counter_read(struct nft_channel *channel, enum nft_family family, const char *table,
                     const char *name, struct nft_counter *counter, struct error *err);

#endif
