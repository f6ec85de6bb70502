/*
 * Options of commands, a row each. A row says how an option is written, what it means and where its
 * value goes: parsing, --help and the completion of words are done from it.
 */
#ifndef DAVIT_CLI_OPTIONS_H
#define DAVIT_CLI_OPTIONS_H

#include "cli.h"
#include "request.h"

enum option_kind {
    OPTION_FLAG, /* true; also --name=false */
    OPTION_TEXT, /* the last one counts */
    OPTION_INTEGER,
    OPTION_BYTES,    /* "512m" */
    OPTION_DURATION, /* "1m30s", in nanoseconds */
    OPTION_LIST,     /* may be given several times */
    OPTION_PAIRS,    /* NAME=VALUE, several times; members of an object in the request */
    OPTION_READ,     /* what `read` makes of it */
    OPTION_REFUSED,  /* docker has it; `help` says why it is not taken here. Not shown by --help */
};

struct option_row;

/* What a row's function works on. */
struct option_reader {
    struct cli *cli;
    struct request *request;
    struct request_value *object; /* of the request, where the table's rows go */
    void *values;
    const struct option_row *row;
};

struct option_row {
    const char *name;
    char letter; /* '\0': none */
    enum option_kind kind;
    const char *value;  /* how --help writes it: words that are taken as they stand are written
                         * small,  "always|missing|never", what is to be filled in large: "SIZE" */
    const char *member; /* the path of its value in the request; NULL: it goes to `offset` */
    size_t offset;      /* in the command's values: a bool, const char *, int64_t or
                         * struct string_list */
    const char *help;
    /* Returns 0, or a negative errno with cli->err filled. */
    int (*read)(const struct option_reader *reader, const char *text);
};

/* Rows that several commands may share; the last has no name. */
struct option_table {
    const struct option_row *rows;
    const char
        *object; /* the path in the request that their members stand below; NULL: all of it */
};

#define OPTION_TABLES_MAX 6

struct option_set {
    struct option_table tables[OPTION_TABLES_MAX];
    /* What stands behind the options: "CONTAINER...". How many arguments are taken follows from
     * it: a word in brackets may be missing, one with dots repeated, and of "A or B" and "A | B"
     * each form counts. */
    const char *usage;
    struct request *request;
    void *values;
    bool ends_at_argument; /* what follows the first argument belongs to another program */
};

/* Reads all options, and checks the number of arguments; optind (getopt(3)) is the first argument
 * then. Options are not to be abbreviated. Lists lie in the request's arena. Returns 0, or a
 * negative errno with cli->err filled, also after --help was printed. */
int options_read(struct cli *cli, int argc, char **argv, const struct option_set *set);

/* For a command that has no option but --help. */
int options_read_none(struct cli *cli, int argc, char **argv, const char *usage);

/* Puts a text where its row says; for fields of options that are tables as well. */
int option_take(const struct option_reader *reader, const char *text);

/* --filter KEY=VALUE, as Docker's API takes them: a row's function. */
int option_read_filter(const struct option_reader *reader, const char *text);

/* RFC 3339, a Unix time, or a duration back from now such as 10m: a Unix time in the member. */
int option_read_time(const struct option_reader *reader, const char *text);

/* Why --platform is not taken where it would choose one image of several under a name. */
#define ONE_PLATFORM "davitd keeps an image of one platform under a name"

/* --disable-content-trust, which is so in any case; =false is refused. */
int option_read_content_trust(const struct option_reader *reader, const char *text);

/* A flag's value; NULL, without one, is true. For functions of rows of flags that mean something
 * else than true. */
int option_read_boolean(const struct option_reader *reader, const char *text, bool *value);

/* A flag that is on unless it says otherwise: notes at the row's offset that it is off. */
int option_read_off(const struct option_reader *reader, const char *text);

/* --format of commands that have JSON besides their usual output, and no templates. */
int option_read_json(const struct option_reader *reader, const char *text);

#endif
