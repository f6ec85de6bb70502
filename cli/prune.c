/* system df, and prune: system, image, container, volume. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli.h"
#include "list.h"
#include "options.h"

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

struct df_options {
    bool is_json;
    bool is_verbose;
};

struct verbose_kind {
    const char *title;
    const char *member;
    struct list_command command;
};

static void add_image(struct list *list, const struct json *image)
{
    struct json_writer *writer = json_writer_new(false);
    const struct json *tags = json_get(image, "RepoTags");
    const char *name = tags != NULL && tags->count > 0 ? tags->items[0].text : "<none>:<none>";
    int64_t size = list_number_of(image, "Size");
    int64_t shared = list_number_of(image, "SharedSize");

    json_object_open(writer);
    list_write_text(writer, "Image", name);
    list_write_id(writer, list, "ID", list_text_of(image, "Id"));
    list_write_time(writer, list_number_of(image, "Created") * 1000000000, "CreatedSince");
    list_write_size(writer, "Size", size);
    list_write_size(writer, "SharedSize", shared);
    list_write_size(writer, "UniqueSize", size - shared);
    json_member_integer(writer, "Containers", list_number_of(image, "Containers"));
    json_object_close(writer);
    list_add(list, writer);
}

static void add_container(struct list *list, const struct json *container)
{
    struct json_writer *writer = json_writer_new(false);
    const struct json *names = json_get(container, "Names");

    json_object_open(writer);
    list_write_id(writer, list, "ID", list_text_of(container, "Id"));
    list_write_text(writer, "Image", list_text_of(container, "Image"));
    list_write_size(writer, "Size", list_number_of(container, "SizeRw"));
    list_write_time(writer, list_number_of(container, "Created") * 1000000000, "RunningFor");
    list_write_text(writer, "Status", list_text_of(container, "Status"));
    list_write_text(writer, "Names",
                    names != NULL && names->count > 0 ? names->items[0].text + 1 : "");
    json_object_close(writer);
    list_add(list, writer);
}

static void add_volume(struct list *list, const struct json *volume)
{
    struct json_writer *writer = json_writer_new(false);
    const struct json *usage = json_get(volume, "UsageData");

    json_object_open(writer);
    list_write_text(writer, "Name", list_text_of(volume, "Name"));
    json_member_integer(writer, "Links", list_number_of(usage, "RefCount"));
    list_write_size(writer, "Size", list_number_of(usage, "Size"));
    json_object_close(writer);
    list_add(list, writer);
}

/* docker system df --verbose: each thing that takes room. */
static int print_verbose(struct cli *cli, const struct json *usage)
{
    static const struct table_header headers[] = {{"ID", "ID"},
                                                  {"CreatedSince", "CREATED"},
                                                  {"RunningFor", "CREATED"},
                                                  {"Name", "VOLUME NAME"},
                                                  {0}};
    static const struct verbose_kind kinds[] = {
        {"Images",
         "Images",
         {.add = add_image,
          .columns = "{{.Image}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t"
                     "{{.UniqueSize}}\t{{.Containers}}",
          .headers = headers}},
        {"Containers",
         "Containers",
         {.add = add_container,
          .columns = "{{.ID}}\t{{.Image}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}",
          .headers = headers}},
        {"Local volumes",
         "Volumes",
         {.add = add_volume, .columns = "{{.Name}}\t{{.Links}}\t{{.Size}}", .headers = headers}},
    };
    const struct list_style style = {0};
    int result = 0;

    for (size_t i = 0; result == 0 && i < ARRAY_SIZE(kinds); i++) {
        printf("%s%s space usage:\n\n", i > 0 ? "\n" : "", kinds[i].title);
        result = list_print_items(cli, &style, &kinds[i].command, json_get(usage, kinds[i].member));
    }
    return result;
}

int cli_system_df(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"format", 0, OPTION_READ, "json", .offset = offsetof(struct df_options, is_json),
         .read = option_read_json, .help = "print JSON"},
        {"verbose", 'v', OPTION_FLAG, .offset = offsetof(struct df_options, is_verbose),
         .help = "each image, container and volume"},
        {0},
    };
    cleanup_arena struct arena arena = {0};
    const struct json *usage = NULL;
    struct df_options options = {0};
    const struct option_set set = {.tables = {{rows, NULL}}, .usage = "", .values = &options};
    int result = options_read(cli, argc, argv, &set);

    if (result == 0)
        result =
            client_call_json(&cli->client, "GET", "/system/df", NULL, &arena, &usage, &cli->err);
    if (result < 0)
        return result;
    if (options.is_verbose && !options.is_json)
        return print_verbose(cli, usage);
    if (options.is_json)
        cli_print_json(usage);
    else
        print_usage(usage);
    return 0;
}

struct prune {
    struct request request; /* keeps what options and answers need */
    struct string_list filters;
    bool has_all;
    bool has_volumes;
    bool is_forced;
    uint64_t bytes;
};

static const struct option_row prune_rows[] = {
    {"filter", 0, OPTION_LIST, "KEY=VALUE", .offset = offsetof(struct prune, filters),
     .help = "what matches alone"},
    {"force", 'f', OPTION_FLAG, .offset = offsetof(struct prune, is_forced),
     .help = "do not ask before"},
    {0},
};
static const struct option_row all_rows[] = {
    {"all", 'a', OPTION_FLAG, .offset = offsetof(struct prune, has_all),
     .help = "what has a name too, if no container uses it"},
    {0},
};
static const struct option_row volumes_rows[] = {
    {"volumes", 0, OPTION_FLAG, .offset = offsetof(struct prune, has_volumes),
     .help = "and anonymous volumes that no container uses"},
    {0},
};

/* What a prune command takes besides --filter and --force, and what it warns of before it asks. */
struct prune_command {
    bool takes_all;
    bool takes_volumes;
    const char *warning; /* without --all */
    const char *warning_all;
};

static int parse_prune(struct cli *cli, struct prune *prune, int argc, char **argv,
                       const struct prune_command *command)
{
    struct option_set set = {
        .tables = {{prune_rows, NULL}}, .usage = "", .request = &prune->request, .values = prune};
    size_t count = 1;

    if (command->takes_all)
        set.tables[count++].rows = all_rows;
    if (command->takes_volumes)
        set.tables[count++].rows = volumes_rows;
    return options_read(cli, argc, argv, &set);
}

int cli_confirm(struct cli *cli, const char *what)
{
    char answer[16] = "";

    printf("WARNING! This will remove %s.\nAre you sure you want to continue? [y/N] ", what);
    fflush(stdout);
    if (fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y') &&
        (answer[1] == '\n' || answer[1] == '\0'))
        return 0;
    if (strchr(answer, '\n') == NULL)
        printf("\n");
    return error_set(&cli->err, ERROR_INVALID, ECANCELED,
                     "nothing was removed: --force does it without asking");
}

static int confirm(struct cli *cli, const struct prune *prune, const struct prune_command *command)
{
    cleanup_free char *what = memory_printf(
        "%s%s", prune->has_all ? command->warning_all : command->warning,
        prune->has_volumes ? ", and all anonymous volumes that no container uses" : "");

    return prune->is_forced ? 0 : cli_confirm(cli, what);
}

static int parse_and_confirm(struct cli *cli, struct prune *prune, int argc, char **argv,
                             const struct prune_command *command)
{
    int result = parse_prune(cli, prune, argc, argv, command);

    return result < 0 ? result : confirm(cli, prune, command);
}

/* `filter` is one more, for what is pruned here alone; NULL: none. */
static int call_prune(struct cli *cli, struct prune *prune, const char *url, const char *filter,
                      const char *what)
{
    cleanup_free char *list_name = memory_printf("%ssDeleted", what);
    cleanup_buffer struct buffer path = {0};
    struct request query = {0};
    const struct json *answer;
    const struct json *list;
    int result;

    for (size_t i = 0; i < prune->filters.count; i++)
        request_add_filter(&query, prune->filters.items[i]);
    if (filter != NULL)
        request_add_filter(&query, filter);
    buffer_printf(&path, "%s?", url);
    request_append_query(&query, &path);
    request_release(&query);
    result = client_call_json(&cli->client, "POST", buffer_text(&path), NULL, &prune->request.arena,
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
    return call_prune(cli, prune, "/containers/prune", NULL, "Container");
}

static int prune_images(struct cli *cli, struct prune *prune)
{
    return call_prune(cli, prune, "/images/prune",
                      prune->has_all ? "dangling=false" : "dangling=true", "Image");
}

/* Prunes unused anonymous volumes; with --all all unused volumes. */
static int prune_volumes(struct cli *cli, struct prune *prune)
{
    return call_prune(cli, prune, "/volumes/prune", prune->has_all ? "all=1" : NULL, "Volume");
}

static int prune_networks(struct cli *cli, struct prune *prune)
{
    return call_prune(cli, prune, "/networks/prune", NULL, "Network");
}

static int print_reclaimed(struct prune *prune, int result)
{
    char text[32];

    cli_format_size(prune->bytes, text, sizeof(text));
    if (result == 0)
        printf("Total reclaimed space: %s\n", text);
    request_release(&prune->request);
    return result;
}

int cli_image_prune(struct cli *cli, int argc, char **argv)
{
    static const struct prune_command command = {
        .takes_all = true,
        .warning = "all images that have no name",
        .warning_all = "all images that no container uses",
    };
    struct prune prune = {0};
    int result = parse_and_confirm(cli, &prune, argc, argv, &command);

    return print_reclaimed(&prune, result < 0 ? result : prune_images(cli, &prune));
}

int cli_container_prune(struct cli *cli, int argc, char **argv)
{
    static const struct prune_command command = {.warning = "all stopped containers"};
    struct prune prune = {0};
    int result = parse_and_confirm(cli, &prune, argc, argv, &command);

    return print_reclaimed(&prune, result < 0 ? result : prune_containers(cli, &prune));
}

int cli_volume_prune(struct cli *cli, int argc, char **argv)
{
    static const struct prune_command command = {
        .takes_all = true,
        .warning = "all anonymous volumes that no container uses",
        .warning_all = "all volumes that no container uses",
    };
    struct prune prune = {0};
    int result = parse_and_confirm(cli, &prune, argc, argv, &command);

    return print_reclaimed(&prune, result < 0 ? result : prune_volumes(cli, &prune));
}

int cli_network_prune(struct cli *cli, int argc, char **argv)
{
    static const struct prune_command command = {.warning = "all networks that no container uses"};
    struct prune prune = {0};
    int result = parse_and_confirm(cli, &prune, argc, argv, &command);

    if (result == 0)
        result = prune_networks(cli, &prune);
    request_release(&prune.request);
    return result;
}

/* With --volumes prunes anonymous volumes only, as docker does: --all is about images here. */
static int prune_anonymous_volumes(struct cli *cli, struct prune *prune)
{
    return prune->has_volumes ? call_prune(cli, prune, "/volumes/prune", NULL, "Volume") : 0;
}

/* Containers first: images, volumes and networks may have been kept by one. */
/* Before anything is removed: volumes have no time of use. */
static int check_system_filters(struct cli *cli, const struct prune *prune)
{
    for (size_t i = 0; prune->has_volumes && i < prune->filters.count; i++) {
        if (strncmp(prune->filters.items[i], "until=", 6) == 0)
            return error_set(&cli->err, ERROR_INVALID, EINVAL,
                             "--filter until does not go with --volumes");
    }
    return 0;
}

int cli_system_prune(struct cli *cli, int argc, char **argv)
{
    static const struct prune_command command = {
        .takes_all = true,
        .takes_volumes = true,
        .warning = "all stopped containers, all networks that no container uses, and all images "
                   "that have no name",
        .warning_all = "all stopped containers, all networks and all images that no container uses",
    };
    struct prune prune = {0};
    int result = parse_prune(cli, &prune, argc, argv, &command);

    if (result == 0)
        result = check_system_filters(cli, &prune);
    if (result == 0)
        result = confirm(cli, &prune, &command);
    if (result == 0)
        result = prune_containers(cli, &prune);
    if (result == 0)
        result = prune_networks(cli, &prune);
    if (result == 0)
        result = prune_anonymous_volumes(cli, &prune);
    return print_reclaimed(&prune, result < 0 ? result : prune_images(cli, &prune));
}
