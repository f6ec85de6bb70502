/* images, history, load, rmi. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli.h"
#include "input.h"
#include "layout_tar.h"
#include "options.h"
#include "progress.h"
#include "template.h"

static void print_image(const struct json *image, const char *name)
{
    cleanup_free char *copy = memory_strdup(name != NULL ? name : "<none>:<none>");
    char *tag = strrchr(copy, ':');
    const char *id = json_get_string(image, "Id");
    const struct json *size = json_get(image, "Size");
    uint64_t bytes = 0;
    char text[32];

    *tag++ = '\0';
    if (size != NULL)
        json_to_uint64(size, &bytes);
    cli_format_size(bytes, text, sizeof(text));
    printf("%-30s %-16s %.12s   %s\n", copy, tag, id != NULL ? id + 7 : "", text);
}

static void print_images(const struct json *list, bool is_json, bool is_quiet)
{
    if (!is_json && !is_quiet)
        printf("%-30s %-16s %-12s   %s\n", "REPOSITORY", "TAG", "IMAGE ID", "SIZE");
    for (size_t i = 0; i < list->count; i++) {
        const struct json *image = &list->items[i];
        const struct json *tags = json_get(image, "RepoTags");
        const char *id = json_get_string(image, "Id");

        if (is_json) {
            cli_print_json(image);
        } else if (is_quiet) {
            printf("%.12s\n", id != NULL ? id + 7 : "");
        } else {
            for (size_t j = 0; tags != NULL && j < tags->count; j++)
                print_image(image, tags->items[j].text);
            if (tags == NULL || tags->count == 0)
                print_image(image, NULL);
        }
    }
}

/* Adds a line for one of the image's names, under the names that templates of `docker images` use.
 */
static int add_image(struct cli *cli, struct listing *listing, const struct json *image,
                     const char *name)
{
    cleanup_arena struct arena arena = {0};
    cleanup_free char *copy = memory_strdup(name != NULL ? name : "<none>:<none>");
    const struct json *digests = json_get(image, "RepoDigests");
    const char *digest =
        digests != NULL && digests->count > 0 ? strchr(digests->items[0].text, '@') : NULL;
    const char *id = json_get_string(image, "Id");
    struct json_writer *writer = json_writer_new(false);
    const struct json *fields;
    int64_t created = 0;
    uint64_t bytes = 0;
    char size[32];
    char time[CLOCK_RFC3339_SIZE];
    char *tag = strrchr(copy, ':');
    int result;

    *tag++ = '\0';
    if (json_get(image, "Size") != NULL)
        json_to_uint64(json_get(image, "Size"), &bytes);
    if (json_get(image, "Created") != NULL)
        json_to_int64(json_get(image, "Created"), &created);
    cli_format_size(bytes, size, sizeof(size));
    clock_format_rfc3339(created * 1000000000, time);
    json_object_open(writer);
    json_member_string(writer, "ID", arena_printf(&arena, "%.12s", id != NULL ? id + 7 : ""));
    json_member_string(writer, "Repository", copy);
    json_member_string(writer, "Tag", tag);
    json_member_string(writer, "Digest", digest != NULL ? digest + 1 : "<none>");
    json_member_string(writer, "CreatedAt", time);
    json_member_string(writer, "Size", size);
    json_object_close(writer);
    result = json_parse(&arena, json_writer_text(writer), strlen(json_writer_text(writer)),
                        &json_default_limits, &fields, &cli->err);
    if (result == 0)
        result = listing_add(listing, fields, &cli->err);
    json_writer_free(writer);
    return result;
}

static int list_by_template(struct cli *cli, const struct json *list, const char *format)
{
    struct listing listing;
    int result = 0;

    listing_begin(&listing, format);
    for (size_t i = 0; result == 0 && i < list->count; i++) {
        const struct json *tags = json_get(&list->items[i], "RepoTags");

        for (size_t j = 0; result == 0 && tags != NULL && j < tags->count; j++)
            result = add_image(cli, &listing, &list->items[i], tags->items[j].text);
        if (tags == NULL || tags->count == 0)
            result = add_image(cli, &listing, &list->items[i], NULL);
    }
    listing_end(&listing);
    return result;
}

struct images_options {
    bool is_quiet;
    const char *format;
};

int cli_images(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"quiet", 'q', OPTION_FLAG, .offset = offsetof(struct images_options, is_quiet),
         .help = "ids alone"},
        {"format", 0, OPTION_TEXT, "json|TEMPLATE",
         .offset = offsetof(struct images_options, format), .help = "how each is printed"},
        {0},
    };
    cleanup_arena struct arena arena = {0};
    struct images_options options = {0};
    const struct option_set set = {.tables = {{rows, NULL}}, .usage = "", .values = &options};
    const struct json *list = NULL;
    bool is_json;
    int result = options_read(cli, argc, argv, &set);

    if (result == 0)
        result =
            client_call_json(&cli->client, "GET", "/images/json", NULL, &arena, &list, &cli->err);
    if (result != 0 || list->type != JSON_ARRAY)
        return result;
    is_json = options.format != NULL && strcmp(options.format, "json") == 0;
    if (options.format != NULL && !is_json && !options.is_quiet)
        return list_by_template(cli, list, options.format);
    print_images(list, is_json, options.is_quiet);
    return 0;
}

static void print_step(const struct json *step)
{
    const char *id = json_get_string(step, "Id");
    const char *by = json_get_string(step, "CreatedBy");
    const struct json *size = json_get(step, "Size");
    const struct json *created = json_get(step, "Created");
    uint64_t bytes = 0;
    int64_t seconds = 0;
    char when[32];
    char text[32];
    time_t time;
    struct tm utc;

    if (size != NULL)
        json_to_uint64(size, &bytes);
    if (created != NULL)
        json_to_int64(created, &seconds);
    time = (time_t)seconds;
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&time, &utc));
    cli_format_size(bytes, text, sizeof(text));
    if (id != NULL && strncmp(id, "sha256:", 7) == 0)
        id += 7;
    printf("%-12.12s   %s   %-8s ", id != NULL ? id : "", when, text);
    cli_print_text(by != NULL ? by : "");
    putchar('\n');
}

int cli_history(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"format", 0, OPTION_READ, "json", .read = option_read_json, .help = "print JSON"},
        {0},
    };
    cleanup_arena struct arena arena = {0};
    cleanup_free char *path = NULL;
    const struct json *list;
    bool is_json = false;
    const struct option_set set = {.tables = {{rows, NULL}}, .usage = "IMAGE", .values = &is_json};
    int result = options_read(cli, argc, argv, &set);

    if (result < 0)
        return result;
    path = client_path("/images/", argv[optind], "/history");
    result = client_call_json(&cli->client, "GET", path, NULL, &arena, &list, &cli->err);
    if (result < 0 || list->type != JSON_ARRAY)
        return result;
    if (!is_json)
        printf("%-12s   %-20s   %-8s %s\n", "IMAGE", "CREATED", "SIZE", "CREATED BY");
    for (size_t i = 0; i < list->count; i++) {
        if (is_json)
            cli_print_json(&list->items[i]);
        else
            print_step(&list->items[i]);
    }
    return 0;
}

struct load_options {
    const char *path;
    bool is_quiet; /* docker's; there is no progress that it could turn off */
};

int cli_load(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"input", 'i', OPTION_TEXT, "FILE|DIRECTORY", .offset = offsetof(struct load_options, path),
         .help = "what is loaded, in place of standard input"},
        {"quiet", 'q', OPTION_FLAG, .offset = offsetof(struct load_options, is_quiet),
         .help = "no progress; davit shows none"},
        {0},
    };
    struct load_options options = {0};
    const struct option_set set = {.tables = {{rows, NULL}}, .usage = "", .values = &options};
    struct client_request request = {.method = "POST", .path = "/images/load?quiet=1"};
    struct progress progress;
    struct exchange exchange = {.fd = -1, .on_body = progress_take, .context = &progress};
    struct input input;
    int result = options_read(cli, argc, argv, &set);

    if (result < 0)
        return result;
    progress_begin(&progress, stdout, false);
    result = input_open(options.path, layout_tar_write, &input, &cli->err);
    request.body_fd = input.fd;
    if (result == 0)
        result = client_exchange(&cli->client, &request, &exchange, NULL, &cli->err);
    result = progress_end(&progress, result, &cli->err);
    exchange_close(&exchange);
    input_close(&input);
    return result;
}

int cli_rmi(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"force", 'f', OPTION_FLAG,
         .help = "also those of stopped containers, and all names of an id"},
        {0},
    };
    bool is_forced = false;
    const struct option_set set = {
        .tables = {{rows, NULL}}, .usage = "IMAGE...", .values = &is_forced};
    const char *suffix;
    int failures = 0;
    int result = options_read(cli, argc, argv, &set);

    if (result < 0)
        return result;
    suffix = is_forced ? "?force=1" : "";
    for (int i = optind; i < argc; i++) {
        cleanup_arena struct arena arena = {0};
        cleanup_free char *path = client_path("/images/", argv[i], suffix);
        const struct json *list;

        if (client_call_json(&cli->client, "DELETE", path, NULL, &arena, &list, &cli->err) < 0) {
            fprintf(stderr, "davit: %s\n", cli->err.message);
            failures++;
            continue;
        }
        for (size_t j = 0; list->type == JSON_ARRAY && j < list->count; j++) {
            const char *untagged = json_get_string(&list->items[j], "Untagged");
            const char *deleted = json_get_string(&list->items[j], "Deleted");

            printf("%s: %s\n", untagged != NULL ? "Untagged" : "Deleted",
                   untagged != NULL  ? untagged
                   : deleted != NULL ? deleted
                                     : "");
        }
    }
    return failures > 0 ? 1 : 0;
}
