/* cli/template: --format. What docker's client makes of templates is compared in format.bats. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/template.h"

static const char document[] =
    "{\"Name\":\"/web\",\"Count\":3,\"Up\":true,\"Nothing\":null,\"List\":[\"a\",\"b\",\"c\"],"
    "\"Empty\":[],\"Map\":{\"k\":\"v\",\"a\":1},\"Deep\":{\"Deep\":{\"List\":[[1,2],[3]]}},"
    "\"LabelMap\":{\"team\":\"blue\"}}";

static const struct json *parse(struct arena *arena)
{
    const struct json *json = NULL;
    struct error err = {0};

    assert_int_equal(
        json_parse(arena, document, strlen(document), &json_default_limits, &json, &err), 0);
    return json;
}

static const struct {
    const char *format;
    const char *text; /* NULL: it is refused */
} cases[] = {
    {"{{.Name}} {{.Count}} {{.Up}} {{.Nothing}}", "/web 3 true <no value>"},
    {"{{.List}} {{.Map}}", "[a b c] map[a:1 k:v]"},
    {"{{range $i, $e := .List}}{{$i}}{{$e}}{{end}}", "0a1b2c"},
    {"{{range $k, $v := .Map}}{{$k}}{{$v}}{{end}}{{range .Empty}}x{{else}}y{{end}}", "kva1y"},
    {"{{range .Deep.Deep.List}}{{range .}}{{.}}{{end}};{{end}}", "12;3;"},
    {"{{index .Deep.Deep.List 0 1}} {{(index .Deep.Deep.List 1)}}", "2 [3]"},
    {"{{if .Nothing}}a{{else if eq .Count 3}}b{{else}}c{{end}}", "b"},
    {"{{if false}}{{nonsense}}{{end}}ok", "ok"},
    {"{{with .Map}}{{.k}}{{$.Name}}{{end}}", "v/web"},
    {"{{$x := 1}}{{if .Up}}{{$x = 2}}{{end}}{{$x}}", "2"},
    {"a {{- \"b\" -}} c\\td", "abc\td"},
    {"{{.Label \"team\"}}{{.Label \"none\"}}|{{json .Map}}", "blue|{\"k\":\"v\",\"a\":1}"},
    {"{{slice .Name 1 3}}{{len .List | printf \"%04d\"}}{{pad .Name 1 2}}.", "we0003 /web  ."},
    {"{{split \"a,b\" \",\" | len}}{{join .List \"-\" | upper}}", "2A-B-C"},
    {"{{print (not .Up) (and .Up .Name) (or .Nothing \"x\")}}", "false/webx"},
    {"{{slice .Name 3 1}}", NULL},
    {"{{slice .Name 0 99}}", NULL},
    {"{{index .List -1}}", NULL},
    {"{{index .List 3}}", NULL},
    {"{{.Name", NULL},
    {"{{if}}{{end}}", NULL},
    {"{{if .Up}}", NULL},
    {"{{else}}", NULL},
    {"{{range .Name}}{{end}}", NULL},
    {"{{printf \"%z\" 1}}", NULL},
    {"{{$y}}", NULL},
    {"{{}}", NULL},
    {"{{.Name | }}", NULL},
    {"{{((((((((((((((((((.Name))))))))))))))))))}}", NULL},
    {"{{if .Up}}{{if .Up}}{{if .Up}}{{if .Up}}{{if .Up}}{{if .Up}}{{if .Up}}{{if .Up}}{{if .Up}}"
     "{{if .Up}}{{if .Up}}{{if .Up}}{{if .Up}}{{if .Up}}{{if .Up}}{{if .Up}}{{if .Up}}x",
     NULL},
};

static void templates_are_rendered_or_refused(void **state)
{
    cleanup_arena struct arena arena = {0};
    const struct json *json = parse(&arena);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        cleanup_buffer struct buffer out = {0};
        struct error err = {0};
        int result = template_render(cases[i].format, json, &out, &err);

        if (cases[i].text == NULL && (result == 0 || err.message[0] == '\0'))
            fail_msg("%s is not refused: %s", cases[i].format, buffer_text(&out));
        if (cases[i].text != NULL && result < 0)
            fail_msg("%s: %s", cases[i].format, err.message);
        if (cases[i].text != NULL)
            assert_string_equal(buffer_text(&out), cases[i].text);
    }
}

/* Whatever stands in a template, it ends, and touches no memory that is not its own. */
static void garbage_ends(void **state)
{
    cleanup_arena struct arena arena = {0};
    static const char alphabet[] = "{}{}()|$.:=\"`-/ \\abcxend0123%srangeif";
    const struct json *json = parse(&arena);
    uint32_t seed = 1;

    (void)state;
    for (int round = 0; round < 30000; round++) {
        cleanup_buffer struct buffer out = {0};
        char format[320];
        struct error err = {0};

        snprintf(format, sizeof(format), "%s", cases[(size_t)round % ARRAY_SIZE(cases)].format);
        for (int change = 0; change < 1 + round % 4; change++) {
            seed = seed * 1664525 + 1013904223;
            format[(seed >> 8) % (strlen(format) + 1)] =
                alphabet[(seed >> 20) % (sizeof(alphabet) - 1)];
            format[sizeof(format) - 1] = '\0';
        }
        template_render(format, json, &out, &err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_are_rendered_or_refused),
        cmocka_unit_test(garbage_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
