/* probe: davit's liveness and readiness probes of a container. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "cli.h"
#include "options.h"

struct probe_options {
    bool is_json;
    const char *liveness;
    const char *readiness;
    int64_t interval_ns;
    int64_t timeout_ns;
    int64_t start_period_ns;
    int64_t retries;
};

static int refuse(struct cli *cli, const char *text)
{
    return error_set(&cli->err, ERROR_INVALID, EINVAL,
                     "\"%.64s\" is none of tcp:PORT, http:PORT[/PATH], cmd:COMMAND, none", text);
}

/* "8080/healthz" */
static int write_port(struct cli *cli, struct json_writer *writer, const char *kind,
                      const char *text)
{
    const char *end = text;
    uint64_t port = 0;
    bool is_http = strcmp(kind, "Http") == 0;

    if (!number_take(&end, 10, 65535, &port) || port == 0 ||
        (*end != '\0' && (*end != '/' || !is_http)))
        return refuse(cli, text);
    json_key(writer, kind);
    json_object_open(writer);
    json_member_unsigned(writer, "Port", port);
    if (*end == '/')
        json_member_string(writer, "Path", end);
    json_object_close(writer);
    return 0;
}

static int write_probe(struct cli *cli, struct json_writer *writer, const char *name,
                       const char *text, const struct probe_options *options)
{
    int result = 0;

    if (text == NULL || strcmp(text, "none") == 0)
        return 0;
    json_key(writer, name);
    json_object_open(writer);
    if (strncmp(text, "tcp:", 4) == 0)
        result = write_port(cli, writer, "Tcp", text + 4);
    else if (strncmp(text, "http:", 5) == 0)
        result = write_port(cli, writer, "Http", text + 5);
    else if (strncmp(text, "cmd:", 4) == 0)
        json_member_strings(writer, "Test",
                            &(struct string_list){(const char *[]){"CMD-SHELL", text + 4}, 2});
    else
        result = refuse(cli, text);
    json_member_integer(writer, "Interval", options->interval_ns);
    json_member_integer(writer, "Timeout", options->timeout_ns);
    json_member_integer(writer, "StartPeriod", options->start_period_ns);
    json_member_integer(writer, "Retries", options->retries);
    json_object_close(writer);
    return result;
}

static int set_probes(struct cli *cli, const char *path, const struct probe_options *options)
{
    struct json_writer *writer = json_writer_new(false);
    int status;
    int result;

    json_object_open(writer);
    result = write_probe(cli, writer, "Liveness", options->liveness, options);
    if (result == 0)
        result = write_probe(cli, writer, "Readiness", options->readiness, options);
    json_object_close(writer);
    if (result == 0)
        result = client_call(&cli->client, "PUT", path, json_writer_text(writer), &status, NULL,
                             &cli->err);
    json_writer_free(writer);
    return result;
}

static void print_probe(const struct json *probes, const char *name)
{
    const struct json *probe = json_get(probes, name);
    const struct json *streak = json_get(probe, "FailingStreak");
    const struct json *log = json_get(probe, "Log");
    const char *output = NULL;

    if (probe == NULL)
        return;
    if (log != NULL && log->count > 0)
        output = json_get_string(&log->items[log->count - 1], "Output");
    printf("%-10s %-10s %-9s ", name, json_get_string(probe, "Status"),
           streak != NULL ? streak->text : "0");
    cli_print_text(output != NULL ? output : "");
    putchar('\n');
}

static int show_probes(struct cli *cli, const char *path, bool is_json)
{
    cleanup_arena struct arena arena = {0};
    const struct json *probes;
    int result = client_call_json(&cli->client, "GET", path, NULL, &arena, &probes, &cli->err);

    if (result < 0)
        return result;
    if (is_json) {
        cli_print_json(probes);
        return 0;
    }
    printf("%-10s %-10s %-9s %s\n", "PROBE", "STATUS", "FAILURES", "LAST");
    print_probe(probes, "Health");
    print_probe(probes, "Liveness");
    print_probe(probes, "Readiness");
    return 0;
}

int cli_probe(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"liveness", 0, OPTION_TEXT, "PROBE|none",
         .offset = offsetof(struct probe_options, liveness),
         .help = "restart it when this fails: tcp:PORT, http:PORT[/PATH] or cmd:COMMAND"},
        {"readiness", 0, OPTION_TEXT, "PROBE|none",
         .offset = offsetof(struct probe_options, readiness),
         .help = "lead nobody to it while this fails"},
        {"interval", 0, OPTION_DURATION, "TIME",
         .offset = offsetof(struct probe_options, interval_ns), .help = "time between two"},
        {"timeout", 0, OPTION_DURATION, "TIME",
         .offset = offsetof(struct probe_options, timeout_ns), .help = "how long one may take"},
        {"start-period", 0, OPTION_DURATION, "TIME",
         .offset = offsetof(struct probe_options, start_period_ns),
         .help = "time after its start in which failures do not count"},
        {"retries", 0, OPTION_INTEGER, "N", .offset = offsetof(struct probe_options, retries),
         .help = "how many failures count"},
        {"format", 0, OPTION_READ, "json", .offset = offsetof(struct probe_options, is_json),
         .read = option_read_json, .help = "print them as JSON"},
        {0},
    };
    struct probe_options options = {0};
    const struct option_set set = {
        .tables = {{rows, NULL}}, .usage = "CONTAINER", .values = &options};
    cleanup_free char *path = NULL;
    int result = options_read(cli, argc, argv, &set);

    if (result < 0)
        return result;
    path = client_path("/davit/v1/containers/", argv[optind], "/probes");
    return options.liveness != NULL || options.readiness != NULL
               ? set_probes(cli, path, &options)
               : show_probes(cli, path, options.is_json);
}
