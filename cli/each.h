/* Doing the same to each argument: all are tried, and one failure makes the command fail. */
#ifndef DAVIT_CLI_EACH_H
#define DAVIT_CLI_EACH_H

#include "cli.h"

struct each_call {
    const char *method;
    const char *prefix; /* "/containers/" */
    const char *suffix; /* "/stop?t=5" */
    const char *body;   /* or NULL */
    bool takes_missing; /* what is not there is no failure, though it is said */
};

/* Calls prefix + argument + suffix for each argument from optind on, and prints those that it was
 * done to. Returns the command's status. */
int each_argument(struct cli *cli, const struct each_call *call, int argc, char **argv);

#endif
