/* Listing commands whose entries are printed as davitd gives them: volumes and networks. */
#ifndef DAVIT_CLI_LIST_H
#define DAVIT_CLI_LIST_H

#include "cli.h"

struct list_command {
    const char *path;   /* "/volumes" */
    const char *member; /* of the answer that is the list; NULL: all of it */
    void (*print_head)(void);
    void (*print)(const struct json *item);
    void (*print_quietly)(const struct json *item);
};

/* --quiet, --filter and --format; runs the command. */
int list_run(struct cli *cli, const struct list_command *command, int argc, char **argv);

#endif
