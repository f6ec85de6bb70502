/*
 * P3: moves network devices of the host into the container's network namespace, with their global
 * addresses (runtime-spec config-linux.md "Network Devices"; rtnetlink(7)).
 *
 * Three requests and two dumps: written on the kernel's headers, since davit-oci is static and
 * Debian has no static libmnl. Every length that comes from outside is checked against the message
 * it stands in.
 */
#include "net_devices.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/network_namespace.h"

#define MESSAGE_SIZE 8192
#define ADDRESSES_MAX 256
#define LINKS_MAX 4096
#define ATTRIBUTES_MAX 512

/* One request, or what is being received. */
struct message {
    _Alignas(NLMSG_ALIGNTO) char bytes[MESSAGE_SIZE];
};

struct netlink {
    int fd;
    uint32_t sequence;
};

/* An address as the kernel described it, to be added again in the container. */
struct address {
    struct ifaddrmsg header;
    size_t length;
    char attributes[ATTRIBUTES_MAX];
};

struct addresses {
    int link_index;
    struct address *items;
    size_t count;
};

struct links {
    int *indexes;
    size_t count;
};

static struct nlmsghdr *start_message(struct message *message, int type, int flags,
                                      const void *body, size_t length)
{
    struct nlmsghdr *header = (struct nlmsghdr *)(void *)message->bytes;

    memset(message, 0, sizeof(*message));
    header->nlmsg_type = (uint16_t)type;
    header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    header->nlmsg_len = (uint32_t)NLMSG_LENGTH(length);
    memcpy(NLMSG_DATA(header), body, length);
    return header;
}

static int add_bytes(struct message *message, const void *bytes, size_t length)
{
    struct nlmsghdr *header = (struct nlmsghdr *)(void *)message->bytes;
    size_t start = NLMSG_ALIGN(header->nlmsg_len);

    if (length > MESSAGE_SIZE || start + length > MESSAGE_SIZE)
        return -EMSGSIZE;
    memcpy(message->bytes + start, bytes, length);
    header->nlmsg_len = (uint32_t)(start + length);
    return 0;
}

static int add_attribute(struct message *message, int type, const void *value, size_t length)
{
    _Alignas(RTA_ALIGNTO) char bytes[RTA_SPACE(256)] = {0};
    struct rtattr *attribute = (struct rtattr *)(void *)bytes;

    if (length > 256)
        return -EMSGSIZE;
    attribute->rta_type = (unsigned short)type;
    attribute->rta_len = (unsigned short)RTA_LENGTH(length);
    memcpy(RTA_DATA(attribute), value, length);
    return add_bytes(message, bytes, RTA_LENGTH(length));
}

static int open_netlink(struct netlink *netlink)
{
    netlink->sequence = 0;
    netlink->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    return netlink->fd < 0 ? -errno : 0;
}

static int send_message(struct netlink *netlink, struct message *message)
{
    struct nlmsghdr *header = (struct nlmsghdr *)(void *)message->bytes;

    header->nlmsg_seq = ++netlink->sequence;
    return send(netlink->fd, message->bytes, header->nlmsg_len, 0) < 0 ? -errno : 0;
}

typedef void take_fn(struct nlmsghdr *header, void *context);

/* The kernel's macros for messages cast const away, so that nothing that they are used on has it.
 */

/* Hands every message of an answer to `take`. Returns 1 when it is complete, 0 when more has to be
 * received, or a negative errno. */
static int take_answer(const struct netlink *netlink, char *bytes, size_t length, take_fn *take,
                       void *context)
{
    struct nlmsghdr *header = (struct nlmsghdr *)(void *)bytes;
    unsigned int left = (unsigned int)length;

    for (; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
        if (header->nlmsg_seq != netlink->sequence)
            continue;
        if (header->nlmsg_type == NLMSG_DONE)
            return 1;
        if (header->nlmsg_type == NLMSG_ERROR) {
            const struct nlmsgerr *error = NLMSG_DATA(header);

            if (header->nlmsg_len < NLMSG_LENGTH(sizeof(*error)))
                return -EPROTO;
            return error->error != 0 ? error->error : 1;
        }
        if (take != NULL)
            take(header, context);
    }
    return 0;
}

static int receive_answer(const struct netlink *netlink, take_fn *take, void *context)
{
    struct message message;
    int result = 0;

    while (result == 0) {
        ssize_t length = recv(netlink->fd, message.bytes, sizeof(message.bytes), MSG_TRUNC);

        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return -errno;
        if ((size_t)length > sizeof(message.bytes))
            return -EMSGSIZE;
        result = take_answer(netlink, message.bytes, (size_t)length, take, context);
    }
    return result < 0 ? result : 0;
}

static int request_answer(struct netlink *netlink, struct message *message, take_fn *take,
                          void *context)
{
    int result = send_message(netlink, message);

    return result < 0 ? result : receive_answer(netlink, take, context);
}

static void take_link(struct nlmsghdr *header, void *context)
{
    const struct ifinfomsg *link = NLMSG_DATA(header);
    struct links *links = context;

    if (header->nlmsg_type == RTM_NEWLINK && header->nlmsg_len >= NLMSG_LENGTH(sizeof(*link)) &&
        links->count < LINKS_MAX)
        links->indexes[links->count++] = link->ifi_index;
}

static int list_links(struct netlink *netlink, struct links *links)
{
    struct ifinfomsg body = {.ifi_family = AF_UNSPEC};
    struct message message;

    links->indexes = memory_new(LINKS_MAX, sizeof(int));
    start_message(&message, RTM_GETLINK, NLM_F_DUMP, &body, sizeof(body));
    return request_answer(netlink, &message, take_link, links);
}

/* Attributes that the kernel derives or that would be refused are left out. */
static void copy_attributes(struct nlmsghdr *header, struct address *address, bool *is_kept)
{
    struct rtattr *attribute = IFA_RTA((struct ifaddrmsg *)NLMSG_DATA(header));
    unsigned int left = header->nlmsg_len - (unsigned int)NLMSG_LENGTH(sizeof(struct ifaddrmsg));
    uint32_t flags = address->header.ifa_flags;

    for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
        size_t space = RTA_ALIGN(attribute->rta_len);

        if (attribute->rta_type == IFA_FLAGS && attribute->rta_len >= RTA_LENGTH(sizeof(flags)))
            memcpy(&flags, RTA_DATA(attribute), sizeof(flags));
        if (attribute->rta_type == IFA_CACHEINFO || attribute->rta_type == IFA_LABEL ||
            attribute->rta_type == IFA_FLAGS)
            continue;
        if (address->length + space > sizeof(address->attributes))
            return;
        memcpy(address->attributes + address->length, attribute, attribute->rta_len);
        address->length += space;
    }
    *is_kept = (flags & IFA_F_PERMANENT) != 0;
}

static void take_address(struct nlmsghdr *header, void *context)
{
    const struct ifaddrmsg *body = NLMSG_DATA(header);
    struct addresses *addresses = context;
    struct address *address = &addresses->items[addresses->count];
    bool is_kept = false;

    if (header->nlmsg_type != RTM_NEWADDR || header->nlmsg_len < NLMSG_LENGTH(sizeof(*body)) ||
        (int)body->ifa_index != addresses->link_index || body->ifa_scope != RT_SCOPE_UNIVERSE ||
        addresses->count == ADDRESSES_MAX)
        return;
    memset(address, 0, sizeof(*address));
    address->header = *body;
    copy_attributes(header, address, &is_kept);
    if (is_kept)
        addresses->count++;
}

static int list_addresses(struct netlink *netlink, struct addresses *addresses)
{
    struct ifaddrmsg body = {.ifa_family = AF_UNSPEC};
    struct message message;

    addresses->items = memory_new(ADDRESSES_MAX, sizeof(struct address));
    start_message(&message, RTM_GETADDR, NLM_F_DUMP, &body, sizeof(body));
    return request_answer(netlink, &message, take_address, addresses);
}

static int send_link(struct netlink *netlink, int index, int namespace_fd, const char *name)
{
    struct ifinfomsg body = {.ifi_family = AF_UNSPEC, .ifi_index = index};
    struct message message;
    int result;

    start_message(&message, RTM_NEWLINK, NLM_F_ACK, &body, sizeof(body));
    result = add_attribute(&message, IFLA_NET_NS_FD, &namespace_fd, sizeof(namespace_fd));
    if (result == 0)
        result = add_attribute(&message, IFLA_IFNAME, name, strlen(name) + 1);
    return result < 0 ? result : request_answer(netlink, &message, NULL, NULL);
}

static int add_address(struct netlink *netlink, const struct address *address, int index)
{
    struct ifaddrmsg body = address->header;
    struct message message;
    int result;

    body.ifa_index = (unsigned int)index;
    body.ifa_flags &= (unsigned char)~(IFA_F_TENTATIVE | IFA_F_DADFAILED);
    start_message(&message, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, &body,
                  sizeof(body));
    result = add_bytes(&message, address->attributes, address->length);
    return result < 0 ? result : request_answer(netlink, &message, NULL, NULL);
}

static int raise_link(struct netlink *netlink, int index)
{
    struct ifinfomsg body = {
        .ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    struct message message;

    start_message(&message, RTM_NEWLINK, NLM_F_ACK, &body, sizeof(body));
    return request_answer(netlink, &message, NULL, NULL);
}

/* The name may have been chosen by the kernel ("eth%d"): the new device is the one that was not
 * there before. */
static int find_new_link(struct netlink *netlink, const struct links *before)
{
    struct links after = {0};
    int result = list_links(netlink, &after);
    int found = -ENODEV;

    for (size_t i = 0; result == 0 && i < after.count; i++) {
        bool was_there = false;

        for (size_t j = 0; j < before->count; j++)
            was_there = was_there || before->indexes[j] == after.indexes[i];
        if (!was_there)
            found = after.indexes[i];
    }
    free(after.indexes);
    return result < 0 ? result : found;
}

/* `host` speaks to our namespace, `inside` to the container's. */
static int move_device(struct netlink *host, struct netlink *inside, int namespace_fd,
                       const struct oci_net_device *device, struct error *err)
{
    const char *name =
        device->name != NULL && device->name[0] != '\0' ? device->name : device->host_name;
    struct addresses addresses = {.link_index = (int)if_nametoindex(device->host_name)};
    struct links before = {0};
    int index = -1;
    int result = addresses.link_index > 0 ? 0 : -ENODEV;

    if (result == 0)
        result = list_addresses(host, &addresses);
    if (result == 0)
        result = list_links(inside, &before);
    if (result == 0)
        result = send_link(host, addresses.link_index, namespace_fd, name);
    if (result == 0)
        index = find_new_link(inside, &before);
    if (result == 0 && index < 0)
        result = index;
    for (size_t i = 0; result == 0 && i < addresses.count; i++)
        result = add_address(inside, &addresses.items[i], index);
    if (result == 0)
        result = raise_link(inside, index);
    free(addresses.items);
    free(before.indexes);
    if (result == -EEXIST)
        return error_set(err, ERROR_CONFLICT, EEXIST,
                         "linux.netDevices.%.64s: the container has a device %.64s already",
                         device->host_name, name);
    return result < 0 ? error_errno(err, -result, "linux.netDevices.%.64s", device->host_name) : 0;
}

/* A netlink socket belongs to the namespace it was made in. */
static int open_inside(void *netlink, struct error *err)
{
    int result = open_netlink(netlink);

    return result < 0 ? error_errno(err, -result, "netlink") : 0;
}

/* In the namespace that it is in already, "moving" a device would rename that of the host. */
static bool is_own_namespace(int namespace_fd)
{
    struct stat own;
    struct stat status;

    return stat("/proc/self/ns/net", &own) == 0 && fstat(namespace_fd, &status) == 0 &&
           own.st_dev == status.st_dev && own.st_ino == status.st_ino;
}

int net_devices_move(const struct oci_linux *linux_part, int namespace_fd, struct error *err)
{
    struct netlink host = {.fd = -1};
    struct netlink inside = {.fd = -1};
    int result;

    if (linux_part->net_devices.count > 0 && is_own_namespace(namespace_fd))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "linux.netDevices: the container has the network of the host, where they "
                         "are already");
    result = open_netlink(&host);
    if (result < 0)
        error_errno(err, -result, "netlink");
    if (result == 0)
        result = network_namespace_run(namespace_fd, open_inside, &inside, err);
    for (size_t i = 0; result == 0 && i < linux_part->net_devices.count; i++)
        result = move_device(&host, &inside, namespace_fd, &linux_part->net_devices.items[i], err);
    fd_close(&host.fd);
    fd_close(&inside.fd);
    return result;
}
