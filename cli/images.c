/* images, history, load, rmi. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli.h"
#include "input.h"
#include "layout_tar.h"
#include "list.h"
#include "options.h"
#include "progress.h"

static void write_image(struct list *list, const struct json *image, const char *name)
{
    struct json_writer *writer = json_writer_new(false);
    cleanup_free char *copy = memory_strdup(name != NULL ? name : "<none>:<none>");
    const struct json *digests = json_get(image, "RepoDigests");
    const char *digest =
        digests != NULL && digests->count > 0 ? strchr(digests->items[0].text, '@') : NULL;
    char *tag = strrchr(copy, ':');

    *tag++ = '\0';
    json_object_open(writer);
    json_member_string(writer, "Containers", "N/A");
    list_write_time(writer, list_number_of(image, "Created") * 1000000000, "CreatedSince");
    json_member_string(writer, "Digest", digest != NULL ? digest + 1 : "<none>");
    list_write_id(writer, list, "ID", list_text_of(image, "Id"));
    json_member_string(writer, "Repository", copy);
    json_member_string(writer, "SharedSize", "N/A");
    list_write_size(writer, "Size", list_number_of(image, "Size"));
    json_member_string(writer, "Tag", tag);
    json_member_string(writer, "UniqueSize", "N/A");
    list_write_size(writer, "VirtualSize", list_number_of(image, "Size"));
    json_object_close(writer);
    list_add(list, writer);
}

static void add_image(struct list *list, const struct json *image)
{
    const struct json *tags = json_get(image, "RepoTags");

    for (size_t i = 0; tags != NULL && i < tags->count; i++)
        write_image(list, image, tags->items[i].text);
    if (tags == NULL || tags->count == 0)
        write_image(list, image, NULL);
}

/* --quiet prints an image once, whatever its names. */
static void add_image_once(struct list *list, const struct json *image)
{
    write_image(list, image, NULL);
}

struct images_options {
    struct list_style style; /* the first: the lists' own rows write there */
    bool has_digests;
    bool shows_all; /* docker's; there are no intermediate images that it could add */
};

int cli_images(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"all", 'a', OPTION_FLAG, .offset = offsetof(struct images_options, shows_all),
         .help = "as without; davitd keeps no intermediate images"},
        {"digests", 0, OPTION_FLAG, .offset = offsetof(struct images_options, has_digests),
         .help = "with the digests of their manifests"},
        {"tree", 0, OPTION_REFUSED,
         .help = "davitd keeps an image of one platform, which has no tree"},
        {0},
    };
    static const struct table_header headers[] = {
        {"ID", "IMAGE ID"}, {"CreatedSince", "CREATED"}, {0}};
    struct list_command command = {
        .add = add_image,
        .columns = "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}",
        .quiet = "{{.ID}}",
        .headers = headers,
    };
    struct images_options options = {0};
    struct request *request = &options.style.request;
    static const struct list_options list_options = {
        .rows = rows,
        .usage = "[REPOSITORY[:TAG]]",
        .has_filters = true,
        .has_truncation = true,
    };
    int result = list_read(cli, argc, argv, &list_options, &options.style);

    if (result < 0)
        return result;
    if (optind < argc) {
        cleanup_free char *reference = memory_printf("reference=%s", argv[optind]);

        request_add_filter(request, reference);
    }
    if (options.has_digests)
        command.columns = "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t"
                          "{{.Size}}";
    if (options.style.is_quiet)
        command.add = add_image_once;
    return list_print(cli, &options.style, "/images/json", &command);
}

#define CREATED_BY_WIDTH 45

struct history_options {
    struct list_style style; /* the first */
    bool is_inhuman;
};

static void add_step(struct list *list, const struct json *step)
{
    const struct history_options *options =
        (const struct history_options *)(const void *)list->style;
    struct json_writer *writer = json_writer_new(false);
    int64_t created_ns = list_number_of(step, "Created") * 1000000000;

    json_object_open(writer);
    list_write_text(writer, "Comment", list_text_of(step, "Comment"));
    list_write_time(writer, created_ns, options->is_inhuman ? NULL : "CreatedSince");
    if (options->is_inhuman) {
        char time[CLOCK_RFC3339_SIZE];

        clock_format_rfc3339(created_ns, time);
        json_member_string(writer, "CreatedSince", time);
        json_member_integer(writer, "Size", list_number_of(step, "Size"));
    } else {
        list_write_size(writer, "Size", list_number_of(step, "Size"));
    }
    list_write_cut(writer, list, "CreatedBy", list_text_of(step, "CreatedBy"), CREATED_BY_WIDTH);
    list_write_id(writer, list, "ID", list_text_of(step, "Id"));
    json_object_close(writer);
    list_add(list, writer);
}

int cli_history(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"human", 'H', OPTION_READ, .offset = offsetof(struct history_options, is_inhuman),
         .read = option_read_off, .help = "sizes and times in words (default); =false: in numbers"},
        {"platform", 0, OPTION_REFUSED, "OS/ARCHITECTURE", .help = ONE_PLATFORM},
        {0},
    };
    static const struct table_header headers[] = {
        {"ID", "IMAGE"}, {"CreatedSince", "CREATED"}, {0}};
    static const struct list_command command = {
        .add = add_step,
        .columns = "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
        .quiet = "{{.ID}}",
        .headers = headers,
    };
    struct history_options options = {0};
    static const struct list_options list_options = {
        .rows = rows,
        .usage = "IMAGE",
        .has_truncation = true,
    };
    cleanup_free char *path = NULL;
    int result = list_read(cli, argc, argv, &list_options, &options.style);

    if (result < 0)
        return result;
    path = client_path("/images/", argv[optind], "/history");
    return list_print(cli, &options.style, path, &command);
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
        {"platform", 0, OPTION_REFUSED, "OS/ARCHITECTURE", .help = ONE_PLATFORM},
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

struct rmi_options {
    bool is_forced;
    bool keeps_parents; /* docker's; there are none that it could remove */
};

int cli_rmi(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"force", 'f', OPTION_FLAG, .offset = offsetof(struct rmi_options, is_forced),
         .help = "also those of stopped containers, and all names of an id"},
        {"no-prune", 0, OPTION_FLAG, .offset = offsetof(struct rmi_options, keeps_parents),
         .help = "as without; davitd keeps no untagged parents"},
        {"platform", 0, OPTION_REFUSED, "OS/ARCHITECTURE", .help = ONE_PLATFORM},
        {0},
    };
    struct rmi_options options = {0};
    const struct option_set set = {
        .tables = {{rows, NULL}}, .usage = "IMAGE...", .values = &options};
    const char *suffix;
    int failures = 0;
    int result = options_read(cli, argc, argv, &set);

    if (result < 0)
        return result;
    suffix = options.is_forced ? "?force=1" : "";
    for (int i = optind; i < argc; i++) {
        cleanup_arena struct arena arena = {0};
        cleanup_free char *path = client_path("/images/", argv[i], suffix);
        const struct json *list;

        if (client_call_json(&cli->client, "DELETE", path, NULL, &arena, &list, &cli->err) < 0) {
            cli_print_error(cli);
            failures += !(options.is_forced && cli->err.code == ERROR_IMAGE_NOT_FOUND);
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
