/*
 * Rules of nftables, condition by condition, as nft(8) names them. A rule that has been begun is
 * added at the end of its chain when it is ended: conditions first, what they lead to last.
 */
#ifndef DAVIT_NETWORK_NFT_RULE_H
#define DAVIT_NETWORK_NFT_RULE_H

#include "address.h"
#include "nft.h"

struct nlattr;

struct nft_rule {
    struct nft_transaction *transaction;
    struct nlmsghdr *header;
    struct nlattr *expressions;
};

struct nft_rule nft_rule_begin(struct nft_transaction *transaction, const char *chain);
void nft_rule_end(const struct nft_rule *rule);

/* A rule of ours in somebody else's chain. */
struct nft_place {
    const char *chain;
    uint64_t before;     /* the handle of a rule; 0: at the end */
    const char *comment; /* which marks it */
};
struct nft_rule nft_rule_begin_at(struct nft_transaction *transaction,
                                  const struct nft_place *place);
void nft_delete_rule(struct nft_transaction *transaction, const char *chain, uint64_t handle);

/* Devices: "name", or "begin*". In a bridge they are its ports. */
enum nft_device {
    NFT_IIFNAME,
    NFT_OIFNAME,
};
void nft_match_device(const struct nft_rule *rule, enum nft_device device, bool is_it,
                      const char *name);
void nft_match_device_set(const struct nft_rule *rule, enum nft_device device, bool is_in,
                          const char *set);

/* Addresses: AF_INET or AF_INET6. The family is a condition of its own in both tables. */
enum nft_direction {
    NFT_SADDR,
    NFT_DADDR,
};
void nft_match_family(const struct nft_rule *rule, int family);
void nft_match_subnet(const struct nft_rule *rule, enum nft_direction direction,
                      const struct subnet *subnet);
void nft_match_address_set(const struct nft_rule *rule, enum nft_direction direction, int family,
                           const char *set);

/* "fib daddr type local": the packet is for this host. */
void nft_match_local(const struct nft_rule *rule);

/* IPPROTO_*; ports are those of the destination, or of the source. */
void nft_match_protocol(const struct nft_rule *rule, uint8_t protocol);
void nft_match_ports(const struct nft_rule *rule, uint16_t first, uint16_t last);
void nft_match_source_port(const struct nft_rule *rule, uint16_t port);
void nft_match_no_syn(const struct nft_rule *rule); /* of TCP */
void nft_match_icmp_types(const struct nft_rule *rule, uint8_t first, uint8_t last);

/* Any of these bits: NFT_STATE_*; NFT_STATUS_DNAT. */
#define NFT_STATE_INVALID 1u
#define NFT_STATE_ESTABLISHED 2u
#define NFT_STATE_RELATED 4u
#define NFT_STATE_NEW 8u
void nft_match_state(const struct nft_rule *rule, uint32_t bits);
void nft_match_translated(const struct nft_rule *rule); /* "ct status dnat" */

/* In a bridge. What stands in the frame, ETH_P_*: that of a VLAN, and not what lies below its tag.
 */
void nft_match_ether_type(const struct nft_rule *rule, uint16_t type);

/* Whether several parts of the packet, one behind the other, are an element of the set. */
enum nft_part {
    NFT_PART_IIFNAME,
    NFT_PART_ETHER_SADDR,
    NFT_PART_ARP_SENDER_ETHER,
    NFT_PART_ARP_SENDER_IP,
    NFT_PART_IP_SADDR,
    NFT_PART_IP6_SADDR,
    NFT_PART_ND_TARGET, /* of icmpv6 */
};
void nft_match_parts(const struct nft_rule *rule, bool is_in, const char *set,
                     const enum nft_part *parts, size_t count);

/* "add @set { ether saddr ct count over N }": who has begun more connections than that. */
void nft_count_connections(const struct nft_rule *rule, const char *set, uint32_t limit_at);

/* What comes of it. */
void nft_accept(const struct nft_rule *rule);
void nft_drop(const struct nft_rule *rule);
void nft_return(const struct nft_rule *rule);
void nft_jump(const struct nft_rule *rule, const char *chain);
void nft_jump_by_address(const struct nft_rule *rule, enum nft_direction direction, int family,
                         const char *map);                             /* "ip saddr vmap @map" */
void nft_jump_by_sender(const struct nft_rule *rule, const char *map); /* "ether saddr vmap @map" */
void nft_jump_by_device(const struct nft_rule *rule, enum nft_device device, const char *map);
void nft_masquerade(const struct nft_rule *rule);
/* "dnat to [daddr .] l4proto . dport map @map", whose data is an address and a port. */
void nft_translate(const struct nft_rule *rule, int family, bool has_address, const char *map);
void nft_count(const struct nft_rule *rule, const char *counter);
void nft_limit(const struct nft_rule *rule, uint32_t packets_per_second, uint32_t burst);
void nft_log(const struct nft_rule *rule, const char *prefix, uint16_t group);
void nft_reject(const struct nft_rule *rule); /* with icmpx admin-prohibited */
void nft_reset(const struct nft_rule *rule);  /* of TCP: with tcp reset */

#endif
