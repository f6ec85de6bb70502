/*
 * Lists: ps, images, history, network ls, volume ls. Each item becomes one object, or several, of
 * the fields that docker's templates know; the table of columns, JSON and --format are made of
 * these.
 */
#ifndef DAVIT_CLI_LIST_H
#define DAVIT_CLI_LIST_H

#include "cli.h"
#include "options.h"
#include "template.h"

/* How a list is printed. Rows of options that all lists share go here. */
struct list_style {
    struct request request; /* its query */
    const char *format;
    bool is_quiet;
    bool is_untruncated;
};

struct list {
    struct cli *cli;
    const struct list_style *style;
    struct listing listing;
    int result; /* the first failure; what is added afterwards is dropped */
};

/* Adds what is written to `writer`, one object, and frees it. */
void list_add(struct list *list, struct json_writer *writer);

struct list_command {
    const char *member; /* of the answer that is the list; NULL: all of it */
    void (*add)(struct list *list, const struct json *item);
    const char *columns;                /* a template for the usual table: "{{.ID}}\t{{.Name}}" */
    const char *quiet;                  /* for --quiet: "{{.ID}}" */
    const struct table_header *headers; /* or NULL */
};

/* What a list takes besides --format and --quiet. */
struct list_options {
    const struct option_row *rows; /* its own, or NULL */
    const char *usage;
    bool has_filters;    /* --filter */
    bool has_truncation; /* --no-trunc */
};

/* Reads the options into the style, with which a struct that its own rows write to begins. After a
 * failure the style's request is released. */
int list_read(struct cli *cli, int argc, char **argv, const struct list_options *options,
              struct list_style *style);

/* Prints the list that is at `path` with the style's query. Releases the style's request. */
int list_print(struct cli *cli, struct list_style *style, const char *path,
               const struct list_command *command);

/* Prints a list that is already here. */
int list_print_items(struct cli *cli, const struct list_style *style,
                     const struct list_command *command, const struct json *items);

/* Fields. Text of containers and images has no characters that a terminal would obey. */
const char *list_text_of(const struct json *object, const char *name); /* "": it has none */
int64_t list_number_of(const struct json *object, const char *name);   /* 0: it has none */
void list_write_text(struct json_writer *writer, const char *name, const char *text);
/* "sha256:" is cut off, and all but twelve digits. */
void list_write_id(struct json_writer *writer, const struct list *list, const char *name,
                   const char *id);
/* CreatedAt, and how long ago that is as `age`. */
void list_write_time(struct json_writer *writer, int64_t time_ns, const char *age);
void list_write_size(struct json_writer *writer, const char *name, int64_t bytes);
/* Labels as docker writes them, "a=b,c=d", and as {{.Label}} looks them up. */
void list_write_labels(struct json_writer *writer, const struct json *labels);
/* Cut to `width` characters, of which the last is "…", unless the list is not to be truncated. */
void list_write_cut(struct json_writer *writer, const struct list *list, const char *name,
                    const char *text, size_t width);

#endif
