/*
 * flood connect SOURCE DESTINATION COUNT PATIENCE: TCP connections from many ports to many ports,
 * as raw packets: they cost who makes them nothing, and the host in between one entry of its table
 * each. Waits so many milliseconds for answers. Says how many were made. flood answer: answers the
 * SYN of each at the other side. The kernels of both would reset what they do not know: their input
 * of TCP has to be closed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_PORT 2000
#define PORTS 60000
#define FIRST_SERVICE 20000
#define WINDOW 512

struct packet {
    struct iphdr ip;
    struct tcphdr tcp;
};

static int sender;
static int receiver;
static int patience_ms;

static uint16_t sum(const void *bytes, size_t length, uint32_t total)
{
    const uint16_t *words = bytes;

    for (size_t i = 0; i < length / 2; i++)
        total += words[i];
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return (uint16_t)~total;
}

static void send_tcp(const struct packet *from)
{
    struct packet packet = *from;
    const struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = packet.ip.daddr};
    const struct {
        uint32_t addresses[2];
        uint16_t protocol;
        uint16_t length;
    } pseudo = {{packet.ip.saddr, packet.ip.daddr}, htons(IPPROTO_TCP), htons(sizeof(packet.tcp))};

    packet.ip.version = 4;
    packet.ip.ihl = 5;
    packet.ip.ttl = 64;
    packet.ip.protocol = IPPROTO_TCP;
    packet.ip.tot_len = htons(sizeof(packet));
    packet.tcp.doff = 5;
    packet.tcp.window = htons(1000);
    packet.tcp.check = 0;
    packet.tcp.check =
        sum(&packet.tcp, sizeof(packet.tcp), (uint16_t)~sum(&pseudo, sizeof(pseudo), 0));
    while (sendto(sender, &packet, sizeof(packet), 0, (const struct sockaddr *)&to, sizeof(to)) <
               0 &&
           errno == ENOBUFS)
        usleep(100);
}

/* What has come in, without blocking. */
static int receive(struct packet *packet, uint8_t syn, uint8_t ack)
{
    struct sockaddr_storage from;
    socklen_t size = sizeof(from);
    ssize_t length;

    while ((length = recvfrom(receiver, packet, sizeof(*packet), MSG_DONTWAIT,
                              (struct sockaddr *)&from, &size)) > 0) {
        if (length == sizeof(*packet) && packet->ip.ihl == 5 &&
            packet->ip.protocol == IPPROTO_TCP && packet->tcp.syn == syn &&
            packet->tcp.ack == ack && !packet->tcp.rst)
            return 1;
        size = sizeof(from);
    }
    return 0;
}

/* Back to who has sent it. */
static void reply(const struct packet *to, uint32_t sequence, uint8_t syn)
{
    struct packet packet = {.ip.saddr = to->ip.daddr, .ip.daddr = to->ip.saddr};

    packet.tcp.source = to->tcp.dest;
    packet.tcp.dest = to->tcp.source;
    packet.tcp.seq = sequence;
    packet.tcp.ack_seq = htonl(ntohl(to->tcp.seq) + 1);
    packet.tcp.syn = syn;
    packet.tcp.ack = 1;
    send_tcp(&packet);
}

static void answer(void)
{
    struct packet packet;
    struct pollfd ready = {receiver, POLLIN, 0};

    puts("ready");
    fflush(stdout);
    while (poll(&ready, 1, -1) >= 0) {
        while (receive(&packet, 1, 0)) {
            if (ntohs(packet.tcp.dest) >= FIRST_SERVICE)
                reply(&packet, htonl(1000), 1);
        }
    }
}

static size_t finish(size_t wanted)
{
    struct packet packet;
    struct pollfd ready = {receiver, POLLIN, 0};
    size_t made = 0;

    while (made < wanted && poll(&ready, 1, patience_ms) > 0) {
        while (receive(&packet, 1, 1)) {
            reply(&packet, packet.tcp.ack_seq, 0);
            made++;
        }
    }
    return made;
}

static void flood(const char *source, const char *destination, size_t count)
{
    struct packet packet = {.ip.saddr = inet_addr(source), .ip.daddr = inet_addr(destination)};
    size_t made = 0;

    packet.tcp.syn = 1;
    for (size_t i = 0; i < count;) {
        size_t begun = 0;

        for (; begun < WINDOW && i < count; begun++, i++) {
            packet.tcp.source = htons((uint16_t)(FIRST_PORT + i % PORTS));
            packet.tcp.dest = htons((uint16_t)(FIRST_SERVICE + i / PORTS));
            send_tcp(&packet);
        }
        made += finish(begun);
    }
    printf("%zu\n", made);
}

int main(int argc, char **argv)
{
    int size = 8 << 20;

    sender = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    receiver = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP));
    if (sender < 0 || receiver < 0) {
        perror("flood");
        return 1;
    }
    patience_ms = argc == 6 ? atoi(argv[5]) : 0;
    setsockopt(receiver, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    if (argc == 6 && strcmp(argv[1], "connect") == 0)
        flood(argv[2], argv[3], strtoul(argv[4], NULL, 10));
    else
        answer();
    return 0;
}
