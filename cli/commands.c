/* The table of commands: see cli.h. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

const struct command *cli_find_command(const struct cli *cli, const char *name)
{
    for (const struct command *one = cli->commands; one->name != NULL; one++) {
        if (strcmp(one->name, name) == 0)
            return one;
    }
    return NULL;
}

void cli_print_commands(const struct cli *cli)
{
    for (const struct command *one = cli->commands; one->name != NULL; one++)
        puts(one->name);
}
