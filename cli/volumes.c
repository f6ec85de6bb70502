/* volume create, ls, inspect, rm. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli.h"
#include "each.h"
#include "inspect.h"
#include "list.h"
#include "options.h"

#define CLUSTER_VOLUMES "volumes of a swarm are not in this version"

int cli_volume_create(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"name", 0, OPTION_TEXT, "NAME", .member = "Name", .help = "what it is called"},
        {"driver", 'd', OPTION_TEXT, "local", .member = "Driver", .help = "who keeps it"},
        {"label", 'l', OPTION_PAIRS, "NAME=VALUE", .member = "Labels", .help = "add a label"},
        {"opt", 'o', OPTION_PAIRS, "NAME=VALUE", .member = "DriverOpts",
         .help = "type, device and o, as of mount(8); size=SIZE"},
        {"availability", 0, OPTION_REFUSED, "active|pause|drain", .help = CLUSTER_VOLUMES},
        {"group", 0, OPTION_REFUSED, "NAME", .help = CLUSTER_VOLUMES},
        {"limit-bytes", 0, OPTION_REFUSED, "SIZE", .help = CLUSTER_VOLUMES},
        {"required-bytes", 0, OPTION_REFUSED, "SIZE", .help = CLUSTER_VOLUMES},
        {"scope", 0, OPTION_REFUSED, "single|multi", .help = CLUSTER_VOLUMES},
        {"secret", 0, OPTION_REFUSED, "NAME=VALUE", .help = CLUSTER_VOLUMES},
        {"sharing", 0, OPTION_REFUSED, "none|readonly|onewriter|all", .help = CLUSTER_VOLUMES},
        {"topology-preferred", 0, OPTION_REFUSED, "TOPOLOGY", .help = CLUSTER_VOLUMES},
        {"topology-required", 0, OPTION_REFUSED, "TOPOLOGY", .help = CLUSTER_VOLUMES},
        {"type", 0, OPTION_REFUSED, "block|mount", .help = CLUSTER_VOLUMES},
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

static void add_volume(struct list *list, const struct json *volume)
{
    struct json_writer *writer = json_writer_new(false);

    json_object_open(writer);
    json_member_string(writer, "Availability", "N/A");
    json_member_string(writer, "Driver", list_text_of(volume, "Driver"));
    json_member_string(writer, "Group", "N/A");
    list_write_labels(writer, json_get(volume, "Labels"));
    json_member_string(writer, "Links", "N/A");
    json_member_string(writer, "Mountpoint", list_text_of(volume, "Mountpoint"));
    json_member_string(writer, "Name", list_text_of(volume, "Name"));
    json_member_string(writer, "Scope", list_text_of(volume, "Scope"));
    json_member_string(writer, "Size", "N/A");
    json_member_string(writer, "Status", "N/A");
    json_object_close(writer);
    list_add(list, writer);
}

int cli_volume_ls(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"cluster", 0, OPTION_REFUSED, .help = "volumes of a swarm are not in this version"},
        {0},
    };
    static const struct table_header headers[] = {{"Name", "VOLUME NAME"}, {0}};
    static const struct list_command command = {
        .member = "Volumes",
        .add = add_volume,
        .columns = "{{.Driver}}\t{{.Name}}",
        .quiet = "{{.Name}}",
        .headers = headers,
    };
    struct list_style style = {0};
    static const struct list_options list_options = {
        .rows = rows,
        .usage = "",
        .has_filters = true,
    };
    int result = list_read(cli, argc, argv, &list_options, &style);

    return result < 0 ? result : list_print(cli, &style, "/volumes", &command);
}

int cli_volume_inspect(struct cli *cli, int argc, char **argv)
{
    static const struct inspect_kind kinds[] = {{"volume", "/volumes/", "", NULL}, {0}};

    return inspect_run(cli, argc, argv, kinds, "VOLUME...");
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
    int result = options_read(cli, argc, argv, &set);

    if (result < 0)
        return result;
    return each_argument(cli,
                         &(struct each_call){.method = "DELETE",
                                             .prefix = "/volumes/",
                                             .suffix = is_forced ? "?force=1" : ""},
                         argc, argv);
}
