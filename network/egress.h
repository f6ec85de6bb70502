/*
 * What a container may reach: rules, and what nftables makes of them. The tables "davit_egress" of
 * the families inet and bridge are ours alone. Their rules run at priority -10, in the family inet
 * before the usual filter rules, and are changed container by container, so that the addresses that
 * were learnt stay.
 */
#ifndef DAVIT_NETWORK_EGRESS_H
#define DAVIT_NETWORK_EGRESS_H

#include <net/if.h>

#include "address.h"
#include "base/buffer.h"
#include "base/error.h"
#include "nft.h"

#define EGRESS_TABLE "davit_egress"
#define EGRESS_RULES_MAX 64
#define EGRESS_NAME_SIZE 256
#define EGRESS_IDENTIFIER_SIZE 40 /* of sets and counters */
#define EGRESS_TTL_MAX_S 3600     /* for which an answer lets an address through */
#define EGRESS_LOG_PREFIX "davit egress "
#define EGRESS_LEARN_PREFIX "davit learn "

/* "ADDRESS", "SUBNET" or a name, with ":PORT" or ":FIRST-LAST" and "/PROTOCOL" if it is not for
 * all: "10.0.0.0/8", "[fd00::/8]:53/udp", "example.org:443", "*.example.org". Behind a name may
 * stand where its addresses lie, "NAME@SUBNET": "git.corp@10.0.0.0/8:443". */
struct egress_rule {
    char
        name[EGRESS_NAME_SIZE]; /* "": it is a subnet; "*.REST" is any name that ends so, "*" any */
    struct subnet subnet;
    struct subnet
        within; /* of a name: where its addresses have to lie; family 0: they are public */
    const char
        *protocol; /* "tcp", "udp" or "sctp"; NULL: any. With ports "tcp" where none is said */
    uint16_t first_port; /* 0: any */
    uint16_t last_port;
};

/* ERROR_INVALID names what is wrong. */
int egress_rule_parse(const char *text, struct egress_rule *rule, struct error *err);

/* Whether an answer to a name of the rule may be let through. Names belong to others, who may say
 * that they are at an address of this host or site (DNS rebinding): those need a rule that says so.
 */
bool egress_rule_takes(const struct egress_rule *rule, const struct address *address);

/* Whether the rule is for that name, in lower case. */
bool egress_rule_matches(const struct egress_rule *rule, const char *name);

/* Whether the rule, which names no name, lets that through. Port 0: it has none. */
bool egress_rule_allows(const struct egress_rule *rule, const struct address *address,
                        uint8_t protocol, uint16_t port);

/* Conditions of `rule`: the protocol and the ports are those that are allowed. */
struct nft_rule;
void egress_match_protocol(const struct nft_rule *rule, const struct egress_rule *allowed);

/* An address of a name, which may be reached for so long. */
struct egress_address {
    size_t rule;
    struct address address;
    uint64_t timeout_ms;
};

struct egress_container {
    const char *id;
    const struct egress_rule *rules;
    size_t rule_count;
    const struct address *addresses; /* that it has on its bridges; family 0: none */
    size_t address_count;
    const struct egress_address *learnt; /* which the kernel does not have */
    size_t learnt_count;
    bool learns;     /* what no rule lets through is logged, and goes through */
    bool is_written; /* the kernel has its rules: they stay as they are, with what was learnt */
};

/* What egress_write() adds to a transaction: the rules of `containers` become the only ones of our
 * tables, and nothing of the containers in `ended` stays. Where the kernel cannot track connections
 * in a bridge (CONFIG_NF_CONNTRACK_BRIDGE) containers cannot answer their neighbours there. */
struct egress {
    const struct egress_container *containers;
    size_t count;
    const struct egress_container *ended; /* with as many rules as they had */
    size_t ended_count;
    bool has_tables;  /* of an earlier run */
    bool is_not_ours; /* these belong to nobody: an earlier davit has made them */
    bool lacks_bridge_tracking;
};
void egress_write(struct nft_transaction *transaction, const struct egress *egress);

/* Lets a container reach `address` by its rule number `rule`, which is for a name, or no more. The
 * address must not be let through by it yet. */
void egress_change_address(struct nft_transaction *transaction, const char *id, size_t rule,
                           const struct address *address, uint64_t timeout_ms, bool is_removed);

/* The name of the counter of what was refused, in the tables of both families. */
void egress_counter_name(const char *id, char name[EGRESS_IDENTIFIER_SIZE]);

#endif
