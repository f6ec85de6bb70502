/* What nfnetlink says: chains and rules of the host's firewall, and packets that were logged. */
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdint.h>
#include <string.h>

#include "network/host_chains.h"
#include "network/packet_log.h"

#define BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte says which message it is, the second whose. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t types[] = {NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN,
                                     NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE,
                                     NFNL_SUBSYS_ULOG << 8};
    _Alignas(8) char bytes[BYTES];
    struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);
    struct nfgenmsg *generic = mnl_nlmsg_put_extra_header(header, sizeof(*generic));
    struct logged_packet packet = {.port = 0};
    struct host_chain chain;
    struct host_rule rule;

    if (size < 2 || size > sizeof(bytes) - header->nlmsg_len)
        return 0;
    header->nlmsg_type = types[data[0] % 3];
    generic->nfgen_family = data[1];
    memcpy(bytes + header->nlmsg_len, data + 2, size - 2);
    header->nlmsg_len += (uint32_t)(size - 2);
    host_chain_read(header, &chain);
    host_rule_read(header, &rule);
    packet_log_take(header, &packet);
    return 0;
}
