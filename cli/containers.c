/* stop, restart, kill, pause, unpause, rename, update, rm, wait, top, logs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli.h"
#include "create_options.h"
#include "each.h"
#include "options.h"
#include "stream.h"
#include "template.h"

int cli_update(struct cli *cli, int argc, char **argv)
{
    cleanup_free char *body = NULL;
    int result = update_options_parse(cli, argc, argv, &body);

    return result < 0
               ? result
               : each_argument(cli,
                               &(struct each_call){"POST", "/containers/", "/update", body, false},
                               argc, argv);
}

/* Calls each container with what the options have put into the query. */
static int for_each_by_options(struct cli *cli, const char *method, const char *suffix,
                               const struct option_row *rows, int argc, char **argv)
{
    bool takes_missing;
    cleanup_buffer struct buffer path = {0};
    struct request request = {0};
    const struct option_set set = {
        .tables = {{rows, NULL}}, .usage = "CONTAINER...", .request = &request};
    int result = options_read(cli, argc, argv, &set);

    if (result == 0) {
        /* docker rm --force: what is not there need not be removed. */
        takes_missing = request_is_true(&request, "force");
        buffer_printf(&path, "%s?", suffix);
        request_append_query(&request, &path);
        result = each_argument(cli,
                               &(struct each_call){.method = method,
                                                   .prefix = "/containers/",
                                                   .suffix = buffer_text(&path),
                                                   .takes_missing = takes_missing},
                               argc, argv);
    }
    request_release(&request);
    return result;
}

static const struct option_row stop_rows[] = {
    {"timeout", 't', OPTION_TEXT, "SECONDS", .member = "t",
     .help = "how long they may take to end before they are killed"},
    {"time", 0, OPTION_TEXT, "SECONDS", .member = "t", .help = "the same"},
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

    return result < 0
               ? result
               : each_argument(cli,
                               &(struct each_call){"POST", "/containers/", "/pause", NULL, false},
                               argc, argv);
}

int cli_unpause(struct cli *cli, int argc, char **argv)
{
    int result = options_read_none(cli, argc, argv, "CONTAINER...");

    return result < 0
               ? result
               : each_argument(cli,
                               &(struct each_call){"POST", "/containers/", "/unpause", NULL, false},
                               argc, argv);
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

static size_t width_of(const struct json *titles, const struct json *rows, size_t column)
{
    size_t width = titles->items[column].count;

    for (size_t i = 0; rows != NULL && i < rows->count; i++) {
        const struct json *row = &rows->items[i];

        if (row->type == JSON_ARRAY && row->count > column && row->items[column].count > width)
            width = row->items[column].count;
    }
    return width;
}

/* The last column, mostly a command, is as wide as it is. */
static void print_row(const struct json *row, const size_t *widths)
{
    for (size_t i = 0; i < row->count; i++) {
        cleanup_free char *text =
            memory_strdup(row->items[i].type == JSON_STRING ? row->items[i].text : "");

        cli_clean_text(text);
        if (i + 1 < row->count)
            printf("%-*s   ", (int)widths[i], text);
        else
            printf("%s\n", text);
    }
}

static void print_processes(const struct json *answer)
{
    const struct json *titles = json_get(answer, "Titles");
    const struct json *rows = json_get(answer, "Processes");
    cleanup_free size_t *widths = NULL;

    if (titles == NULL || titles->type != JSON_ARRAY)
        return;
    widths = memory_new(titles->count + 1, sizeof(*widths));
    for (size_t i = 0; i < titles->count; i++)
        widths[i] = width_of(titles, rows, i);
    print_row(titles, widths);
    for (size_t i = 0; rows != NULL && i < rows->count; i++) {
        if (rows->items[i].type == JSON_ARRAY && rows->items[i].count == titles->count)
            print_row(&rows->items[i], widths);
    }
}

int cli_top(struct cli *cli, int argc, char **argv)
{
    cleanup_arena struct arena arena = {0};
    cleanup_free char *path = NULL;
    const struct json *answer;
    const struct option_set set = {.usage = "CONTAINER [PS-OPTION...]", .ends_at_argument = true};
    cleanup_buffer struct buffer query = {0};
    int result = options_read(cli, argc, argv, &set);

    if (result < 0)
        return result;
    buffer_append_string(&query, "/top?ps_args=");
    for (int i = optind + 1; i < argc; i++) {
        buffer_append_string(&query, i > optind + 1 ? "%20" : "");
        http_encode(&query, argv[i]);
    }
    path = client_path("/containers/", argv[optind], buffer_text(&query));
    result = client_call_json(&cli->client, "GET", path, NULL, &arena, &answer, &cli->err);
    if (result < 0)
        return result;
    print_processes(answer);
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
        {"link", 'l', OPTION_REFUSED,
         .help = "a link is one container's name for another, and goes with it"},
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
