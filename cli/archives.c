/* save, export, sbom, import, commit, diff. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli.h"
#include "input.h"
#include "layout_tar.h"
#include "options.h"
#include "progress.h"

static int take_to_file(void *context, const char *bytes, size_t length)
{
    return file_write_fd(*(int *)context, bytes, length);
}

static int download(struct cli *cli, const char *path, int out_fd)
{
    struct client_request request = {.method = "GET", .path = path, .body_fd = -1};
    struct exchange exchange = {.fd = -1, .on_body = take_to_file, .context = &out_fd};
    int result = client_exchange(&cli->client, &request, &exchange, NULL, &cli->err);

    exchange_close(&exchange);
    return result;
}

/* A file shows up under its name when it is complete; a device or a FIFO is written to. */
static int download_to_file(struct cli *cli, const char *path, const char *output, bool is_text)
{
    bool is_special = output != NULL && file_is_special(AT_FDCWD, output);
    cleanup_free char *temporary = NULL;
    cleanup_close int file_fd = -1;
    int result;

    if (output == NULL && !is_text && isatty(STDOUT_FILENO))
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "an archive is not for a terminal; use --output FILE");
    if (output == NULL)
        return download(cli, path, STDOUT_FILENO);
    temporary = memory_printf(is_special ? "%s" : "%s.part", output);
    file_fd = open(temporary, O_WRONLY | O_CLOEXEC | (is_special ? 0 : O_CREAT | O_TRUNC), 0600);
    if (file_fd < 0)
        return error_errno(&cli->err, errno, "%s", temporary);
    result = download(cli, path, file_fd);
    if (is_special)
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
    static const struct option_row rows[] = {
        {"output", 'o', OPTION_TEXT, "FILE", .help = "write to a file"},
        {"platform", 0, OPTION_REFUSED, "OS/ARCHITECTURE", .help = ONE_PLATFORM},
        {0},
    };
    const struct option_set set = {.tables = {{rows, NULL}}, .usage = what, .values = output};

    return options_read(cli, argc, argv, &set);
}

int cli_save(struct cli *cli, int argc, char **argv)
{
    cleanup_buffer struct buffer path = {0};
    const char *output = NULL;
    int result = parse_output(cli, argc, argv, "IMAGE...", &output);

    if (result < 0)
        return result;
    for (int i = optind; i < argc; i++) {
        buffer_append_string(&path, i == optind ? "/images/get?names=" : "&names=");
        http_encode(&path, argv[i]);
    }
    return download_to_file(cli, buffer_text(&path), output, false);
}

/* Of one container or image, as "usage" names it. */
static int receive_of(struct cli *cli, int argc, char **argv, const char *usage, const char *prefix,
                      const char *suffix, bool is_text)
{
    cleanup_free char *path = NULL;
    const char *output = NULL;
    int result = parse_output(cli, argc, argv, usage, &output);

    if (result < 0)
        return result;
    path = client_path(prefix, argv[optind], suffix);
    return download_to_file(cli, path, output, is_text);
}

int cli_export(struct cli *cli, int argc, char **argv)
{
    return receive_of(cli, argc, argv, "CONTAINER", "/containers/", "/export", false);
}

int cli_sbom(struct cli *cli, int argc, char **argv)
{
    return receive_of(cli, argc, argv, "IMAGE", "/davit/v1/images/", "/sbom", true);
}

int cli_diff(struct cli *cli, int argc, char **argv)
{
    static const char kinds[] = "CAD";
    cleanup_arena struct arena arena = {0};
    cleanup_free char *path = NULL;
    const struct json *list;
    int result = options_read_none(cli, argc, argv, "CONTAINER");

    if (result < 0)
        return result;
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
        printf("%c ", number < strlen(kinds) ? kinds[number] : '?');
        cli_print_text(name != NULL ? name : "");
        putchar('\n');
    }
    return 0;
}

/* Parameters of the requests that make images, and the rows that fill them. */
static const struct option_row change_rows[] = {
    {"change", 'c', OPTION_LIST, "INSTRUCTION", .member = "changes",
     .help = "an instruction as of a Dockerfile"},
    {0},
};
static const struct option_row import_rows[] = {
    {"message", 'm', OPTION_TEXT, "TEXT", .member = "message", .help = "what has been done"},
    {"platform", 0, OPTION_REFUSED, "OS/ARCHITECTURE",
     .help = "an image that is made here is one of this host"},
    {0},
};
static const struct option_row commit_rows[] = {
    {"message", 'm', OPTION_TEXT, "TEXT", .member = "comment", .help = "what has been done"},
    {"author", 'a', OPTION_TEXT, "NAME", .member = "author", .help = "who has done it"},
    {"pause", 'p', OPTION_FLAG, .member = "pause",
     .help = "hold the container meanwhile; --pause=false does not"},
    {0},
};

static int parse_make(struct cli *cli, struct request *request, const struct option_row *rows,
                      const char *usage, int argc, char **argv)
{
    const struct option_set set = {
        .tables = {{change_rows, NULL}, {rows, NULL}}, .usage = usage, .request = request};
    int result = options_read(cli, argc, argv, &set);

    if (result < 0)
        return result;
    if (argc - optind == 2)
        request_set_text(request, request_at(request, NULL, "repo"), argv[optind + 1]);
    return 0;
}

int cli_import(struct cli *cli, int argc, char **argv)
{
    cleanup_buffer struct buffer path = {0};
    struct request parameters = {0};
    struct client_request request = {.method = "POST"};
    struct progress progress;
    struct exchange exchange = {.fd = -1, .on_body = progress_take, .context = &progress};
    struct input input = {-1, -1};
    int result = parse_make(cli, &parameters, import_rows, "FILE|DIRECTORY|- [IMAGE]", argc, argv);

    if (result == 0)
        result = input_open(argv[optind], tree_tar_write, &input, &cli->err);
    if (result == 0) {
        buffer_append_string(&path, "/images/create?fromSrc=-&");
        request_append_query(&parameters, &path);
        request.path = buffer_text(&path);
        request.body_fd = input.fd;
        progress_begin(&progress, stdout, false);
        result = client_exchange(&cli->client, &request, &exchange, NULL, &cli->err);
        result = progress_end(&progress, result, &cli->err);
        exchange_close(&exchange);
    }
    input_close(&input);
    request_release(&parameters);
    return result;
}

int cli_commit(struct cli *cli, int argc, char **argv)
{
    cleanup_buffer struct buffer path = {0};
    struct request parameters = {0};
    const struct json *answer;
    int result = parse_make(cli, &parameters, commit_rows, "CONTAINER [IMAGE]", argc, argv);

    if (result == 0) {
        buffer_append_string(&path, "/commit?container=");
        http_encode(&path, argv[optind]);
        buffer_append_string(&path, "&");
        request_append_query(&parameters, &path);
        result = client_call_json(&cli->client, "POST", buffer_text(&path), NULL, &parameters.arena,
                                  &answer, &cli->err);
    }
    if (result == 0)
        puts(json_get_string(answer, "Id"));
    request_release(&parameters);
    return result;
}
