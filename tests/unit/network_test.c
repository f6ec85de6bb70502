/* Addresses and rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "network/address.h"
#include "network/firewall.h"

static struct subnet subnet(const char *text)
{
    struct subnet parsed;

    assert_int_equal(subnet_parse(text, &parsed), 0);
    return parsed;
}

static struct address address(const char *text)
{
    struct address parsed;

    assert_int_equal(address_parse(text, &parsed), 0);
    return parsed;
}

static void texts_become_subnets_and_back(void **state)
{
    static const char *const wrong[] = {"",
                                        "10.0.0.0",
                                        "10.0.0.0/",
                                        "10.0.0.0/33",
                                        "10.0.0/8",
                                        "10.0.0.0/8x",
                                        "10.0.0.0/-1",
                                        "fd00::/129",
                                        "10.0.0.256/8",
                                        "/8",
                                        "10.0.0.0/+8"};
    char text[ADDRESS_TEXT_SIZE];
    struct subnet parsed = subnet("10.1.2.3/20");

    (void)state;
    subnet_format(&parsed, text);
    assert_string_equal(text, "10.1.2.3/20");
    parsed = subnet_network(&parsed);
    subnet_format(&parsed, text);
    assert_string_equal(text, "10.1.0.0/20");
    parsed = subnet("fd00:1::7/64");
    parsed = subnet_network(&parsed);
    subnet_format(&parsed, text);
    assert_string_equal(text, "fd00:1::/64");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_not_equal(subnet_parse(wrong[i], &parsed), 0);
}

static void subnets_contain_and_overlap(void **state)
{
    struct subnet wide = subnet("10.0.0.0/8");
    struct subnet narrow = subnet("10.200.0.0/13");
    struct subnet other = subnet("10.208.0.0/13");
    struct subnet six = subnet("fd00::/8");
    struct address inside = address("10.207.255.255");
    struct address outside = address("10.208.0.0");

    (void)state;
    assert_true(subnet_contains(&narrow, &inside));
    assert_false(subnet_contains(&narrow, &outside));
    assert_true(subnet_overlaps(&wide, &narrow));
    assert_true(subnet_overlaps(&narrow, &wide));
    assert_false(subnet_overlaps(&narrow, &other));
    assert_false(subnet_overlaps(&wide, &six));
}

static void addresses_are_counted(void **state)
{
    struct subnet network = subnet("192.168.254.0/23");
    struct subnet whole = subnet("0.0.0.0/0");
    struct address last = subnet_at(&network, 511);
    struct address middle = subnet_at(&network, 256);
    struct address first = subnet_at(&network, 0);
    struct address host = subnet_at(&network, 1);
    char text[ADDRESS_TEXT_SIZE];

    (void)state;
    assert_int_equal(subnet_size(&network), 512);
    assert_true(subnet_size(&whole) == UINT32_MAX);
    address_format(&last, text);
    assert_string_equal(text, "192.168.255.255");
    address_format(&middle, text);
    assert_string_equal(text, "192.168.255.0");
    assert_true(subnet_reserves(&network, &first));
    assert_true(subnet_reserves(&network, &last));
    assert_false(subnet_reserves(&network, &middle));
    assert_false(subnet_reserves(&network, &host));
}

static void the_table_is_replaced_as_a_whole(void **state)
{
    const struct firewall_network networks[] = {
        {.bridge = "davit0", .subnet = subnet("172.17.0.0/16"), .subnet6 = subnet("fd00:1::/64")},
        {.bridge = "dv-1",
         .subnet = subnet("10.5.0.0/24"),
         .is_internal = true,
         .is_isolated = true},
        {.bridge = "dv-2", .subnet = subnet("10.6.0.0/24"), .keeps_sources = true},
    };
    const struct firewall_port ports[] = {
        {"tcp", {0}, 8080, address("172.17.0.2"), 80},
        {"udp", address("127.0.0.1"), 53, address("172.17.0.2"), 5353},
        {"tcp", {0}, 8080, address("fd00:1::2"), 80},
        {"tcp", address("2001:db8::1"), 81, address("fd00:1::2"), 80},
    };
    cleanup_buffer struct buffer script = {0};
    cleanup_buffer struct buffer empty = {0};

    (void)state;
    firewall_write(&script, &(struct firewall){networks, 3, ports, 4});
    assert_int_equal(
        strncmp(buffer_text(&script), "table inet davit\ndelete table inet davit\n", 41), 0);
    assert_non_null(strstr(buffer_text(&script), "tcp . 8080 : 172.17.0.2 . 80\n"));
    assert_non_null(strstr(buffer_text(&script), "127.0.0.1 . udp . 53 : 172.17.0.2 . 5353\n"));
    assert_non_null(
        strstr(buffer_text(&script), "ip saddr 172.17.0.0/16 oifname != \"davit0\" masquerade"));
    assert_null(strstr(buffer_text(&script), "ip saddr 10.5.0.0/24 oifname != "));
    assert_null(strstr(buffer_text(&script), "ip saddr 10.6.0.0/24 oifname != "));
    assert_non_null(
        strstr(buffer_text(&script), "ip6 saddr fd00:1::/64 oifname != \"davit0\" masquerade"));
    assert_non_null(strstr(buffer_text(&script), "tcp . 8080 : fd00:1::2 . 80\n"));
    assert_non_null(strstr(buffer_text(&script), "2001:db8::1 . tcp . 81 : fd00:1::2 . 80\n"));
    assert_non_null(strstr(buffer_text(&script), "iifname \"dv-1\" oifname \"dv-1\" drop"));
    firewall_write(&empty, &(struct firewall){0});
    assert_string_equal(buffer_text(&empty), "table inet davit\ndelete table inet davit\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_become_subnets_and_back),
        cmocka_unit_test(subnets_contain_and_overlap),
        cmocka_unit_test(addresses_are_counted),
        cmocka_unit_test(the_table_is_replaced_as_a_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
