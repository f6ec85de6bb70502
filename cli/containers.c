/* stop, restart, kill, rm, wait, ps, logs, inspect. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli.h"
#include "template.h"

/* Does the same to every container; all are tried, and one failure makes the command fail. */
static int for_each_with(struct cli *cli, const char *method, const char *suffix, const char *body,
                         int argc, char **argv)
{
    int failures = 0;

    if (optind == argc)
        return error_set(&cli->err, ERROR_INVALID, EINVAL, "%s: at least one container is expected",
                         argv[0]);
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

static int stop_or_restart(struct cli *cli, const char *verb, int argc, char **argv)
{
    static const struct option options[] = {{"time", required_argument, NULL, 't'},
                                            {"timeout", required_argument, NULL, 't'},
                                            {"signal", required_argument, NULL, 's'},
                                            {NULL, 0, NULL, 0}};
    cleanup_buffer struct buffer suffix = {0};
    int option;

    buffer_printf(&suffix, "/%s?", verb);
    while ((option = cli_next_option(cli, argc, argv, "t:s:", options)) != -1) {
        if (option == '?')
            return cli_usage_error(cli, argv, "[--time SECONDS] [--signal SIGNAL] CONTAINER...");
        buffer_printf(&suffix, "%s=", option == 't' ? "t" : "signal");
        http_encode(&suffix, optarg);
        buffer_append_string(&suffix, "&");
    }
    return for_each(cli, "POST", suffix.data, argc, argv);
}

int cli_stop(struct cli *cli, int argc, char **argv)
{
    return stop_or_restart(cli, "stop", argc, argv);
}

int cli_restart(struct cli *cli, int argc, char **argv)
{
    return stop_or_restart(cli, "restart", argc, argv);
}

int cli_pause(struct cli *cli, int argc, char **argv)
{
    int result = cli_no_options(cli, argc, argv, "CONTAINER...");

    return result < 0 ? result : for_each(cli, "POST", "/pause", argc, argv);
}

int cli_unpause(struct cli *cli, int argc, char **argv)
{
    int result = cli_no_options(cli, argc, argv, "CONTAINER...");

    return result < 0 ? result : for_each(cli, "POST", "/unpause", argc, argv);
}

int cli_rename(struct cli *cli, int argc, char **argv)
{
    cleanup_buffer struct buffer path = {0};
    cleanup_free char *start = NULL;
    int status;
    int result = cli_no_options(cli, argc, argv, "CONTAINER NAME");

    if (result < 0)
        return result;
    if (argc - optind != 2)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "rename: a container and its new name are expected");
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
    int result = cli_no_options(cli, argc, argv, "CONTAINER");

    if (result < 0)
        return result;
    if (argc - optind != 1)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "top: exactly one container is expected");
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
    static const struct option options[] = {{"signal", required_argument, NULL, 's'},
                                            {NULL, 0, NULL, 0}};
    cleanup_buffer struct buffer suffix = {0};
    int option;

    buffer_append_string(&suffix, "/kill");
    while ((option = cli_next_option(cli, argc, argv, "s:", options)) != -1) {
        if (option == '?')
            return cli_usage_error(cli, argv, "[--signal SIGNAL] CONTAINER...");
        suffix.length = 0;
        buffer_append_string(&suffix, "/kill?signal=");
        http_encode(&suffix, optarg);
    }
    return for_each(cli, "POST", suffix.data, argc, argv);
}

int cli_rm(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
        {"force", no_argument, NULL, 'f'}, {"volumes", no_argument, NULL, 'v'}, {NULL, 0, NULL, 0}};
    cleanup_buffer struct buffer suffix = {0};
    int option;

    buffer_append_string(&suffix, "?");
    while ((option = cli_next_option(cli, argc, argv, "fv", options)) != -1) {
        if (option == '?')
            return cli_usage_error(cli, argv, "[--force] [--volumes] CONTAINER...");
        buffer_append_string(&suffix, option == 'f' ? "force=1&" : "v=1&");
    }
    return for_each(cli, "DELETE", buffer_text(&suffix), argc, argv);
}

int cli_wait(struct cli *cli, int argc, char **argv)
{
    int result = cli_no_options(cli, argc, argv, "CONTAINER...");

    if (result == 0 && optind == argc)
        result =
            error_set(&cli->err, ERROR_INVALID, EINVAL, "wait: at least one container is expected");
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
    struct arena arena;
    struct string_list filters;
    bool shows_all;
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

/* What docker's templates of a list call things. */
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
            json_parse(&options->arena, json_writer_text(writer), strlen(json_writer_text(writer)),
                       &json_default_limits, &fields, &cli->err);
        if (result == 0)
            result = listing_add(&listing, fields, &cli->err);
        json_writer_free(writer);
    }
    listing_end(&listing);
    return result;
}

int cli_ps(struct cli *cli, int argc, char **argv)
{
    static const struct option table[] = {
        {"all", no_argument, NULL, 'a'},          {"quiet", no_argument, NULL, 'q'},
        {"filter", required_argument, NULL, 'f'}, {"format", required_argument, NULL, 'F'},
        {"no-trunc", no_argument, NULL, 'n'},     {NULL, 0, NULL, 0},
    };
    struct ps_options options = {0};
    cleanup_buffer struct buffer path = {0};
    const struct json *list;
    int option;
    int result;

    while ((option = cli_next_option(cli, argc, argv, "aqf:", table)) != -1) {
        if (option == '?')
            return cli_usage_error(cli, argv,
                                   "[--all] [--quiet] [--no-trunc] [--filter KEY=VALUE] "
                                   "[--format json|TEMPLATE]");
        options.shows_all = options.shows_all || option == 'a';
        options.is_quiet = options.is_quiet || option == 'q';
        if (option == 'F') {
            options.is_json = strcmp(optarg, "json") == 0;
            options.format = options.is_json ? NULL : optarg;
        }
        options.is_untruncated = options.is_untruncated || option == 'n';
        if (option == 'f')
            string_list_append(&options.arena, &options.filters, optarg);
    }
    buffer_printf(&path, "/containers/json?all=%d", options.shows_all ? 1 : 0);
    cli_append_filters(&path, &options.filters);
    result =
        client_call_json(&cli->client, "GET", path.data, NULL, &options.arena, &list, &cli->err);
    if (result == 0 && options.format != NULL && !options.is_quiet) {
        result = list_by_template(cli, &options, list);
        arena_release(&options.arena);
        return result;
    }
    if (result == 0 && !options.is_json && !options.is_quiet)
        printf("%-*s   %-24s %-22s %-18s %-30s %-22s %s\n", options.is_untruncated ? 64 : 12,
               "CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES");
    for (size_t i = 0; result == 0 && list->type == JSON_ARRAY && i < list->count; i++)
        print_container(&options, &list->items[i]);
    arena_release(&options.arena);
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

/* RFC 3339, a Unix time, or a duration back from now such as 10m. */
static int append_time(struct cli *cli, struct buffer *path, const char *name, const char *text)
{
    static const struct {
        char unit;
        long seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}};
    char *end;
    long long value = strtoll(text, &end, 10);
    int64_t time_ns;

    if (clock_parse_rfc3339(text, &time_ns) == 0) {
        buffer_printf(path, "&%s=%lld.%09lld", name, (long long)(time_ns / 1000000000),
                      (long long)(time_ns % 1000000000));
        return 0;
    }
    for (size_t i = 0; end != text && i < ARRAY_SIZE(units); i++) {
        if (*end == units[i].unit && end[1] == '\0') {
            buffer_printf(path, "&%s=%lld", name, (long long)time(NULL) - value * units[i].seconds);
            return 0;
        }
    }
    if (end == text || strspn(text, "0123456789.") != strlen(text))
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "--%s: \"%.40s\" is neither a time nor a duration like 10m", name, text);
    buffer_printf(path, "&%s=%s", name, text);
    return 0;
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
    static const struct option table[] = {
        {"follow", no_argument, NULL, 'f'},
        {"timestamps", no_argument, NULL, 't'},
        {"details", no_argument, NULL, 'd'},
        {"tail", required_argument, NULL, 'n'},
        {"since", required_argument, NULL, 's'},
        {"until", required_argument, NULL, 'u'},
        {NULL, 0, NULL, 0},
    };
    cleanup_buffer struct buffer query = {0};
    cleanup_free char *path = NULL;
    int option;
    int result = 0;

    buffer_append_string(&query, "/logs?stdout=1&stderr=1");
    while (result == 0 && (option = cli_next_option(cli, argc, argv, "ftn:", table)) != -1) {
        switch (option) {
        case 'f':
            buffer_append_string(&query, "&follow=1");
            break;
        case 't':
            buffer_append_string(&query, "&timestamps=1");
            break;
        case 'd':
            buffer_append_string(&query, "&details=1");
            break;
        case 'n':
            buffer_append_string(&query, "&tail=");
            http_encode(&query, optarg);
            break;
        case 's':
            result = append_time(cli, &query, "since", optarg);
            break;
        case 'u':
            result = append_time(cli, &query, "until", optarg);
            break;
        default:
            return cli_usage_error(
                cli, argv,
                "[--follow] [--timestamps] [--details] [--tail N] [--since TIME] [--until "
                "TIME] CONTAINER");
        }
    }
    if (result < 0)
        return result;
    if (argc - optind != 1)
        return error_set(&cli->err, ERROR_INVALID, EINVAL, "logs: one container is expected");
    path = client_path("/containers/", argv[optind], query.data);
    return show_logs(cli, path);
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
        if (result < 0 && cli->err.code == ERROR_NOT_FOUND)
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
    static const struct option table[] = {{"format", required_argument, NULL, 'f'},
                                          {NULL, 0, NULL, 0}};
    struct json_writer *writer;
    const char *format = NULL;
    bool is_compact = false;
    int failures = 0;
    int option;

    while ((option = cli_next_option(cli, argc, argv, "f:", table)) != -1) {
        if (option == '?')
            return cli_usage_error(cli, argv, "[--format json|TEMPLATE] NAME...");
        is_compact = strcmp(optarg, "json") == 0;
        format = is_compact ? NULL : optarg;
    }
    if (optind == argc)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "inspect: at least one name is expected");
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
