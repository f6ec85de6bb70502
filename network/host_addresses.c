/* The addresses of the host itself: see host_addresses.h. */
#include "host_addresses.h"

#include <errno.h>
#include <string.h>

#include "netlink.h"

struct search {
    const struct address *wanted;
    bool is_found;
};

static int look_at(const struct nlmsghdr *header, void *context)
{
    struct search *search = context;
    struct nlattr *attribute;

    mnl_attr_for_each(attribute, header, sizeof(struct ifaddrmsg))
    {
        uint16_t type = mnl_attr_get_type(attribute);

        if ((type == IFA_LOCAL || type == IFA_ADDRESS) &&
            mnl_attr_get_payload_len(attribute) == address_length(search->wanted) &&
            memcmp(mnl_attr_get_payload(attribute), search->wanted->bytes,
                   address_length(search->wanted)) == 0)
            search->is_found = true;
    }
    return MNL_CB_OK;
}

static int dump(const struct mnl_socket *socket, struct search *search)
{
    _Alignas(8) char bytes[32768];
    struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);
    struct ifaddrmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
    int result = MNL_CB_OK;

    header->nlmsg_type = RTM_GETADDR;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    header->nlmsg_seq = 1;
    message->ifa_family = (uint8_t)search->wanted->family;
    if (mnl_socket_sendto(socket, header, header->nlmsg_len) < 0)
        return -errno;
    while (result > MNL_CB_STOP) {
        ssize_t length = mnl_socket_recvfrom(socket, bytes, sizeof(bytes));

        if (length < 0)
            return -errno;
        result =
            mnl_cb_run(bytes, (size_t)length, 1, mnl_socket_get_portid(socket), look_at, search);
    }
    return result < 0 ? -errno : 0;
}

bool host_has_address(const struct address *address)
{
    struct search search = {.wanted = address};
    struct netlink netlink;
    int result;

    if (netlink_open(&netlink, NULL) < 0)
        return true;
    result = dump(netlink.socket, &search);
    netlink_close(&netlink);
    return result < 0 || search.is_found;
}
