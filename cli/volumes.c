/* volume create, ls, inspect, rm. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli.h"
#include "list.h"

int cli_volume_create(struct cli *cli, int argc, char **argv)
{
    static const struct option table[] = {{"name", required_argument, NULL, 'n'},
                                          {"driver", required_argument, NULL, 'd'},
                                          {"label", required_argument, NULL, 'l'},
                                          {"opt", required_argument, NULL, 'o'},
                                          {NULL, 0, NULL, 0}};
    cleanup_arena struct arena arena = {0};
    struct string_list labels = {0};
    struct string_list options = {0};
    const char *driver = NULL;
    const char *name = NULL;
    struct json_writer *writer;
    const struct json *volume;
    int option;
    int result;

    while ((option = cli_next_option(cli, argc, argv, "d:l:o:", table)) != -1) {
        if (option == '?')
            return cli_usage_error(cli, argv,
                                   "[--label NAME=VALUE]... [--opt NAME=VALUE]... [VOLUME]");
        if (option == 'n')
            name = optarg;
        else if (option == 'd')
            driver = optarg;
        else
            string_list_append(&arena, option == 'l' ? &labels : &options, optarg);
    }
    if (argc - optind > (name == NULL ? 1 : 0))
        return error_set(&cli->err, ERROR_INVALID, EINVAL, "volume create: at most one name");
    if (name == NULL && optind < argc)
        name = argv[optind];
    writer = json_writer_new(false);
    json_object_open(writer);
    json_member_string(writer, "Name", name);
    json_member_string(writer, "Driver", driver);
    cli_write_pairs(writer, "Labels", &labels, '=');
    cli_write_pairs(writer, "DriverOpts", &options, '=');
    json_object_close(writer);
    result = client_call_json(&cli->client, "POST", "/volumes/create", json_writer_text(writer),
                              &arena, &volume, &cli->err);
    json_writer_free(writer);
    if (result == 0)
        puts(json_get_string(volume, "Name"));
    return result;
}

static void print_head(void)
{
    printf("%-9s %s\n", "DRIVER", "VOLUME NAME");
}

static void print_name(const struct json *volume)
{
    const char *name = json_get_string(volume, "Name");

    puts(name != NULL ? name : "");
}

static void print_volume(const struct json *volume)
{
    printf("%-9s ", "local");
    print_name(volume);
}

int cli_volume_ls(struct cli *cli, int argc, char **argv)
{
    static const struct list_command command = {"/volumes", "Volumes", print_head, print_volume,
                                                print_name};

    return list_run(cli, &command, argc, argv);
}

int cli_volume_inspect(struct cli *cli, int argc, char **argv)
{
    struct json_writer *writer;
    int failures = 0;
    int result = cli_no_options(cli, argc, argv, "VOLUME...");

    if (result < 0)
        return result;
    if (optind == argc)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "volume inspect: at least one volume is expected");
    writer = json_writer_new(true);
    json_array_open(writer);
    for (int i = optind; i < argc; i++) {
        cleanup_arena struct arena arena = {0};
        cleanup_free char *path = client_path("/volumes/", argv[i], "");
        const struct json *volume;

        if (client_call_json(&cli->client, "GET", path, NULL, &arena, &volume, &cli->err) == 0) {
            json_value(writer, volume);
        } else {
            fprintf(stderr, "davit: %s\n", cli->err.message);
            failures++;
        }
    }
    json_array_close(writer);
    fputs(json_writer_text(writer), stdout);
    json_writer_free(writer);
    return failures > 0 ? 1 : 0;
}

int cli_volume_rm(struct cli *cli, int argc, char **argv)
{
    static const struct option table[] = {{"force", no_argument, NULL, 'f'}, {NULL, 0, NULL, 0}};
    const char *suffix = "";
    int failures = 0;
    int option;

    while ((option = cli_next_option(cli, argc, argv, "f", table)) != -1) {
        if (option == '?')
            return cli_usage_error(cli, argv, "[--force] VOLUME...");
        suffix = "?force=1";
    }
    if (optind == argc)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "volume rm: at least one volume is expected");
    for (int i = optind; i < argc; i++) {
        cleanup_free char *path = client_path("/volumes/", argv[i], suffix);
        int status;

        if (client_call(&cli->client, "DELETE", path, NULL, &status, NULL, &cli->err) == 0) {
            puts(argv[i]);
        } else {
            fprintf(stderr, "davit: %s\n", cli->err.message);
            failures++;
        }
    }
    return failures > 0 ? 1 : 0;
}
