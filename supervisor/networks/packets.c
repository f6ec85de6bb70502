/* Events of packets that rules stop: see networks.h and limits.h. */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "egress_notes.h"
#include "membership.h"
#include "network/egress.h"
#include "network/firewall.h"
#include "network/limits.h"
#include "network/packet_log.h"

#define LIMITED_AGAIN_US 10000000 /* until a container's limit is told of once more */

static const char *protocol_name(uint8_t number)
{
    static const struct {
        uint8_t number;
        const char *name;
    } protocols[] = {{IPPROTO_TCP, "tcp"},
                     {IPPROTO_UDP, "udp"},
                     {IPPROTO_SCTP, "sctp"},
                     {IPPROTO_ICMP, "icmp"},
                     {IPPROTO_ICMPV6, "icmpv6"}};

    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
        if (protocols[i].number == number)
            return protocols[i].name;
    }
    return "other";
}

static void tell_refused(struct membership *member, const char *action,
                         const struct logged_packet *packet)
{
    char destination[ADDRESS_TEXT_SIZE];
    char port[16];

    address_format(&packet->destination, destination);
    snprintf(port, sizeof(port), "%u", packet->port);
    member->owner->publish(
        member, action,
        &(struct string_map){(struct string_pair[]){{"destination", destination},
                                                    {"port", port},
                                                    {"protocol", protocol_name(packet->protocol)}},
                             3});
}

static struct membership *find_by_device(const struct networks *networks, uint32_t index)
{
    char name[IF_NAMESIZE];

    if (if_indextoname(index, name) == NULL)
        return NULL;
    for (struct membership *one = networks->members; one != NULL; one = one->next) {
        for (size_t i = 0; i < one->definition->endpoints.count; i++) {
            if (strcmp(one->leases[i].host_device, name) == 0)
                return one;
        }
    }
    return NULL;
}

static struct membership *find_by_address(const struct networks *networks,
                                          const struct address *source)
{
    for (struct membership *one = networks->members; one != NULL; one = one->next) {
        for (size_t i = 0; i < one->definition->endpoints.count; i++) {
            struct address addresses[LEASE_ADDRESSES];

            lease_list_addresses(&one->leases[i], addresses);
            for (size_t j = 0; j < LEASE_ADDRESSES; j++) {
                if (addresses[j].family != 0 && address_equals(&addresses[j], source))
                    return one;
            }
        }
    }
    return NULL;
}

/* In a bridge a packet says what it likes of its source until it is checked. */
static struct membership *find_sender(const struct networks *networks,
                                      const struct logged_packet *packet)
{
    return packet->bridge_port != 0 ? find_by_device(networks, packet->bridge_port)
                                    : find_by_address(networks, &packet->source);
}

/* Who is over a limit is so again and again. */
static void tell_limited(struct membership *member, const char *limit)
{
    static const char *const limits[] = {LIMITS_PACKETS, LIMITS_NEW_CONNECTIONS,
                                         LIMITS_CONNECTIONS};
    uint64_t now_us = clock_monotonic_us();

    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        if (strcmp(limits[i], limit) != 0 || now_us < member->limit_told_us[i])
            continue;
        member->limit_told_us[i] = now_us + LIMITED_AGAIN_US;
        member->owner->publish(
            member, "network_limited",
            &(struct string_map){(struct string_pair[]){{"limit", limits[i]}}, 1});
    }
}

static void tell(void *context, const struct logged_packet *packet)
{
    size_t refused = strlen(EGRESS_LOG_PREFIX);
    size_t limited = strlen(LIMITS_LOG_PREFIX);
    size_t noted = strlen(EGRESS_LEARN_PREFIX);
    struct membership *member;

    if (strncmp(packet->prefix, EGRESS_LOG_PREFIX, refused) == 0) {
        member = membership_find(context, packet->prefix + refused);
        if (member != NULL)
            tell_refused(member, "egress_refused", packet);
    } else if (strcmp(packet->prefix, FIREWALL_GROUPS_PREFIX) == 0) {
        member = find_by_address(context, &packet->source);
        if (member != NULL)
            tell_refused(member, "group_refused", packet);
    } else if (strncmp(packet->prefix, EGRESS_LEARN_PREFIX, noted) == 0) {
        member = membership_find(context, packet->prefix + noted);
        if (member != NULL)
            egress_note_packet(member, packet);
    } else if (strncmp(packet->prefix, LIMITS_LOG_PREFIX, limited) == 0) {
        member = find_sender(context, packet);
        if (member != NULL)
            tell_limited(member, packet->prefix + limited);
    }
}

static int on_packets(sd_event_source *source, int fd, uint32_t events, void *context)
{
    (void)source;
    (void)events;
    packet_log_read(fd, tell, context);
    return 0;
}

void networks_hear_packets(struct networks *networks)
{
    struct error err = {0};

    if (networks->packets.is_heard)
        return;
    networks->packets.is_heard = true;
    networks->packets.fd = packet_log_open(PACKET_LOG_GROUP, &err);
    if (networks->packets.fd < 0 ||
        sd_event_add_io(networks->loop, &networks->packets.source, networks->packets.fd, EPOLLIN,
                        on_packets, networks) < 0)
        log_warning("what containers are refused is counted, but no event: %s", err.message);
}
