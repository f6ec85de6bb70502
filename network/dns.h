/*
 * DNS messages (RFC 1035, RFC 3596 for AAAA, RFC 6891 for EDNS), as far as davit's resolver reads
 * and writes them. Every byte that is read may be hostile: nothing is followed beyond the message,
 * and compressed names only backwards. No input or output, no memory of its own.
 */
#ifndef DAVIT_NETWORK_DNS_H
#define DAVIT_NETWORK_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"

#define DNS_PORT 53
#define DNS_HEADER_SIZE 12
#define DNS_MESSAGE_MAX 65535 /* by TCP */
#define DNS_UDP_SIZE 512      /* where nobody says that more may come */
#define DNS_NAME_SIZE 256     /* as text, with its NUL */
#define DNS_LABEL_MAX 63
#define DNS_ADDRESSES_MAX 128 /* that are read from one answer */

enum dns_type {
    DNS_TYPE_A = 1,
    DNS_TYPE_CNAME = 5,
    DNS_TYPE_PTR = 12,
    DNS_TYPE_AAAA = 28,
    DNS_TYPE_OPT = 41,
    DNS_TYPE_ANY = 255,
};

enum dns_code {
    DNS_OK = 0,
    DNS_FORMAT_ERROR = 1,
    DNS_SERVER_FAILURE = 2,
    DNS_NO_SUCH_NAME = 3,
    DNS_NOT_IMPLEMENTED = 4,
    DNS_REFUSED = 5,
};

struct dns_question {
    uint16_t id;
    uint16_t flags;           /* as they stand in the message */
    char name[DNS_NAME_SIZE]; /* in lower case, labels with "." between them; bytes that no host
                                 name has stand as "?" */
    uint16_t type;
    uint16_t record_class;
    size_t end;      /* of the question in the message */
    size_t udp_size; /* that its sender takes */
    bool has_edns;
};

/* Reads the question of a query or of an answer. Returns 0, or -EINVAL for a message that is
 * malformed or has not exactly one question. */
int dns_read_question(const uint8_t *message, size_t length, struct dns_question *question);

/* Whether the message asks: QUERY, and not an answer. */
bool dns_is_query(const struct dns_question *question);

/* True if `answer` is an answer with this id to `question`, whose own id may be another one. */
bool dns_answer_matches(const uint8_t *answer, size_t length, const struct dns_question *question,
                        uint16_t id);

void dns_set_id(uint8_t *message, uint16_t id);

/* What is said to a question. */
struct dns_answer {
    enum dns_code code;
    const struct address *addresses; /* of the type that was asked for */
    size_t address_count;
    const char *name; /* for PTR; NULL: none */
    uint32_t ttl_s;
};

/* Writes the answer to the query `message`, cut short (TC) if it does not fit into `size` bytes,
 * which are at least DNS_UDP_SIZE. Returns its length. */
size_t dns_write_answer(const uint8_t *message, const struct dns_question *question,
                        const struct dns_answer *answer, uint8_t *out, size_t size);

/* The address that "4.3.2.10.in-addr.arpa" or the like of ip6.arpa stands for. -EINVAL if the name
 * is not such. */
int dns_parse_reverse(const char *name, struct address *address);

/* True if the pattern matches the name, which is in lower case: the pattern is the name itself,
 * "*.REST" for any name that ends in ".REST", or "*". */
bool dns_name_matches(const char *pattern, const char *name);

struct dns_addresses {
    struct address items[DNS_ADDRESSES_MAX];
    size_t count;
    uint32_t ttl_s; /* the least of the records read, CNAMEs included */
};

/* Writes `max_s` over all larger times to live in the answer section, as far as it can be read. */
void dns_limit_ttls(uint8_t *message, size_t length, uint32_t max_s);

/* The addresses that an answer gives for the name that was asked for: of its A and AAAA records,
 * and of those of the name that CNAME records lead to. Returns 0, or -EINVAL for an answer that is
 * malformed or whose chain of names has no end; what was read until then stands. */
int dns_read_addresses(const uint8_t *message, size_t length, struct dns_addresses *addresses);

#endif
