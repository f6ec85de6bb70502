/* images: references, documents, registries, packages. */
#include "test.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>

#include "base/cleanup.h"
#include "cli/versions.h"
#include "images/fetch/fetch.h"
#include "images/images.h"
#include "images/worker/ahead.h"
#include "images/worker/packages.h"
#include "supervisor/images/registries.h"

static void references_follow_the_grammar(void **state)
{
    static const struct {
        const char *text;
        const char *name;
        const char *tag;
    } good[] = {
        {"busybox", "docker.io/library/busybox", "latest"},
        {"busybox:1.36", "docker.io/library/busybox", "1.36"},
        {"me/app", "docker.io/me/app", "latest"},
        {"docker.io/library/busybox:x", "docker.io/library/busybox", "x"},
        {"localhost/a:b", "localhost/a", "b"},
        {"host:5000/a/b_c/d__e/f-g:T.1", "host:5000/a/b_c/d__e/f-g", "T.1"},
        {"a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
         "docker.io/library/a", ""},
    };
    static const char *const bad[] = {
        "",     ":tag",    "UPPER",       "a//b", "-a",  "a-",         "a..b", "a:",
        "a:-x", "a/b:c/d", "a@sha256:12", "../a", "a b", "host:5000/", "/a",   "a___b",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        struct image_reference reference;
        struct error err;

        if (image_reference_parse(good[i].text, &reference, &err) < 0)
            fail_msg("%s", err.message);
        assert_string_equal(reference.name, good[i].name);
        assert_string_equal(reference.tag, good[i].tag);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct image_reference reference;

        if (image_reference_parse(bad[i], &reference, NULL) == 0)
            fail_msg("accepted \"%s\" as %s", bad[i], reference.name);
    }
}

static void familiar_names_are_what_was_typed(void **state)
{
    char name[256];

    (void)state;
    image_reference_familiar("docker.io/library/busybox:latest", name, sizeof(name));
    assert_string_equal(name, "busybox:latest");
    image_reference_familiar("docker.io/me/app:1", name, sizeof(name));
    assert_string_equal(name, "me/app:1");
    image_reference_familiar("localhost/app:1", name, sizeof(name));
    assert_string_equal(name, "localhost/app:1");
}

static void documents_are_checked(void **state)
{
    static const char *const bad[] = {
        "{\"schemaVersion\":1,\"config\":{\"mediaType\":\"x\",\"digest\":\"sha256:1\",\"size\":1},"
        "\"layers\":[]}",
        "{\"schemaVersion\":2,\"layers\":[]}",
        "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x\",\"digest\":\"sha256:../../etc/"
        "passwd\","
        "\"size\":1},\"layers\":[]}",
        "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x\",\"digest\":\"sha256:"
        "0123456789abcdef01234"
        "56789abcdef0123456789abcdef0123456789abcdef\",\"size\":-1},\"layers\":[]}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        cleanup_arena struct arena arena = {0};
        struct image_manifest manifest = {0};

        assert_true(image_manifest_parse(&arena, bad[i], strlen(bad[i]), &manifest, NULL) < 0);
    }
}

static void challenges_are_read(void **state)
{
    static const char challenge[] = "Bearer realm=\"https://auth.example/token\", service=plain ,"
                                    "scope=\"repository:a/b:pull,push\",empty=\"\"";
    char value[32];

    (void)state;
    assert_true(challenge_get(challenge, "realm", value, sizeof(value)));
    assert_string_equal(value, "https://auth.example/token");
    assert_true(challenge_get(challenge, "SERVICE", value, sizeof(value)));
    assert_string_equal(value, "plain");
    assert_true(challenge_get(challenge, "scope", value, sizeof(value)));
    assert_string_equal(value, "repository:a/b:pull,push");
    assert_true(challenge_get(challenge, "empty", value, sizeof(value)));
    assert_string_equal(value, "");
    /* Not within another's value, not without one, and none that does not fit. */
    assert_false(challenge_get(challenge, "pull", value, sizeof(value)));
    assert_false(challenge_get("Bearer realm", "realm", value, sizeof(value)));
    assert_false(challenge_get("Bearer x=\"realm=y\"", "realm", value, sizeof(value)));
    assert_false(challenge_get(challenge, "realm", value, 8));
}

static void registries_are_located_by_their_rules(void **state)
{
    static const char *mirror = "https://mirror.example";
    struct registry known[] = {
        {.domain = "docker.io", .mirrors = {&mirror, 1}},
        {.domain = "old.example", .is_insecure = true},
    };
    const struct registries registries = {known, ARRAY_SIZE(known)};
    static const struct {
        const char *image;
        const char *repository;
        const char *urls[3];
    } cases[] = {
        {"busybox", "library/busybox", {"https://mirror.example", "https://registry-1.docker.io"}},
        {"quay.example/a/b:1", "a/b", {"https://quay.example"}},
        {"old.example/a", "a", {"https://old.example", "http://old.example"}},
        {"localhost:5000/a", "a", {"https://localhost:5000", "http://localhost:5000"}},
        {"127.0.0.1:5000/a", "a", {"https://127.0.0.1:5000", "http://127.0.0.1:5000"}},
        {"localhost.example/a", "a", {"https://localhost.example"}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        cleanup_arena struct arena arena = {0};
        struct image_reference reference;
        struct fetch_setup setup = {0};
        size_t count = 0;

        assert_int_equal(image_reference_parse(cases[i].image, &reference, NULL), 0);
        registries_locate(&registries, &reference, true, &arena, &setup);
        assert_string_equal(setup.repository, cases[i].repository);
        while (count < ARRAY_SIZE(cases[i].urls) && cases[i].urls[count] != NULL)
            count++;
        assert_int_equal(setup.endpoints.count, count);
        for (size_t j = 0; j < count; j++) {
            assert_string_equal(setup.endpoints.items[j].url, cases[i].urls[j]);
            /* A mirror gets no login; what is said in the clear goes to no registry unasked. */
            assert_true(setup.endpoints.items[j].is_mirror ==
                        (strcmp(cases[i].urls[j], mirror) == 0));
        }
    }
}

struct numbers {
    size_t next;
    size_t end;
    int error; /* at the end */
};

static ssize_t read_numbers(void *source, void *bytes, size_t size, struct error *err)
{
    struct numbers *numbers = source;
    unsigned char *out = bytes;
    size_t count = 0;

    if (numbers->next == numbers->end && numbers->error != 0)
        return error_set(err, ERROR_CORRUPT, numbers->error, "torn");
    while (count < size && count < 1000 && numbers->next < numbers->end)
        out[count++] = (unsigned char)(numbers->next++ % 251);
    return (ssize_t)count;
}

static void what_is_read_ahead_is_what_comes(void **state)
{
    struct numbers numbers = {.end = 10000000};
    struct error err = {0};
    struct ahead *ahead = ahead_start(read_numbers, &numbers, &err);
    unsigned char bytes[7777];
    size_t total = 0;
    ssize_t count;

    (void)state;
    assert_non_null(ahead);
    while ((count = ahead_read(ahead, bytes, sizeof(bytes), &err)) > 0) {
        for (ssize_t i = 0; i < count; i++)
            assert_int_equal(bytes[i], total++ % 251);
    }
    assert_int_equal(count, 0);
    assert_int_equal(ahead_read(ahead, bytes, sizeof(bytes), &err), 0);
    assert_int_equal(total, 10000000);
    ahead_stop(ahead);
}

static void an_error_comes_after_what_came_before_it(void **state)
{
    struct numbers numbers = {.end = 5000, .error = EBADMSG};
    struct error err = {0};
    struct ahead *ahead = ahead_start(read_numbers, &numbers, &err);
    unsigned char bytes[3000];

    (void)state;
    assert_int_equal(ahead_read(ahead, bytes, sizeof(bytes), &err), 3000);
    assert_int_equal(ahead_read(ahead, bytes, sizeof(bytes), &err), 2000);
    assert_int_equal(ahead_read(ahead, bytes, sizeof(bytes), &err), -EBADMSG);
    assert_string_equal(err.message, "torn");
    ahead_stop(ahead);
}

static void reading_ahead_ends_in_the_middle(void **state)
{
    struct numbers numbers = {.end = SIZE_MAX};
    struct error err = {0};
    struct ahead *ahead = ahead_start(read_numbers, &numbers, &err);
    unsigned char byte;

    (void)state;
    assert_int_equal(ahead_read(ahead, &byte, 1, &err), 1);
    ahead_stop(ahead);
}

static void rpm_headers_are_read_and_broken_ones_refused(void **state)
{
    /* name "a", version "1", release "2", epoch 3, in a store of 12 bytes */
    static const unsigned char good[] = {
        0, 0,    0, 4, 0, 0, 0,    12, 0, 0,   3, 0xe8, 0, 0,   0, 6, 0, 0,    0, 0, 0,
        0, 0,    1, 0, 0, 3, 0xe9, 0,  0, 0,   6, 0,    0, 0,   2, 0, 0, 0,    1, 0, 0,
        3, 0xea, 0, 0, 0, 6, 0,    0,  0, 4,   0, 0,    0, 1,   0, 0, 3, 0xeb, 0, 0, 0,
        4, 0,    0, 0, 8, 0, 0,    0,  1, 'a', 0, '1',  0, '2', 0, 0, 0, 0,    0, 0, 3};
    struct packages packages = {0};
    struct error err = {0};

    (void)state;
    assert_int_equal(packages_parse_rpm_header(&packages, good, sizeof(good), &err), 0);
    assert_int_equal(packages.list.count, 1);
    assert_string_equal(packages.list.items[0].name, "a");
    assert_string_equal(packages.list.items[0].version, "3:1-2");
    for (size_t length = 0; length < sizeof(good) - 4; length++)
        assert_true(packages_parse_rpm_header(&packages, good, length, &err) < 0);
    packages_release(&packages);
}

struct version_order {
    int (*compare)(const char *left, const char *right);
    const char *older;
    const char *newer;
};

static void versions_are_ordered_as_their_package_managers_order_them(void **state)
{
    static const struct version_order orders[] = {
        {version_compare_deb, "1.0-1", "1.0-2"},
        {version_compare_deb, "1.0~rc1-1", "1.0-1"},
        {version_compare_deb, "1.0~~", "1.0~"},
        {version_compare_deb, "9.9", "1:0.1"},
        {version_compare_deb, "1.9", "1.10"},
        {version_compare_deb, "1.0", "1.0+deb12u1"},
        {version_compare_deb, "5.2.15-2", "5.2.15-2+b13"},
        {version_compare_deb, "1.0a", "1.0+"},
        {version_compare_deb, "1.00", "1.1"},
        {version_compare_deb, "2024.99999999999999999999", "2024.100000000000000000000"},
        {version_compare_apk, "1.2.3-r0", "1.2.3-r1"},
        {version_compare_apk, "1.2_alpha1", "1.2_beta"},
        {version_compare_apk, "1.2_rc2", "1.2"},
        {version_compare_apk, "1.2", "1.2_p1"},
        {version_compare_apk, "1.2_p1", "1.2_p2"},
        {version_compare_apk, "1.2", "1.2a"},
        {version_compare_apk, "1.2a", "1.2b"},
        {version_compare_apk, "1.2", "1.2.1"},
        {version_compare_apk, "1.9", "1.10"},
        {version_compare_apk, "1.01", "1.1"},
        {version_compare_apk, "1.2.4-r10", "1.2.5-r0"},
        {version_compare_rpm, "1.0-1", "1.0-2"},
        {version_compare_rpm, "1.0~rc1-1", "1.0-1"},
        {version_compare_rpm, "1.0-1", "1.0^git1-1"},
        {version_compare_rpm, "1.0^git1-1", "1.0.1-1"},
        {version_compare_rpm, "9-1", "1:1-1"},
        {version_compare_rpm, "1.a-1", "1.1-1"},
        {version_compare_rpm, "1.0.a", "1.0.b"},
        {version_compare_rpm, "5.1.8-6.el9_1", "5.1.8-6.el9_10"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
        const struct version_order *order = &orders[i];

        if (order->compare(order->older, order->newer) >= 0 ||
            order->compare(order->newer, order->older) <= 0)
            fail_msg("%s is not before %s", order->older, order->newer);
        assert_int_equal(order->compare(order->older, order->older), 0);
    }
    assert_int_equal(version_compare_deb("0:1.0-1", "1.0-1"), 0);
    assert_int_equal(version_compare_deb("1.0", "1.0-0"), 0);
    assert_int_equal(version_compare_rpm("1.0.0", "1_0_0"), 0);
    assert_int_equal(version_compare_rpm("1.0-5", "1.0"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(challenges_are_read),
        cmocka_unit_test(registries_are_located_by_their_rules),
        cmocka_unit_test(references_follow_the_grammar),
        cmocka_unit_test(familiar_names_are_what_was_typed),
        cmocka_unit_test(documents_are_checked),
        cmocka_unit_test(rpm_headers_are_read_and_broken_ones_refused),
        cmocka_unit_test(versions_are_ordered_as_their_package_managers_order_them),
        cmocka_unit_test(what_is_read_ahead_is_what_comes),
        cmocka_unit_test(an_error_comes_after_what_came_before_it),
        cmocka_unit_test(reading_ahead_ends_in_the_middle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
