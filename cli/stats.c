/* davit stats: what containers use, as a table, once or again and again. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli.h"

#define NAMES_MAX 1024

/* Of one container, from one round to the next. */
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

static void print_row(struct usage *usage, const struct json *stats)
{
    uint64_t total = NUMBER(stats, "cpu_stats", "cpu_usage", "total_usage");
    uint64_t system = NUMBER(stats, "cpu_stats", "system_cpu_usage");
    uint64_t cpus = NUMBER(stats, "cpu_stats", "online_cpus");
    uint64_t memory = NUMBER(stats, "memory_stats", "usage");
    uint64_t cache = NUMBER(stats, "memory_stats", "stats", "inactive_file");
    double percent =
        usage->system > 0 && system > usage->system && total >= usage->total
            ? (double)(total - usage->total) / (double)(system - usage->system) * (double)cpus * 100
            : 0;
    char used[32];
    char limit[32];
    char read[32];
    char written[32];
    char received[32];
    char sent[32];

    usage->total = total;
    usage->system = system;
    cli_format_size(memory > cache ? memory - cache : 0, used, sizeof(used));
    cli_format_size(NUMBER(stats, "memory_stats", "limit"), limit, sizeof(limit));
    cli_format_size(sum_io(stats, "read"), read, sizeof(read));
    cli_format_size(sum_io(stats, "write"), written, sizeof(written));
    cli_format_size(sum_networks(stats, "rx_bytes"), received, sizeof(received));
    cli_format_size(sum_networks(stats, "tx_bytes"), sent, sizeof(sent));
    printf("%-24s %7.2f%%  %9s / %-9s  %9s / %-9s  %9s / %-9s  %llu\n", usage->name, percent, used,
           limit, received, sent, read, written,
           (unsigned long long)NUMBER(stats, "pids_stats", "current"));
}

static int print_round(struct cli *cli, struct usage *usages, size_t count, bool is_shown)
{
    if (is_shown && isatty(STDOUT_FILENO))
        fputs("\033[H\033[2J", stdout);
    if (is_shown)
        printf("%-24s %8s  %21s  %21s  %21s  %s\n", "NAME", "CPU", "MEMORY / LIMIT",
               "RECEIVED / SENT", "READ / WRITTEN", "PIDS");
    for (size_t i = 0; i < count; i++) {
        cleanup_arena struct arena arena = {0};
        cleanup_free char *path =
            client_path("/containers/", usages[i].name, "/stats?stream=0&one-shot=1");
        const struct json *stats;
        int result = client_call_json(&cli->client, "GET", path, NULL, &arena, &stats, &cli->err);

        if (result < 0)
            return result;
        if (is_shown) {
            print_row(&usages[i], stats);
        } else {
            usages[i].total = NUMBER(stats, "cpu_stats", "cpu_usage", "total_usage");
            usages[i].system = NUMBER(stats, "cpu_stats", "system_cpu_usage");
        }
    }
    fflush(stdout);
    return 0;
}

/* Without names all that run. */
static int find_names(struct cli *cli, int argc, char **argv, struct usage *usages, size_t *count)
{
    cleanup_arena struct arena arena = {0};
    const struct json *list;
    int result;

    for (int i = optind; i < argc && *count < NAMES_MAX; i++)
        usages[(*count)++].name = memory_strdup(argv[i]);
    if (*count > 0)
        return 0;
    result =
        client_call_json(&cli->client, "GET", "/containers/json", NULL, &arena, &list, &cli->err);
    for (size_t i = 0; result == 0 && i < list->count && *count < NAMES_MAX; i++) {
        const struct json *names = json_get(&list->items[i], "Names");

        if (names != NULL && names->count > 0)
            usages[(*count)++].name = memory_strdup(names->items[0].text + 1);
    }
    return result;
}

int cli_stats(struct cli *cli, int argc, char **argv)
{
    static const struct option table[] = {{"no-stream", no_argument, NULL, 'n'},
                                          {NULL, 0, NULL, 0}};
    struct usage *usages = memory_new(NAMES_MAX, sizeof(*usages));
    bool is_stream = true;
    size_t count = 0;
    int result = 0;
    int option;

    while (result == 0 && (option = cli_next_option(cli, argc, argv, "", table)) != -1) {
        if (option == '?')
            result = cli_usage_error(cli, argv, "[--no-stream] [CONTAINER...]");
        is_stream = is_stream && option != 'n';
    }
    if (result == 0)
        result = find_names(cli, argc, argv, usages, &count);
    if (result == 0)
        result = print_round(cli, usages, count, false);
    do {
        /* A share of time is one between two looks. */
        if (result == 0 && count > 0)
            sleep(1);
        if (result == 0)
            result = print_round(cli, usages, count, true);
    } while (result == 0 && is_stream && count > 0);
    for (size_t i = 0; i < count; i++)
        free(usages[i].name);
    free(usages);
    return result;
}
