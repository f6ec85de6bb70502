/* Devices and addresses that go: see link_watch.h. */
#include "link_watch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"

#define DATAGRAM_MAX 16384
#define DATAGRAMS_AT_ONCE 64

#define KEEP(type) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(type), 0, 1), BPF_STMT(BPF_RET | BPF_K, UINT32_MAX)

/* Every start of a container makes a dozen messages that nobody here wants. The filter reads in
 * network order what is in the host's. */
static int attach_filter(int fd)
{
    struct sock_filter wanted[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
        KEEP(RTM_DELLINK),
        KEEP(RTM_DELADDR),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    const struct sock_fprog program = {ARRAY_SIZE(wanted), wanted};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

int link_watch_open(struct error *err)
{
    const struct sockaddr_nl address = {
        .nl_family = AF_NETLINK,
        .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
    };
    cleanup_close int fd =
        socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

    if (fd < 0 || attach_filter(fd) < 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return error_errno(err, errno, "watch network devices");
    return take_fd(&fd);
}

static const char *name_of(const struct nlmsghdr *header)
{
    struct nlattr *attribute;

    mnl_attr_for_each(attribute, header, sizeof(struct ifinfomsg))
    {
        if (mnl_attr_get_type(attribute) == IFLA_IFNAME &&
            mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0)
            return mnl_attr_get_str(attribute);
    }
    return NULL;
}

static void take_message(const struct nlmsghdr *header,
                         void (*handle)(void *context, const struct link_loss *loss), void *context)
{
    struct link_loss loss = {.index = 0};
    const struct ifaddrmsg *address = mnl_nlmsg_get_payload(header);

    if (header->nlmsg_type == RTM_DELLINK &&
        header->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifinfomsg)))
        loss.device = name_of(header);
    else if (header->nlmsg_type == RTM_DELADDR &&
             header->nlmsg_len >= NLMSG_LENGTH(sizeof(*address)))
        loss.index = address->ifa_index;
    if (loss.device != NULL || loss.index != 0)
        handle(context, &loss);
}

void link_watch_read(int fd, void (*handle)(void *context, const struct link_loss *loss),
                     void *context)
{
    _Alignas(8) char bytes[DATAGRAM_MAX];

    for (int i = 0; i < DATAGRAMS_AT_ONCE; i++) {
        ssize_t length = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        const struct nlmsghdr *header = (const struct nlmsghdr *)(void *)bytes;
        int left = (int)length;

        if (length < 0 && errno == ENOBUFS)
            handle(context, &(struct link_loss){.index = 0});
        else if (length <= 0)
            return;
        for (; mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left))
            take_message(header, handle, context);
    }
}
