/* egress: what a container may reach. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli.h"
#include "options.h"

struct egress_options {
    struct request request;
    bool is_none;
    bool is_all;
    bool learns;
    bool suggests;
    bool adopts;
};

static int set_rules(struct cli *cli, const char *path, struct egress_options *options)
{
    struct request *request = &options->request;
    cleanup_free char *body = NULL;
    int status;

    if (!options->is_all && !request_has(request, "Allow"))
        request_set_array(request_at(request, NULL, "Allow"));
    if (options->learns)
        request_set_boolean(request_at(request, NULL, "Learn"), true);
    body = request_body(request);
    return client_call(&cli->client, "PUT", path, body, &status, NULL, &cli->err);
}

static void print_list(const struct json *list)
{
    for (size_t i = 0; list != NULL && i < list->count; i++)
        puts(list->items[i].text);
}

static int show_suggestion(struct cli *cli, const char *path)
{
    cleanup_arena struct arena arena = {0};
    const struct json *egress;
    int result = client_call_json(&cli->client, "GET", path, NULL, &arena, &egress, &cli->err);

    if (result < 0)
        return result;
    print_list(json_get(egress, "Allow"));
    print_list(json_get(egress, "Suggested"));
    return 0;
}

static void add_rules(struct request *request, const struct json *list)
{
    for (size_t i = 0; list != NULL && i < list->count; i++)
        request_set_text(request, request_append(request, request_at(request, NULL, "Allow")),
                         list->items[i].text);
}

/* The rules that it has stay; with --adopt what it has reached is added to them. */
static int keep_rules(struct cli *cli, const char *path, struct egress_options *options)
{
    cleanup_arena struct arena arena = {0};
    const struct json *egress;
    const struct json *noted;
    int result = client_call_json(&cli->client, "GET", path, NULL, &arena, &egress, &cli->err);

    if (result < 0)
        return result;
    noted = json_get(egress, "Suggested");
    if (options->adopts && (noted == NULL || noted->count == 0))
        return error_set(&cli->err, ERROR_CONFLICT, ENOENT,
                         "egress: nothing was noted that it has reached (--learn begins to); "
                         "nothing is changed");
    add_rules(&options->request, json_get(egress, "Allow"));
    if (options->adopts)
        add_rules(&options->request, noted);
    return set_rules(cli, path, options);
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
    print_list(rules);
    if (json_get(egress, "Learn") != NULL) {
        puts("everything, and learns (see --suggest)");
        return 0;
    }
    if (rules->count == 0)
        puts("nothing");
    if (refused != NULL)
        printf("refused: %s packets, %s bytes, %s names\n", json_get(refused, "Packets")->text,
               json_get(refused, "Bytes")->text, json_get(refused, "Names")->text);
    return 0;
}

int cli_egress(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"allow", 0, OPTION_LIST, "RULE", .member = "Allow", .help = "what alone it may reach"},
        {"none", 0, OPTION_FLAG, .offset = offsetof(struct egress_options, is_none),
         .help = "it may reach nothing, but for what --allow says"},
        {"all", 0, OPTION_FLAG, .offset = offsetof(struct egress_options, is_all),
         .help = "it may reach everything"},
        {"learn", 0, OPTION_FLAG, .offset = offsetof(struct egress_options, learns),
         .help = "it may reach everything, and what --allow does not say is noted"},
        {"suggest", 0, OPTION_FLAG, .offset = offsetof(struct egress_options, suggests),
         .help = "rules for all that it has reached while it learnt"},
        {"adopt", 0, OPTION_FLAG, .offset = offsetof(struct egress_options, adopts),
         .help = "what --suggest says is what it may reach from now on"},
        {0},
    };
    struct egress_options options = {0};
    const struct option_set set = {.tables = {{rows, NULL}},
                                   .usage = "CONTAINER",
                                   .request = &options.request,
                                   .values = &options};
    cleanup_free char *path = NULL;
    int result = options_read(cli, argc, argv, &set);
    bool has_allowed = request_has(&options.request, "Allow");
    bool has_rules = options.is_none || options.learns || has_allowed;

    if (result == 0 && options.is_all && has_rules)
        result = error_set(&cli->err, ERROR_INVALID, EINVAL,
                           "egress: --all does not go with --allow, --none and --learn");
    if (result == 0 && options.is_none && options.learns)
        result =
            error_set(&cli->err, ERROR_INVALID, EINVAL, "egress: --none does not go with --learn");
    if (result == 0 && (options.suggests || options.adopts) &&
        (has_rules || options.is_all || options.suggests == options.adopts))
        result = error_set(&cli->err, ERROR_INVALID, EINVAL,
                           "egress: --suggest and --adopt go with nothing else");
    if (result == 0) {
        path = client_path("/davit/v1/containers/", argv[optind], "/egress");
        result = options.adopts || (options.learns && !has_allowed)
                     ? keep_rules(cli, path, &options)
                 : has_rules || options.is_all ? set_rules(cli, path, &options)
                 : options.suggests            ? show_suggestion(cli, path)
                                               : show_rules(cli, path);
    }
    request_release(&options.request);
    return result;
}
