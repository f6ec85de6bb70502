/* Contexts: names for places where a davitd is, kept in one file beside docker's configuration. */
#ifndef DAVIT_CLI_CONTEXTS_H
#define DAVIT_CLI_CONTEXTS_H

#include "base/json_table.h"

#define CONTEXT_DEFAULT "default" /* --host, DAVIT_HOST, or the usual socket */

struct context {
    const char *name;
    const char *host;
    const char *description; /* NULL: none */
};

struct contexts {
    const char *current; /* NULL: the default */
    LIST_OF(struct context) items;
};

int contexts_read(struct arena *arena, struct contexts *contexts, struct error *err);
int contexts_write(struct arena *arena, const struct contexts *contexts, struct error *err);

/* The name of the one that `use` has chosen. */
const char *contexts_current(const struct contexts *contexts);

/* NULL: there is none of that name. */
struct context *contexts_find(const struct contexts *contexts, const char *name);

/* The error that there is none of that name. */
int contexts_no_such(const char *name, struct error *err);

/* As contexts_find(), with that error. */
int contexts_get(const struct contexts *contexts, const char *name, struct context **context,
                 struct error *err);

/* The host that the name stands for. *host stays as it is for the default. */
int contexts_get_host(const struct contexts *contexts, const char *name, const char **host,
                      struct error *err);

/* The host that the context of that name has, or the current one if `name` is NULL. *host stays as
 * it is for the default. */
int contexts_choose(struct arena *arena, const char *name, const char **host, struct error *err);

#endif
