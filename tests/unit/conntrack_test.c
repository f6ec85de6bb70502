/* Connections: what the kernel says of them, and which end. */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "network/conntrack_job.h"

static struct address address(const char *text)
{
    struct address parsed;

    assert_int_equal(address_parse(text, &parsed), 0);
    return parsed;
}

static void put_tuple(struct nlmsghdr *header, uint16_t type, const char *source, uint16_t port)
{
    const struct address from = address(source);
    struct nlattr *tuple = mnl_attr_nest_start(header, type);
    struct nlattr *nest = mnl_attr_nest_start(header, CTA_TUPLE_IP);

    mnl_attr_put(header, from.family == AF_INET6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC,
                 address_length(&from), from.bytes);
    mnl_attr_nest_end(header, nest);
    nest = mnl_attr_nest_start(header, CTA_TUPLE_PROTO);
    mnl_attr_put_u8(header, CTA_PROTO_NUM, IPPROTO_TCP);
    mnl_attr_put_u16(header, CTA_PROTO_SRC_PORT, htons(port));
    mnl_attr_nest_end(header, nest);
    mnl_attr_nest_end(header, tuple);
}

static struct nlmsghdr *begin(char *bytes)
{
    struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);

    mnl_nlmsg_put_extra_header(header, sizeof(struct nfgenmsg));
    return header;
}

static void entries_are_read(void **state)
{
    static const char *const pairs[][2] = {{"10.0.0.2", "192.0.2.9"}, {"fd00::2", "2001:db8::9"}};
    _Alignas(8) char bytes[1024];
    struct conntrack_flow flow;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        const struct address source = address(pairs[i][0]);
        const struct address destination = address(pairs[i][1]);
        struct nlmsghdr *header = begin(bytes);

        put_tuple(header, CTA_TUPLE_ORIG, pairs[i][0], 40000);
        put_tuple(header, CTA_TUPLE_REPLY, pairs[i][1], 443);
        assert_true(conntrack_read_flow(header, &flow));
        assert_true(address_equals(&flow.source, &source));
        assert_true(address_equals(&flow.destination, &destination));
        assert_int_equal(flow.protocol, IPPROTO_TCP);
        assert_int_equal(flow.port, 443);
    }
}

static void what_is_no_entry_is_none(void **state)
{
    _Alignas(8) char bytes[1024];
    struct nlmsghdr *header = begin(bytes);
    struct conntrack_flow flow;
    struct nlattr *tuple;

    (void)state;
    assert_false(conntrack_read_flow(header, &flow));
    put_tuple(header, CTA_TUPLE_ORIG, "10.0.0.2", 1);
    assert_false(conntrack_read_flow(header, &flow));
    /* An address of three bytes. */
    tuple = mnl_attr_nest_start(header, CTA_TUPLE_REPLY);
    mnl_attr_nest_end(header, mnl_attr_nest_start(header, CTA_TUPLE_IP));
    mnl_attr_put(header, CTA_IP_V4_SRC, 3, "\1\2\3");
    mnl_attr_nest_end(header, tuple);
    assert_false(conntrack_read_flow(header, &flow));
}

static bool ends(const char *job, const char *source, const char *destination, uint8_t protocol,
                 uint16_t port)
{
    cleanup_arena struct arena arena = {0};
    const struct conntrack_flow flow = {.source = address(source),
                                        .destination = address(destination),
                                        .protocol = protocol,
                                        .port = port,
                                        .is_direct = true};
    struct conntrack_order *order;
    struct error err = {0};

    assert_int_equal(conntrack_job_read(&arena, job, strlen(job), &order, &err), 0);
    return conntrack_order_ends(order, &flow);
}

static void who_has_ended_ends_both_ways(void **state)
{
    static const char *const job = "{\"ended\":[\"10.0.0.9\",\"10.0.0.2\",\"fd00::2\"]}";

    (void)state;
    assert_true(ends(job, "10.0.0.2", "192.0.2.9", IPPROTO_TCP, 80));
    assert_true(ends(job, "192.0.2.9", "10.0.0.2", IPPROTO_UDP, 53));
    assert_true(ends(job, "fd00::2", "2001:db8::9", IPPROTO_ICMPV6, 0));
    assert_false(ends(job, "10.0.0.3", "192.0.2.9", IPPROTO_TCP, 80));
    assert_false(ends("{}", "10.0.0.2", "192.0.2.9", IPPROTO_TCP, 80));
}

static void of_networks_what_is_held_stays(void **state)
{
    static const char *const job =
        "{\"networks\":[\"10.0.0.0/24\",\"fd00::/64\"],\"held\":[\"10.0.0.1\",\"10.0.0.7\"]}";

    (void)state;
    assert_false(ends(job, "10.0.0.7", "192.0.2.9", IPPROTO_TCP, 80));
    assert_false(ends(job, "10.0.0.1", "10.0.0.7", IPPROTO_TCP, 80));
    assert_true(ends(job, "10.0.0.8", "192.0.2.9", IPPROTO_TCP, 80));
    assert_true(ends(job, "10.0.0.7", "10.0.0.8", IPPROTO_TCP, 80));
    assert_true(ends(job, "2001:db8::9", "fd00::5", IPPROTO_TCP, 80));
    assert_false(ends(job, "192.0.2.1", "192.0.2.9", IPPROTO_TCP, 80));
}

static void rules_decide_over_what_is_under_way(void **state)
{
    static const char *const job =
        "{\"changes\":[{\"addresses\":[\"10.0.0.3\"]},{\"addresses\":[\"10.0.0.2\",\"fd00::2\"],"
        "\"allowed\":[\"192.0.2.0/24:80-90\",\"198.51.100.1/udp\",\"[203.0.113.5]:443-443/tcp\","
        "\"2001:db8::/32\"]}]}";
    static const struct {
        const char *destination;
        uint8_t protocol;
        uint16_t port;
        bool ends;
    } rows[] = {
        {"192.0.2.9", IPPROTO_TCP, 80, false},   {"192.0.2.9", IPPROTO_TCP, 90, false},
        {"192.0.2.9", IPPROTO_TCP, 91, true},    {"192.0.2.9", IPPROTO_UDP, 80, true},
        {"192.0.3.9", IPPROTO_TCP, 80, true},    {"198.51.100.1", IPPROTO_UDP, 7, false},
        {"198.51.100.1", IPPROTO_TCP, 7, true},  {"203.0.113.5", IPPROTO_TCP, 443, false},
        {"203.0.113.5", IPPROTO_TCP, 442, true}, {"198.51.100.1", IPPROTO_ICMP, 0, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(ends(job, "10.0.0.2", rows[i].destination, rows[i].protocol, rows[i].port),
                         rows[i].ends);
    assert_false(ends(job, "fd00::2", "2001:db8::9", IPPROTO_ICMPV6, 0));
    assert_true(ends(job, "fd00::2", "2001:db9::9", IPPROTO_TCP, 80));
    /* None at all; and what others began stays. */
    assert_true(ends(job, "10.0.0.3", "192.0.2.9", IPPROTO_TCP, 80));
    assert_false(ends(job, "192.0.2.9", "10.0.0.3", IPPROTO_TCP, 80));
}

static void who_was_led_to_the_host_begins_anew(void **state)
{
    static const char *const job = "{\"ports\":[{\"protocol\":17,\"port\":53}]}";

    (void)state;
    assert_true(ends(job, "192.0.2.9", "127.0.0.1", IPPROTO_UDP, 53));
    assert_false(ends(job, "192.0.2.9", "127.0.0.1", IPPROTO_UDP, 54));
    assert_false(ends(job, "192.0.2.9", "127.0.0.1", IPPROTO_TCP, 53));
    /* What this host asks elsewhere is its own affair. */
    assert_false(ends(job, "127.0.0.1", "192.0.2.9", IPPROTO_UDP, 53));
}

static void jobs_that_are_none_are_refused(void **state)
{
    static const char *const wrong[] = {"",
                                        "[]",
                                        "{\"ended\":[\"x\"]}",
                                        "{\"held\":[\"10.0.0.0/8\"]}",
                                        "{\"networks\":[\"10.0.0.1\"]}",
                                        "{\"changes\":[{\"allowed\":[\"10.0.0.0/99\"]}]}"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        cleanup_arena struct arena arena = {0};
        struct conntrack_order *order;
        struct error err = {0};

        assert_true(conntrack_job_read(&arena, wrong[i], strlen(wrong[i]), &order, &err) < 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_read),
        cmocka_unit_test(what_is_no_entry_is_none),
        cmocka_unit_test(who_has_ended_ends_both_ways),
        cmocka_unit_test(of_networks_what_is_held_stays),
        cmocka_unit_test(rules_decide_over_what_is_under_way),
        cmocka_unit_test(who_was_led_to_the_host_begins_anew),
        cmocka_unit_test(jobs_that_are_none_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
