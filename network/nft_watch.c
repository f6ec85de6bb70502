/* Listening to nftables: see nft_watch.h. Messages are those of nfnetlink(7), linux/netfilter/
 * nf_tables.h. */
#include "nft_watch.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"

int nft_watch_open(struct error *err)
{
    cleanup_close int fd =
        socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_NETFILTER);
    /* bind(2) gives the socket a port id: a socket without one gets no announcements. */
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    int group = NFNLGRP_NFTABLES;

    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
        return error_errno(err, errno, "listen to nftables");
    return take_fd(&fd);
}

struct names {
    const char *const *items;
    size_t count;
    bool is_met;
};

/* The first attribute of all of them is the table's name: NFTA_TABLE_NAME, NFTA_CHAIN_TABLE,
 * NFTA_RULE_TABLE, NFTA_SET_TABLE. */
static int take_attribute(const struct nlattr *attribute, void *context)
{
    struct names *names = context;

    if (mnl_attr_get_type(attribute) != NFTA_TABLE_NAME ||
        mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) < 0)
        return MNL_CB_OK;
    for (size_t i = 0; i < names->count; i++)
        names->is_met = names->is_met || strcmp(mnl_attr_get_str(attribute), names->items[i]) == 0;
    return MNL_CB_STOP;
}

static bool is_removal(const struct nlmsghdr *header)
{
    if (header->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES)
        return false;
    switch (header->nlmsg_type & 0xff) {
    case NFT_MSG_DELTABLE:
    case NFT_MSG_DELCHAIN:
    case NFT_MSG_DELRULE:
    case NFT_MSG_DELSET:
        return true;
    default:
        return false;
    }
}

bool nft_watch_read(int fd, const char *const *tables, size_t count)
{
    struct names names = {tables, count, false};
    _Alignas(struct nlmsghdr) char bytes[32768];

    for (;;) {
        ssize_t length = recv(fd, bytes, sizeof(bytes), 0);
        int rest = (int)length;

        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0 && errno == ENOBUFS) {
            names.is_met = true;
            continue;
        }
        if (length <= 0)
            return names.is_met;
        for (const struct nlmsghdr *header = (const struct nlmsghdr *)(const void *)bytes;
             mnl_nlmsg_ok(header, rest); header = mnl_nlmsg_next(header, &rest)) {
            if (is_removal(header))
                mnl_attr_parse(header, sizeof(struct nfgenmsg), take_attribute, &names);
        }
    }
}
