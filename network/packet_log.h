/* Packets that a rule of nftables has logged to a group (nfnetlink_log). What they hold is hostile;
 * only the headers are read. */
#ifndef DAVIT_NETWORK_PACKET_LOG_H
#define DAVIT_NETWORK_PACKET_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "base/error.h"

#define PACKET_LOG_PREFIX_SIZE 64
#define PACKET_LOG_GROUP 27021 /* where rules of ours log to */

struct logged_packet {
    char prefix[PACKET_LOG_PREFIX_SIZE];
    struct address source; /* family 0: it is not IP */
    struct address destination;
    uint8_t protocol;
    uint16_t port;        /* of the destination; 0: it has none */
    uint32_t bridge_port; /* index of the device that it came in by, in a bridge; 0: not there */
};

/* A socket, not blocking, that gets what is logged to the group in the caller's network namespace.
 */
int packet_log_open(uint16_t group, struct error *err);

/* Reads what is there and calls `handle` for each packet. */
void packet_log_read(int fd, void (*handle)(void *context, const struct logged_packet *packet),
                     void *context);

/* What one message of the kernel says. */
struct nlmsghdr;
void packet_log_take(const struct nlmsghdr *header, struct logged_packet *packet);

/* The headers of a packet of either IP. */
void packet_parse(const uint8_t *bytes, size_t length, struct logged_packet *packet);

#endif
