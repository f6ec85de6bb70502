/* Options of ps(1): see process_columns.h. */
#include "process_columns.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"

static const struct {
    const char *title;
    const char *names[3]; /* what -o takes */
} table[COLUMN_COUNT] = {
    [COLUMN_UID] = {"UID", {NULL}},
    [COLUMN_USER] = {"USER", {"user", "euser", "uname"}},
    [COLUMN_UID_NUMBER] = {"UID", {"uid", "euid"}},
    [COLUMN_GID] = {"GID", {"gid", "egid"}},
    [COLUMN_PID] = {"PID", {"pid", "tgid"}},
    [COLUMN_PPID] = {"PPID", {"ppid"}},
    [COLUMN_PGID] = {"PGID", {"pgid", "pgrp"}},
    [COLUMN_SID] = {"SID", {"sid", "sess", "session"}},
    [COLUMN_C] = {"C", {"c"}},
    [COLUMN_CPU] = {"%CPU", {"%cpu", "pcpu"}},
    [COLUMN_MEMORY] = {"%MEM", {"%mem", "pmem"}},
    [COLUMN_VSZ] = {"VSZ", {"vsz", "vsize"}},
    [COLUMN_RSS] = {"RSS", {"rss", "rssize", "rsz"}},
    [COLUMN_SIZE] = {"SZ", {"sz"}},
    [COLUMN_TTY] = {"TTY", {"tty", "tname"}},
    [COLUMN_TT] = {"TT", {"tt"}},
    [COLUMN_STATE] = {"S", {"s", "state"}},
    [COLUMN_STAT] = {"STAT", {"stat"}},
    [COLUMN_PRIORITY] = {"PRI", {"pri", "priority"}},
    [COLUMN_NICE] = {"NI", {"ni", "nice"}},
    [COLUMN_THREADS] = {"NLWP", {"nlwp", "thcount"}},
    [COLUMN_PROCESSOR] = {"PSR", {"psr"}},
    [COLUMN_STIME] = {"STIME", {"stime"}},
    [COLUMN_START] = {"START", {"start", "start_time", "bsdstart"}},
    [COLUMN_ELAPSED] = {"ELAPSED", {"etime"}},
    [COLUMN_TIME] = {"TIME", {"time", "cputime", "bsdtime"}},
    [COLUMN_COMM] = {"COMMAND", {"comm", "ucmd", "ucomm"}},
    [COLUMN_CMD] = {"CMD", {"cmd"}},
    [COLUMN_COMMAND] = {"COMMAND", {"command"}},
    [COLUMN_ARGS] = {"COMMAND", {"args"}},
};

static const struct process_columns full = {{COLUMN_UID, COLUMN_PID, COLUMN_PPID, COLUMN_C,
                                             COLUMN_STIME, COLUMN_TTY, COLUMN_TIME, COLUMN_CMD},
                                            8};
static const struct process_columns of_users = {{COLUMN_USER, COLUMN_PID, COLUMN_CPU, COLUMN_MEMORY,
                                                 COLUMN_VSZ, COLUMN_RSS, COLUMN_TTY, COLUMN_STAT,
                                                 COLUMN_START, COLUMN_TIME, COLUMN_COMMAND},
                                                11};
static const struct process_columns long_ones = {
    {COLUMN_STATE, COLUMN_UID_NUMBER, COLUMN_PID, COLUMN_PPID, COLUMN_C, COLUMN_PRIORITY,
     COLUMN_NICE, COLUMN_SIZE, COLUMN_TTY, COLUMN_TIME, COLUMN_CMD},
    11};
static const struct process_columns usual = {{COLUMN_PID, COLUMN_TTY, COLUMN_TIME, COLUMN_CMD}, 4};

const char *process_column_title(enum process_column column)
{
    return column < COLUMN_COUNT ? table[column].title : "";
}

static bool find_column(const char *name, size_t length, uint8_t *column)
{
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        for (size_t j = 0; j < ARRAY_SIZE(table[i].names); j++) {
            const char *one = table[i].names[j];

            if (one != NULL && strlen(one) == length && strncmp(one, name, length) == 0) {
                *column = (uint8_t)i;
                return true;
            }
        }
    }
    return false;
}

/* Words between commas; their titles are not to be chosen. */
static int add_list(const char *list, struct process_columns *columns, struct error *err)
{
    while (*list != '\0') {
        size_t length = strcspn(list, ",");

        if (columns->count == PROCESS_COLUMNS_MAX)
            return error_set(err, ERROR_INVALID, E2BIG, "ps_args: more than %d columns",
                             PROCESS_COLUMNS_MAX);
        if (!find_column(list, length, &columns->items[columns->count]))
            return error_set(
                err, ERROR_INVALID, EINVAL,
                "ps_args: -o has no column \"%.*s\" here: pid, ppid, user, %%cpu, "
                "%%mem, vsz, rss, tty, stat, start, etime, time, comm, args and others "
                "of ps(1) are known",
                (int)(length < 32 ? length : 32), list);
        if (memchr(columns->items, columns->items[columns->count], columns->count) != NULL)
            return error_set(err, ERROR_INVALID, EINVAL, "ps_args: column %.*s stands twice",
                             (int)length, list);
        columns->count++;
        list += length + (list[length] == ',' ? 1 : 0);
    }
    return 0;
}

struct parser {
    struct process_columns *columns;
    const struct process_columns *set; /* NULL: none was named */
    bool wants_list;                   /* the next word is -o's */
};

static int refuse(char letter, const char *why, struct error *err)
{
    return error_set(err, ERROR_UNSUPPORTED, ENOTSUP, "ps_args: '%c' is not supported: %s", letter,
                     why);
}

/* Letters with a dash before them, or without, which mean other things in part. */
static int read_letters(struct parser *parser, const char *letters, bool has_dash,
                        struct error *err)
{
    bool is_bsd = !has_dash || strncmp(letters, "aux", 3) == 0;

    for (; *letters != '\0'; letters++) {
        if (*letters == 'o') {
            parser->wants_list = letters[1] == '\0';
            return add_list(letters + 1, parser->columns, err);
        }
        if (*letters == 'f' && is_bsd)
            return refuse('f', "processes are not drawn as a tree", err);
        if (*letters == 'f' || *letters == 'F')
            parser->set = &full;
        else if (*letters == 'l')
            parser->set = &long_ones;
        else if (*letters == 'u' && is_bsd)
            parser->set = &of_users;
        else if (strchr("eAaxwd", *letters) == NULL)
            return refuse(*letters,
                          "all processes of the container are listed; -e, -f, -l, -o "
                          "LIST and aux choose columns",
                          err);
    }
    return 0;
}

static int read_word(struct parser *parser, const char *word, struct error *err)
{
    if (parser->wants_list) {
        parser->wants_list = false;
        return add_list(word, parser->columns, err);
    }
    if (strncmp(word, "--", 2) == 0)
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP, "ps_args: \"%.32s\" is not supported",
                         word);
    return word[0] == '-' ? read_letters(parser, word + 1, true, err)
                          : read_letters(parser, word, false, err);
}

int process_columns_parse(const char *arguments, struct process_columns *columns, struct error *err)
{
    struct parser parser = {.columns = columns};
    int result = 0;

    columns->count = 0;
    if (arguments == NULL || arguments[strspn(arguments, " ")] == '\0') {
        *columns = full;
        return 0;
    }
    while (result == 0 && *arguments != '\0') {
        size_t length = strcspn(arguments, " ");
        cleanup_free char *word = memory_printf("%.*s", (int)length, arguments);

        if (length > 0)
            result = read_word(&parser, word, err);
        arguments += length + (arguments[length] == ' ' ? 1 : 0);
    }
    if (result == 0 && parser.wants_list)
        result = error_set(err, ERROR_INVALID, EINVAL, "ps_args: columns are missing behind -o");
    if (result == 0 && columns->count == 0)
        *columns = parser.set != NULL ? *parser.set : usual;
    return result;
}
