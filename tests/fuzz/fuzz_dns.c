/* DNS messages: questions, what is answered to them, and answers of others. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "network/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is written can be read, and answers what was asked. */
static void answer(const uint8_t *message, const struct dns_question *question)
{
    static const struct address addresses[DNS_ADDRESSES_MAX];
    const struct dns_answer said = {.addresses = addresses,
                                    .address_count = message[0] % DNS_ADDRESSES_MAX,
                                    .name = message[1] % 2 == 0 ? question->name : NULL,
                                    .ttl_s = 5};
    size_t size = DNS_UDP_SIZE + message[1] * (size_t)16;
    uint8_t *out = malloc(size);
    size_t length = dns_write_answer(message, question, &said, out, size);
    struct dns_question echo;

    assert(length <= size);
    assert(dns_read_question(out, length, &echo) == 0);
    assert(dns_answer_matches(out, length, question, question->id));
    free(out);
}

/* What a server sends, in place of an answer to that question. */
static void take_from_server(const uint8_t *data, size_t size)
{
    static const struct dns_question asked = {
        .name = "a.example", .type = DNS_TYPE_A, .record_class = 1};
    struct dns_addresses addresses;
    uint8_t *copy = malloc(size + 1);

    dns_answer_matches(data, size, &asked, 1);
    memcpy(copy, data, size);
    dns_limit_ttls(copy, size, 3600);
    /* Names may point at times: it is read as it goes on to the container. */
    dns_read_addresses(copy, size, &addresses);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dns_question question;
    struct address address;

    take_from_server(data, size);
    if (dns_read_question(data, size, &question) < 0)
        return 0;
    dns_is_query(&question);
    dns_parse_reverse(question.name, &address);
    answer(data, &question);
    return 0;
}
