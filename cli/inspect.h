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

/* Prints a list of objects that was written with json_writer_new(inspect_is_indented(format)): as
 * JSON, or each by a template. `format` NULL: as people read it. */
int inspect_print(struct cli *cli, const char *format, const char *text);
bool inspect_is_indented(const char *format);

#endif
