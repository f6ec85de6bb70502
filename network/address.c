/* Addresses and subnets: see address.h. */
#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

size_t address_length(const struct address *address)
{
    return address->family == AF_INET6 ? 16 : 4;
}

int address_parse(const char *text, struct address *address)
{
    *address = (struct address){.family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET};
    return inet_pton(address->family, text, address->bytes) == 1 ? 0 : -EINVAL;
}

bool mac_parse(const char *text, uint8_t mac[6])
{
    bool is_zero = true;

    for (size_t i = 0; i < 6; i++) {
        const char *byte = text;
        uint64_t value;

        if (!number_take(&text, 16, UINT8_MAX, &value) || text - byte > 2 ||
            (i < 5 && *text != ':' && *text != '-'))
            return false;
        text += i < 5;
        mac[i] = (uint8_t)value;
        is_zero = is_zero && value == 0;
    }
    return *text == '\0' && !is_zero && (mac[0] & 1) == 0;
}

void mac_format(const uint8_t mac[6], char text[MAC_TEXT_SIZE])
{
    snprintf(text, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
             mac[4], mac[5]);
}

int subnet_parse(const char *text, struct subnet *subnet)
{
    char copy[ADDRESS_TEXT_SIZE];
    char *slash;
    uint64_t prefix;

    if (strlen(text) >= sizeof(copy))
        return -EINVAL;
    strcpy(copy, text);
    slash = strchr(copy, '/');
    if (slash == NULL)
        return -EINVAL;
    *slash = '\0';
    if (address_parse(copy, &subnet->address) < 0)
        return -EINVAL;
    if (!number_parse_unsigned(slash + 1, 8 * address_length(&subnet->address), &prefix))
        return -EINVAL;
    subnet->prefix = (unsigned int)prefix;
    return 0;
}

void address_format(const struct address *address, char text[ADDRESS_TEXT_SIZE])
{
    text[0] = '\0';
    if (address->family != 0)
        inet_ntop(address->family, address->bytes, text, ADDRESS_TEXT_SIZE);
}

void subnet_format(const struct subnet *subnet, char text[ADDRESS_TEXT_SIZE])
{
    address_format(&subnet->address, text);
    if (text[0] != '\0')
        snprintf(text + strlen(text), ADDRESS_TEXT_SIZE - strlen(text), "/%u", subnet->prefix);
}

bool address_equals(const struct address *one, const struct address *other)
{
    return one->family == other->family &&
           memcmp(one->bytes, other->bytes, address_length(one)) == 0;
}

socklen_t address_for_socket(const struct address *address, uint16_t port,
                             struct sockaddr_storage *storage)
{
    struct sockaddr_in *ipv4 = (struct sockaddr_in *)(void *)storage;
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)(void *)storage;

    memset(storage, 0, sizeof(*storage));
    if (address->family == AF_INET6) {
        ipv6->sin6_family = AF_INET6;
        ipv6->sin6_port = htons(port);
        memcpy(&ipv6->sin6_addr, address->bytes, sizeof(ipv6->sin6_addr));
        return sizeof(*ipv6);
    }
    ipv4->sin_family = AF_INET;
    ipv4->sin_port = htons(port);
    memcpy(&ipv4->sin_addr, address->bytes, sizeof(ipv4->sin_addr));
    return sizeof(*ipv4);
}

bool address_is_any(const struct address *address)
{
    static const uint8_t zeros[sizeof(address->bytes)];

    return address->family != 0 && memcmp(address->bytes, zeros, address_length(address)) == 0;
}

static bool has_same_bits(const struct address *one, const struct address *other,
                          unsigned int count)
{
    unsigned int whole = count / 8;
    uint8_t mask = (uint8_t)(0xff00 >> count % 8);

    return one->family == other->family && memcmp(one->bytes, other->bytes, whole) == 0 &&
           (mask == 0 || ((one->bytes[whole] ^ other->bytes[whole]) & mask) == 0);
}

/* Where an address of IPv6 carries one of IPv4. */
static bool carries_ipv4(const struct address *address, struct address *carried)
{
    static const struct {
        const char *subnet;
        size_t at;
    } forms[] = {{"::ffff:0:0/96", 12},
                 {"64:ff9b::/96", 12},
                 {"64:ff9b:1::/48", 12},
                 {"::/96", 12},
                 {"2002::/16", 2}};

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct subnet subnet;

        if (subnet_parse(forms[i].subnet, &subnet) < 0 || !subnet_contains(&subnet, address))
            continue;
        *carried = (struct address){.family = AF_INET};
        memcpy(carried->bytes, address->bytes + forms[i].at, 4);
        return true;
    }
    return false;
}

bool address_is_public(const struct address *address)
{
    static const char *const others[] = {
        "0.0.0.0/8",      "10.0.0.0/8",    "100.64.0.0/10", "127.0.0.0/8",
        "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",  "192.168.0.0/16",
        "198.18.0.0/15",  "224.0.0.0/4",   "240.0.0.0/4",   "100::/64",
        "fc00::/7",       "fe80::/10",     "fec0::/10",     "ff00::/8"};
    struct address carried;

    if (address->family == AF_INET6 && carries_ipv4(address, &carried))
        return address_is_public(&carried);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct subnet subnet;

        if (subnet_parse(others[i], &subnet) == 0 && subnet_contains(&subnet, address))
            return false;
    }
    return true;
}

struct subnet subnet_network(const struct subnet *subnet)
{
    struct subnet network = *subnet;

    for (unsigned int bit = subnet->prefix; bit < 8 * address_length(&subnet->address); bit++)
        network.address.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
    return network;
}

bool subnet_contains(const struct subnet *subnet, const struct address *address)
{
    return has_same_bits(&subnet->address, address, subnet->prefix);
}

bool subnet_overlaps(const struct subnet *one, const struct subnet *other)
{
    return has_same_bits(&one->address, &other->address,
                         one->prefix < other->prefix ? one->prefix : other->prefix);
}

uint32_t subnet_size(const struct subnet *subnet)
{
    size_t bits = 8 * address_length(&subnet->address) - subnet->prefix;

    return bits >= 32 ? UINT32_MAX : (uint32_t)1 << bits;
}

struct address subnet_at(const struct subnet *subnet, uint32_t offset)
{
    struct address address = subnet_network(subnet).address;
    uint64_t carry = offset;

    for (size_t i = address_length(&address); i > 0 && carry > 0; i--) {
        carry += address.bytes[i - 1];
        address.bytes[i - 1] = (uint8_t)carry;
        carry >>= 8;
    }
    return address;
}

bool subnet_offset(const struct subnet *subnet, const struct address *address, uint32_t *offset)
{
    struct address first = subnet_network(subnet).address;
    size_t length = address_length(address);
    uint64_t distance = 0;

    if (!subnet_contains(subnet, address))
        return false;
    /* It has the network's bits, and the others of the first are zero. */
    for (size_t i = 0; i < length && distance <= UINT32_MAX; i++)
        distance = distance << 8 | (uint8_t)(address->bytes[i] ^ first.bytes[i]);
    *offset = (uint32_t)distance;
    return distance <= UINT32_MAX;
}

bool subnet_reserves(const struct subnet *subnet, const struct address *address)
{
    struct address first = subnet_network(subnet).address;
    struct address last = subnet_at(subnet, subnet_size(subnet) - 1);

    return address_equals(&first, address) ||
           (address->family == AF_INET && subnet->prefix < 31 && address_equals(&last, address));
}

struct address address_link_local(const uint8_t mac[6])
{
    struct address address = {.family = AF_INET6, .bytes = {0xfe, 0x80}};

    memcpy(address.bytes + 8, mac, 3);
    address.bytes[8] ^= 2;
    address.bytes[11] = 0xff;
    address.bytes[12] = 0xfe;
    memcpy(address.bytes + 13, mac + 3, 3);
    return address;
}
