/* events, version, info. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/build.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "cli.h"
#include "options.h"
#include "template.h"

struct event_output {
    struct buffer line;
    const char *format; /* "json", a template, or NULL */
    int result;
    struct error err; /* of the template, if that is negative */
};

static void print_event(struct event_output *output, const char *text, size_t length)
{
    cleanup_arena struct arena arena = {0};
    const struct json *event;
    const struct json *actor;
    const struct json *attributes;
    const struct json *time;
    int64_t time_ns = 0;
    char when[CLOCK_RFC3339_SIZE];
    const char *id;

    if (output->format != NULL && strcmp(output->format, "json") == 0) {
        fwrite(text, 1, length, stdout);
        fflush(stdout);
        return;
    }
    if (json_parse(&arena, text, length, &json_default_limits, &event, NULL) < 0)
        return;
    if (output->format != NULL) {
        output->result = listing_print(output->format, event, 1, &output->err);
        fflush(stdout);
        return;
    }
    actor = json_get(event, "Actor");
    attributes = json_get(actor, "Attributes");
    time = json_get(event, "timeNano");
    if (time != NULL)
        json_to_int64(time, &time_ns);
    clock_format_rfc3339(time_ns, when);
    id = json_get_string(actor, "ID");
    printf("%s %s %s %s (", when, json_get_string(event, "Type"), json_get_string(event, "Action"),
           id != NULL ? id : "");
    for (size_t i = 0; attributes != NULL && i < attributes->count; i++)
        printf("%s%s=%s", i > 0 ? ", " : "", attributes->members[i].name,
               attributes->members[i].value.type == JSON_STRING ? attributes->members[i].value.text
                                                                : "");
    puts(")");
    fflush(stdout);
}

static int on_events(void *context, const char *bytes, size_t length)
{
    struct event_output *output = context;
    char *newline;

    buffer_append(&output->line, bytes, length);
    while ((newline = memchr(output->line.data, '\n', output->line.length)) != NULL) {
        size_t used = (size_t)(newline - output->line.data) + 1;

        print_event(output, output->line.data, used);
        buffer_consume(&output->line, used);
        /* A template that cannot be rendered ends the stream. */
        if (output->result < 0)
            return output->result;
    }
    return 0;
}

int cli_events(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"since", 0, OPTION_READ, "TIME", .member = "since", .read = option_read_time,
         .help = "from then on"},
        {"until", 0, OPTION_READ, "TIME", .member = "until", .read = option_read_time,
         .help = "until then"},
        {"filter", 'f', OPTION_READ, "KEY=VALUE", .read = option_read_filter,
         .help = "those alone that match"},
        {"format", 0, OPTION_TEXT, "json|TEMPLATE", .offset = offsetof(struct event_output, format),
         .help = "how each is printed"},
        {0},
    };
    cleanup_buffer struct buffer path = {0};
    struct request query = {0};
    struct event_output output = {0};
    struct exchange exchange = {.fd = -1, .on_body = on_events, .context = &output};
    struct client_request request = {.method = "GET", .body_fd = -1};
    const struct option_set set = {
        .tables = {{rows, NULL}}, .usage = "", .request = &query, .values = &output};
    int result = options_read(cli, argc, argv, &set);

    if (result == 0) {
        buffer_append_string(&path, "/events?");
        request_append_query(&query, &path);
        request.path = buffer_text(&path);
        result = client_exchange(&cli->client, &request, &exchange, NULL, &cli->err);
        exchange_close(&exchange);
    }
    request_release(&query);
    buffer_release(&output.line);
    if (output.result < 0)
        cli->err = output.err;
    return output.result < 0 ? output.result : result;
}

/* *format is NULL for the usual output and "json" as well; *is_json tells them apart. */
static int parse_format(struct cli *cli, int argc, char **argv, bool *is_json, const char **format)
{
    static const struct option_row rows[] = {
        {"format", 'f', OPTION_TEXT, "json|TEMPLATE", .help = "how it is printed"},
        {0},
    };
    const struct option_set set = {.tables = {{rows, NULL}}, .usage = "", .values = format};
    int result;

    *format = NULL;
    result = options_read(cli, argc, argv, &set);
    *is_json = *format != NULL && strcmp(*format, "json") == 0;
    if (*is_json)
        *format = NULL;
    return result;
}

static const char *member(const struct json *object, const char *name)
{
    const struct json *value = json_get(object, name);

    if (value == NULL)
        return "";
    return value->type == JSON_STRING || value->type == JSON_NUMBER ? value->text
           : value->type == JSON_BOOLEAN && value->boolean          ? "true"
                                                                    : "false";
}

int cli_version(struct cli *cli, int argc, char **argv)
{
    cleanup_arena struct arena arena = {0};
    const struct json *json;
    const char *format;
    bool is_json;
    int result = parse_format(cli, argc, argv, &is_json, &format);

    if (result < 0)
        return result;
    if (!is_json && format == NULL)
        printf("Client:\n Version:      %s\n Host:         %s\n\n", davit_version,
               cli->client.host);
    result = client_call_json(&cli->client, "GET", "/version", NULL, &arena, &json, &cli->err);
    if (result < 0)
        return result;
    if (format != NULL)
        return listing_print(format, json, 1, &cli->err);
    if (is_json)
        cli_print_json(json);
    else
        printf("Server:\n Version:      %s\n API version:  %s (minimum %s)\n OS/Arch:      %s/%s\n"
               " Kernel:       %s\n",
               member(json, "Version"), member(json, "ApiVersion"), member(json, "MinAPIVersion"),
               member(json, "Os"), member(json, "Arch"), member(json, "KernelVersion"));
    return 0;
}

int cli_info(struct cli *cli, int argc, char **argv)
{
    static const struct {
        const char *label;
        const char *name;
    } lines[] = {
        {"Containers", "Containers"},
        {" Running", "ContainersRunning"},
        {"Images", "Images"},
        {"Storage driver", "Driver"},
        {"Logging driver", "LoggingDriver"},
        {"Cgroup version", "CgroupVersion"},
        {"Memory limit", "MemoryLimit"},
        {"CPU quota", "CpuCfsQuota"},
        {"Pids limit", "PidsLimit"},
        {"Kernel", "KernelVersion"},
        {"CPUs", "NCPU"},
        {"Total memory", "MemTotal"},
        {"Root directory", "DockerRootDir"},
        {"Version", "ServerVersion"},
    };
    cleanup_arena struct arena arena = {0};
    const struct json *json;
    const struct json *warnings;
    const char *format;
    bool is_json;
    int result = parse_format(cli, argc, argv, &is_json, &format);

    if (result < 0)
        return result;
    result = client_call_json(&cli->client, "GET", "/info", NULL, &arena, &json, &cli->err);
    if (result < 0)
        return result;
    if (format != NULL)
        return listing_print(format, json, 1, &cli->err);
    if (is_json) {
        cli_print_json(json);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        printf("%-16s %s\n", lines[i].label, member(json, lines[i].name));
    warnings = json_get(json, "Warnings");
    for (size_t i = 0; warnings != NULL && i < warnings->count; i++)
        fprintf(stderr, "%s\n", warnings->items[i].text);
    return 0;
}
