/* base/json and base/json_table: exact numbers, limits, error paths, round trips. */
#include "test.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/json_sum.h"
#include "base/json_table.h"
#include "bundle/config.h"

static int parse(struct arena *arena, const char *text, const struct json **json, struct error *err)
{
    return json_parse(arena, text, strlen(text), &json_default_limits, json, err);
}

static void numbers_stay_exact_to_64_bits(void **state)
{
    cleanup_arena struct arena arena = {0};
    const struct json *json;
    uint64_t natural;
    int64_t integer;

    (void)state;
    assert_int_equal(parse(&arena, "[18446744073709551615, -9223372036854775808, 9007199254740993]",
                           &json, NULL),
                     0);
    assert_int_equal(json_to_uint64(&json->items[0], &natural), 0);
    assert_true(natural == UINT64_MAX);
    assert_int_equal(json_to_int64(&json->items[0], &integer), -ERANGE);
    assert_int_equal(json_to_int64(&json->items[1], &integer), 0);
    assert_true(integer == INT64_MIN);
    assert_int_equal(json_to_uint64(&json->items[2], &natural), 0);
    assert_true(natural == UINT64_C(9007199254740993));
}

static void fractions_and_negatives_are_no_naturals(void **state)
{
    cleanup_arena struct arena arena = {0};
    const struct json *json;
    uint64_t natural;

    (void)state;
    assert_int_equal(parse(&arena, "[1.5, -1, 1e3]", &json, NULL), 0);
    assert_int_equal(json_to_uint64(&json->items[0], &natural), -EINVAL);
    assert_int_equal(json_to_uint64(&json->items[1], &natural), -ERANGE);
    assert_int_equal(json_to_uint64(&json->items[2], &natural), -EINVAL);
}

static void syntax_errors_have_line_and_column(void **state)
{
    cleanup_arena struct arena arena = {0};
    const struct json *json;
    struct error err;

    (void)state;
    assert_true(parse(&arena, "{\n  \"a\": nope}", &json, &err) < 0);
    assert_error_contains(err, "line 2");
    assert_true(parse(&arena, "{\"a\": 1", &json, &err) < 0);
    assert_true(parse(&arena, "{} x", &json, &err) < 0);
    assert_true(parse(&arena, "", &json, &err) < 0);
}

static void depth_size_and_count_are_bounded(void **state)
{
    cleanup_arena struct arena arena = {0};
    const struct json_limits small = {.max_bytes = 64, .max_depth = 3, .max_values = 5};
    const struct json *json;
    struct error err;

    (void)state;
    assert_int_equal(json_parse(&arena, "[[[1]]]", 7, &small, &json, &err), 0);
    assert_true(json_parse(&arena, "[[[[1]]]]", 9, &small, &json, &err) < 0);
    assert_error_contains(err, "nested too deeply");
    assert_true(json_parse(&arena, "[1,2,3,4,5,6]", 13, &small, &json, &err) < 0);
    assert_error_contains(err, "too many values");
    assert_int_equal(json_parse(&arena, "x", 65, &small, &json, &err), -EFBIG);
}

static void a_nul_inside_a_string_is_refused(void **state)
{
    cleanup_arena struct arena arena = {0};
    const struct json *json;
    struct error err;

    (void)state;
    assert_true(parse(&arena, "\"a\\u0000b\"", &json, &err) < 0);
    assert_error_contains(err, "NUL");
}

static void writing_replaces_invalid_utf8(void **state)
{
    struct json_writer *writer = json_writer_new(false);

    (void)state;
    json_string(writer, "a\xff\xc3\xa9\xed\xa0\x80z");
    assert_string_equal(json_writer_text(writer),
                        "\"a\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"");
    json_writer_free(writer);
}

struct item {
    const char *name;
    struct string_list tags;
};

struct sample {
    const char *title;
    int32_t level;
    uint64_t big;
    struct optional_int64 maybe;
    int color;
    LIST_OF(struct item) items;
    struct string_map labels;
};

static const struct json_field item_fields[] = {
    JSON_FIELD(struct item, name, "name", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct item, tags, "tags", JSON_KIND_STRINGS),
};
static const struct json_struct item_type = JSON_STRUCT(struct item, item_fields);
static const char *const colors[] = {NULL, "red", "blue", NULL};
static const struct json_field sample_fields[] = {
    JSON_FIELD(struct sample, title, "title", JSON_KIND_STRING),
    JSON_FIELD(struct sample, level, "level", JSON_KIND_INT32, .minimum = -5, .maximum = 5),
    JSON_FIELD(struct sample, big, "big", JSON_KIND_UINT64),
    JSON_FIELD(struct sample, maybe, "maybe", JSON_KIND_OPTIONAL_INT64),
    JSON_FIELD(struct sample, color, "color", JSON_KIND_ENUM, .names = colors),
    JSON_FIELD(struct sample, items, "items", JSON_KIND_STRUCTS, .type = &item_type),
    JSON_FIELD(struct sample, labels, "labels", JSON_KIND_STRING_MAP),
    {.name = "future", .kind = JSON_KIND_UNSUPPORTED},
};
static const struct json_struct sample_type = {.size = sizeof(struct sample),
                                               .fields = sample_fields,
                                               .field_count = ARRAY_SIZE(sample_fields),
                                               .refuses_unknown = true};

static int decode(struct arena *arena, const char *text, struct sample *sample, struct error *err)
{
    memset(sample, 0, sizeof(*sample));
    return json_decode_text(arena, text, strlen(text), &sample_type, sample, err);
}

static void tables_read_and_write_the_same(void **state)
{
    static const char text[] = "{\"title\":\"t\",\"level\":-5,\"big\":18446744073709551615,"
                               "\"maybe\":0,\"color\":\"blue\",\"items\":[{\"name\":\"a\",\"tags\":"
                               "[\"x\",\"y\"]},{\"name\":\"b\"}],\"labels\":{\"k\":\"v\"}}";
    cleanup_arena struct arena arena = {0};
    struct json_writer *writer = json_writer_new(false);
    struct sample sample;

    (void)state;
    assert_int_equal(decode(&arena, text, &sample, NULL), 0);
    assert_true(sample.big == UINT64_MAX);
    assert_true(sample.maybe.is_set);
    assert_int_equal(sample.items.count, 2);
    assert_string_equal(string_map_get(&sample.labels, "k"), "v");
    json_encode(writer, &sample_type, &sample);
    assert_string_equal(json_writer_text(writer), text);
    json_writer_free(writer);
}

static void errors_name_the_place(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"{\"items\":[{\"name\":\"a\"},{\"name\":\"b\",\"tags\":[\"x\",7]}]}",
         "items[1].tags[1]: expected a string, found a number"},
        {"{\"items\":[{}]}", "items[0].name: required, but missing"},
        {"{\"level\":6}", "level: 6 is not an integer in the allowed range"},
        {"{\"level\":\"1\"}", "level: expected a number"},
        {"{\"big\":18446744073709551616}", "big: 18446744073709551616 is not an integer"},
        {"{\"color\":\"green\"}", "color: unknown value \"green\""},
        {"{\"labels\":{\"k\":1}}", "labels.k: expected a string"},
        {"{\"future\":{\"a\":1}}", "future: not supported"},
        {"{\"typo\":1}", "typo: unknown option"},
        {"[]", "expected an object"},
    };
    struct sample sample;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        cleanup_arena struct arena arena = {0};
        struct error err = {0};

        assert_true(decode(&arena, cases[i].text, &sample, &err) < 0);
        assert_error_contains(err, cases[i].message);
    }
}

static void null_and_zero_count_as_unset(void **state)
{
    cleanup_arena struct arena arena = {0};
    struct sample sample;

    (void)state;
    assert_int_equal(decode(&arena,
                            "{\"title\":null,\"items\":null,\"future\":{\"a\":0,\"b\":[]},"
                            "\"unknown\":-1,\"other\":\"\"}",
                            &sample, NULL),
                     0);
    assert_null(sample.title);
}

static void changes_are_merged_member_by_member(void **state)
{
    cleanup_arena struct arena arena = {0};
    struct oci_resources resources = {0};
    struct oci_resources changes = {0};
    static const char before[] = "{\"memory\":{\"limit\":1,\"swap\":2},\"pids\":{\"limit\":3},"
                                 "\"unified\":{\"a\":\"1\",\"b\":\"2\"}}";
    static const char wanted[] = "{\"memory\":{\"limit\":5},\"cpu\":{\"shares\":7},"
                                 "\"unified\":{\"b\":\"9\"}}";

    (void)state;
    assert_int_equal(
        json_decode_text(&arena, before, strlen(before), &oci_resources_type, &resources, NULL), 0);
    assert_int_equal(
        json_decode_text(&arena, wanted, strlen(wanted), &oci_resources_type, &changes, NULL), 0);
    json_merge(&arena, &oci_resources_type, &resources, &changes);
    assert_int_equal(resources.memory->limit.value, 5);
    assert_int_equal(resources.memory->swap.value, 2);
    assert_int_equal(resources.pids->limit.value, 3);
    assert_int_equal(resources.cpu->shares.value, 7);
    assert_string_equal(string_map_get(&resources.unified, "a"), "1");
    assert_string_equal(string_map_get(&resources.unified, "b"), "9");
    assert_int_equal(resources.unified.count, 2);
}

/* An array that grows by one, a hundred thousand times, beside another and other objects. */
static void arrays_grow_in_proportion(void **state)
{
    cleanup_arena struct arena arena = {0};
    struct string_list one = {0};
    struct string_list other = {0};
    struct string_list before;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        string_list_append(&arena, &one, arena_printf(&arena, "%d", i));
        if (i % 3 == 0)
            string_list_append(&arena, &other, "x");
    }
    assert_string_equal(one.items[99999], "99999");
    assert_string_equal(one.items[4], "4");
    assert_true(arena_bytes(&arena) < 16 << 20);
    /* Whoever has the list as it was is not changed by who adds to it. */
    before = one;
    string_list_append(&arena, &one, "mine");
    string_list_append(&arena, &before, "yours");
    assert_string_equal(one.items[100000], "mine");
    assert_string_equal(before.items[100000], "yours");
}

/* Any one bit of it that is another is noticed, but in the words around the sum. */
static void damage_that_leaves_a_text_readable_is_noticed(void **state)
{
    struct json_writer *writer = json_writer_new(false);
    size_t length;
    char *text;

    (void)state;
    json_object_open(writer);
    json_member_integer(writer, "exitCode", 7);
    json_object_close_with_sum(writer);
    text = memory_printf("%s   ", json_writer_text(writer));
    json_writer_free(writer);
    length = strlen(text);
    assert_string_equal(strchr(text, ','), ",\"sum\":\"cc8e36438f911e86\"}   ");
    assert_true(json_sum_is_right(text, length));
    for (size_t bit = 0; bit < strlen("{\"exitCode\":7") * 8; bit++) {
        text[bit / 8] ^= (char)(1 << bit % 8);
        assert_false(json_sum_is_right(text, length));
        text[bit / 8] ^= (char)(1 << bit % 8);
    }
    free(text);
    assert_true(json_sum_is_right("{\"exitCode\":7}", 14));
    assert_true(json_sum_is_right("", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_stay_exact_to_64_bits),
        cmocka_unit_test(fractions_and_negatives_are_no_naturals),
        cmocka_unit_test(syntax_errors_have_line_and_column),
        cmocka_unit_test(depth_size_and_count_are_bounded),
        cmocka_unit_test(a_nul_inside_a_string_is_refused),
        cmocka_unit_test(writing_replaces_invalid_utf8),
        cmocka_unit_test(tables_read_and_write_the_same),
        cmocka_unit_test(errors_name_the_place),
        cmocka_unit_test(null_and_zero_count_as_unset),
        cmocka_unit_test(arrays_grow_in_proportion),
        cmocka_unit_test(damage_that_leaves_a_text_readable_is_noticed),
        cmocka_unit_test(changes_are_merged_member_by_member),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
