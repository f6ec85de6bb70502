/* What containers were refused: see egress.h. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "egress.h"
#include "network/packet_log.h"

void egress_note_refusal(struct networks *networks, const struct resolver_refusal *refusal)
{
    struct membership *member = membership_find(networks, refusal->id);

    if (member == NULL)
        return;
    member->refused_names = refusal->count;
    if (refusal->name != NULL)
        member->owner->publish(
            member, "egress_refused",
            &(struct string_map){(struct string_pair[]){{"query", refusal->name}}, 1});
}

void egress_note_stray(struct membership *member, const char *name, const char *address)
{
    member->owner->publish(
        member, "egress_refused",
        &(struct string_map){(struct string_pair[]){{"query", name}, {"answer", address}}, 2});
}

static void tell_refused(void *context, const struct logged_packet *packet)
{
    static const struct {
        uint8_t number;
        const char *name;
    } protocols[] = {{IPPROTO_TCP, "tcp"},
                     {IPPROTO_UDP, "udp"},
                     {IPPROTO_SCTP, "sctp"},
                     {IPPROTO_ICMP, "icmp"},
                     {IPPROTO_ICMPV6, "icmpv6"}};
    struct membership *member = NULL;
    char destination[ADDRESS_TEXT_SIZE];
    char port[16];
    const char *protocol = "other";
    size_t length = strlen(EGRESS_LOG_PREFIX);

    if (strncmp(packet->prefix, EGRESS_LOG_PREFIX, length) == 0)
        member = membership_find(context, packet->prefix + length);
    if (member == NULL)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
        if (protocols[i].number == packet->protocol)
            protocol = protocols[i].name;
    }
    address_format(&packet->destination, destination);
    snprintf(port, sizeof(port), "%u", packet->port);
    member->owner->publish(member, "egress_refused",
                           &(struct string_map){(struct string_pair[]){{"destination", destination},
                                                                       {"port", port},
                                                                       {"protocol", protocol}},
                                                3});
}

static int on_packets(sd_event_source *source, int fd, uint32_t events, void *context)
{
    (void)source;
    (void)events;
    packet_log_read(fd, tell_refused, context);
    return 0;
}

void egress_open_log(struct networks *networks)
{
    struct error err = {0};

    if (networks->egress.log != NULL || !networks->egress.is_there)
        return;
    networks->egress.log_fd = packet_log_open(EGRESS_LOG_GROUP, &err);
    if (networks->egress.log_fd < 0 ||
        sd_event_add_io(networks->loop, &networks->egress.log, networks->egress.log_fd, EPOLLIN,
                        on_packets, networks) < 0)
        log_warning("what containers are refused is counted, but no event: %s", err.message);
}
