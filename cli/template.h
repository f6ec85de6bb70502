/*
 * --format: Go's templates, as docker takes them: paths, variables, literals, pipes and
 * parentheses,
 * {{range}}, {{if}}, {{with}} and {{else}}, the functions of template_eval.c, {{.Label "name"}};
 * "\t" and "\n" outside. Everything else is refused by name.
 */
#ifndef DAVIT_CLI_TEMPLATE_H
#define DAVIT_CLI_TEMPLATE_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"

/* Appends what the template makes of the object, without a newline at its end. */
int template_render(const char *format, const struct json *object, struct buffer *out,
                    struct error *err);

/* What stands over a column, where that is not the field's name in capitals. */
struct table_header {
    const char *field; /* NULL ends a list of them */
    const char *header;
};

/* Rows that a "table TEMPLATE" has made, tab-separated, printed in columns under their names. */
struct table {
    const char *format;                 /* without "table " */
    const struct table_header *headers; /* or NULL */
    bool has_header;
    struct buffer rows;
};

/* True if the format is "table TEMPLATE"; then `table` is ready for rows. */
bool table_begin(struct table *table, const char *format);
int table_add(struct table *table, const struct json *object, struct error *err);
/* With colours on a terminal, unless NO_COLOR is set (https://no-color.org). */
void table_print(struct table *table);

/* Where rows of a list go: a template's lines, or its table. */
struct listing {
    const char *format;
    bool is_table;
    struct table table;
};

void listing_begin(struct listing *listing, const char *format);
int listing_add(struct listing *listing, const struct json *object, struct error *err);
/* The same of an object that is still JSON. */
int listing_add_text(struct listing *listing, const char *text, struct error *err);
void listing_end(struct listing *listing);

/* Prints a whole list of objects. */
int listing_print(const char *format, const struct json *items, size_t count, struct error *err);

#endif
