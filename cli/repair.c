/* system check and system repair: what is damaged on davitd's disk. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "options.h"

#define STATUS_DAMAGED 3 /* there is something that is not mended */

struct repair_options {
    bool is_json;
    bool prunes;
    bool is_forced;
};

static const struct option_row format_rows[] = {
    {"format", 0, OPTION_READ, "json", .offset = offsetof(struct repair_options, is_json),
     .read = option_read_json, .help = "print JSON"},
    {0},
};
static const struct option_row repair_rows[] = {
    {"force", 'f', OPTION_FLAG, NULL, .offset = offsetof(struct repair_options, is_forced),
     .help = "do not ask before --prune"},
    {"prune", 0, OPTION_FLAG, NULL, .offset = offsetof(struct repair_options, prunes),
     .help = "remove for good what cannot be mended"},
    {0},
};

static void print_finding(const struct json *finding)
{
    const char *done = json_get_string(finding, "Done");

    printf("%s\n  %s\n  %s%s\n", json_get_string(finding, "Path"),
           json_get_string(finding, "Problem"), done != NULL ? "done: " : "",
           done != NULL ? done : json_get_string(finding, "Remedy"));
}

static int print_findings(const struct json *answer, bool is_json)
{
    const struct json *findings = json_get(answer, "Findings");
    size_t left = 0;

    for (size_t i = 0; findings != NULL && i < findings->count; i++) {
        left += json_get_string(&findings->items[i], "Done") == NULL;
        if (!is_json)
            print_finding(&findings->items[i]);
    }
    if (is_json)
        cli_print_json(answer);
    else if (findings == NULL || findings->count == 0)
        puts("nothing is damaged");
    return left > 0 ? STATUS_DAMAGED : 0;
}

static int run(struct cli *cli, int argc, char **argv, const struct option_row *rows,
               const char *method, const char *path)
{
    cleanup_arena struct arena arena = {0};
    cleanup_free char *url = NULL;
    struct repair_options options = {0};
    const struct option_set set = {
        .tables = {{format_rows, NULL}, {rows, NULL}}, .usage = "", .values = &options};
    const struct json *answer;
    int result = options_read(cli, argc, argv, &set);

    if (result == 0 && options.prunes && !options.is_forced)
        result = cli_confirm(cli, "what davit system check lists and cannot be mended");
    if (result < 0)
        return result;
    url = memory_printf("%s%s", path, options.prunes ? "?prune=1" : "");
    result = client_call_json(&cli->client, method, url, NULL, &arena, &answer, &cli->err);
    return result < 0 ? result : print_findings(answer, options.is_json);
}

int cli_system_check(struct cli *cli, int argc, char **argv)
{
    return run(cli, argc, argv, NULL, "GET", "/davit/v1/system/check");
}

int cli_system_repair(struct cli *cli, int argc, char **argv)
{
    return run(cli, argc, argv, repair_rows, "POST", "/davit/v1/system/repair");
}
