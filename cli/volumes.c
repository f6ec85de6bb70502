/* volume create, ls, inspect, rm. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli.h"
#include "list.h"
#include "options.h"

int cli_volume_create(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"name", 0, OPTION_TEXT, "NAME", .member = "Name", .help = "what it is called"},
        {"driver", 'd', OPTION_TEXT, "local", .member = "Driver", .help = "who keeps it"},
        {"label", 'l', OPTION_PAIRS, "NAME=VALUE", .member = "Labels", .help = "add a label"},
        {"opt", 'o', OPTION_PAIRS, "NAME=VALUE", .member = "DriverOpts",
         .help = "type, device and o, as of mount(8); size=SIZE"},
        {0},
    };
    struct request request = {0};
    const struct option_set set = {
        .tables = {{rows, NULL}}, .usage = "[NAME]", .request = &request};
    const struct json *volume;
    int result = options_read(cli, argc, argv, &set);

    if (result == 0 && argc - optind > (request_has(&request, "Name") ? 0 : 1))
        result = error_set(&cli->err, ERROR_INVALID, EINVAL, "volume create: at most one name");
    if (result == 0) {
        cleanup_free char *body = NULL;

        if (optind < argc)
            request_set_text(&request, request_at(&request, NULL, "Name"), argv[optind]);
        body = request_body(&request);
        result = client_call_json(&cli->client, "POST", "/volumes/create", body, &request.arena,
                                  &volume, &cli->err);
    }
    if (result == 0)
        puts(json_get_string(volume, "Name"));
    request_release(&request);
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
    int result = options_read_none(cli, argc, argv, "VOLUME...");

    if (result < 0)
        return result;
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
    static const struct option_row rows[] = {
        {"force", 'f', OPTION_FLAG, .help = "it is no failure if there is none"},
        {0},
    };
    bool is_forced = false;
    const struct option_set set = {
        .tables = {{rows, NULL}}, .usage = "VOLUME...", .values = &is_forced};
    const char *suffix;
    int failures = 0;
    int result = options_read(cli, argc, argv, &set);

    if (result < 0)
        return result;
    suffix = is_forced ? "?force=1" : "";
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
