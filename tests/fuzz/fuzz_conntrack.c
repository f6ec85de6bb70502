/* What the kernel says of a connection. */
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdint.h>
#include <string.h>

#include "network/conntrack.h"

#define BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _Alignas(8) char bytes[BYTES];
    struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);
    struct conntrack_flow flow;

    mnl_nlmsg_put_extra_header(header, sizeof(struct nfgenmsg));
    if (size > sizeof(bytes) - header->nlmsg_len)
        return 0;
    memcpy(bytes + header->nlmsg_len, data, size);
    header->nlmsg_len += (uint32_t)size;
    conntrack_read_flow(header, &flow);
    return 0;
}
