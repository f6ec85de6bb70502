/* system df, and prune: system, image, container, volume. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli.h"

static uint64_t number_of(const struct json *object, const char *name)
{
    const struct json *json = json_get(object, name);
    uint64_t number = 0;

    if (json != NULL)
        json_to_uint64(json, &number);
    return number;
}

static bool is_active(const struct json *container)
{
    const char *state = json_get_string(container, "State");

    return state != NULL && strcmp(state, "running") == 0;
}

static void print_row(const char *type, size_t total, size_t active, uint64_t size,
                      uint64_t reclaimable)
{
    char text[32];
    char reclaimed[32];

    cli_format_size(size, text, sizeof(text));
    cli_format_size(reclaimable, reclaimed, sizeof(reclaimed));
    printf("%-14s %-7zu %-8zu %-10s %s (%d%%)\n", type, total, active, text, reclaimed,
           size > 0 ? (int)(reclaimable * 100 / size) : 0);
}

static void print_volumes(const struct json *volumes)
{
    uint64_t size = 0;
    uint64_t reclaimable = 0;
    size_t active = 0;

    for (size_t i = 0; volumes != NULL && i < volumes->count; i++) {
        const struct json *usage = json_get(&volumes->items[i], "UsageData");
        uint64_t bytes = number_of(usage, "Size");

        size += bytes;
        active += number_of(usage, "RefCount") > 0;
        reclaimable += number_of(usage, "RefCount") > 0 ? 0 : bytes;
    }
    print_row("Local Volumes", volumes != NULL ? volumes->count : 0, active, size, reclaimable);
}

static void print_usage(const struct json *usage)
{
    const struct json *images = json_get(usage, "Images");
    const struct json *containers = json_get(usage, "Containers");
    uint64_t layers = number_of(usage, "LayersSize");
    uint64_t used = 0;
    uint64_t size = 0;
    uint64_t reclaimable = 0;
    size_t active = 0;

    printf("%-14s %-7s %-8s %-10s %s\n", "TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE");
    for (size_t i = 0; images != NULL && i < images->count; i++) {
        const struct json *image = &images->items[i];

        if (number_of(image, "Containers") == 0)
            continue;
        active++;
        used += number_of(image, "Size") - number_of(image, "SharedSize");
    }
    /* As docker counts: what several images share is not reclaimed with one of them. */
    print_row("Images", images != NULL ? images->count : 0, active, layers,
              layers > used ? layers - used : 0);
    active = 0;
    for (size_t i = 0; containers != NULL && i < containers->count; i++) {
        uint64_t bytes = number_of(&containers->items[i], "SizeRw");

        size += bytes;
        active += is_active(&containers->items[i]);
        reclaimable += is_active(&containers->items[i]) ? 0 : bytes;
    }
    print_row("Containers", containers != NULL ? containers->count : 0, active, size, reclaimable);
    print_volumes(json_get(usage, "Volumes"));
}

int cli_system_df(struct cli *cli, int argc, char **argv)
{
    static const struct option table[] = {{"format", required_argument, NULL, 'F'},
                                          {NULL, 0, NULL, 0}};
    cleanup_arena struct arena arena = {0};
    const struct json *usage;
    bool is_json = false;
    int option;
    int result;

    while ((option = cli_next_option(cli, argc, argv, "", table)) != -1) {
        if (option == '?' || strcmp(optarg, "json") != 0)
            return cli_usage_error(cli, argv, "[--format json]");
        is_json = true;
    }
    result = client_call_json(&cli->client, "GET", "/system/df", NULL, &arena, &usage, &cli->err);
    if (result < 0)
        return result;
    if (is_json)
        cli_print_json(usage);
    else
        print_usage(usage);
    return 0;
}

/* ---- prune ---- */

struct prune {
    bool has_all;
    struct string_list filters;
    uint64_t bytes;
    struct arena arena;
};

static int parse_prune(struct cli *cli, struct prune *prune, int argc, char **argv, bool has_all)
{
    static const struct option table[] = {{"all", no_argument, NULL, 'a'},
                                          {"filter", required_argument, NULL, 'f'},
                                          {"force", no_argument, NULL, 'y'},
                                          {NULL, 0, NULL, 0}};
    int option;

    /* docker's --force leaves a question out that this client does not ask. */
    while ((option = cli_next_option(cli, argc, argv, has_all ? "a" : "", table)) != -1) {
        if (option == 'f')
            string_list_append(&prune->arena, &prune->filters, optarg);
        else if (option == 'a' && has_all)
            prune->has_all = true;
        else if (option != 'y')
            return cli_usage_error(cli, argv,
                                   has_all ? "[--all] [--filter KEY=VALUE]... [--force]"
                                           : "[--filter KEY=VALUE]... [--force]");
    }
    return optind == argc ? 0
                          : error_set(&cli->err, ERROR_INVALID, EINVAL,
                                      "%s: no argument is expected", argv[0]);
}

static int call_prune(struct cli *cli, struct prune *prune, const char *url,
                      const struct string_list *filters, const char *what)
{
    cleanup_free char *list_name = memory_printf("%ssDeleted", what);
    cleanup_buffer struct buffer path = {0};
    const struct json *answer;
    const struct json *list;
    int result;

    buffer_append_string(&path, url);
    cli_append_filters(&path, filters);
    result = client_call_json(&cli->client, "POST", buffer_text(&path), NULL, &prune->arena,
                              &answer, &cli->err);
    if (result < 0)
        return result;
    list = json_get(answer, list_name);
    for (size_t i = 0; list != NULL && i < list->count; i++) {
        const struct json *one = &list->items[i];

        if (one->type == JSON_STRING)
            printf("Deleted %c%s: %s\n", what[0] - 'A' + 'a', what + 1, one->text);
        else if (json_get_string(one, "Untagged") != NULL)
            printf("Untagged: %s\n", json_get_string(one, "Untagged"));
        else if (json_get_string(one, "Deleted") != NULL)
            printf("Deleted: %s\n", json_get_string(one, "Deleted"));
    }
    prune->bytes += number_of(answer, "SpaceReclaimed");
    return 0;
}

static int prune_containers(struct cli *cli, struct prune *prune)
{
    return call_prune(cli, prune, "/containers/prune?", &prune->filters, "Container");
}

static int prune_images(struct cli *cli, struct prune *prune)
{
    struct string_list filters = {0};

    for (size_t i = 0; i < prune->filters.count; i++)
        string_list_append(&prune->arena, &filters, prune->filters.items[i]);
    string_list_append(&prune->arena, &filters,
                       prune->has_all ? "dangling=false" : "dangling=true");
    return call_prune(cli, prune, "/images/prune?", &filters, "Image");
}

/* Anonymous ones; all that nobody has with --all. */
static int prune_volumes(struct cli *cli, struct prune *prune)
{
    struct string_list filters = {0};

    for (size_t i = 0; i < prune->filters.count; i++)
        string_list_append(&prune->arena, &filters, prune->filters.items[i]);
    if (prune->has_all)
        string_list_append(&prune->arena, &filters, "all=1");
    return call_prune(cli, prune, "/volumes/prune?", &filters, "Volume");
}

static int prune_networks(struct cli *cli, struct prune *prune)
{
    return call_prune(cli, prune, "/networks/prune?", &prune->filters, "Network");
}

static int finish(struct prune *prune, int result)
{
    char text[32];

    cli_format_size(prune->bytes, text, sizeof(text));
    if (result == 0)
        printf("Total reclaimed space: %s\n", text);
    arena_release(&prune->arena);
    return result;
}

int cli_image_prune(struct cli *cli, int argc, char **argv)
{
    struct prune prune = {0};
    int result = parse_prune(cli, &prune, argc, argv, true);

    return finish(&prune, result < 0 ? result : prune_images(cli, &prune));
}

int cli_container_prune(struct cli *cli, int argc, char **argv)
{
    struct prune prune = {0};
    int result = parse_prune(cli, &prune, argc, argv, false);

    return finish(&prune, result < 0 ? result : prune_containers(cli, &prune));
}

int cli_volume_prune(struct cli *cli, int argc, char **argv)
{
    struct prune prune = {0};
    int result = parse_prune(cli, &prune, argc, argv, true);

    return finish(&prune, result < 0 ? result : prune_volumes(cli, &prune));
}

int cli_network_prune(struct cli *cli, int argc, char **argv)
{
    struct prune prune = {0};
    int result = parse_prune(cli, &prune, argc, argv, false);

    if (result == 0)
        result = prune_networks(cli, &prune);
    arena_release(&prune.arena);
    return result;
}

/* Containers first: images and networks may have been kept by one. */
int cli_system_prune(struct cli *cli, int argc, char **argv)
{
    struct prune prune = {0};
    int result = parse_prune(cli, &prune, argc, argv, true);

    if (result == 0)
        result = prune_containers(cli, &prune);
    if (result == 0)
        result = prune_networks(cli, &prune);
    return finish(&prune, result < 0 ? result : prune_images(cli, &prune));
}
