/* inspect: see inspect.h. */
#include "inspect.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "options.h"
#include "template.h"

static const struct inspect_kind all_kinds[] = {
    {"container", "/containers/", "/json", "/json?size=1"},
    {"image", "/images/", "/json", NULL},
    {"network", "/networks/", "", NULL},
    {"volume", "/volumes/", "", NULL},
    {0},
};

struct inspect_options {
    const char *format;
    const char *type;
    bool is_sized;
};

static bool is_gone(const struct error *err)
{
    return err->code == ERROR_NOT_FOUND || err->code == ERROR_IMAGE_NOT_FOUND;
}

static int inspect_one(struct cli *cli, const char *name, const struct inspect_kind *kinds,
                       const struct inspect_options *options, struct json_writer *writer)
{
    cleanup_arena struct arena arena = {0};
    const struct json *json;
    const struct inspect_kind *kind = kinds;
    int result = -ENOENT;

    for (; kind->name != NULL; kind++) {
        const char *suffix = options->is_sized && kind->sized != NULL ? kind->sized : kind->suffix;
        cleanup_free char *path = client_path(kind->prefix, name, suffix);

        if (options->type != NULL && strcmp(options->type, kind->name) != 0)
            continue;
        result = client_call_json(&cli->client, "GET", path, NULL, &arena, &json, &cli->err);
        if (result == 0)
            json_value(writer, json);
        if (result == 0 || !is_gone(&cli->err))
            return result;
    }
    if (options->type == NULL && kind - kinds > 1)
        return error_set(
            &cli->err, ERROR_NOT_FOUND, ENOENT,
            "no such object: %.128s; there is no container, image, network or volume of "
            "that name",
            name);
    return result;
}

static int check_type(struct cli *cli, const char *type, const struct inspect_kind *kinds)
{
    for (const struct inspect_kind *kind = kinds; kind->name != NULL; kind++) {
        if (type == NULL || strcmp(type, kind->name) == 0)
            return 0;
    }
    return error_set(&cli->err, ERROR_INVALID, EINVAL,
                     "--type: \"%.32s\" is none of container, image, network, volume", type);
}

/* A line for each of a list. */
static int print_by_template(struct cli *cli, const char *format, const char *text)
{
    cleanup_arena struct arena arena = {0};
    const struct json *list;
    int result = json_parse(&arena, text, strlen(text), &json_default_limits, &list, &cli->err);

    return result < 0 ? result : listing_print(format, list->items, list->count, &cli->err);
}

bool inspect_is_indented(const char *format)
{
    return format == NULL || strcmp(format, "json") != 0;
}

int inspect_print(struct cli *cli, const char *format, const char *text)
{
    if (format != NULL && strcmp(format, "json") != 0)
        return print_by_template(cli, format, text);
    printf("%s%s", text, format != NULL ? "\n" : "");
    return 0;
}

static const struct option_row format_rows[] = {
    {"format", 'f', OPTION_TEXT, "json|TEMPLATE",
     .offset = offsetof(struct inspect_options, format), .help = "how each is printed"},
    {0},
};

static const struct option_row size_rows[] = {
    {"size", 's', OPTION_FLAG, .offset = offsetof(struct inspect_options, is_sized),
     .help = "with the bytes on disk of containers"},
    {0},
};

static const struct option_row type_rows[] = {
    {"type", 0, OPTION_TEXT, "container|image|network|volume",
     .offset = offsetof(struct inspect_options, type), .help = "of that kind alone"},
    {0},
};

static const struct option_row network_rows[] = {
    {"verbose", 'v', OPTION_REFUSED, .help = "it lists services, which are not in this version"},
    {0},
};

static const struct option_row image_rows[] = {
    {"platform", 0, OPTION_REFUSED, "OS/ARCHITECTURE", .help = ONE_PLATFORM},
    {0},
};

int inspect_run(struct cli *cli, int argc, char **argv, const struct inspect_kind *kinds,
                const char *usage)
{
    struct inspect_options options = {0};
    struct option_set set = {.tables = {{format_rows, NULL}}, .usage = usage, .values = &options};
    size_t tables = 1;
    struct json_writer *writer;
    int failures = 0;
    int result;

    if (kinds[0].sized != NULL)
        set.tables[tables++].rows = size_rows;
    if (kinds == all_kinds)
        set.tables[tables].rows = type_rows;
    else if (strcmp(kinds[0].name, "network") == 0)
        set.tables[tables].rows = network_rows;
    else if (strcmp(kinds[0].name, "image") == 0)
        set.tables[tables].rows = image_rows;
    result = options_read(cli, argc, argv, &set);
    if (result == 0)
        result = check_type(cli, options.type, kinds);
    if (result < 0)
        return result;
    writer = json_writer_new(inspect_is_indented(options.format));
    json_array_open(writer);
    for (int i = optind; i < argc; i++) {
        if (inspect_one(cli, argv[i], kinds, &options, writer) < 0) {
            cli_print_error(cli);
            failures++;
        }
    }
    json_array_close(writer);
    result = inspect_print(cli, options.format, json_writer_text(writer));
    json_writer_free(writer);
    return result < 0 ? result : failures > 0 ? 1 : 0;
}

/* "davit container inspect" is of that kind alone. */
int cli_inspect(struct cli *cli, int argc, char **argv)
{
    static const struct inspect_kind containers[] = {
        {"container", "/containers/", "/json", "/json?size=1"}, {0}};
    static const struct inspect_kind images[] = {{"image", "/images/", "/json", NULL}, {0}};

    if (cli->group == NULL)
        return inspect_run(cli, argc, argv, all_kinds, "CONTAINER|IMAGE|NETWORK|VOLUME...");
    return strcmp(cli->group, "image") == 0
               ? inspect_run(cli, argc, argv, images, "IMAGE...")
               : inspect_run(cli, argc, argv, containers, "CONTAINER...");
}
