/* Lists: see list.h. */
#include "list.h"

#include <getopt.h>
#include <string.h>

#include "base/cleanup.h"
#include "template.h"

struct list_options {
    struct arena arena;
    struct string_list filters;
    const char *format;
    bool is_quiet;
};

static int parse(struct cli *cli, struct list_options *options, int argc, char **argv)
{
    static const struct option table[] = {{"filter", required_argument, NULL, 'f'},
                                          {"format", required_argument, NULL, 'F'},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {NULL, 0, NULL, 0}};
    int option;

    while ((option = cli_next_option(cli, argc, argv, "f:q", table)) != -1) {
        if (option == '?')
            return cli_usage_error(cli, argv,
                                   "[--quiet] [--filter KEY=VALUE]... [--format json|TEMPLATE]");
        if (option == 'q')
            options->is_quiet = true;
        else if (option == 'F')
            options->format = optarg;
        else
            string_list_append(&options->arena, &options->filters, optarg);
    }
    return 0;
}

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
    int result = parse(cli, &options, argc, argv);

    if (result == 0) {
        buffer_printf(&path, "%s?", command->path);
        cli_append_filters(&path, &options.filters);
        result = client_call_json(&cli->client, "GET", buffer_text(&path), NULL, &options.arena,
                                  &list, &cli->err);
    }
    if (result == 0 && command->member != NULL)
        list = json_get(list, command->member);
    if (result == 0 && list != NULL && list->type == JSON_ARRAY)
        result = print(cli, command, &options, list);
    arena_release(&options.arena);
    return result;
}
