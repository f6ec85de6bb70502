/* Addresses, rules and packets. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "network/address.h"
#include "network/cni_config.h"
#include "network/egress.h"
#include "network/firewall.h"
#include "network/packet_log.h"

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

static void distances_are_measured(void **state)
{
    struct subnet small = subnet("10.1.2.0/23");
    struct subnet large = subnet("fd00:1::/48");
    struct address near = address("10.1.3.4");
    struct address outside = address("10.1.4.4");
    struct address near6 = address("fd00:1::1:0:5");
    struct address far6 = address("fd00:1:0:1::1");
    uint32_t offset;

    (void)state;
    assert_true(subnet_offset(&small, &near, &offset));
    assert_int_equal(offset, 260);
    assert_false(subnet_offset(&small, &outside, &offset));
    assert_false(subnet_offset(&large, &near6, &offset));
    near6 = address("fd00:1::ff05");
    assert_true(subnet_offset(&large, &near6, &offset));
    assert_int_equal(offset, 0xff05);
    assert_false(subnet_offset(&large, &far6, &offset));
    assert_false(subnet_offset(&large, &near, &offset));
}

static int home_fd = -1;

/* A network namespace of the test's own, which root alone can make. */
static int enter_network(void **state)
{
    (void)state;
    home_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    return unshare(CLONE_NEWNET);
}

static int leave_network(void **state)
{
    int result = setns(home_fd, CLONE_NEWNET);

    (void)state;
    fd_close(&home_fd);
    return result;
}

static struct egress_rule some_rules[] = {
    {.name = "web", .protocol = "tcp", .first_port = 5432, .last_port = 5433}, {.name = "*"}};
static const struct firewall_group some_groups[] = {
    {"db6", some_rules + 1, 1}, {"db", some_rules, 1}, {"web", some_rules + 1, 1}};
static const struct firewall_network some_networks[] = {
    {.bridge = "davit0",
     .subnet = {{AF_INET, {172, 17}}, 16},
     .subnet6 = {{AF_INET6, {0xfd, 0, 0, 1}}, 64}},
    {.bridge = "dv-1",
     .subnet = {{AF_INET, {10, 5}}, 24},
     .is_internal = true,
     .is_isolated = true,
     .reaches_host = true},
    {.bridge = "dv-2",
     .subnet = {{AF_INET, {10, 6}}, 23},
     .keeps_sources = true,
     .groups = some_groups,
     .group_count = 3},
};
static const struct firewall_device some_device = {"dve1",
                                                   {2, 66, 172, 17, 0, 2},
                                                   {AF_INET, {172, 17, 0, 2}},
                                                   {AF_INET6, {0xfd, 0, 0, 1, [15] = 2}},
                                                   1000,
                                                   true};

static void change_everything(struct nft_transaction *transaction, bool is_removed)
{
    const struct firewall_port ports[] = {
        {"tcp", {0}, 8080, address("172.17.0.2"), 80},
        {"udp", address("127.0.0.1"), 53, address("172.17.0.2"), 5353},
        {"sctp", {0}, 8080, address("fd00:1::2"), 80},
        {"tcp", address("2001:db8::1"), 81, address("fd00:1::2"), 80},
    };

    for (size_t i = 0; i < 4; i++)
        firewall_change_port(transaction, &ports[i], is_removed);
    firewall_change_device(transaction, &some_device, is_removed);
    firewall_change_member(
        transaction, &(struct firewall_member){"dv-2", "db", address("10.6.0.2")}, is_removed);
    firewall_change_member(
        transaction, &(struct firewall_member){"dv-2", "web", address("fd00:2::2")}, is_removed);
}

static void write_all(struct nft_transaction *transaction, bool has_tables)
{
    if (has_tables) {
        firewall_remove(transaction, NFT_INET);
        firewall_remove(transaction, NFT_BRIDGE);
    }
    firewall_write(transaction, some_networks, 3);
    change_everything(transaction, false);
}

static void run(const struct nft_channel *channel, struct nft_transaction *transaction, int result)
{
    struct error err = {0};

    if (nft_transaction_run(channel, transaction, &err) != result)
        fail_msg("%d instead of %d: %s", -err.errnum, result, err.message);
    nft_transaction_release(transaction);
    *transaction = (struct nft_transaction){0};
}

static void the_tables_are_ours_alone(void **state)
{
    struct nft_transaction transaction = {0};
    struct nft_channel channel;
    struct nft_channel other;
    struct error err = {0};
    uint32_t owner;

    (void)state;
    assert_int_equal(nft_channel_open(&channel, &err), 0);
    assert_int_equal(nft_channel_open(&other, &err), 0);
    assert_int_equal(nft_table_look_up(&channel, NFT_INET, FIREWALL_TABLE, &owner), -ENOENT);
    write_all(&transaction, false);
    run(&channel, &transaction, 0);
    /* Nobody else can change it, and it is there until the last descriptor is closed. */
    assert_int_equal(nft_table_look_up(&other, NFT_INET, FIREWALL_TABLE, &owner), 0);
    assert_int_equal(owner, channel.port);
    firewall_remove(&transaction, NFT_INET);
    run(&other, &transaction, -EPERM);
    change_everything(&transaction, true);
    run(&channel, &transaction, 0);
    change_everything(&transaction, true);
    run(&channel, &transaction, -ENOENT);
    write_all(&transaction, true);
    run(&channel, &transaction, 0);
    nft_channel_close(&channel);
    while (nft_table_look_up(&other, NFT_INET, FIREWALL_TABLE, &owner) == 0)
        usleep(1000);
    nft_channel_close(&other);
}

static void change_limits(struct nft_transaction *transaction, bool is_removed)
{
    const struct limited_device devices[] = {
        {"dve1", some_device.mac, {100, 10, 0}, false},
        {"dve2", (const uint8_t *)"\2\102\12\0\0\2", {500, 0, 0}, true},
        {"dve3", (const uint8_t *)"\2\102\12\0\0\3", {0, 0, 0}, false}};

    for (size_t i = 0; i < 3; i++)
        limits_change_device(transaction, NFT_INET, &devices[i], is_removed);
}

static void limits_become_a_table(void **state)
{
    struct nft_transaction transaction = {0};
    struct nft_channel channel;
    struct error err = {0};

    (void)state;
    assert_int_equal(nft_channel_open(&channel, &err), 0);
    limits_write(&transaction, NFT_INET, 500);
    change_limits(&transaction, false);
    run(&channel, &transaction, 0);
    change_limits(&transaction, true);
    run(&channel, &transaction, 0);
    change_limits(&transaction, true);
    run(&channel, &transaction, -ENOENT);
    change_limits(&transaction, false);
    run(&channel, &transaction, 0);
    limits_remove(&transaction, NFT_INET);
    run(&channel, &transaction, 0);
    nft_channel_close(&channel);
}

static void let_through(struct nft_transaction *transaction, const char *text, bool is_removed)
{
    const struct address learnt = address(text);

    egress_change_address(transaction, "0123456789abcdef", 1, &learnt, 5000, is_removed);
}

static void egress_rules_become_tables(void **state)
{
    static const char *const texts[] = {"10.0.0.0/8:80-90", "example.org:443/udp", "*",
                                        "[fd00::/8]/tcp", "192.0.2.1"};
    struct egress_rule rules[5];
    const struct address addresses[] = {address("172.17.0.2"), {0}, address("fd00:1::2")};
    const struct egress_container container = {.id = "0123456789abcdef",
                                               .rules = rules,
                                               .rule_count = 5,
                                               .addresses = addresses,
                                               .address_count = 3};
    struct egress egress = {&container, 1, NULL, 0, false, false, true};
    struct nft_transaction transaction = {0};
    struct nft_counter counter;
    struct nft_channel channel;
    struct error err = {0};

    (void)state;
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(egress_rule_parse(texts[i], &rules[i], &err), 0);
    assert_int_equal(nft_channel_open(&channel, &err), 0);
    egress_write(&transaction, &egress);
    run(&channel, &transaction, 0);
    let_through(&transaction, "192.0.2.7", false);
    let_through(&transaction, "2001:db8::7", false);
    run(&channel, &transaction, 0);
    let_through(&transaction, "192.0.2.7", false);
    run(&channel, &transaction, -EEXIST);
    assert_int_equal(
        nft_counter_read(&channel, NFT_INET, EGRESS_TABLE, "n_0123456789ab", &counter, &err), 0);
    assert_int_equal(counter.packets, 0);
    /* Written once more they are the same, and what was learnt is there. */
    egress.has_tables = true;
    egress_write(&transaction, &egress);
    run(&channel, &transaction, 0);
    let_through(&transaction, "192.0.2.7", true);
    run(&channel, &transaction, 0);
    let_through(&transaction, "192.0.2.7", true);
    run(&channel, &transaction, -ENOENT);
    egress.ended = &container;
    egress.ended_count = 1;
    egress_write(&transaction,
                 &(struct egress){.ended = &container, .ended_count = 1, .has_tables = true});
    run(&channel, &transaction, 0);
    egress_write(&transaction, &egress);
    run(&channel, &transaction, 0);
    nft_channel_close(&channel);
}

static void egress_rules_are_read(void **state)
{
    static const struct {
        const char *text;
        const char *name; /* of a domain, or a subnet */
        const char *protocol;
        uint16_t first;
        uint16_t last;
    } rules[] = {
        {"10.0.0.0/8", "10.0.0.0/8", NULL, 0, 0},
        {"10.1.2.3", "10.1.2.3/32", NULL, 0, 0},
        {"10.1.2.3:443", "10.1.2.3/32", "tcp", 443, 443},
        {"10.1.2.0/24:8000-8010/udp", "10.1.2.0/24", "udp", 8000, 8010},
        {"10.1.2.0/24/sctp", "10.1.2.0/24", "sctp", 0, 0},
        {"fd00::/8", "fd00::/8", NULL, 0, 0},
        {"[fd00::1]:53/udp", "fd00::1/128", "udp", 53, 53},
        {"[fd00::]", "fd00::/128", NULL, 0, 0},
        {"Example.org", "example.org", NULL, 0, 0},
        {"*.example.org:443", "*.example.org", "tcp", 443, 443},
        {"*", "*", NULL, 0, 0},
        {"Example.ORG.:443", "example.org", "tcp", 443, 443},
        {"*.example.org.", "*.example.org", NULL, 0, 0},
        {"xn--bcher-kva.example", "xn--bcher-kva.example", NULL, 0, 0},
    };
    static const char *const wrong[] = {
        "",
        "10.0.0.0/33",
        "10.0.0.256",
        "10.0.0.1:0",
        "10.0.0.1:99999",
        "a:9-8",
        "a b",
        "*x.example",
        "x.*.example",
        "10.0.0.1/icmp",
        "a:80/x",
        "[fd00::1]:x",
        "/8",
        "fd00::/129",
        "a\n",
        "a@",
        "@10.0.0.0/8",
        "a@b",
        "a:80@10.0.0.0/8",
        "10.0.0.1@10.0.0.0/8",
        ".",
        "..",
        "a..b",
        ".a",
        "a..",
        "*.",
        "*..a",
        "**",
        "b\xc3\xbc"
        "cher.example",
        "a234567890123456789012345678901234567890123456789012345678901234.example"};
    static const struct {
        const char *rule;
        const char *address;
        bool is_taken;
    } answers[] = {{"a", "192.0.2.1", true},
                   {"a", "8.8.8.8", true},
                   {"a", "10.1.2.3", false},
                   {"a", "127.0.0.1", false},
                   {"a", "169.254.169.254", false},
                   {"a", "172.31.0.1", false},
                   {"a", "172.32.0.1", true},
                   {"a", "0.0.0.0", false},
                   {"a", "255.255.255.255", false},
                   {"a", "::1", false},
                   {"a", "fd00::1", false},
                   {"a", "fe80::1", false},
                   {"a", "::ffff:10.0.0.1", false},
                   {"a", "::ffff:8.8.8.8", true},
                   {"a", "64:ff9b::a00:1", false},
                   {"a", "2002:a00:1::", false},
                   {"a", "2001:db8::1", true},
                   {"a@10.0.0.0/8", "10.1.2.3", true},
                   {"a@10.0.0.0/8", "8.8.8.8", false},
                   {"a@10.0.0.0/8:443/tcp", "11.0.0.1", false},
                   {"a@[fd00::/8]:443", "fd00::1", true},
                   {"*.a@fd00::/8", "fd12::1", true},
                   {"a@10.1.2.3", "10.1.2.4", false}};
    struct egress_rule rule;

    (void)state;
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        char text[ADDRESS_TEXT_SIZE];

        assert_int_equal(egress_rule_parse(rules[i].text, &rule, NULL), 0);
        subnet_format(&rule.subnet, text);
        assert_string_equal(rule.name[0] != '\0' ? rule.name : text, rules[i].name);
        assert_true((rule.protocol == NULL) == (rules[i].protocol == NULL));
        if (rule.protocol != NULL)
            assert_string_equal(rule.protocol, rules[i].protocol);
        assert_int_equal(rule.first_port, rules[i].first);
        assert_int_equal(rule.last_port, rules[i].last);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_not_equal(egress_rule_parse(wrong[i], &rule, NULL), 0);
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct address one = address(answers[i].address);

        assert_int_equal(egress_rule_parse(answers[i].rule, &rule, NULL), 0);
        assert_true(egress_rule_takes(&rule, &one) == answers[i].is_taken);
    }
    assert_int_equal(egress_rule_parse("*.example.org", &rule, NULL), 0);
    assert_true(egress_rule_matches(&rule, "a.b.example.org"));
    assert_false(egress_rule_matches(&rule, "example.org"));
    assert_false(egress_rule_matches(&rule, "badexample.org"));
    assert_false(egress_rule_matches(&rule, "a.example.org.net"));
    assert_int_equal(egress_rule_parse("10.0.0.0/8", &rule, NULL), 0);
    assert_false(egress_rule_matches(&rule, ""));
}

static void logged_packets_are_read_by_their_headers(void **state)
{
    static const uint8_t ipv4[] = {0x45, 0, 0, 60, 0,  0, 0, 0, 64,   6, 0,    0,
                                   10,   0, 0, 1,  10, 0, 0, 2, 0x80, 0, 0x01, 0xbb};
    uint8_t ipv6[48] = {
        0x60, [6] = 17, [8] = 0xfd, [24] = 0xfe, [40] = 1, [41] = 2, [42] = 0, [43] = 53};
    struct logged_packet packet = {0};
    struct address expected = address("10.0.0.2");

    (void)state;
    packet_parse(ipv4, sizeof(ipv4), &packet);
    assert_true(address_equals(&packet.destination, &expected));
    assert_int_equal(packet.protocol, 6);
    assert_int_equal(packet.port, 443);
    packet = (struct logged_packet){0};
    packet_parse(ipv6, sizeof(ipv6), &packet);
    assert_int_equal(packet.destination.bytes[0], 0xfe);
    assert_int_equal(packet.port, 53);
    packet = (struct logged_packet){0};
    packet_parse(ipv4, 19, &packet);
    assert_int_equal(packet.source.family, 0);
    packet_parse(ipv4, 22, &packet);
    assert_int_equal(packet.port, 0);
}

static int take_config(struct arena *arena, const char *text, struct cni_config *config)
{
    const struct json *root;
    struct error err = {0};

    assert_int_equal(json_parse(arena, text, strlen(text), &json_default_limits, &root, &err), 0);
    return cni_config_decode(root, config, &err);
}

static void plugins_are_read_as_a_list_or_alone(void **state)
{
    cleanup_arena struct arena arena = {0};
    struct cni_config config;

    (void)state;
    assert_int_equal(take_config(&arena,
                                 "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{\"type\":"
                                 "\"a\",\"capabilities\":{\"ips\":true,\"bandwidth\":false}},{"
                                 "\"type\":\"b\"}]}",
                                 &config),
                     0);
    assert_int_equal(config.plugin_count, 2);
    assert_string_equal(config.name, "n");
    assert_true(cni_plugin_has(config.plugins[0], "ips"));
    assert_false(cni_plugin_has(config.plugins[0], "bandwidth"));
    assert_false(cni_plugin_has(config.plugins[0], "portMappings"));
    assert_false(cni_plugin_has(config.plugins[1], "ips"));
    assert_int_equal(
        take_config(&arena, "{\"cniVersion\":\"0.4.0\",\"name\":\"n\",\"type\":\"a\"}", &config),
        0);
    assert_int_equal(config.plugin_count, 1);
}

static void plugins_that_are_none_are_refused(void **state)
{
    static const char *const wrong[] = {
        "[]",
        "{}",
        "{\"cniVersion\":\"1.0.0\",\"type\":\"a\"}",
        "{\"cniVersion\":\"0.2.0\",\"name\":\"n\",\"type\":\"a\"}",
        "{\"cniVersion\":1,\"name\":\"n\",\"type\":\"a\"}",
        "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":{}}",
        "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[1]}",
        "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{}]}",
        "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"type\":\"..\"}",
        "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"type\":\"a/b\"}",
        "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"type\":\"\"}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        cleanup_arena struct arena arena = {0};
        struct cni_config config;

        assert_true(take_config(&arena, wrong[i], &config) < 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_become_subnets_and_back),
        cmocka_unit_test(subnets_contain_and_overlap),
        cmocka_unit_test(addresses_are_counted),
        cmocka_unit_test(distances_are_measured),
        cmocka_unit_test_setup_teardown(the_tables_are_ours_alone, enter_network, leave_network),
        cmocka_unit_test_setup_teardown(limits_become_a_table, enter_network, leave_network),
        cmocka_unit_test_setup_teardown(egress_rules_become_tables, enter_network, leave_network),
        cmocka_unit_test(egress_rules_are_read),
        cmocka_unit_test(logged_packets_are_read_by_their_headers),
        cmocka_unit_test(plugins_are_read_as_a_list_or_alone),
        cmocka_unit_test(plugins_that_are_none_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
