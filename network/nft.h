/*
 * nftables without the nft program: transactions of nfnetlink (nft(8),
 * linux/netfilter/nf_tables.h). What stands in one takes effect at once, or not at all.
 *
 * Our tables belong to a socket (NFT_TABLE_F_OWNER, Linux 5.12): nobody changes them by another
 * one, "nft flush ruleset" passes them by, and the kernel removes them when the last descriptor of
 * the socket is closed. So whoever keeps a descriptor keeps the rules: see docs/decisions/walls.md.
 */
#ifndef DAVIT_NETWORK_NFT_H
#define DAVIT_NETWORK_NFT_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

struct nlmsghdr;

enum nft_family {
    NFT_INET,
    NFT_BRIDGE,
    /* Of others' tables: */
    NFT_IPV4,
    NFT_IPV6,
};

/* NFPROTO_*. */
uint8_t nft_protocol_family(enum nft_family family);

/* The connection that owns our tables. */
struct nft_channel {
    int fd; /* -1: not open */
    uint32_t port;
};

/* Opens a new one, in the calling thread's network namespace; or takes over what another process
 * has handed on, which owns the tables. */
int nft_channel_open(struct nft_channel *channel, struct error *err);
int nft_channel_adopt(struct nft_channel *channel, int fd, struct error *err);
void nft_channel_close(struct nft_channel *channel);

/* Whether the descriptor is of such a socket, in the caller's network namespace, and of the one
 * that has this port there. */
bool nft_socket_is(int fd, uint32_t port);

/* What is asked of a table: -ENOENT: there is none. `owner` is the port of the socket that owns it,
 * 0: nobody does. */
int nft_table_look_up(const struct nft_channel *channel, enum nft_family family, const char *name,
                      uint32_t *owner);

/* What a named counter has seen. */
struct nft_counter {
    uint64_t packets;
    uint64_t bytes;
};
int nft_counter_read(const struct nft_channel *channel, enum nft_family family, const char *table,
                     const char *name, struct nft_counter *counter, struct error *err);

/* Requests that are being written. Zeroed it is empty. */
struct nft_transaction {
    struct buffer bytes;
    uint32_t count;
    /* What follows is about this table. */
    enum nft_family family;
    const char *table;
};
void nft_transaction_release(struct nft_transaction *transaction);
#define cleanup_nft_transaction __attribute__((cleanup(nft_transaction_release)))

/* All or nothing, in order; waits for the kernel's answer. -EEXIST: an element that is added is
 * there (a set that has timeouts keeps the old one). -ENOENT: a table, a set, or what is removed is
 * not there. */
int nft_transaction_run(const struct nft_channel *channel, struct nft_transaction *transaction,
                        struct error *err);

/* Tables. What is added may be there already; what is removed has to be there. */
void nft_use_table(struct nft_transaction *transaction, enum nft_family family, const char *table);
void nft_add_table(struct nft_transaction *transaction);
void nft_delete_table(struct nft_transaction *transaction);

/* Chains. A base chain is called by the kernel; its policy is to accept. */
enum nft_hook { /* NF_INET_*, NF_BR_* */
                NFT_PREROUTING,
                NFT_INPUT,
                NFT_FORWARD,
                NFT_OUTPUT,
                NFT_POSTROUTING,
};
void nft_add_chain(struct nft_transaction *transaction, const char *name);
void nft_add_base_chain(struct nft_transaction *transaction, const char *name, const char *type,
                        enum nft_hook hook, int32_t priority);
void nft_flush_chain(struct nft_transaction *transaction, const char *name);
void nft_delete_chain(struct nft_transaction *transaction, const char *name);

void nft_add_counter(struct nft_transaction *transaction, const char *name);
void nft_delete_counter(struct nft_transaction *transaction, const char *name);

/* Sets and maps. Types are those that `nft describe` numbers; several stand one behind the other.
 */
enum nft_type {
    NFT_TYPE_NONE = 0,
    NFT_TYPE_IPV4 = 7,
    NFT_TYPE_IPV6 = 8,
    NFT_TYPE_ETHER = 9,
    NFT_TYPE_PROTOCOL = 12,
    NFT_TYPE_PORT = 13,
    NFT_TYPE_DEVICE = 41,
    NFT_TYPE_VERDICT = -1, /* of maps alone */
};
#define NFT_TYPES_MAX 4

/* What elements of a set may count. Such an element is found only by what is over its limit. Those
 * that count connections are the kernel's to add (nft_count_connections()), and to remove when
 * there is nothing to count any more. */
enum nft_limit {
    NFT_LIMIT_NONE,
    NFT_LIMIT_CONNECTIONS, /* that are open: "ct count over N" */
    NFT_LIMIT_RATE,        /* packets a second: "limit rate over N/second burst N packets" */
};

struct nft_set {
    const char *name;
    enum nft_type key[NFT_TYPES_MAX];
    enum nft_type data[NFT_TYPES_MAX]; /* of maps */
    enum nft_limit limit;
    bool has_timeouts;
};
void nft_add_set(struct nft_transaction *transaction, const struct nft_set *set);
void nft_flush_set(struct nft_transaction *transaction, const char *name);
void nft_delete_set(struct nft_transaction *transaction, const char *name);

/* Several values are one behind the other, each filled up to 4 bytes; in network order. */
#define NFT_VALUE_SIZE 64
struct nft_value {
    uint8_t bytes[NFT_VALUE_SIZE];
    size_t length;
};
void nft_value_append(struct nft_value *value, const void *bytes, size_t length);
void nft_value_append_device(struct nft_value *value, const char *name);

struct nft_element {
    const char *set;
    struct nft_value key;
    struct nft_value data; /* of maps; length 0: none */
    const char *jump;      /* the chain that a verdict leads to; NULL: no verdict */
    enum nft_limit limit;  /* as its set's */
    uint32_t limit_at;
    uint64_t timeout_ms; /* 0: stays */
    bool is_new;         /* it must not be there yet */
};
void nft_add_element(struct nft_transaction *transaction, const struct nft_element *element);
void nft_delete_element(struct nft_transaction *transaction, const struct nft_element *element);
void nft_change_element(struct nft_transaction *transaction, const struct nft_element *element,
                        bool is_removed);

/* For nft_rule.c: what an element counts, as an attribute of that type. */
void nft_put_limit(struct nlmsghdr *header, uint16_t type, enum nft_limit limit, uint32_t limit_at);

/* For nft_rule.c: begins a request, and ends it. No request has more than NFT_REQUEST_MAX bytes. */
#define NFT_REQUEST_MAX 4096
struct nlmsghdr *nft_request_begin(struct nft_transaction *transaction, uint16_t type,
                                   uint16_t flags);
void nft_request_end(struct nft_transaction *transaction, const struct nlmsghdr *header);

#endif
