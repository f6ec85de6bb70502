/* davit stats: what containers use, as a table, once or again and again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli.h"
#include "options.h"
#include "template.h"

#define NAMES_MAX 1024

/* A container's processor times of the last round, from which the next computes its share. */
struct usage {
    char *name;
    uint64_t total;  /* processor time, ns */
    uint64_t system; /* all processors', ns */
};

static uint64_t number_at(const struct json *json, const char *const path[])
{
    uint64_t number = 0;

    for (size_t i = 0; json != NULL && path[i] != NULL; i++)
        json = json_get(json, path[i]);
    if (json != NULL)
        json_to_uint64(json, &number);
    return number;
}

#define NUMBER(json, ...) number_at(json, (const char *const[]){__VA_ARGS__, NULL})

static uint64_t sum_io(const struct json *stats, const char *operation)
{
    const struct json *blkio = json_get(stats, "blkio_stats");
    const struct json *list = blkio != NULL ? json_get(blkio, "io_service_bytes_recursive") : NULL;
    uint64_t sum = 0;

    for (size_t i = 0; list != NULL && i < list->count; i++) {
        const char *name = json_get_string(&list->items[i], "op");

        if (name != NULL && strcmp(name, operation) == 0)
            sum += NUMBER(&list->items[i], "value");
    }
    return sum;
}

static uint64_t sum_networks(const struct json *stats, const char *member)
{
    const struct json *networks = json_get(stats, "networks");
    uint64_t sum = 0;

    for (size_t i = 0; networks != NULL && i < networks->count; i++)
        sum += NUMBER(&networks->members[i].value, member);
    return sum;
}

/* What is shown of one container. */
struct row {
    const char *name;
    double cpu_percent;
    double memory_percent;
    char memory[2][32];  /* used, limit */
    char network[2][32]; /* received, sent */
    char disk[2][32];    /* read, written */
    uint64_t pids;
};

static void measure(struct usage *usage, const struct json *stats, struct row *row)
{
    uint64_t total = NUMBER(stats, "cpu_stats", "cpu_usage", "total_usage");
    uint64_t system = NUMBER(stats, "cpu_stats", "system_cpu_usage");
    uint64_t cpus = NUMBER(stats, "cpu_stats", "online_cpus");
    uint64_t memory = NUMBER(stats, "memory_stats", "usage");
    uint64_t cache = NUMBER(stats, "memory_stats", "stats", "inactive_file");
    uint64_t limit = NUMBER(stats, "memory_stats", "limit");
    uint64_t used = memory > cache ? memory - cache : 0;

    *row = (struct row){.name = usage->name, .pids = NUMBER(stats, "pids_stats", "current")};
    if (usage->system > 0 && system > usage->system && total >= usage->total)
        row->cpu_percent =
            (double)(total - usage->total) / (double)(system - usage->system) * (double)cpus * 100;
    if (limit > 0)
        row->memory_percent = (double)used / (double)limit * 100;
    usage->total = total;
    usage->system = system;
    cli_format_binary_size(used, row->memory[0], sizeof(row->memory[0]));
    cli_format_binary_size(limit, row->memory[1], sizeof(row->memory[1]));
    cli_format_size(sum_networks(stats, "rx_bytes"), row->network[0], sizeof(row->network[0]));
    cli_format_size(sum_networks(stats, "tx_bytes"), row->network[1], sizeof(row->network[1]));
    cli_format_size(sum_io(stats, "read"), row->disk[0], sizeof(row->disk[0]));
    cli_format_size(sum_io(stats, "write"), row->disk[1], sizeof(row->disk[1]));
}

static void write_text(struct json_writer *writer, const char *name, char *text)
{
    json_member_string(writer, name, text);
    free(text);
}

struct stats_options {
    bool is_once;
    bool has_all;
    bool is_untruncated;
    const char *format;
};

/* docker shows dashes for what does not run. */
static void write_numbers(struct json_writer *writer, const struct row *row, bool is_running)
{
    static const char *const names[] = {"CPUPerc", "MemPerc", "MemUsage",
                                        "NetIO",   "BlockIO", "PIDs"};

    for (size_t i = 0; !is_running && i < ARRAY_SIZE(names); i++)
        json_member_string(
            writer, names[i],
            strcmp(names[i], "MemUsage") == 0 || strstr(names[i], "IO") != NULL ? "-- / --" : "--");
    if (!is_running)
        return;
    write_text(writer, "CPUPerc", memory_printf("%.2f%%", row->cpu_percent));
    write_text(writer, "MemPerc", memory_printf("%.2f%%", row->memory_percent));
    write_text(writer, "MemUsage", memory_printf("%s / %s", row->memory[0], row->memory[1]));
    write_text(writer, "NetIO", memory_printf("%s / %s", row->network[0], row->network[1]));
    write_text(writer, "BlockIO", memory_printf("%s / %s", row->disk[0], row->disk[1]));
    write_text(writer, "PIDs", memory_printf("%llu", (unsigned long long)row->pids));
}

static int add_row(struct listing *listing, const struct row *row, const struct json *stats,
                   const struct stats_options *options, struct error *err)
{
    struct json_writer *writer = json_writer_new(false);
    const char *id = json_get_string(stats, "id");
    const char *read_at = json_get_string(stats, "read");
    int result;

    json_object_open(writer);
    json_member_string(writer, "Name", row->name);
    json_member_string(writer, "Container", row->name);
    write_text(writer, "ID",
               memory_printf("%.*s", options->is_untruncated ? 64 : 12, id != NULL ? id : ""));
    /* What does not run has been read at the zero time. */
    write_numbers(writer, row, read_at != NULL && strncmp(read_at, "0001", 4) != 0);
    json_object_close(writer);
    result = listing_add_text(listing, json_writer_text(writer), err);
    json_writer_free(writer);
    return result;
}

/* Gets one container's numbers; prints them if there is a listing. */
static int look_at(struct cli *cli, struct usage *usage, const struct stats_options *options,
                   struct listing *listing)
{
    cleanup_arena struct arena arena = {0};
    cleanup_free char *path =
        client_path("/containers/", usage->name, "/stats?stream=0&one-shot=1");
    const struct json *stats;
    struct row row;
    int result = client_call_json(&cli->client, "GET", path, NULL, &arena, &stats, &cli->err);

    if (result < 0)
        return result;
    measure(usage, stats, &row);
    return listing != NULL ? add_row(listing, &row, stats, options, &cli->err) : 0;
}

static int measure_round(struct cli *cli, struct usage *usages, size_t count)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < count; i++)
        result = look_at(cli, &usages[i], NULL, NULL);
    return result;
}

static int print_round(struct cli *cli, struct usage *usages, size_t count,
                       const struct stats_options *options)
{
    static const struct table_header headers[] = {{"ID", "CONTAINER ID"},
                                                  {"CPUPerc", "CPU %"},
                                                  {"MemUsage", "MEM USAGE / LIMIT"},
                                                  {"MemPerc", "MEM %"},
                                                  {"NetIO", "NET I/O"},
                                                  {"BlockIO", "BLOCK I/O"},
                                                  {"PIDs", "PIDS"},
                                                  {0}};
    struct listing listing;
    int result = 0;

    listing_begin(&listing, options->format);
    listing.table.headers = headers;
    if (!options->is_once && isatty(STDOUT_FILENO))
        fputs("\033[H\033[2J", stdout);
    for (size_t i = 0; result == 0 && i < count; i++)
        result = look_at(cli, &usages[i], options, &listing);
    listing_end(&listing);
    fflush(stdout);
    return result;
}

/* The names on the command line; without any those of all running containers. */
static int find_names(struct cli *cli, int argc, char **argv, struct usage *usages, size_t *count,
                      bool has_all)
{
    cleanup_arena struct arena arena = {0};
    const struct json *list;
    int result;

    for (int i = optind; i < argc && *count < NAMES_MAX; i++)
        usages[(*count)++].name = memory_strdup(argv[i]);
    if (*count > 0)
        return 0;
    result = client_call_json(&cli->client, "GET",
                              has_all ? "/containers/json?all=1" : "/containers/json", NULL, &arena,
                              &list, &cli->err);
    for (size_t i = 0; result == 0 && i < list->count && *count < NAMES_MAX; i++) {
        const struct json *names = json_get(&list->items[i], "Names");

        if (names != NULL && names->count > 0)
            usages[(*count)++].name = memory_strdup(names->items[0].text + 1);
    }
    return result;
}

int cli_stats(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"no-stream", 0, OPTION_FLAG, .offset = offsetof(struct stats_options, is_once),
         .help = "once, not every second"},
        {"all", 'a', OPTION_FLAG, .offset = offsetof(struct stats_options, has_all),
         .help = "also those that do not run"},
        {"no-trunc", 0, OPTION_FLAG, .offset = offsetof(struct stats_options, is_untruncated),
         .help = "whole ids"},
        {"format", 0, OPTION_TEXT, "json|table|TEMPLATE",
         .offset = offsetof(struct stats_options, format), .help = "how each is printed"},
        {0},
    };
    struct usage *usages = memory_new(NAMES_MAX, sizeof(*usages));
    struct stats_options options = {0};
    const struct option_set set = {
        .tables = {{rows, NULL}}, .usage = "[CONTAINER...]", .values = &options};
    size_t count = 0;
    int result = options_read(cli, argc, argv, &set);

    if (options.format == NULL || strcmp(options.format, "table") == 0)
        options.format = "table {{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t"
                         "{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}";
    else if (strcmp(options.format, "json") == 0)
        options.format = "{{json .}}";
    if (result == 0)
        result = find_names(cli, argc, argv, usages, &count, options.has_all);
    if (result == 0)
        result = measure_round(cli, usages, count);
    do {
        /* The share of processor time is computed between two rounds. */
        if (result == 0 && count > 0)
            sleep(1);
        if (result == 0)
            result = print_round(cli, usages, count, &options);
    } while (result == 0 && !options.is_once && count > 0);
    for (size_t i = 0; i < count; i++)
        free(usages[i].name);
    free(usages);
    return result;
}
