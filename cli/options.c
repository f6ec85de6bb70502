/* Options of commands: what getopt_long(3) does, --help for all of them, and their names for shells
 * that complete a word. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

static void print_names(const struct option *table)
{
    for (; table->name != NULL; table++)
        printf("--%s\n", table->name);
    puts("--help");
}

int cli_next_option(struct cli *cli, int argc, char **argv, const char *letters,
                    const struct option *table)
{
    int option;

    if (cli->is_completing) {
        print_names(table);
        return '?';
    }
    option = getopt_long(argc, argv, letters, table, NULL);
    if (option == '?' && strcmp(argv[optind - 1], "--help") == 0)
        cli->help = table;
    return option;
}

int cli_no_options(struct cli *cli, int argc, char **argv, const char *usage)
{
    static const struct option table[] = {{NULL, 0, NULL, 0}};

    return cli_next_option(cli, argc, argv, "", table) == -1 ? 0
                                                             : cli_usage_error(cli, argv, usage);
}

static void print_options(const struct option *table)
{
    puts("\noptions:");
    for (; table->name != NULL; table++)
        printf("  --%s%s\n", table->name, table->has_arg == required_argument ? " VALUE" : "");
}

int cli_usage_error(struct cli *cli, char **argv, const char *usage)
{
    const char *group = cli->group != NULL ? cli->group : "";
    const char *space = cli->group != NULL ? " " : "";

    if (cli->help != NULL) {
        printf("usage: davit %s%s%s %s\n", group, space, argv[0], usage);
        if (strstr(usage, "[OPTION...]") != NULL)
            print_options(cli->help);
        puts("\ndavit(1) says more.");
    }
    return error_set(&cli->err, ERROR_INVALID, EINVAL,
                     "unknown option or missing value: \"%.64s\"\nusage: davit %s%s%s %s",
                     optind > 0 && argv[optind - 1] != NULL ? argv[optind - 1] : "", group, space,
                     argv[0], usage);
}
