/* base/yaml_document and bundle/cdi: what is read from files of the Container Device Interface.
 * What such files do to a container is tested by tests/integration/cdi.bats. */
#include "test.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/yaml_document.h"
#include "bundle/cdi.h"
#include "bundle/cdi_file.h"

static int read_yaml(struct arena *arena, const char *text, const struct json **json,
                     struct error *err)
{
    return yaml_parse(arena, text, strlen(text), &json_default_limits, json, err);
}

/* What the YAML says, as JSON. */
static void assert_is(const char *yaml, const char *expected)
{
    cleanup_arena struct arena arena = {0};
    struct json_writer *writer = json_writer_new(false);
    const struct json *json;
    struct error err = {0};

    if (read_yaml(&arena, yaml, &json, &err) < 0)
        fail_msg("%s: %s", yaml, err.message);
    json_value(writer, json);
    assert_string_equal(json_writer_text(writer), expected);
    json_writer_free(writer);
}

static void assert_no_yaml(const char *yaml, const char *why)
{
    cleanup_arena struct arena arena = {0};
    const struct json *json;
    struct error err = {0};

    if (read_yaml(&arena, yaml, &json, &err) == 0)
        fail_msg("%s: was read", yaml);
    assert_error_contains(err, why);
}

static void yaml_says_what_json_would(void **state)
{
    (void)state;
    assert_is("a: b\n", "{\"a\":\"b\"}");
    assert_is("---\n# a comment\na:\n- 1\n- x: y\n  z: []\n...\n",
              "{\"a\":[1,{\"x\":\"y\",\"z\":[]}]}");
    assert_is("{a: 'it''s', b: \"\\u0041\\n\", c: {}}", "{\"a\":\"it's\",\"b\":\"A\\n\",\"c\":{}}");
    assert_is("a: |\n  one\n  two\n", "{\"a\":\"one\\ntwo\\n\"}");
    assert_is("{\"cdiVersion\": \"1.0.0\", \"n\": [true, null, -3]}",
              "{\"cdiVersion\":\"1.0.0\",\"n\":[true,null,-3]}");
}

static void plain_scalars_are_numbers_where_yaml_has_them(void **state)
{
    (void)state;
    assert_is("[0, 12, +12, -12, 0644, 0o644, 0x1F, 18446744073709551615]",
              "[0,12,12,-12,420,420,31,18446744073709551615]");
    assert_is("[1.5, -0.25]", "[1.5,-0.25]");
    assert_is("['0', \"1\"]", "[\"0\",\"1\"]");
    assert_is("[1.2.3, 0:1, 08, 1e3, 0x, -, 18446744073709551616, .5, 1.]",
              "[\"1.2.3\",\"0:1\",\"08\",\"1e3\",\"0x\",\"-\",\"18446744073709551616\",\".5\","
              "\"1.\"]");
    assert_is("[~, null, True, FALSE, yes, no]", "[null,null,true,false,\"yes\",\"no\"]");
}

static void yaml_that_expands_or_is_no_tree_is_refused(void **state)
{
    (void)state;
    assert_no_yaml("a: &x [1]\nb: *x\n", "line 1, column 4: anchors and tags");
    assert_no_yaml("# comment\n%TAG ! tag:x,2000:\n---\na: 1\n", "directives");
    assert_no_yaml("a: &x 1\n", "anchors and tags");
    assert_no_yaml("b: *x\n", "aliases are not supported");
    assert_no_yaml("a: !!int '3'\n", "anchors and tags");
    assert_no_yaml("<<: {a: 1}\n", "merge keys");
    assert_no_yaml("[1]: 2\n", "a name is expected");
    assert_no_yaml("a: 1\n---\nb: 2\n", "one document");
    assert_no_yaml("", "one document");
    assert_no_yaml("a: [1\n", "line 2");
    assert_no_yaml("a: \"\\0\"\n", "a NUL");
    assert_no_yaml("a: \xff\n", "");
}

static void yaml_is_bounded(void **state)
{
    cleanup_arena struct arena arena = {0};
    const struct json_limits few = {.max_bytes = 100, .max_depth = 3, .max_values = 5};
    const struct json *json;
    struct error err = {0};

    (void)state;
    assert_int_equal(yaml_parse(&arena, "[[[]]]", 6, &few, &json, &err), 0);
    assert_true(yaml_parse(&arena, "[[[[]]]]", 8, &few, &json, &err) < 0);
    assert_error_contains(err, "too deep");
    assert_true(yaml_parse(&arena, "[1,2,3,4,5]", 11, &few, &json, &err) < 0);
    assert_error_contains(err, "too many values");
    assert_int_equal(yaml_parse(&arena, "", 101, &few, &json, &err), -EFBIG);
}

static void names_of_devices_are_told_from_paths(void **state)
{
    static const char *const devices[] = {
        "vendor.com/class=name", "a/b=c",
        "nvidia.com/gpu=0:1",    "foo.bar.baz/foo-bar123.B_az=all",
        "v-1.com/x=GPU-8a0b",    "vendor.com/class=0"};
    static const char *const others[] = {"/dev/null",     "/dev/a=b",    "vendor.com/class",
                                         "vendor.com/=a", "/class=name", "vendor.com/class=",
                                         "a..b/c=d",      "-a.com/c=d",  "a.com-/c=d",
                                         "a_b.com/c=d",   "a.com/c/d=e", "a.com/c=-d",
                                         "a.com/c=d=e",   "a.com/_c=d",  "a.com/c=d\n",
                                         "a.com/c:1=d",   "=",           ""};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
        if (!cdi_is_device(devices[i]))
            fail_msg("%s is a device", devices[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        if (cdi_is_device(others[i]))
            fail_msg("%s is no device", others[i]);
    }
    assert_true(cdi_is_class("vendor.com/class"));
    assert_false(cdi_is_class("vendor.com/class=name"));
    assert_false(cdi_is_class("vendor"));
}

static int parse(const char *text, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    struct cdi_file file = {0};

    return cdi_file_parse(&arena, text, strlen(text), true, &file, err);
}

/* A file of this version, with these members of a device's edits. */
static int parse_edits(const char *version, const char *edits, struct error *err)
{
    cleanup_free char *text = memory_printf("{cdiVersion: \"%s\", kind: vendor.com/class, devices: "
                                            "[{name: a, containerEdits: {%s}}]}",
                                            version, edits);

    return parse(text, err);
}

static void a_file_needs_the_version_of_what_it_uses(void **state)
{
    static const struct {
        const char *edits;
        const char *before;
        const char *version;
    } uses[] = {
        {"mounts: [{hostPath: /a, containerPath: /b, type: none}]", "0.3.0", "0.4.0"},
        {"deviceNodes: [{path: /dev/a, hostPath: /dev/b}]", "0.4.0", "0.5.0"},
        {"additionalGids: [1]", "0.6.0", "0.7.0"},
        {"additionalGIDs: [1]", "0.6.0", "0.7.0"},
        {"intelRdt: {closID: a}", "0.6.0", "0.7.0"},
        {"intelRdt: {schemata: [a]}", "1.0.0", "1.1.0"},
        {"netDevices: [{hostInterfaceName: a, name: b}]", "1.0.0", "1.1.0"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(uses); i++) {
        struct error err = {0};

        if (parse_edits(uses[i].version, uses[i].edits, &err) < 0)
            fail_msg("%s: %s", uses[i].edits, err.message);
        if (parse_edits(uses[i].before, uses[i].edits, &err) == 0)
            fail_msg("%s: is not in %s", uses[i].edits, uses[i].before);
        assert_error_contains(err, "does not have what the file uses");
    }
}

static void edits_that_make_no_sense_are_refused(void **state)
{
    static const struct {
        const char *edits;
        const char *why;
    } mistakes[] = {
        {"env: [A]", "env[0]: \"A\" is not NAME=VALUE"},
        {"deviceNodes: [{path: dev}]", "deviceNodes[0]: path and hostPath have to be absolute"},
        {"deviceNodes: [{path: /dev/a, type: x}]", "type: \"x\""},
        {"deviceNodes: [{path: /dev/a, permissions: rx}]", "permissions: \"rx\""},
        {"deviceNodes: [{path: /dev/a, uid: -1}]", "uid"},
        {"deviceNodes: [{}]", "path: required"},
        {"mounts: [{hostPath: /a}]", "containerPath: required"},
        {"mounts: [{hostPath: /a, containerPath: b}]",
         "hostPath and containerPath have to be absolute"},
        {"hooks: [{hookName: createContainer, path: a}]", "path: \"a\" is not absolute"},
        {"hooks: [{hookName: createContainer, path: /a, timeout: 0}]", "greater than zero"},
        {"additionalGids: [a]", "additionalGids[0]: no group id"},
        {"additionalGids: 5", "a list of 64 at the most"},
        {"netDevices: [{hostInterfaceName: a, name: ''}]", "netDevices[0]"},
        {"unknown: 1", "unknown"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
        struct error err = {0};

        if (parse_edits("1.1.0", mistakes[i].edits, &err) == 0)
            fail_msg("%s: was read", mistakes[i].edits);
        assert_error_contains(err, mistakes[i].why);
    }
}

static void what_was_left_open_belongs_to_the_user_of_the_process(void **state)
{
    struct oci_device devices[] = {{.uid = CDI_OWNER_OF_PROCESS, .gid = 5},
                                   {.uid = 0, .gid = CDI_OWNER_OF_PROCESS}};
    struct oci_process process = {.user = {.uid = 1000, .gid = 100}};
    struct oci_linux linux_part = {.devices = {devices, 2}};
    struct oci_config config = {.process = &process, .linux = &linux_part};

    (void)state;
    cdi_own_devices(&config);
    assert_int_equal(devices[0].uid, 1000);
    assert_int_equal(devices[0].gid, 5);
    assert_int_equal(devices[1].uid, 0);
    assert_int_equal(devices[1].gid, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yaml_says_what_json_would),
        cmocka_unit_test(plain_scalars_are_numbers_where_yaml_has_them),
        cmocka_unit_test(yaml_that_expands_or_is_no_tree_is_refused),
        cmocka_unit_test(yaml_is_bounded),
        cmocka_unit_test(names_of_devices_are_told_from_paths),
        cmocka_unit_test(a_file_needs_the_version_of_what_it_uses),
        cmocka_unit_test(edits_that_make_no_sense_are_refused),
        cmocka_unit_test(what_was_left_open_belongs_to_the_user_of_the_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
