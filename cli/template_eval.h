/*
 * Expressions of templates: what stands between "{{" and "}}" and prints something, or is a
 * condition. Of Go's text/template: paths, variables, literals, parentheses, pipes, and the
 * functions that template_eval.c lists, docker's among them. Internal to templates.
 */
#ifndef DAVIT_CLI_TEMPLATE_EVAL_H
#define DAVIT_CLI_TEMPLATE_EVAL_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"

#define TEMPLATE_VARIABLES_MAX 32

struct template_variable {
    const char *name; /* without "$"; "" is the object itself */
    size_t length;
    const struct json *value;
};

/* What expressions see. */
struct template_scope {
    struct arena *arena;    /* of texts that functions make */
    const struct json *dot; /* "." */
    struct template_variable variables[TEMPLATE_VARIABLES_MAX];
    size_t variable_count;
    struct error *err;
};

/* Evaluates the expression, all of it. *value is NULL for what is not there. "$x := ..." sets a
 * variable, "$x = ..." changes one: then *is_silent, and nothing is to be printed. */
int template_eval(struct template_scope *scope, const char *text, size_t length,
                  const struct json **value, bool *is_silent);

/* Adds a variable; refuses one too many. */
int template_set(struct template_scope *scope, const char *name, size_t length,
                 const struct json *value);

/* As Go's templates take it for a condition: neither empty, zero, false nor missing. */
bool template_is_true(const struct json *value);

/* As Go prints it: texts as they are, lists as [a b], objects as map[a:1 b:2]. */
void template_append(struct buffer *out, const struct json *value);

/* A member of an object that {{.Label}} looks into, and that is not shown. */
#define TEMPLATE_LABELS "LabelMap"

#endif
