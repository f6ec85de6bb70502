/*
 * The host's own firewall, as far as it stands in the way of what davit lets through: base chains
 * of nftables, which others have made, for packets that are forwarded. Also iptables-nft, and so
 * ufw, is such a chain. One that is closed, by its policy or its last rule, gets rules of ours at
 * its end: what is of davit's bridges is davit's to decide. What the host's administrator says of
 * it before comes first.
 */
#ifndef DAVIT_NETWORK_HOST_CHAINS_H
#define DAVIT_NETWORK_HOST_CHAINS_H

#include <stdbool.h>

#include "nft.h"

#define HOST_CHAINS_COMMENT "davit: see davitd.json(5)" /* marks our rules */
#define HOST_CHAINS_MAX 128
#define HOST_CHAIN_SIZE 560

struct host_chains {
    char opened[HOST_CHAIN_SIZE]; /* "ip filter FORWARD": one that was closed until now; "": none */
    char closed[HOST_CHAIN_SIZE]; /* one that could not be opened, as its table is owned; "" */
    bool has_firewalld;           /* whose tables change by D-Bus alone */
};

/* Looks at all of them, and opens those that are closed, for devices of these names ("begin*");
 * with none of them only removes what was added before.
 * -EINTR: they have changed meanwhile. */
int host_chains_open(const struct nft_channel *channel, const char *const *devices, size_t count,
                     struct host_chains *found, struct error *err);

/* What one message of the kernel says: a chain that forwards packets, or a rule. For tests. */
struct host_chain {
    enum nft_family family;
    char table[256];
    char name[256];
    bool is_dropping; /* by policy */
};
struct nlmsghdr;
bool host_chain_read(const struct nlmsghdr *header, struct host_chain *chain);

enum host_rule_kind {
    HOST_RULE_ORDINARY,
    HOST_RULE_OURS,
    HOST_RULE_CLOSING, /* drops or rejects all that comes to it */
    HOST_RULE_JUMP,    /* leads all that comes to it to another chain */
};
struct host_rule {
    enum host_rule_kind kind;
    uint64_t handle;
    char chain[256]; /* of a jump */
};
void host_rule_read(const struct nlmsghdr *header, struct host_rule *rule);

/* A socket, not blocking, that is told when others change tables, chains or rules in the caller's
 * network namespace; `own_port` is that of our channel. */
int host_chains_watch(uint32_t own_port, struct error *err);

/* Reads what is there; false if it is about elements of sets alone. */
bool host_chains_have_changed(int fd);

#endif
