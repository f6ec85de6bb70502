/* save, export, sbom, import, commit, diff. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli.h"
#include "input.h"
#include "layout_tar.h"
#include "progress.h"

static int take_to_file(void *context, const char *bytes, size_t length)
{
    return file_write_fd(*(int *)context, bytes, length);
}

/* A file shows up under its name when it is complete. */
static int receive(struct cli *cli, const char *path, const char *output, bool is_text)
{
    cleanup_free char *temporary = output != NULL ? memory_printf("%s.part", output) : NULL;
    cleanup_close int file_fd = -1;
    int out_fd = STDOUT_FILENO;
    struct client_request request = {.method = "GET", .path = path, .body_fd = -1};
    struct exchange exchange = {.fd = -1, .on_body = take_to_file, .context = &out_fd};
    int result;

    if (output == NULL && !is_text && isatty(STDOUT_FILENO))
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "an archive is not for a terminal; use --output FILE");
    if (output != NULL) {
        file_fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (file_fd < 0)
            return error_errno(&cli->err, errno, "%s", temporary);
        out_fd = file_fd;
    }
    result = client_exchange(&cli->client, &request, &exchange, NULL, &cli->err);
    exchange_close(&exchange);
    if (output == NULL)
        return result;
    if (result == 0 && rename(temporary, output) < 0)
        result = error_errno(&cli->err, errno, "%s", output);
    if (result < 0)
        unlink(temporary);
    return result;
}

static int parse_output(struct cli *cli, int argc, char **argv, const char *what,
                        const char **output)
{
    static const struct option table[] = {{"output", required_argument, NULL, 'o'},
                                          {NULL, 0, NULL, 0}};
    int option;

    while ((option = cli_next_option(cli, argc, argv, "o:", table)) != -1) {
        if (option == '?') {
            cleanup_free char *usage = memory_printf("[--output FILE] %s", what);

            return cli_usage_error(cli, argv, usage);
        }
        *output = optarg;
    }
    return 0;
}

int cli_save(struct cli *cli, int argc, char **argv)
{
    cleanup_buffer struct buffer path = {0};
    const char *output = NULL;
    int result = parse_output(cli, argc, argv, "IMAGE...", &output);

    if (result < 0)
        return result;
    if (optind == argc)
        return error_set(&cli->err, ERROR_INVALID, EINVAL, "save: at least one image is expected");
    for (int i = optind; i < argc; i++) {
        buffer_append_string(&path, i == optind ? "/images/get?names=" : "&names=");
        http_encode(&path, argv[i]);
    }
    return receive(cli, buffer_text(&path), output, false);
}

/* Of exactly one container or image, as "what" and "usage" name it. */
static int receive_of(struct cli *cli, int argc, char **argv, const char *what, const char *usage,
                      const char *prefix, const char *suffix, bool is_text)
{
    cleanup_free char *path = NULL;
    const char *output = NULL;
    int result = parse_output(cli, argc, argv, usage, &output);

    if (result < 0)
        return result;
    if (argc - optind != 1)
        return error_set(&cli->err, ERROR_INVALID, EINVAL, "%s: exactly one %s is expected",
                         argv[0], what);
    path = client_path(prefix, argv[optind], suffix);
    return receive(cli, path, output, is_text);
}

int cli_export(struct cli *cli, int argc, char **argv)
{
    return receive_of(cli, argc, argv, "container", "CONTAINER", "/containers/", "/export", false);
}

int cli_sbom(struct cli *cli, int argc, char **argv)
{
    return receive_of(cli, argc, argv, "image", "IMAGE", "/davit/v1/images/", "/sbom", true);
}

int cli_diff(struct cli *cli, int argc, char **argv)
{
    static const char kinds[] = "CAD";
    cleanup_arena struct arena arena = {0};
    cleanup_free char *path = NULL;
    const struct json *list;
    int result = cli_no_options(cli, argc, argv, "CONTAINER");

    if (result < 0)
        return result;
    if (argc - optind != 1)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "diff: exactly one container is expected");
    path = client_path("/containers/", argv[optind], "/changes");
    result = client_call_json(&cli->client, "GET", path, NULL, &arena, &list, &cli->err);
    if (result < 0 || list->type != JSON_ARRAY)
        return result;
    for (size_t i = 0; i < list->count; i++) {
        const char *name = json_get_string(&list->items[i], "Path");
        const struct json *kind = json_get(&list->items[i], "Kind");
        uint64_t number = 0;

        if (kind != NULL)
            json_to_uint64(kind, &number);
        printf("%c %s\n", number < strlen(kinds) ? kinds[number] : '?', name != NULL ? name : "");
    }
    return 0;
}

struct make_options {
    struct string_list changes;
    const char *message;
    const char *author;
    bool does_not_pause;
    struct arena arena;
};

static int parse_make(struct cli *cli, struct make_options *options, int argc, char **argv,
                      bool is_commit)
{
    static const struct option table[] = {{"change", required_argument, NULL, 'c'},
                                          {"message", required_argument, NULL, 'm'},
                                          {"author", required_argument, NULL, 'a'},
                                          {"pause", optional_argument, NULL, 'p'},
                                          {NULL, 0, NULL, 0}};
    int option;

    while ((option = cli_next_option(cli, argc, argv, "c:m:a:p", table)) != -1) {
        if (option == 'c')
            string_list_append(&options->arena, &options->changes, optarg);
        else if (option == 'm')
            options->message = optarg;
        else if (option == 'a' && is_commit)
            options->author = optarg;
        else if (option == 'p' && is_commit)
            options->does_not_pause = optarg != NULL && strcmp(optarg, "false") == 0;
        else
            return cli_usage_error(cli, argv,
                                   is_commit ? "[--change INSTRUCTION]... [--message TEXT] "
                                               "[--author NAME] [--pause=false] CONTAINER [IMAGE]"
                                             : "[--change INSTRUCTION]... [--message TEXT] "
                                               "FILE|DIRECTORY|- [IMAGE]");
    }
    if (argc - optind < 1 || argc - optind > 2)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "%s: a %s and perhaps an image's name are expected", argv[0],
                         is_commit ? "container" : "file or directory");
    return 0;
}

static void add_parameter(struct buffer *path, const char *name, const char *value)
{
    if (value == NULL)
        return;
    buffer_printf(path, "&%s=", name);
    http_encode(path, value);
}

static void add_make_parameters(struct buffer *path, const struct make_options *options,
                                const char *image)
{
    add_parameter(path, "repo", image);
    for (size_t i = 0; i < options->changes.count; i++)
        add_parameter(path, "changes", options->changes.items[i]);
}

int cli_import(struct cli *cli, int argc, char **argv)
{
    cleanup_buffer struct buffer path = {0};
    struct make_options options = {0};
    struct client_request request = {.method = "POST"};
    struct progress progress;
    struct exchange exchange = {.fd = -1, .on_body = progress_take, .context = &progress};
    struct input input = {-1, -1};
    int result = parse_make(cli, &options, argc, argv, false);

    if (result == 0)
        result = input_open(argv[optind], tree_tar_write, &input, &cli->err);
    if (result == 0) {
        buffer_append_string(&path, "/images/create?fromSrc=-");
        add_make_parameters(&path, &options, argv[optind + 1]);
        add_parameter(&path, "message", options.message);
        request.path = buffer_text(&path);
        request.body_fd = input.fd;
        progress_begin(&progress, stdout, false);
        result = client_exchange(&cli->client, &request, &exchange, NULL, &cli->err);
        result = progress_end(&progress, result, &cli->err);
        exchange_close(&exchange);
    }
    input_close(&input);
    arena_release(&options.arena);
    return result;
}

int cli_commit(struct cli *cli, int argc, char **argv)
{
    cleanup_buffer struct buffer path = {0};
    struct make_options options = {0};
    const struct json *answer;
    int result = parse_make(cli, &options, argc, argv, true);

    if (result == 0) {
        buffer_append_string(&path, "/commit?container=");
        http_encode(&path, argv[optind]);
        add_make_parameters(&path, &options, argv[optind + 1]);
        add_parameter(&path, "comment", options.message);
        add_parameter(&path, "author", options.author);
        add_parameter(&path, "pause", options.does_not_pause ? "0" : "1");
        result = client_call_json(&cli->client, "POST", buffer_text(&path), NULL, &options.arena,
                                  &answer, &cli->err);
    }
    if (result == 0)
        puts(json_get_string(answer, "Id"));
    arena_release(&options.arena);
    return result;
}
