/* egress: what a container may reach. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli.h"

enum change { CHANGE_NOTHING, CHANGE_RULES, CHANGE_TO_ALL };

static int set_rules(struct cli *cli, const char *path, enum change change,
                     const struct string_list *rules)
{
    struct json_writer *writer = json_writer_new(false);
    int status;
    int result;

    json_object_open(writer);
    if (change == CHANGE_RULES)
        json_member_strings(writer, "Allow", rules);
    json_object_close(writer);
    result =
        client_call(&cli->client, "PUT", path, json_writer_text(writer), &status, NULL, &cli->err);
    json_writer_free(writer);
    return result;
}

static int show_rules(struct cli *cli, const char *path)
{
    cleanup_arena struct arena arena = {0};
    const struct json *egress;
    const struct json *rules;
    const struct json *refused;
    int result = client_call_json(&cli->client, "GET", path, NULL, &arena, &egress, &cli->err);

    if (result < 0)
        return result;
    rules = json_get(egress, "Allow");
    refused = json_get(egress, "Refused");
    if (rules == NULL) {
        puts("everything");
        return 0;
    }
    for (size_t i = 0; i < rules->count; i++)
        puts(rules->items[i].text);
    if (rules->count == 0)
        puts("nothing");
    if (refused != NULL)
        printf("refused: %s packets, %s bytes, %s names\n", json_get(refused, "Packets")->text,
               json_get(refused, "Bytes")->text, json_get(refused, "Names")->text);
    return 0;
}

int cli_egress(struct cli *cli, int argc, char **argv)
{
    static const struct option table[] = {{"allow", required_argument, NULL, 'a'},
                                          {"none", no_argument, NULL, 'n'},
                                          {"all", no_argument, NULL, 'A'},
                                          {NULL, 0, NULL, 0}};
    cleanup_arena struct arena arena = {0};
    cleanup_free char *path = NULL;
    struct string_list rules = {0};
    enum change change = CHANGE_NOTHING;
    int option;

    while ((option = cli_next_option(cli, argc, argv, "", table)) != -1) {
        if (option == '?')
            return cli_usage_error(cli, argv, "[--allow RULE]... [--none | --all] CONTAINER");
        change = option == 'A' ? CHANGE_TO_ALL : CHANGE_RULES;
        if (option == 'a')
            string_list_append(&arena, &rules, optarg);
    }
    if (argc - optind != 1)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "egress: exactly one container is expected");
    path = client_path("/davit/v1/containers/", argv[optind], "/egress");
    return change != CHANGE_NOTHING ? set_rules(cli, path, change, &rules) : show_rules(cli, path);
}
