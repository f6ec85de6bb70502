/* Lists: see list.h. */
#include "list.h"

#include <string.h>

#include "options.h"
#include "template.h"

struct list_options {
    struct request request;
    const char *format;
    bool is_quiet;
};

static const struct option_row list_rows[] = {
    {"filter", 'f', OPTION_READ, "KEY=VALUE", .read = option_read_filter,
     .help = "those alone that match"},
    {"format", 0, OPTION_TEXT, "json|TEMPLATE", .offset = offsetof(struct list_options, format),
     .help = "how each is printed"},
    {"quiet", 'q', OPTION_FLAG, .offset = offsetof(struct list_options, is_quiet),
     .help = "names or ids alone"},
    {0},
};

static int print(struct cli *cli, const struct list_command *command,
                 const struct list_options *options, const struct json *list)
{
    if (options->format != NULL && strcmp(options->format, "json") != 0 && !options->is_quiet)
        return listing_print(options->format, list->items, list->count, &cli->err);
    if (!options->is_quiet && options->format == NULL)
        command->print_head();
    for (size_t i = 0; i < list->count; i++) {
        if (options->is_quiet)
            command->print_quietly(&list->items[i]);
        else if (options->format != NULL)
            cli_print_json(&list->items[i]);
        else
            command->print(&list->items[i]);
    }
    return 0;
}

int list_run(struct cli *cli, const struct list_command *command, int argc, char **argv)
{
    struct list_options options = {0};
    cleanup_buffer struct buffer path = {0};
    const struct json *list;
    const struct option_set set = {.tables = {{list_rows, NULL}},
                                   .usage = "",
                                   .request = &options.request,
                                   .values = &options};
    int result = options_read(cli, argc, argv, &set);

    if (result == 0) {
        buffer_printf(&path, "%s?", command->path);
        request_append_query(&options.request, &path);
        result = client_call_json(&cli->client, "GET", buffer_text(&path), NULL,
                                  &options.request.arena, &list, &cli->err);
    }
    if (result == 0 && command->member != NULL)
        list = json_get(list, command->member);
    if (result == 0 && list != NULL && list->type == JSON_ARRAY)
        result = print(cli, command, &options, list);
    request_release(&options.request);
    return result;
}
