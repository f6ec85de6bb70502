/* cli/options and cli/request: what is written on a command line, and the requests that it becomes.
 */
#include "test.h"

#include <unistd.h>

#include "base/cleanup.h"
#include "cli/options.h"

struct values {
    bool is_quiet;
    const char *format;
    struct string_list names;
    int64_t size;
};

static const struct option_row rows[] = {
    {"quiet", 'q', OPTION_FLAG, .offset = offsetof(struct values, is_quiet)},
    {"format", 'f', OPTION_TEXT, "json|TEMPLATE", .offset = offsetof(struct values, format)},
    {"name", 'n', OPTION_LIST, "NAME", .offset = offsetof(struct values, names)},
    {"size", 0, OPTION_BYTES, "SIZE", .offset = offsetof(struct values, size)},
    {"filter", 0, OPTION_READ, "KEY=VALUE", .read = option_read_filter},
    {0},
};

static const struct option_row request_rows[] = {
    {"memory", 'm', OPTION_BYTES, "SIZE", .member = "HostConfig.Memory"},
    {"weight", 0, OPTION_INTEGER, "N", .member = "HostConfig.Weight"},
    {"interval", 0, OPTION_DURATION, "TIME", .member = "Health.Interval"},
    {"init", 0, OPTION_FLAG, .member = "HostConfig.Init"},
    {"user", 'u', OPTION_TEXT, "USER", .member = "User"},
    {"dns", 0, OPTION_LIST, "ADDRESS", .member = "HostConfig.Dns"},
    {"sysctl", 0, OPTION_PAIRS, "NAME=VALUE", .member = "HostConfig.Sysctls"},
    {0},
};

/* Reads the words, the last of which is NULL, and notes the first that is no option. */
static int read_words(struct cli *cli, const struct option_set *set, const char *const words[],
                      const char **rest)
{
    int count = 0;
    int result;

    while (words[count] != NULL)
        count++;
    optind = 0;
    result = options_read(cli, count, (char **)(uintptr_t)words, set);
    *rest = words[optind];
    return result;
}

static void values_are_where_their_rows_say(void **state)
{
    const char *const words[] = {"ls", "-q",     "--format=json", "-n",    "a",  "--name",
                                 "b",  "--size", "64k",           "first", "-x", NULL};
    struct request request = {0};
    struct values values = {0};
    struct cli cli = {0};
    const struct option_set set = {.tables = {{rows, NULL}},
                                   .usage = "NAME...",
                                   .request = &request,
                                   .values = &values,
                                   .ends_at_argument = true};
    const char *rest;

    (void)state;
    assert_int_equal(read_words(&cli, &set, words, &rest), 0);
    assert_true(values.is_quiet);
    assert_string_equal(values.format, "json");
    assert_int_equal(values.names.count, 2);
    assert_string_equal(values.names.items[1], "b");
    assert_int_equal(values.size, 65536);
    assert_string_equal(rest, "first");
    request_release(&request);
}

static void a_request_grows_member_by_member(void **state)
{
    const char *const words[] = {"run",        "-m",    "1m",       "--weight=-5",
                                 "--interval", "1m30s", "--init",   "-u",
                                 "first",      "-u",    "0:0",      "--dns",
                                 "10.0.0.1",   "--dns", "10.0.0.2", "--sysctl=net.ipv4.x=1",
                                 "image",      NULL};
    struct request request = {0};
    struct cli cli = {0};
    const struct option_set set = {
        .tables = {{request_rows, NULL}}, .usage = "IMAGE", .request = &request};
    const char *rest;
    cleanup_free char *body = NULL;

    (void)state;
    assert_int_equal(read_words(&cli, &set, words, &rest), 0);
    body = request_body(&request);
    assert_string_equal(body,
                        "{\"HostConfig\":{\"Memory\":1048576,\"Weight\":-5,\"Init\":true,"
                        "\"Dns\":[\"10.0.0.1\",\"10.0.0.2\"],\"Sysctls\":{\"net.ipv4.x\":\"1\"}},"
                        "\"Health\":{\"Interval\":90000000000},\"User\":\"0:0\"}");
    assert_true(request_has(&request, "HostConfig.Dns"));
    assert_false(request_has(&request, "HostConfig.CapAdd"));
    assert_false(request_has(&request, "User.Name"));
    request_release(&request);
}

/* The members of a table's rows stand where the command that uses it wants them. */
static void a_table_goes_below_an_object(void **state)
{
    static const struct option_row limit_rows[] = {
        {"memory", 'm', OPTION_BYTES, "SIZE", .member = "Memory"},
        {0},
    };
    const char *const words[] = {"run", "--memory=1k", NULL};
    struct request request = {0};
    struct cli cli = {0};
    const struct option_set set = {
        .tables = {{limit_rows, "HostConfig"}}, .usage = "", .request = &request};
    const char *rest;
    cleanup_free char *body = NULL;

    (void)state;
    assert_int_equal(read_words(&cli, &set, words, &rest), 0);
    body = request_body(&request);
    assert_string_equal(body, "{\"HostConfig\":{\"Memory\":1024}}");
    request_release(&request);
}

static void a_flag_can_be_taken_back(void **state)
{
    const char *const words[] = {"ls", "--quiet", "--quiet=false", NULL};
    const char *const wrong[] = {"ls", "--quiet=perhaps", NULL};
    struct values values = {0};
    struct cli cli = {0};
    const struct option_set set = {.tables = {{rows, NULL}}, .usage = "", .values = &values};
    const char *rest;

    (void)state;
    assert_int_equal(read_words(&cli, &set, words, &rest), 0);
    assert_false(values.is_quiet);
    assert_true(read_words(&cli, &set, wrong, &rest) < 0);
    assert_error_contains(cli.err, "--quiet: \"perhaps\" is not true or false");
}

static void a_query_has_lists_and_filters(void **state)
{
    const char *const words[] = {"ls",       "--filter", "label=a b", "--filter=name=x",
                                 "--filter", "label=c",  NULL};
    struct request request = {0};
    struct cli cli = {0};
    const struct option_set set = {.tables = {{rows, NULL}}, .usage = "", .request = &request};
    cleanup_buffer struct buffer query = {0};
    struct request_value *list;
    const char *rest;

    (void)state;
    assert_int_equal(read_words(&cli, &set, words, &rest), 0);
    request_set_boolean(request_at(&request, NULL, "all"), true);
    list = request_at(&request, NULL, "changes");
    request_set_text(&request, request_append(&request, list), "A=1");
    request_set_text(&request, request_append(&request, list), "B&2");
    request_set_text(&request, request_at(&request, NULL, "unset"), NULL);
    request_append_query(&request, &query);
    assert_string_equal(buffer_text(&query),
                        "filters=%7B%22label%22%3A%5B%22a%20b%22%2C%22c%22%5D%2C%22name%22%3A%5B"
                        "%22x%22%5D%7D&all=1&changes=A%3D1&changes=B%262&");
    request_release(&request);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *words[4];
        const char *message;
    } cases[] = {
        {{"run", "--memory=much", NULL}, "--memory: \"much\" is not a size"},
        {{"run", "--weight=9223372036854775808", NULL}, "--weight: "},
        {{"run", "--weight=5x", NULL}, "\"5x\" is not a number"},
        {{"run", "--interval=soon", NULL}, "\"soon\" is not a time"},
        {{"run", "--nonsense", NULL}, "unknown option --nonsense; \"davit run --help\" lists them"},
        {{"run", "--usre=1", NULL}, "unknown option --usre: is --user meant?"},
        {{"run", "--use", "1", NULL}, "unknown option --use: is --user meant?"},
        {{"run", "--use=1", NULL}, "unknown option --use: is --user meant?"},
        {{"run", "-Z", NULL}, "unknown option -Z; "},
        {{"run", "--user", NULL}, "--user: a value is missing: --user USER"},
        {{"run", NULL}, "run takes IMAGE, and was given none"},
        {{"run", "a", "b", NULL}, "run takes IMAGE, and was given 2 arguments, the last \"b\""},
    };
    struct request request = {0};
    struct cli cli = {0};
    const struct option_set set = {
        .tables = {{request_rows, NULL}}, .usage = "IMAGE", .request = &request};
    const char *rest;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_true(read_words(&cli, &set, cases[i].words, &rest) < 0);
        assert_error_contains(cli.err, cases[i].message);
    }
    request_release(&request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_where_their_rows_say),
        cmocka_unit_test(a_request_grows_member_by_member),
        cmocka_unit_test(a_table_goes_below_an_object),
        cmocka_unit_test(a_flag_can_be_taken_back),
        cmocka_unit_test(a_query_has_lists_and_filters),
        cmocka_unit_test(what_is_wrong_is_named),
    };

    opterr = 0; /* getopt(3) is silent, as in davit */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
