/* DNS messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "network/dns.h"

/* A message of its literal's bytes, without the NUL. */
#define MESSAGE(literal) (const uint8_t *)(literal), sizeof(literal) - 1

#define HEAD "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
#define WEB "\x03WeB\x04Mine\x00\x00\x01\x00\x01"
#define EDNS "\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"

static struct dns_question question(const uint8_t *message, size_t length)
{
    struct dns_question read;

    assert_int_equal(dns_read_question(message, length, &read), 0);
    return read;
}

static void questions_are_read(void **state)
{
    struct dns_question read = question(MESSAGE(HEAD WEB));

    (void)state;
    assert_int_equal(read.id, 0x1234);
    assert_string_equal(read.name, "web.mine");
    assert_int_equal(read.type, DNS_TYPE_A);
    assert_int_equal(read.udp_size, DNS_UDP_SIZE);
    assert_true(dns_is_query(&read));
    read = question(MESSAGE("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01" WEB EDNS));
    assert_true(read.has_edns);
    assert_int_equal(read.udp_size, 1232);
    /* A label with a dot in it is not two. */
    read = question(MESSAGE(HEAD "\x08web.mine\x00\x00\x01\x00\x01"));
    assert_string_equal(read.name, "web?mine");
    read = question(MESSAGE("\x12\x34\x81\x00\x00\x01\x00\x00\x00\x00\x00\x00" WEB));
    assert_false(dns_is_query(&read));
}

static void what_is_no_question_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
    } wrong[] = {
        {"", 0},
        {HEAD, 11},
        {HEAD, 12},
        {HEAD WEB, 12 + 12},
        {"\x12\x34\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00" WEB WEB, 12 + 28},
        {HEAD "\x40x\x00\x00\x01\x00\x01", 12 + 7},
        {HEAD "\xc0\x0c\x00\x01\x00\x01", 12 + 6},                    /* to itself */
        {HEAD "\x01x\xc0\x0e\x00\x01\x00\x01", 12 + 8},               /* to the pointer */
        {HEAD "\x01x\xc0\x20\x00\x00\x01\x00\x01", 12 + 9},           /* forwards, and beyond */
        {HEAD "\x01x\xc0\x00\x00\x00\x01\x00\x01", 12 + 9},           /* into the header */
        {"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01" WEB, 26}, /* a record is missing */
    };
    char longest[12 + 5 * 64 + 5];
    struct dns_question read;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_not_equal(
            dns_read_question((const uint8_t *)wrong[i].bytes, wrong[i].length, &read), 0);
    /* More than 255 bytes. */
    memcpy(longest, HEAD, 12);
    for (size_t i = 0; i < 5; i++)
        memset(longest + 12 + i * 64, 'x', 64), longest[12 + i * 64] = 63;
    memset(longest + 12 + 5 * 64, 0, 5);
    assert_int_not_equal(dns_read_question((const uint8_t *)longest, sizeof(longest), &read), 0);
}

static void answers_fit_and_say_when_they_do_not(void **state)
{
    static const uint8_t message[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01" WEB EDNS;
    struct dns_question read = question(message, sizeof(message) - 1);
    struct address addresses[100] = {{AF_INET, {10, 0, 0, 1}}};
    struct dns_answer said = {.addresses = addresses, .address_count = 1, .ttl_s = 7};
    struct dns_addresses back;
    uint8_t out[DNS_MESSAGE_MAX];
    size_t length = dns_write_answer(message, &read, &said, out, DNS_UDP_SIZE);

    (void)state;
    assert_true(dns_answer_matches(out, length, &read, 0x1234));
    assert_false(dns_answer_matches(out, length, &read, 0x1235));
    assert_int_equal(dns_read_addresses(out, length, &back), 0);
    assert_int_equal(back.count, 1);
    assert_int_equal(back.ttl_s, 7);
    assert_true(address_equals(&back.items[0], &addresses[0]));
    assert_int_equal(out[11], 1); /* EDNS is answered by EDNS */
    for (size_t i = 0; i < 100; i++)
        addresses[i] = (struct address){AF_INET, {10, 0, 0, (uint8_t)i}};
    said.address_count = 100;
    length = dns_write_answer(message, &read, &said, out, DNS_UDP_SIZE);
    assert_true(length <= DNS_UDP_SIZE);
    assert_int_equal(out[2] & 0x02, 0x02);
    assert_int_equal(dns_read_addresses(out, length, &back), 0);
    assert_in_range(back.count, 20, 40);
    length = dns_write_answer(message, &read, &said, out, sizeof(out));
    assert_int_equal(out[2] & 0x02, 0);
    assert_int_equal(dns_read_addresses(out, length, &back), 0);
    assert_int_equal(back.count, 100);
}

static void addresses_are_read_from_names_and_answers(void **state)
{
    static const char answer[] = "\x12\x34\x81\x80\x00\x01\x00\x03\x00\x00\x00\x00" WEB
                                 "\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x1e\x00\x02\xc0\x10"
                                 "\xc0\x10\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xcb\x00\x71\x07"
                                 "\xc0\x10\x00\x10\x00\x01\x00\x00\x00\x01\x00\x01\x00";
    struct dns_addresses addresses;
    struct address address;
    struct address expected;

    (void)state;
    assert_int_equal(dns_read_addresses((const uint8_t *)answer, sizeof(answer) - 1, &addresses),
                     0);
    assert_int_equal(addresses.count, 1);
    assert_int_equal(addresses.ttl_s, 30);
    for (size_t length = sizeof(answer) - 2; length > 0; length--)
        assert_int_not_equal(dns_read_addresses((const uint8_t *)answer, length, &addresses), 0);

    assert_int_equal(dns_parse_reverse("2.0.77.10.in-addr.arpa", &address), 0);
    address_parse("10.77.0.2", &expected);
    assert_true(address_equals(&address, &expected));
    assert_int_equal(
        dns_parse_reverse(
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", &address),
        0);
    address_parse("fd00::1", &expected);
    assert_true(address_equals(&address, &expected));
    assert_int_not_equal(dns_parse_reverse("2.0.77.256.in-addr.arpa", &address), 0);
    assert_int_not_equal(dns_parse_reverse("0.77.10.in-addr.arpa", &address), 0);
    assert_int_not_equal(dns_parse_reverse("-2.0.77.10.in-addr.arpa", &address), 0);
    assert_int_not_equal(dns_parse_reverse("1.0.ip6.arpa", &address), 0);
}

/* "web" with these answers. */
#define ANSWERS(count)                                          \
    "\x12\x34\x81\x80\x00\x01\x00" count "\x00\x00\x00\x00\x03" \
    "web\x00\x00\x01\x00\x01"
#define ALIAS(name, target, length) name "\x00\x05\x00\x01\x00\x00\x00\x1e\x00" length target
#define AT(name, last) name "\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xcb\x00\x71" last

static void an_answer_is_about_the_name_alone_and_what_it_stands_for(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        size_t count; /* of addresses that end in "7" */
        bool is_whole;
    } answers[] = {
#define ANSWER(text, count, is_whole) {text, sizeof(text) - 1, count, is_whole}
        ANSWER(ANSWERS("\x02") AT("\xc0\x0c", "7") AT("\x01x\x00", "8"), 1, true),
        ANSWER(ANSWERS("\x02") AT("\x01x\x00", "8") AT("\x03WeB\x00", "7"), 1, true),
        ANSWER(ANSWERS("\x01") AT("\x01x\x00", "8"), 0, true),
        ANSWER(ANSWERS("\x03") ALIAS("\xc0\x0c", "\x01y\x00", "\x03") AT("\x01x\x00", "8")
                   AT("\x01y\x00", "7"),
               1, true),
        /* The addresses before the name that they belong to. */
        ANSWER(ANSWERS("\x02") AT("\x01y\x00", "7") ALIAS("\xc0\x0c", "\x01y\x00", "\x03"), 1,
               true),
        /* In a circle. */
        ANSWER(ANSWERS("\x03") ALIAS("\xc0\x0c", "\x01y\x00", "\x03")
                   ALIAS("\x01y\x00", "\xc0\x0c", "\x02") AT("\x01y\x00", "7"),
               0, false),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct dns_addresses addresses;
        int result =
            dns_read_addresses((const uint8_t *)answers[i].bytes, answers[i].length, &addresses);

        assert_int_equal(result == 0, answers[i].is_whole);
        assert_int_equal(addresses.count, answers[i].count);
        for (size_t j = 0; j < addresses.count; j++)
            assert_int_equal(addresses.items[j].bytes[3], '7');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_are_read),
        cmocka_unit_test(an_answer_is_about_the_name_alone_and_what_it_stands_for),
        cmocka_unit_test(what_is_no_question_is_refused),
        cmocka_unit_test(answers_fit_and_say_when_they_do_not),
        cmocka_unit_test(addresses_are_read_from_names_and_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
