/* stop, restart, kill, pause, unpause, rename, update, rm, wait, top, ps, logs, inspect. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/number.h"
#include "cli.h"
#include "create_options.h"
#include "options.h"
#include "stream.h"
#include "template.h"

/* Does the same to every container; all are tried, and one failure makes the command fail. */
static int for_each_with(struct cli *cli, const char *method, const char *suffix, const char *body,
                         int argc, char **argv)
{
    int failures = 0;

    for (int i = optind; i < argc; i++) {
        cleanup_free char *path = client_path("/containers/", argv[i], suffix);
        int status;

        if (client_call(&cli->client, method, path, body, &status, NULL, &cli->err) == 0) {
            puts(argv[i]);
        } else {
            fprintf(stderr, "davit: %s\n", cli->err.message);
            failures++;
        }
    }
    return failures > 0 ? 1 : 0;
}

static int for_each(struct cli *cli, const char *method, const char *suffix, int argc, char **argv)
{
    return for_each_with(cli, method, suffix, NULL, argc, argv);
}

int cli_update(struct cli *cli, int argc, char **argv)
{
    cleanup_free char *body = NULL;
    int result = update_options_parse(cli, argc, argv, &body);

    return result < 0 ? result : for_each_with(cli, "POST", "/update", body, argc, argv);
}

/* Calls each container with what the options have put into the query. */
static int for_each_by_options(struct cli *cli, const char *method, const char *suffix,
                               const struct option_row *rows, int argc, char **argv)
{
    cleanup_buffer struct buffer path = {0};
    struct request request = {0};
    const struct option_set set = {
        .tables = {{rows, NULL}}, .usage = "CONTAINER...", .request = &request};
    int result = options_read(cli, argc, argv, &set);

    if (result == 0) {
        buffer_printf(&path, "%s?", suffix);
        request_append_query(&request, &path);
        result = for_each(cli, method, buffer_text(&path), argc, argv);
    }
    request_release(&request);
    return result;
}

static const struct option_row stop_rows[] = {
    {"time", 't', OPTION_TEXT, "SECONDS", .member = "t",
     .help = "how long they may take to end before they are killed"},
    {"timeout", 0, OPTION_TEXT, "SECONDS", .member = "t", .help = "the same"},
    {"signal", 's', OPTION_TEXT, "SIGNAL", .member = "signal", .help = "what asks them to end"},
    {0},
};

int cli_stop(struct cli *cli, int argc, char **argv)
{
    return for_each_by_options(cli, "POST", "/stop", stop_rows, argc, argv);
}

int cli_restart(struct cli *cli, int argc, char **argv)
{
    return for_each_by_options(cli, "POST", "/restart", stop_rows, argc, argv);
}

int cli_pause(struct cli *cli, int argc, char **argv)
{
    int result = options_read_none(cli, argc, argv, "CONTAINER...");

    return result < 0 ? result : for_each(cli, "POST", "/pause", argc, argv);
}

int cli_unpause(struct cli *cli, int argc, char **argv)
{
    int result = options_read_none(cli, argc, argv, "CONTAINER...");

    return result < 0 ? result : for_each(cli, "POST", "/unpause", argc, argv);
}

int cli_rename(struct cli *cli, int argc, char **argv)
{
    cleanup_buffer struct buffer path = {0};
    cleanup_free char *start = NULL;
    int status;
    int result = options_read_none(cli, argc, argv, "CONTAINER NAME");

    if (result < 0)
        return result;
    start = client_path("/containers/", argv[optind], "/rename?name=");
    buffer_append_string(&path, start);
    http_encode(&path, argv[optind + 1]);
    return client_call(&cli->client, "POST", buffer_text(&path), NULL, &status, NULL, &cli->err);
}

int cli_top(struct cli *cli, int argc, char **argv)
{
    cleanup_arena struct arena arena = {0};
    cleanup_free char *path = NULL;
    const struct json *answer;
    const struct json *rows;
    int result = options_read_none(cli, argc, argv, "CONTAINER");

    if (result < 0)
        return result;
    path = client_path("/containers/", argv[optind], "/top");
    result = client_call_json(&cli->client, "GET", path, NULL, &arena, &answer, &cli->err);
    if (result < 0)
        return result;
    printf("%-10s %-8s %-8s %-8s %-8s %s\n", "UID", "PID", "PPID", "STIME", "TIME", "CMD");
    rows = json_get(answer, "Processes");
    for (size_t i = 0; rows != NULL && i < rows->count; i++) {
        const struct json *row = &rows->items[i];

        if (row->type != JSON_ARRAY || row->count != 8)
            continue;
        printf("%-10s %-8s %-8s %-8s %-8s ", row->items[0].text, row->items[1].text,
               row->items[2].text, row->items[4].text, row->items[6].text);
        cli_print_text(row->items[7].text);
        putchar('\n');
    }
    return 0;
}

int cli_kill(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"signal", 's', OPTION_TEXT, "SIGNAL", .member = "signal",
         .help = "the signal that is sent, in place of KILL"},
        {0},
    };

    return for_each_by_options(cli, "POST", "/kill", rows, argc, argv);
}

int cli_rm(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"force", 'f', OPTION_FLAG, .member = "force", .help = "also those that run"},
        {"volumes", 'v', OPTION_FLAG, .member = "v",
         .help = "and their anonymous volumes with them"},
        {0},
    };

    return for_each_by_options(cli, "DELETE", "", rows, argc, argv);
}

int cli_wait(struct cli *cli, int argc, char **argv)
{
    int result = options_read_none(cli, argc, argv, "CONTAINER...");

    for (int i = optind; result == 0 && i < argc; i++) {
        cleanup_arena struct arena arena = {0};
        cleanup_free char *path = client_path("/containers/", argv[i], "/wait");
        const struct json *json;
        const struct json *code;

        result = client_call_json(&cli->client, "POST", path, NULL, &arena, &json, &cli->err);
        if (result < 0)
            break;
        code = json_get(json, "StatusCode");
        printf("%s\n", code != NULL && code->type == JSON_NUMBER ? code->text : "");
    }
    return result;
}

struct ps_options {
    struct request request;
    bool is_quiet;
    bool is_json;
    bool is_untruncated;
    const char *format; /* a template; NULL: the usual columns */
};

static const char *text_of(const struct json *object, const char *name)
{
    const char *text = json_get_string(object, name);

    return text != NULL ? text : "";
}

static void format_age(const struct json *created, char *text, size_t size)
{
    int64_t seconds = 0;

    if (created != NULL)
        json_to_int64(created, &seconds);
    seconds = time(NULL) - seconds;
    if (seconds < 120)
        snprintf(text, size, "%lld seconds ago", (long long)seconds);
    else if (seconds < 7200)
        snprintf(text, size, "%lld minutes ago", (long long)seconds / 60);
    else if (seconds < 48 * 3600)
        snprintf(text, size, "%lld hours ago", (long long)seconds / 3600);
    else
        snprintf(text, size, "%lld days ago", (long long)seconds / 86400);
}

/* "0.0.0.0:8080->80/tcp, ..." */
static char *format_ports(const struct json *ports)
{
    cleanup_buffer struct buffer text = {0};

    for (size_t i = 0; ports != NULL && ports->type == JSON_ARRAY && i < ports->count; i++) {
        const struct json *port = &ports->items[i];
        const struct json *outside = json_get(port, "PublicPort");
        const struct json *inside = json_get(port, "PrivatePort");

        if (outside != NULL && inside != NULL) {
            cleanup_free char *host = cli_format_socket(text_of(port, "IP"), outside->text);

            buffer_printf(&text, "%s%s->%s/%s", i > 0 ? ", " : "", host, inside->text,
                          text_of(port, "Type"));
        }
    }
    return memory_strdup(buffer_text(&text));
}

static void print_container(const struct ps_options *options, const struct json *container)
{
    const struct json *names = json_get(container, "Names");
    const char *name = names != NULL && names->count > 0 ? names->items[0].text : "/";
    const char *id = text_of(container, "Id");
    cleanup_free char *command = memory_printf("\"%s\"", text_of(container, "Command"));
    cleanup_free char *ports = format_ports(json_get(container, "Ports"));
    char age[48];

    if (options->is_json) {
        cli_print_json(container);
        return;
    }
    if (options->is_quiet) {
        printf("%.*s\n", options->is_untruncated ? 64 : 12, id);
        return;
    }
    format_age(json_get(container, "Created"), age, sizeof(age));
    if (!options->is_untruncated && strlen(command) > 22)
        strcpy(command + 19, "...");
    printf("%-*.*s   %-24s %-22s %-18s %-30s %-22s %s\n", options->is_untruncated ? 64 : 12,
           options->is_untruncated ? 64 : 12, id, text_of(container, "Image"), command, age,
           text_of(container, "Status"), ports, name + 1);
}

static void write_labels(struct json_writer *writer, const struct json *labels)
{
    cleanup_buffer struct buffer text = {0};

    for (size_t i = 0; labels != NULL && i < labels->count; i++)
        buffer_printf(&text, "%s%s=%s", i > 0 ? "," : "", labels->members[i].name,
                      labels->members[i].value.text);
    json_member_string(writer, "Labels", buffer_text(&text));
    json_key(writer, "LabelMap");
    if (labels != NULL)
        json_value(writer, labels);
    else
        json_null(writer);
}

static void write_mounts(struct json_writer *writer, const struct json *mounts)
{
    cleanup_buffer struct buffer text = {0};

    for (size_t i = 0; mounts != NULL && i < mounts->count; i++) {
        const char *name = json_get_string(&mounts->items[i], "Name");

        buffer_printf(&text, "%s%s", i > 0 ? "," : "",
                      name != NULL ? name : text_of(&mounts->items[i], "Source"));
    }
    json_member_string(writer, "Mounts", buffer_text(&text));
}

/* Writes a container under the names that templates of `docker ps` use. */
static void write_fields(struct json_writer *writer, const struct ps_options *options,
                         const struct json *container)
{
    const struct json *names = json_get(container, "Names");
    const struct json *networks = json_get(json_get(container, "NetworkSettings"), "Networks");
    cleanup_free char *command = memory_printf("\"%s\"", text_of(container, "Command"));
    cleanup_free char *id =
        memory_printf("%.*s", options->is_untruncated ? 64 : 12, text_of(container, "Id"));
    cleanup_free char *ports = format_ports(json_get(container, "Ports"));
    int64_t created = 0;
    char age[48];
    char time[CLOCK_RFC3339_SIZE];

    if (!options->is_untruncated && strlen(command) > 22)
        strcpy(command + 19, "...");
    if (json_get(container, "Created") != NULL)
        json_to_int64(json_get(container, "Created"), &created);
    clock_format_rfc3339(created * 1000000000, time);
    format_age(json_get(container, "Created"), age, sizeof(age));
    json_object_open(writer);
    json_member_string(writer, "ID", id);
    json_member_string(writer, "Names",
                       names != NULL && names->count > 0 ? names->items[0].text + 1 : "");
    json_member_string(writer, "Image", text_of(container, "Image"));
    json_member_string(writer, "Command", command);
    json_member_string(writer, "CreatedAt", time);
    json_member_string(writer, "RunningFor", age);
    json_member_string(writer, "State", text_of(container, "State"));
    json_member_string(writer, "Status", text_of(container, "Status"));
    json_member_string(writer, "Ports", ports);
    json_member_string(writer, "Networks",
                       networks != NULL && networks->count > 0 ? networks->members[0].name : "");
    write_labels(writer, json_get(container, "Labels"));
    write_mounts(writer, json_get(container, "Mounts"));
    json_object_close(writer);
}

static int list_by_template(struct cli *cli, struct ps_options *options, const struct json *list)
{
    struct listing listing;
    int result = 0;

    listing_begin(&listing, options->format);
    for (size_t i = 0; result == 0 && list->type == JSON_ARRAY && i < list->count; i++) {
        struct json_writer *writer = json_writer_new(false);
        const struct json *fields;

        write_fields(writer, options, &list->items[i]);
        result =
            json_parse(&options->request.arena, json_writer_text(writer),
                       strlen(json_writer_text(writer)), &json_default_limits, &fields, &cli->err);
        if (result == 0)
            result = listing_add(&listing, fields, &cli->err);
        json_writer_free(writer);
    }
    listing_end(&listing);
    return result;
}

static void print_containers(const struct ps_options *options, const struct json *list)
{
    if (!options->is_json && !options->is_quiet)
        printf("%-*s   %-24s %-22s %-18s %-30s %-22s %s\n", options->is_untruncated ? 64 : 12,
               "CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES");
    for (size_t i = 0; list->type == JSON_ARRAY && i < list->count; i++)
        print_container(options, &list->items[i]);
}

int cli_ps(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"all", 'a', OPTION_FLAG, .member = "all", .help = "also those that do not run"},
        {"quiet", 'q', OPTION_FLAG, .offset = offsetof(struct ps_options, is_quiet),
         .help = "ids alone"},
        {"filter", 'f', OPTION_READ, "KEY=VALUE", .read = option_read_filter,
         .help = "those alone that match"},
        {"format", 0, OPTION_TEXT, "json|TEMPLATE", .offset = offsetof(struct ps_options, format),
         .help = "how each is printed"},
        {"no-trunc", 0, OPTION_FLAG, .offset = offsetof(struct ps_options, is_untruncated),
         .help = "whole ids and commands"},
        {0},
    };
    struct ps_options options = {0};
    const struct option_set set = {
        .tables = {{rows, NULL}}, .usage = "", .request = &options.request, .values = &options};
    cleanup_buffer struct buffer path = {0};
    const struct json *list;
    int result = options_read(cli, argc, argv, &set);

    if (result == 0) {
        options.is_json = options.format != NULL && strcmp(options.format, "json") == 0;
        buffer_append_string(&path, "/containers/json?");
        request_append_query(&options.request, &path);
        result = client_call_json(&cli->client, "GET", buffer_text(&path), NULL,
                                  &options.request.arena, &list, &cli->err);
    }
    if (result == 0 && options.format != NULL && !options.is_json && !options.is_quiet)
        result = list_by_template(cli, &options, list);
    else if (result == 0)
        print_containers(&options, list);
    request_release(&options.request);
    return result;
}

struct log_output {
    struct demultiplexer demultiplexer;
    struct exchange *exchange;
};

static int write_log(void *context, const char *bytes, size_t length)
{
    struct log_output *output = context;
    const char *type =
        http_header_get(http_parser_message(output->exchange->parser), "Content-Type");
    bool is_raw = type != NULL && strstr(type, "raw-stream") != NULL;

    return is_raw ? file_write_fd(STDOUT_FILENO, bytes, length)
                  : demultiplex(&output->demultiplexer, bytes, length);
}

static int show_logs(struct cli *cli, const char *path)
{
    const struct client_request request = {.method = "GET", .path = path, .body_fd = -1};
    struct log_output output = {0};
    struct exchange exchange = {.fd = -1, .on_body = write_log, .context = &output};
    int result;

    output.exchange = &exchange;
    result = client_exchange(&cli->client, &request, &exchange, NULL, &cli->err);
    exchange_close(&exchange);
    return result;
}

int cli_logs(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"follow", 'f', OPTION_FLAG, .member = "follow", .help = "and what comes, until it ends"},
        {"timestamps", 't', OPTION_FLAG, .member = "timestamps", .help = "when each line came"},
        {"details", 0, OPTION_FLAG, .member = "details",
         .help = "labels and variables that --log-opt names"},
        {"tail", 'n', OPTION_TEXT, "N", .member = "tail", .help = "the last lines alone"},
        {"since", 0, OPTION_READ, "TIME", .member = "since", .read = option_read_time,
         .help = "what came later, like 10m"},
        {"until", 0, OPTION_READ, "TIME", .member = "until", .read = option_read_time,
         .help = "what came before"},
        {0},
    };
    struct request request = {0};
    const struct option_set set = {
        .tables = {{rows, NULL}}, .usage = "CONTAINER", .request = &request};
    cleanup_buffer struct buffer path = {0};
    cleanup_free char *start = NULL;
    int result = options_read(cli, argc, argv, &set);

    if (result == 0) {
        start = client_path("/containers/", argv[optind], "/logs?stdout=1&stderr=1&");
        buffer_append_string(&path, start);
        request_append_query(&request, &path);
        result = show_logs(cli, buffer_text(&path));
    }
    request_release(&request);
    return result;
}

static int inspect_one(struct cli *cli, const char *name, struct json_writer *writer)
{
    cleanup_arena struct arena arena = {0};
    cleanup_free char *container_path = client_path("/containers/", name, "/json");
    cleanup_free char *image_path = client_path("/images/", name, "/json");
    const struct json *json;
    int result =
        client_call_json(&cli->client, "GET", container_path, NULL, &arena, &json, &cli->err);

    if (result < 0 && cli->err.code == ERROR_NOT_FOUND) {
        result = client_call_json(&cli->client, "GET", image_path, NULL, &arena, &json, &cli->err);
        if (result < 0 && cli->err.code == ERROR_IMAGE_NOT_FOUND)
            return error_set(&cli->err, ERROR_NOT_FOUND, ENOENT,
                             "no container or image is called %.128s", name);
    }
    if (result == 0)
        json_value(writer, json);
    return result;
}

/* A line for each of a list. */
static int print_by_template(struct cli *cli, const char *format, const char *text)
{
    cleanup_arena struct arena arena = {0};
    const struct json *list;
    int result = json_parse(&arena, text, strlen(text), &json_default_limits, &list, &cli->err);

    return result < 0 ? result : listing_print(format, list->items, list->count, &cli->err);
}

int cli_inspect(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"format", 'f', OPTION_TEXT, "json|TEMPLATE", .help = "how each is printed"},
        {0},
    };
    const char *format = NULL;
    const struct option_set set = {
        .tables = {{rows, NULL}}, .usage = "CONTAINER|IMAGE...", .values = &format};
    struct json_writer *writer;
    bool is_compact;
    int failures = 0;
    int result = options_read(cli, argc, argv, &set);

    if (result < 0)
        return result;
    is_compact = format != NULL && strcmp(format, "json") == 0;
    if (is_compact)
        format = NULL;
    writer = json_writer_new(!is_compact);
    json_array_open(writer);
    for (int i = optind; i < argc; i++) {
        if (inspect_one(cli, argv[i], writer) < 0) {
            fprintf(stderr, "davit: %s\n", cli->err.message);
            failures++;
        }
    }
    json_array_close(writer);
    if (format != NULL && print_by_template(cli, format, json_writer_text(writer)) < 0) {
        json_writer_free(writer);
        return -EINVAL;
    }
    if (format == NULL)
        printf("%s%s", json_writer_text(writer), is_compact ? "\n" : "");
    json_writer_free(writer);
    return failures > 0 ? 1 : 0;
}
