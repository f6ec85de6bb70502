/* base: errors, sockets, http, time, signals, numbers. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/http.h"
#include "base/number.h"
#include "base/number_list.h"
#include "base/send_queue.h"
#include "base/signals.h"
#include "base/size.h"
#include "base/socket.h"

static void prefix_keeps_code_and_errno(void **state)
{
    struct error err;

    (void)state;
    assert_int_equal(error_set(&err, ERROR_NOT_FOUND, ENOENT, "no %s", "x"), -ENOENT);
    assert_int_equal(error_prefix(&err, "mount %s", "/data"), -ENOENT);
    assert_string_equal(err.message, "mount /data: no x");
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_int_equal(error_set(NULL, ERROR_INVALID, EINVAL, "x"), -EINVAL);
}

static void long_messages_are_cut_not_overrun(void **state)
{
    struct error err;
    char text[3000];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    error_set(&err, ERROR_INVALID, EINVAL, "%s", text);
    for (int i = 0; i < 5; i++)
        error_prefix(&err, "%s", text);
    assert_true(strlen(err.message) < sizeof(err.message));
}

static int fill(struct send_queue *queue, int fd, size_t max_bytes)
{
    char message[1024] = "";
    int count = 0;

    while (send_queue_is_empty(queue)) {
        memcpy(message, &count, sizeof(count));
        assert_int_equal(send_queue_send(queue, fd, message, sizeof(message), NULL, 0, max_bytes),
                         0);
        count++;
    }
    return count;
}

static void what_nobody_reads_is_kept_up_to_a_bound(void **state)
{
    struct send_queue queue = {0};
    char message[1024] = "";
    int pair[2];
    int sent;
    int kept = 0;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    sent = fill(&queue, pair[0], 10000);
    /* With a descriptor, which the caller may close. */
    for (;;) {
        int number = sent + kept;
        int fd = open("/dev/null", O_RDONLY);
        int result;

        memcpy(message, &number, sizeof(number));
        result = send_queue_send(&queue, pair[0], message, sizeof(message), &fd, 1, 10000);
        close(fd);
        if (result == -EAGAIN)
            break;
        assert_int_equal(result, 0);
        kept++;
    }
    assert_in_range(kept, 3, 10);
    assert_int_equal(send_queue_flush(&queue, pair[0]), -EAGAIN);
    assert_true(socket_unread(pair[0]) > 0);
    /* All of it comes, in order. */
    for (int i = 0; i < sent + kept; i++) {
        int fd = -1;
        size_t fd_count = 1;

        assert_int_equal(socket_receive(pair[1], message, sizeof(message), &fd, &fd_count),
                         sizeof(message));
        assert_memory_equal(message, &i, sizeof(i));
        assert_int_equal(fd_count, i < sent ? 0 : 1);
        if (fd >= 0)
            close(fd);
        send_queue_flush(&queue, pair[0]);
    }
    assert_true(send_queue_is_empty(&queue));
    assert_int_equal(queue.bytes, 0);
    assert_int_equal(socket_unread(pair[0]), 0);
    /* A peer that is gone is another thing than one that does not read. */
    fill(&queue, pair[0], 10000);
    close(pair[1]);
    assert_int_not_equal(send_queue_flush(&queue, pair[0]), -EAGAIN);
    assert_false(send_queue_is_empty(&queue));
    send_queue_release(&queue);
    close(pair[0]);
}

static void descriptors_travel_and_surplus_is_closed(void **state)
{
    int pair[2];
    int fds[2] = {-1, -1};
    size_t count = 1;
    char byte;
    int sent[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    sent[0] = dup(0);
    sent[1] = dup(0);
    assert_int_equal(socket_send(pair[0], "x", 1, sent, 2), 1);
    assert_int_equal(socket_receive(pair[1], &byte, 1, fds, &count), -EMSGSIZE);
    assert_int_equal(count, 0);
    count = 2;
    assert_int_equal(socket_send(pair[0], "x", 1, sent, 2), 1);
    assert_int_equal(socket_receive(pair[1], &byte, 1, fds, &count), 1);
    assert_int_equal(count, 2);
    assert_int_equal(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
    for (int i = 0; i < 2; i++) {
        close(sent[i]);
        close(fds[i]);
        close(pair[i]);
    }
}

static void times_are_read_as_written(void **state)
{
    char text[CLOCK_RFC3339_SIZE];
    int64_t time_ns;

    (void)state;
    clock_format_rfc3339(INT64_C(1795241673319191688), text);
    assert_string_equal(text, "2026-11-21T06:14:33.319191688Z");
    assert_int_equal(clock_parse_rfc3339(text, &time_ns), 0);
    assert_true(time_ns == INT64_C(1795241673319191688));
    assert_int_equal(clock_parse_rfc3339("2026-11-21T08:14:33+02:00", &time_ns), 0);
    assert_true(time_ns == INT64_C(1795241673000000000));
    clock_format_rfc3339(0, text);
    assert_string_equal(text, "0001-01-01T00:00:00Z");
    assert_int_equal(clock_parse_rfc3339("0070-01-01T00:00:00Z", &time_ns), -ERANGE);
    assert_int_equal(clock_parse_rfc3339("9999-01-01T00:00:00Z", &time_ns), -ERANGE);
    clock_format_rfc3339(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999999Z");
    assert_int_equal(clock_parse_rfc3339("yesterday", &time_ns), -EINVAL);
    assert_int_equal(clock_parse_rfc3339("2026-11-21T06:14:33", &time_ns), -EINVAL);
}

static void every_day_is_written_as_the_c_library_would(void **state)
{
    const int64_t last = INT64_MAX / 1000000000 / 86400;

    (void)state;
    for (int64_t day = -last; day < last; day++) {
        time_t seconds = (time_t)(day * 86400 + 86399);
        char expected[CLOCK_RFC3339_SIZE];
        char text[CLOCK_RFC3339_SIZE];
        struct tm utc;

        strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000000007Z",
                 gmtime_r(&seconds, &utc));
        clock_format_rfc3339((int64_t)seconds * 1000000000 + 7, text);
        assert_string_equal(text, expected);
    }
}

static void times_of_the_api_are_exact_and_bounded(void **state)
{
    static const char *const refused[] = {"", "x", "1.5x", "5 ", "-", "1e9"};
    int64_t time_ns;

    (void)state;
    assert_int_equal(clock_parse_time("1795241673.319191688", &time_ns), 0);
    assert_true(time_ns == INT64_C(1795241673319191688));
    assert_int_equal(clock_parse_time("1795241673", &time_ns), 0);
    assert_true(time_ns == INT64_C(1795241673000000000));
    assert_int_equal(clock_parse_time("2026-11-21T06:14:33.319191688Z", &time_ns), 0);
    assert_true(time_ns == INT64_C(1795241673319191688));
    assert_int_equal(clock_parse_time("9999999999999", &time_ns), -ERANGE);
    assert_int_equal(clock_parse_time("99999999999999999999999", &time_ns), -ERANGE);
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        assert_int_equal(clock_parse_time(refused[i], &time_ns), -EINVAL);
}

static void signals_have_many_spellings(void **state)
{
    (void)state;
    assert_int_equal(signal_parse("SIGTERM"), SIGTERM);
    assert_int_equal(signal_parse("hup"), SIGHUP);
    assert_int_equal(signal_parse("9"), SIGKILL);
    assert_int_equal(signal_parse("SIGRTMIN+3"), SIGRTMIN + 3);
    assert_int_equal(signal_parse("0"), -EINVAL);
    assert_int_equal(signal_parse("NOPE"), -EINVAL);
    assert_int_equal(signal_parse("99999999999"), -EINVAL);
}

static int collect(void *context, const char *bytes, size_t length)
{
    buffer_append(context, bytes, length);
    return 0;
}

static void requests_are_parsed_byte_by_byte(void **state)
{
    static const char text[] = "POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nxyz"
                               "GET /next HTTP/1.1\r\n\r\n";
    cleanup_buffer struct buffer body = {0};
    struct http_parser_state *parser = http_parser_new(true, collect, &body);
    const struct http_message *message = http_parser_message(parser);
    size_t position = 0;
    size_t used;

    (void)state;
    while (!message->is_complete) {
        assert_int_equal(http_parser_feed(parser, text + position, 1, &used, NULL), 0);
        position += used;
    }
    assert_string_equal(message->method, "POST");
    assert_string_equal(message->target, "/a?b=c");
    assert_string_equal(http_header_get(message, "host"), "x");
    assert_string_equal(body.data, "xyz");
    http_parser_next(parser);
    assert_int_equal(
        http_parser_feed(parser, text + position, strlen(text) - position, &used, NULL), 0);
    assert_true(message->is_complete);
    assert_string_equal(message->target, "/next");
    http_parser_free(parser);
}

static void upgrades_leave_the_rest_alone(void **state)
{
    static const char text[] = "POST /x HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
                               "Content-Length: 2\r\n\r\n{}raw bytes";
    cleanup_buffer struct buffer body = {0};
    struct http_parser_state *parser = http_parser_new(true, collect, &body);
    size_t used;

    (void)state;
    assert_int_equal(http_parser_feed(parser, text, strlen(text), &used, NULL), 0);
    assert_true(http_parser_message(parser)->is_complete);
    assert_true(http_parser_message(parser)->is_upgrade);
    assert_string_equal(body.data, "{}");
    assert_string_equal(text + used, "raw bytes");
    http_parser_free(parser);
}

static void garbage_is_refused(void **state)
{
    static const char *const texts[] = {
        "\x16\x03\x01 tls hello",
        "GET\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct http_parser_state *parser = http_parser_new(true, NULL, NULL);
        struct error err = {0};
        size_t used;

        assert_true(http_parser_feed(parser, texts[i], strlen(texts[i]), &used, &err) < 0);
        assert_int_equal(err.code, ERROR_INVALID);
        http_parser_free(parser);
    }
}

static void escapes_are_decoded_once(void **state)
{
    char text[] = "a%2Fb%20c+d%2525";
    char bad[] = "%zz";
    char nul[] = "a%00b";

    (void)state;
    assert_true(http_decode(text, true));
    assert_string_equal(text, "a/b c d%25");
    assert_false(http_decode(bad, false));
    assert_false(http_decode(nul, false));
}

static void number_lists_become_bits(void **state)
{
    static const char *const bad[] = {"x",  "1-",   "-1",      "3-1", "1,,2",
                                      "1,", "8192", "0-99999", "1 2"};
    uint8_t mask[NUMBER_LIST_BYTES] = {0};

    (void)state;
    assert_int_equal(number_list_parse("0-3,8,10-11", mask), 12);
    assert_int_equal(mask[0], 0x0f);
    assert_int_equal(mask[1], 0x0d);
    assert_int_equal(number_list_parse("", mask), 0);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(number_list_parse(bad[i], mask), -EINVAL);
}

static void sizes_have_units(void **state)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "5x",
                                      "5kk",
                                      "-2",
                                      "-1k",
                                      " 1",
                                      "+1",
                                      "99999999999999999999",
                                      "99999999999999999999g",
                                      "1.5g"};
    int64_t bytes;

    (void)state;
    assert_int_equal(size_parse("64m", &bytes), 0);
    assert_true(bytes == 64 << 20);
    assert_int_equal(size_parse("2GiB", &bytes), 0);
    assert_true(bytes == INT64_C(2) << 30);
    assert_int_equal(size_parse("-1", &bytes), 0);
    assert_true(bytes == -1);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(size_parse(bad[i], &bytes), -EINVAL);
}

static void numbers_are_whole_and_within_bounds(void **state)
{
    static const char *const bad[] = {"",
                                      "abc",
                                      "1x",
                                      " 1",
                                      "1 ",
                                      "+1",
                                      "0x1",
                                      "1e3",
                                      "--1",
                                      "-",
                                      "1.0",
                                      "101",
                                      "-6",
                                      "18446744073709551617",
                                      "-18446744073709551536",
                                      "9223372036854775808"};
    int64_t value = 7;
    uint64_t number = 7;
    const char *text = "80-90";

    (void)state;
    assert_true(number_parse("100", -5, 100, &value) && value == 100);
    assert_true(number_parse("-5", -5, 100, &value) && value == -5);
    assert_true(number_parse("007", -5, 100, &value) && value == 7);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(number_parse(bad[i], -5, 100, &value));
    assert_false(number_parse("-1", 0, 100, &value));
    assert_int_equal(value, 7);
    assert_true(number_parse_unsigned("18446744073709551615", UINT64_MAX, &number));
    assert_true(number == UINT64_MAX);
    assert_false(number_parse_unsigned("18446744073709551616", UINT64_MAX, &number));
    assert_true(number_take(&text, 10, 65535, &number) && number == 80);
    assert_string_equal(text, "-90");
    assert_false(number_take(&text, 10, 65535, &number));
    text = "ffFg";
    assert_true(number_take(&text, 16, UINT64_MAX, &number) && number == 0xfff);
    text = "0789";
    assert_true(number_take(&text, 8, UINT64_MAX, &number) && number == 7);
}

static void durations_are_those_of_go(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"30s", 30000000000}, {"1m30s", 90000000000}, {"1.5s", 1500000000},
                {"250ms", 250000000}, {"2h", 7200000000000},  {"3us", 3000}};
    static const char *const bad[] = {"", "5", "s", "-1s", "1d", "1s2", "1e9s", "inf", "1 s"};
    int64_t ns;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_int_equal(clock_parse_duration(good[i].text, &ns), 0);
        assert_int_equal(ns, good[i].ns);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(clock_parse_duration(bad[i], &ns), -EINVAL);
    assert_int_equal(clock_parse_duration("99999999999999h", &ns), -ERANGE);
}

static void base64_comes_back(void **state)
{
    static const char *const texts[] = {"", "a", "ab", "abc", "{\"x\":\"\377>?\"}"};
    static const char *const bad[] = {"a", "!!!!", "AAAA"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        cleanup_free char *encoded = base64_encode(texts[i]);
        cleanup_free char *decoded = base64_decode(encoded);

        assert_string_equal(decoded, texts[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_null(base64_decode(bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_whole_and_within_bounds),
        cmocka_unit_test(durations_are_those_of_go),
        cmocka_unit_test(base64_comes_back),
        cmocka_unit_test(prefix_keeps_code_and_errno),
        cmocka_unit_test(number_lists_become_bits),
        cmocka_unit_test(sizes_have_units),
        cmocka_unit_test(long_messages_are_cut_not_overrun),
        cmocka_unit_test(what_nobody_reads_is_kept_up_to_a_bound),
        cmocka_unit_test(descriptors_travel_and_surplus_is_closed),
        cmocka_unit_test(times_are_read_as_written),
        cmocka_unit_test(every_day_is_written_as_the_c_library_would),
        cmocka_unit_test(times_of_the_api_are_exact_and_bounded),
        cmocka_unit_test(signals_have_many_spellings),
        cmocka_unit_test(requests_are_parsed_byte_by_byte),
        cmocka_unit_test(upgrades_leave_the_rest_alone),
        cmocka_unit_test(garbage_is_refused),
        cmocka_unit_test(escapes_are_decoded_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
