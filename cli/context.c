/* context create, inspect, ls, rm, show, update, use: names for hosts. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/identifier.h"
#include "cli.h"
#include "contexts.h"
#include "host.h"
#include "inspect.h"
#include "list.h"
#include "options.h"

#define NAME_MAX_LENGTH 64

struct context_options {
    const char *description;
    const char *endpoint; /* "host=unix://PATH" */
    const char *from;
};

static const struct option_row rows[] = {
    {"docker", 0, OPTION_TEXT, "host=HOST", .offset = offsetof(struct context_options, endpoint),
     .help = "where davitd is: unix://PATH or ssh://[USER@]HOST[:PORT][/PATH]"},
    {"description", 0, OPTION_TEXT, "TEXT", .offset = offsetof(struct context_options, description),
     .help = "what it is for"},
    {0},
};

static const struct option_row from_rows[] = {
    {"from", 0, OPTION_TEXT, "CONTEXT", .offset = offsetof(struct context_options, from),
     .help = "take the host of that context"},
    {0},
};

/* "host=HOST": the host, checked. */
static int read_endpoint(struct cli *cli, const char *endpoint, const char **host)
{
    if (strncmp(endpoint, "host=", 5) != 0 || strchr(endpoint, ',') != NULL)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "--docker \"%.128s\": host=HOST is expected, and no more", endpoint);
    *host = endpoint + 5;
    return host_check(*host, &cli->err);
}

/* The one that counts for this command. */
static const char *current_of(const struct cli *cli, const struct contexts *contexts)
{
    return cli->is_host_given     ? CONTEXT_DEFAULT
           : cli->context != NULL ? cli->context
                                  : contexts_current(contexts);
}

static int check_new(struct cli *cli, const struct contexts *contexts, const char *name)
{
    if (strcmp(name, CONTEXT_DEFAULT) == 0 || !name_is_valid(name, NAME_MAX_LENGTH))
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "\"%.64s\" cannot be a context's name: two letters, digits, \".\", "
                         "\"_\" and \"-\" or more can, but not default",
                         name);
    if (contexts_find(contexts, name) != NULL)
        return error_set(&cli->err, ERROR_CONFLICT, EEXIST,
                         "context \"%s\" is there; davit context update changes it", name);
    return 0;
}

int cli_context_create(struct cli *cli, int argc, char **argv)
{
    struct context_options options = {0};
    const struct option_set set = {
        .tables = {{rows, NULL}, {from_rows, NULL}}, .usage = "CONTEXT", .values = &options};
    struct contexts contexts = {0};
    struct context context = {.host = CLIENT_DEFAULT_HOST};
    struct context *items;
    int result = options_read(cli, argc, argv, &set);

    if (result == 0)
        result = contexts_read(&cli->arena, &contexts, &cli->err);
    if (result == 0)
        result = check_new(cli, &contexts, argv[optind]);
    if (result == 0 && options.endpoint != NULL)
        result = read_endpoint(cli, options.endpoint, &context.host);
    else if (result == 0)
        result = contexts_get_host(
            &contexts, options.from != NULL ? options.from : contexts_current(&contexts),
            &context.host, &cli->err);
    if (result < 0)
        return result;
    context.name = argv[optind];
    context.description = options.description;
    items = arena_new(&cli->arena, contexts.items.count + 1, sizeof(*items));
    if (contexts.items.count > 0)
        memcpy(items, contexts.items.items, contexts.items.count * sizeof(*items));
    items[contexts.items.count++] = context;
    contexts.items.items = items;
    result = contexts_write(&cli->arena, &contexts, &cli->err);
    if (result < 0)
        return result;
    puts(context.name);
    fprintf(stderr, "Successfully created context \"%s\"\n", context.name);
    return 0;
}

int cli_context_update(struct cli *cli, int argc, char **argv)
{
    struct context_options options = {0};
    const struct option_set set = {
        .tables = {{rows, NULL}}, .usage = "CONTEXT", .values = &options};
    struct contexts contexts = {0};
    struct context *context = NULL;
    int result = options_read(cli, argc, argv, &set);

    if (result == 0)
        result = contexts_read(&cli->arena, &contexts, &cli->err);
    if (result == 0)
        result = contexts_get(&contexts, argv[optind], &context, &cli->err);
    if (result == 0 && context != NULL && options.endpoint != NULL)
        result = read_endpoint(cli, options.endpoint, &context->host);
    if (result < 0 || context == NULL)
        return result;
    if (options.description != NULL)
        context->description = options.description;
    result = contexts_write(&cli->arena, &contexts, &cli->err);
    if (result == 0)
        puts(context->name);
    return result;
}

int cli_context_use(struct cli *cli, int argc, char **argv)
{
    struct contexts contexts = {0};
    const char *host;
    int result = options_read_none(cli, argc, argv, "CONTEXT");

    if (result == 0)
        result = contexts_read(&cli->arena, &contexts, &cli->err);
    if (result == 0)
        result = contexts_get_host(&contexts, argv[optind], &host, &cli->err);
    if (result < 0)
        return result;
    contexts.current = strcmp(argv[optind], CONTEXT_DEFAULT) == 0 ? NULL : argv[optind];
    result = contexts_write(&cli->arena, &contexts, &cli->err);
    if (result < 0)
        return result;
    puts(argv[optind]);
    if (cli->is_host_given)
        fprintf(stderr, "Warning: DAVIT_HOST or --host counts before any context\n");
    return 0;
}

int cli_context_show(struct cli *cli, int argc, char **argv)
{
    struct contexts contexts = {0};
    int result = options_read_none(cli, argc, argv, "");

    if (result == 0)
        result = contexts_read(&cli->arena, &contexts, &cli->err);
    if (result == 0)
        puts(current_of(cli, &contexts));
    return result;
}

static int remove_one(struct cli *cli, struct contexts *contexts, const char *name, bool is_forced)
{
    bool is_current = strcmp(contexts_current(contexts), name) == 0;
    struct context *context = NULL;
    size_t index;
    int result;

    if (strcmp(name, CONTEXT_DEFAULT) == 0)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "context \"default\" is always there and cannot be removed");
    result = contexts_get(contexts, name, &context, &cli->err);
    if (result < 0 || context == NULL)
        return result;
    if (is_current && !is_forced)
        return error_set(&cli->err, ERROR_CONFLICT, EBUSY,
                         "context \"%s\" is in use; --force removes it all the same", name);
    if (is_current)
        contexts->current = NULL;
    index = (size_t)(context - contexts->items.items);
    contexts->items.count--;
    memmove(context, context + 1, (contexts->items.count - index) * sizeof(*context));
    return contexts_write(&cli->arena, contexts, &cli->err);
}

int cli_context_rm(struct cli *cli, int argc, char **argv)
{
    static const struct option_row force_rows[] = {
        {"force", 'f', OPTION_FLAG, .help = "the one in use as well"},
        {0},
    };
    bool is_forced = false;
    const struct option_set set = {
        .tables = {{force_rows, NULL}}, .usage = "CONTEXT...", .values = &is_forced};
    struct contexts contexts = {0};
    int failures = 0;
    int result = options_read(cli, argc, argv, &set);

    if (result == 0)
        result = contexts_read(&cli->arena, &contexts, &cli->err);
    if (result < 0)
        return result;
    for (int i = optind; i < argc; i++) {
        if (remove_one(cli, &contexts, argv[i], is_forced) == 0) {
            puts(argv[i]);
            continue;
        }
        cli_print_error(cli);
        cli->err = (struct error){0};
        failures = 1;
    }
    return failures;
}

static void write_context(struct json_writer *writer, const struct context *context,
                          bool is_current)
{
    json_object_open(writer);
    json_member_string(writer, "Name", context->name);
    json_member_boolean(writer, "Current", is_current);
    json_member_string(writer, "Description",
                       context->description != NULL ? context->description : "");
    json_member_string(writer, "DockerEndpoint", context->host);
    json_member_string(writer, "Error", "");
    json_object_close(writer);
}

static void add_context(struct list *list, const struct json *context)
{
    const struct json *current = json_get(context, "Current");
    struct json_writer *writer = json_writer_new(false);
    bool is_current = current != NULL && current->type == JSON_BOOLEAN && current->boolean;
    cleanup_free char *shown =
        memory_printf("%s%s", list_text_of(context, "Name"), is_current ? " *" : "");

    json_object_open(writer);
    json_member_boolean(writer, "Current", is_current);
    list_write_text(writer, "Description", list_text_of(context, "Description"));
    list_write_text(writer, "DockerEndpoint", list_text_of(context, "DockerEndpoint"));
    json_member_string(writer, "Error", "");
    list_write_text(writer, "Name", list_text_of(context, "Name"));
    if (list->listing.is_table)
        list_write_text(writer, "Shown", shown);
    json_object_close(writer);
    list_add(list, writer);
}

/* All contexts, with the default one, as a list of objects. */
static int describe_all(struct cli *cli, const struct json **list)
{
    struct context standard = {CONTEXT_DEFAULT, CLIENT_DEFAULT_HOST,
                               "DAVIT_HOST, or else the usual socket"};
    struct json_writer *writer;
    struct contexts contexts = {0};
    int result = contexts_read(&cli->arena, &contexts, &cli->err);
    const char *current = current_of(cli, &contexts);

    if (result < 0)
        return result;
    if (cli->is_host_given)
        standard.host = cli->client.host;
    writer = json_writer_new(false);
    json_array_open(writer);
    write_context(writer, &standard, strcmp(current, CONTEXT_DEFAULT) == 0);
    for (size_t i = 0; i < contexts.items.count; i++)
        write_context(writer, &contexts.items.items[i],
                      strcmp(current, contexts.items.items[i].name) == 0);
    json_array_close(writer);
    result = json_parse(&cli->arena, json_writer_text(writer), strlen(json_writer_text(writer)),
                        &json_default_limits, list, &cli->err);
    json_writer_free(writer);
    return result;
}

int cli_context_ls(struct cli *cli, int argc, char **argv)
{
    static const struct table_header headers[] = {
        {"Shown", "NAME"}, {"DockerEndpoint", "DAVIT ENDPOINT"}, {0}};
    static const struct list_command command = {
        .add = add_context,
        .columns = "{{.Shown}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}",
        .quiet = "{{.Name}}",
        .headers = headers,
    };
    static const struct list_options list_options = {.usage = ""};
    struct list_style style = {0};
    const struct json *list = NULL;
    int result = list_read(cli, argc, argv, &list_options, &style);

    if (result < 0)
        return result;
    result = describe_all(cli, &list);
    if (result == 0)
        result = list_print_items(cli, &style, &command, list);
    request_release(&style.request);
    return result;
}

static const struct json *find_described(const struct json *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list_text_of(&list->items[i], "Name"), name) == 0)
            return &list->items[i];
    }
    return NULL;
}

/* As docker has it. */
static void write_inspected(struct json_writer *writer, const struct json *context)
{
    json_object_open(writer);
    json_member_string(writer, "Name", list_text_of(context, "Name"));
    json_key(writer, "Metadata");
    json_object_open(writer);
    json_member_string(writer, "Description", list_text_of(context, "Description"));
    json_object_close(writer);
    json_key(writer, "Endpoints");
    json_object_open(writer);
    json_key(writer, "docker");
    json_object_open(writer);
    json_member_string(writer, "Host", list_text_of(context, "DockerEndpoint"));
    json_member_boolean(writer, "SkipTLSVerify", false);
    json_object_close(writer);
    json_object_close(writer);
    json_object_close(writer);
}

int cli_context_inspect(struct cli *cli, int argc, char **argv)
{
    static const struct option_row format_rows[] = {
        {"format", 'f', OPTION_TEXT, "json|TEMPLATE", .help = "how each is printed"},
        {0},
    };
    const char *format = NULL;
    const struct option_set set = {
        .tables = {{format_rows, NULL}}, .usage = "[CONTEXT...]", .values = &format};
    struct json_writer *writer;
    const struct json *list = NULL;
    int result = options_read(cli, argc, argv, &set);

    if (result == 0)
        result = describe_all(cli, &list);
    if (result < 0)
        return result;
    writer = json_writer_new(inspect_is_indented(format));
    json_array_open(writer);
    for (int i = optind; result == 0 && i < argc; i++) {
        const struct json *context = find_described(list, argv[i]);

        if (context == NULL)
            result = contexts_no_such(argv[i], &cli->err);
        else
            write_inspected(writer, context);
    }
    for (size_t i = 0; optind == argc && list != NULL && i < list->count; i++) {
        const struct json *current = json_get(&list->items[i], "Current");

        if (current->boolean)
            write_inspected(writer, &list->items[i]);
    }
    json_array_close(writer);
    if (result == 0)
        result = inspect_print(cli, format, json_writer_text(writer));
    json_writer_free(writer);
    return result;
}
