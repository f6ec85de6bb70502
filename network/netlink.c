/* Exchanges with rtnetlink: see netlink.h. */
#include "netlink.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/network_namespace.h"

#define LIST_BYTES 65536

int netlink_open(struct netlink *netlink, struct error *err)
{
    int one = 1;

    netlink->sequence = 0;
    netlink->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (netlink->socket == NULL || mnl_socket_bind(netlink->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        int result = error_errno(err, errno, "netlink");

        netlink_close(netlink);
        return result;
    }
    /* NETLINK_EXT_ACK adds a reason as text to the errno; NETLINK_CAP_ACK leaves the request out of
     * the answer. */
    mnl_socket_setsockopt(netlink->socket, NETLINK_EXT_ACK, &one, sizeof(one));
    mnl_socket_setsockopt(netlink->socket, NETLINK_CAP_ACK, &one, sizeof(one));
    return 0;
}

static int open_there(void *netlink, struct error *err)
{
    return netlink_open(netlink, err);
}

int netlink_open_in(struct netlink *netlink, int netns_fd, struct error *err)
{
    netlink->socket = NULL;
    return network_namespace_run(netns_fd, open_there, netlink, err);
}

void netlink_close(struct netlink *netlink)
{
    if (netlink->socket != NULL)
        mnl_socket_close(netlink->socket);
    netlink->socket = NULL;
}

static struct nlmsghdr *last_request(struct netlink_batch *batch)
{
    return (struct nlmsghdr *)(void *)(batch->bytes + batch->length);
}

/* The length of the request under way is in its header, to which attributes are added. */
static void end_request(struct netlink_batch *batch)
{
    if (batch->count > 0)
        batch->length += NLMSG_ALIGN(last_request(batch)->nlmsg_len);
}

struct nlmsghdr *netlink_add(struct netlink_batch *batch, const char *name, uint16_t type,
                             uint16_t flags, const void *extra, size_t extra_size)
{
    enum { LONGEST_REQUEST = 1024 };
    struct nlmsghdr *header;

    end_request(batch);
    if (batch->count == NETLINK_BATCH_REQUESTS ||
        batch->length + LONGEST_REQUEST > sizeof(batch->bytes))
        abort();
    batch->names[batch->count++] = name;
    header = mnl_nlmsg_put_header(batch->bytes + batch->length);
    header->nlmsg_type = type;
    header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    memcpy(mnl_nlmsg_put_extra_header(header, extra_size), extra, extra_size);
    return header;
}

struct nlmsghdr *nfnetlink_put_header(char *bytes, uint16_t type, uint16_t flags, uint8_t family)
{
    struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);
    struct nfgenmsg *generic;

    header->nlmsg_type = type;
    header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    generic = mnl_nlmsg_put_extra_header(header, sizeof(*generic));
    generic->nfgen_family = family;
    generic->version = NFNETLINK_V0;
    return header;
}

static int take_attribute(const struct nlattr *attribute, void *context)
{
    struct netlink_attributes *attributes = context;
    uint16_t type = mnl_attr_get_type(attribute);

    if (type <= NETLINK_ATTRIBUTES_MAX)
        attributes->at[type] = attribute;
    return MNL_CB_OK;
}

struct netlink_attributes netlink_attributes(const struct nlmsghdr *header, size_t skipped)
{
    struct netlink_attributes attributes = {{NULL}};

    mnl_attr_parse(header, (unsigned int)skipped, take_attribute, &attributes);
    return attributes;
}

struct netlink_attributes netlink_nested(const struct nlattr *outer)
{
    struct netlink_attributes attributes = {{NULL}};

    if (outer != NULL)
        mnl_attr_parse_nested(outer, take_attribute, &attributes);
    return attributes;
}

static int read_list(struct mnl_socket *connection, mnl_cb_t handle, void *context)
{
    cleanup_free char *bytes = memory_new(1, LIST_BYTES);
    int result = MNL_CB_OK;

    while (result > MNL_CB_STOP) {
        ssize_t length = mnl_socket_recvfrom(connection, bytes, LIST_BYTES);

        result = length < 0 ? MNL_CB_ERROR
                            : mnl_cb_run(bytes, (size_t)length, 0,
                                         mnl_socket_get_portid(connection), handle, context);
    }
    return result < 0 ? -errno : 0;
}

int nfnetlink_list(struct nlmsghdr *request, mnl_cb_t handle, void *context, struct error *err)
{
    struct mnl_socket *connection = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    int result = connection != NULL ? 0 : -errno;

    request->nlmsg_flags |= NLM_F_DUMP;
    if (result == 0 && (mnl_socket_bind(connection, 0, MNL_SOCKET_AUTOPID) < 0 ||
                        mnl_socket_sendto(connection, request, request->nlmsg_len) < 0))
        result = -errno;
    if (result == 0)
        result = read_list(connection, handle, context);
    if (connection != NULL)
        mnl_socket_close(connection);
    return result < 0 ? error_errno(err, -result, "nfnetlink") : 0;
}

const char *netlink_reason(const struct nlmsghdr *header)
{
    const struct nlmsgerr *answer = mnl_nlmsg_get_payload(header);
    size_t skipped = sizeof(*answer);
    struct nlattr *attribute;

    if ((header->nlmsg_flags & NLM_F_ACK_TLVS) == 0)
        return NULL;
    if ((header->nlmsg_flags & NLM_F_CAPPED) == 0)
        skipped += answer->msg.nlmsg_len - sizeof(struct nlmsghdr);
    mnl_attr_for_each(attribute, header, skipped)
    {
        if (mnl_attr_get_type(attribute) == NLMSGERR_ATTR_MSG)
            return mnl_attr_get_str(attribute);
    }
    return NULL;
}

static void note_error(const struct nlmsghdr *header, const char *name, struct error *err)
{
    const struct nlmsgerr *answer = mnl_nlmsg_get_payload(header);
    const char *reason = netlink_reason(header);

    if (reason != NULL)
        error_errno(err, -answer->error, "%s: %.200s", name, reason);
    else
        error_errno(err, -answer->error, "%s", name);
}

/* Takes the answers of one datagram; returns how many there were. */
static size_t take_answers(const struct netlink_batch *batch, uint32_t first, const char *bytes,
                           ssize_t length, struct error *err)
{
    const struct nlmsghdr *header = (const struct nlmsghdr *)(const void *)bytes;
    int left = (int)length;
    size_t count = 0;

    for (; mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
        const struct nlmsgerr *answer = mnl_nlmsg_get_payload(header);
        uint32_t number = header->nlmsg_seq - first;

        if (header->nlmsg_type != NLMSG_ERROR || number >= batch->count)
            continue;
        count++;
        if (answer->error != 0 && err->errnum == 0)
            note_error(header, batch->names[number], err);
    }
    return count;
}

int netlink_run(struct netlink *netlink, struct netlink_batch *batch, struct error *err)
{
    char answers[NETLINK_BATCH_BYTES];
    uint32_t first = netlink->sequence + 1;
    struct error failure = {0};
    char *position = batch->bytes;

    if (batch->count == 0)
        return 0;
    end_request(batch);
    for (size_t i = 0; i < batch->count; i++) {
        struct nlmsghdr *header = (struct nlmsghdr *)(void *)position;

        header->nlmsg_seq = ++netlink->sequence;
        position += NLMSG_ALIGN(header->nlmsg_len);
    }
    if (mnl_socket_sendto(netlink->socket, batch->bytes, batch->length) < 0)
        return error_errno(err, errno, "%s", batch->names[0]);
    for (size_t answered = 0; answered < batch->count;) {
        ssize_t length = mnl_socket_recvfrom(netlink->socket, answers, sizeof(answers));

        if (length < 0 && errno == EINTR)
            continue;
        if (length <= 0)
            return error_errno(err, errno, "%s: the kernel's answer", batch->names[answered]);
        answered += take_answers(batch, first, answers, length, &failure);
    }
    batch->length = batch->count = 0;
    if (failure.errnum != 0 && err != NULL)
        *err = failure;
    return -failure.errnum;
}
