/* inspect, of whatever kind: everything about each argument, as one JSON list or by a template. */
#ifndef DAVIT_CLI_INSPECT_H
#define DAVIT_CLI_INSPECT_H

#include "cli.h"

struct inspect_kind {
    const char *name;   /* "container"; NULL ends a list of them */
    const char *prefix; /* "/containers/" */
    const char *suffix; /* "/json" */
    const char *sized;  /* the suffix with --size; NULL: that says nothing more */
};

/* Runs the command: an argument is of the first kind that has one of that name. */
int inspect_run(struct cli *cli, int argc, char **argv, const struct inspect_kind *kinds,
                const char *usage);

#endif
