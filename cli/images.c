/* images, history, load, save, rmi. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli.h"
#include "layout_tar.h"
#include "progress.h"

static void format_size(uint64_t bytes, char *text, size_t size)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1000 && unit + 1 < ARRAY_SIZE(units)) {
        value /= 1000;
        unit++;
    }
    snprintf(text, size, "%.3g%s", value, units[unit]);
}

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
    format_size(bytes, text, sizeof(text));
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

int cli_images(struct cli *cli, int argc, char **argv)
{
    static const struct option table[] = {{"quiet", no_argument, NULL, 'q'},
                                          {"format", required_argument, NULL, 'F'},
                                          {NULL, 0, NULL, 0}};
    cleanup_arena struct arena arena = {0};
    const struct json *list;
    bool is_json = false;
    bool is_quiet = false;
    int option;
    int result;

    while ((option = getopt_long(argc, argv, "+q", table, NULL)) != -1) {
        if (option == '?' || (option == 'F' && strcmp(optarg, "json") != 0))
            return cli_usage_error(cli, argv, "[--quiet] [--format json]");
        is_json = is_json || option == 'F';
        is_quiet = is_quiet || option == 'q';
    }
    result = client_call_json(&cli->client, "GET", "/images/json", NULL, &arena, &list, &cli->err);
    if (result == 0 && list->type == JSON_ARRAY)
        print_images(list, is_json, is_quiet);
    return result;
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
    format_size(bytes, text, sizeof(text));
    if (id != NULL && strncmp(id, "sha256:", 7) == 0)
        id += 7;
    printf("%-12.12s   %s   %-8s ", id != NULL ? id : "", when, text);
    for (size_t i = 0; by != NULL && by[i] != '\0'; i++)
        putchar((unsigned char)by[i] < ' ' || by[i] == 127 ? ' ' : by[i]);
    putchar('\n');
}

int cli_history(struct cli *cli, int argc, char **argv)
{
    static const struct option table[] = {{"format", required_argument, NULL, 'F'},
                                          {NULL, 0, NULL, 0}};
    cleanup_arena struct arena arena = {0};
    cleanup_free char *path = NULL;
    const struct json *list;
    bool is_json = false;
    int option;
    int result;

    while ((option = getopt_long(argc, argv, "+", table, NULL)) != -1) {
        if (option == '?' || strcmp(optarg, "json") != 0)
            return cli_usage_error(cli, argv, "[--format json] IMAGE");
        is_json = true;
    }
    if (argc - optind != 1)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "history: exactly one image is expected");
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

/* ---- load ---- */

/* An archive as it is; a directory becomes one on the way. */
static int open_input(struct cli *cli, const char *path, int *fd, pid_t *writer)
{
    struct stat status;

    *writer = -1;
    if (path == NULL || strcmp(path, "-") == 0) {
        if (isatty(STDIN_FILENO))
            return error_set(&cli->err, ERROR_INVALID, EINVAL,
                             "load: requires an archive: davit load --input FILE, or from standard "
                             "input");
        *fd = STDIN_FILENO;
        return 0;
    }
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0 || fstat(*fd, &status) < 0)
        return error_errno(&cli->err, errno, "%s", path);
    if (!S_ISDIR(status.st_mode))
        return 0;
    return layout_tar_open(fd, writer, &cli->err);
}

int cli_load(struct cli *cli, int argc, char **argv)
{
    static const struct option table[] = {{"input", required_argument, NULL, 'i'},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {NULL, 0, NULL, 0}};
    struct client_request request = {.method = "POST", .path = "/images/load?quiet=1"};
    struct progress progress;
    struct exchange exchange = {.fd = -1, .on_body = progress_take, .context = &progress};
    const char *path = NULL;
    int option;
    int result;
    pid_t writer;

    while ((option = getopt_long(argc, argv, "+i:q", table, NULL)) != -1) {
        if (option == '?')
            return cli_usage_error(cli, argv, "[--input FILE|DIRECTORY]");
        if (option == 'i')
            path = optarg;
    }
    progress_begin(&progress, stdout, false);
    result = open_input(cli, path, &request.body_fd, &writer);
    if (result == 0)
        result = client_exchange(&cli->client, &request, &exchange, NULL, &cli->err);
    result = progress_end(&progress, result, &cli->err);
    exchange_close(&exchange);
    if (request.body_fd > STDIN_FILENO)
        close(request.body_fd);
    if (writer > 0)
        waitpid(writer, NULL, 0);
    return result;
}

/* ---- save ---- */

static int take_to_file(void *context, const char *bytes, size_t length)
{
    return file_write_fd(*(int *)context, bytes, length);
}

/* A file shows up under its name when it is complete. */
static int save_to(struct cli *cli, const char *path, const char *output)
{
    cleanup_free char *temporary = output != NULL ? memory_printf("%s.part", output) : NULL;
    cleanup_close int file_fd = -1;
    int out_fd = STDOUT_FILENO;
    struct client_request request = {.method = "GET", .path = path, .body_fd = -1};
    struct exchange exchange = {.fd = -1, .on_body = take_to_file, .context = &out_fd};
    int result;

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

int cli_save(struct cli *cli, int argc, char **argv)
{
    static const struct option table[] = {{"output", required_argument, NULL, 'o'},
                                          {NULL, 0, NULL, 0}};
    cleanup_buffer struct buffer path = {0};
    const char *output = NULL;
    int option;

    while ((option = getopt_long(argc, argv, "+o:", table, NULL)) != -1) {
        if (option == '?')
            return cli_usage_error(cli, argv, "[--output FILE] IMAGE...");
        output = optarg;
    }
    if (optind == argc)
        return error_set(&cli->err, ERROR_INVALID, EINVAL, "save: at least one image is expected");
    if (output == NULL && isatty(STDOUT_FILENO))
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "save: an archive is not for a terminal; use --output FILE");
    for (int i = optind; i < argc; i++) {
        buffer_append_string(&path, i == optind ? "/images/get?names=" : "&names=");
        http_encode(&path, argv[i]);
    }
    return save_to(cli, buffer_text(&path), output);
}

int cli_rmi(struct cli *cli, int argc, char **argv)
{
    static const struct option table[] = {{"force", no_argument, NULL, 'f'}, {NULL, 0, NULL, 0}};
    const char *suffix = "";
    int failures = 0;
    int option;

    while ((option = getopt_long(argc, argv, "+f", table, NULL)) != -1) {
        if (option == '?')
            return cli_usage_error(cli, argv, "[--force] IMAGE...");
        suffix = "?force=1";
    }
    if (optind == argc)
        return error_set(&cli->err, ERROR_INVALID, EINVAL, "rmi: at least one image is expected");
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
