/* IP addresses and subnets, of either family: from text, to text, and arithmetic on them. */
#ifndef DAVIT_NETWORK_ADDRESS_H
#define DAVIT_NETWORK_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_TEXT_SIZE 64

struct address {
    int family;        /* AF_INET, AF_INET6; 0: none */
    uint8_t bytes[16]; /* network order; 4 of them for AF_INET */
};

/* An address and how many bits of it are the network's: also an interface's own address. */
struct subnet {
    struct address address;
    unsigned int prefix;
};

/* "10.1.2.3" or "fd00::1". Returns 0 or -EINVAL. */
int address_parse(const char *text, struct address *address);

/* "10.1.0.0/16". Returns 0 or -EINVAL. */
int subnet_parse(const char *text, struct subnet *subnet);

void address_format(const struct address *address, char text[ADDRESS_TEXT_SIZE]);
void subnet_format(const struct subnet *subnet, char text[ADDRESS_TEXT_SIZE]);

size_t address_length(const struct address *address);
bool address_equals(const struct address *one, const struct address *other);

/* For bind(2) and connect(2); family 0 is any of IPv4. Returns the length. */
socklen_t address_for_socket(const struct address *address, uint16_t port,
                             struct sockaddr_storage *storage);

/* 0.0.0.0 or ::. */
bool address_is_any(const struct address *address);

/* The address that the kernel gives a device by its MAC (RFC 4291, appendix A). */
struct address address_link_local(const uint8_t mac[6]);

/* "02:11:22:33:44:55", also with dashes. False: it is none, or not that of one device (a group's,
 * or zero). */
bool mac_parse(const char *text, uint8_t mac[6]);
#define MAC_TEXT_SIZE 18
void mac_format(const uint8_t mac[6], char text[MAC_TEXT_SIZE]);

/* Whether it may belong to anybody on the internet: neither private, loopback, link-local, shared,
 * multicast nor reserved (RFC 6890), nor one of these written as IPv6 (mapped, NAT64, 6to4). */
bool address_is_public(const struct address *address);

/* The first address: host bits are zero. */
struct subnet subnet_network(const struct subnet *subnet);

bool subnet_contains(const struct subnet *subnet, const struct address *address);
bool subnet_overlaps(const struct subnet *one, const struct subnet *other);

/* How many addresses it has, UINT32_MAX if that is not enough to say it. */
uint32_t subnet_size(const struct subnet *subnet);

/* The address that lies `offset` behind the first. */
struct address subnet_at(const struct subnet *subnet, uint32_t offset);

/* How far behind the first it lies; false if it lies elsewhere, or further than can be said. */
bool subnet_offset(const struct subnet *subnet, const struct address *address, uint32_t *offset);

/* Whether it stands for all or none: the network's own address, and broadcast of IPv4. */
bool subnet_reserves(const struct subnet *subnet, const struct address *address);

#endif
