/* Reading options by their rows, --help, and what shells complete: see options.h. */
#include "options.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/number.h"
#include "base/size.h"
#include "nearest.h"

#define LONG_OPTION_FIRST 256 /* behind all letters */
#define ROWS_MAX 128
#define HELP_COLUMN 32

/* A row with the object that its table's members go to. */
struct bound_row {
    const struct option_row *row;
    const char *object;
};

/* The rows of all tables, as getopt_long(3) takes them. */
struct rows {
    struct bound_row items[ROWS_MAX];
    size_t count;
    struct option options[ROWS_MAX + 1];
    char letters[2 * ROWS_MAX + 3];
};

static bool takes_value(const struct option_row *row)
{
    return row->kind != OPTION_FLAG && row->value != NULL;
}

static bool is_shown(const struct option_row *row)
{
    return row->kind != OPTION_REFUSED;
}

static void add_row(struct rows *rows, const struct option_row *row, const char *object)
{
    size_t index = rows->count++;
    size_t end = strlen(rows->letters);

    assert(index < ROWS_MAX);
    rows->items[index] = (struct bound_row){row, object};
    rows->options[index] =
        (struct option){.name = row->name,
                        .has_arg = takes_value(row) ? required_argument : optional_argument,
                        .val = LONG_OPTION_FIRST + (int)index};
    if (row->letter == '\0')
        return;
    rows->letters[end++] = row->letter;
    rows->letters[end++] = takes_value(row) ? ':' : '\0';
}

static void collect_rows(struct rows *rows, const struct option_set *set)
{
    *rows = (struct rows){0};
    /* ':': a missing value is told from an unknown option. */
    strcpy(rows->letters, set->ends_at_argument ? "+:" : ":");
    for (size_t i = 0; i < OPTION_TABLES_MAX && set->tables[i].rows != NULL; i++) {
        for (const struct option_row *row = set->tables[i].rows; row->name != NULL; row++)
            add_row(rows, row, set->tables[i].object);
    }
}

/* NULL: there is none. `option` is what getopt_long(3) has returned. */
static const struct bound_row *find_row(const struct rows *rows, int option)
{
    if (option >= LONG_OPTION_FIRST)
        return &rows->items[option - LONG_OPTION_FIRST];
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->items[i].row->letter != '\0' && rows->items[i].row->letter == option)
            return &rows->items[i];
    }
    return NULL;
}

static int refuse(const struct option_reader *reader, const char *text, const char *expected)
{
    return error_set(&reader->cli->err, ERROR_INVALID, EINVAL, "--%s: \"%.64s\" is not %s",
                     reader->row->name, text, expected);
}

static struct request_value *place_of(const struct option_reader *reader)
{
    return request_at(reader->request, reader->object, reader->row->member);
}

/* Where a row without a member writes to. */
static void *place_in_values(const struct option_reader *reader)
{
    assert(reader->values != NULL);
    return (char *)reader->values + reader->row->offset;
}

int option_read_boolean(const struct option_reader *reader, const char *text, bool *value)
{
    static const char *const words[] = {"true", "1", "t", "false", "0", "f"};

    *value = true;
    if (text == NULL)
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcasecmp(words[i], text) == 0) {
            *value = i < ARRAY_SIZE(words) / 2;
            return 0;
        }
    }
    return refuse(reader, text, "true or false");
}

int option_read_off(const struct option_reader *reader, const char *text)
{
    bool is_on;

    if (option_read_boolean(reader, text, &is_on) < 0)
        return -EINVAL;
    *(bool *)place_in_values(reader) = !is_on;
    return 0;
}

static int take_flag(const struct option_reader *reader, const char *text)
{
    bool is_true;

    if (option_read_boolean(reader, text, &is_true) < 0)
        return -EINVAL;
    if (reader->row->member != NULL)
        request_set_boolean(place_of(reader), is_true);
    else
        *(bool *)place_in_values(reader) = is_true;
    return 0;
}

static int take_number(const struct option_reader *reader, const char *text)
{
    int64_t value = 0;

    if (reader->row->kind == OPTION_BYTES && size_parse(text, &value) < 0)
        return refuse(reader, text, "a size like 64k, 512m or 2g");
    if (reader->row->kind == OPTION_DURATION && clock_parse_duration(text, &value) < 0)
        return refuse(reader, text, "a time like 30s or 1m30s");
    if (reader->row->kind == OPTION_INTEGER && !number_parse(text, INT64_MIN, INT64_MAX, &value))
        return refuse(reader, text, "a number");
    if (reader->row->member != NULL)
        request_set_integer(place_of(reader), value);
    else
        *(int64_t *)place_in_values(reader) = value;
    return 0;
}

static void take_text(const struct option_reader *reader, const char *text)
{
    if (reader->row->member != NULL)
        request_set_text(reader->request, place_of(reader), text);
    else
        *(const char **)place_in_values(reader) = text;
}

static void take_item(const struct option_reader *reader, const char *text)
{
    if (reader->row->member != NULL)
        request_set_text(reader->request, request_append(reader->request, place_of(reader)), text);
    else
        string_list_append(&reader->request->arena, place_in_values(reader), text);
}

static void take_pair(const struct option_reader *reader, const char *text)
{
    cleanup_free char *pair = memory_strdup(text);
    char *value = strchr(pair, '=');

    if (value != NULL)
        *value++ = '\0';
    request_set_text(reader->request, request_member(reader->request, place_of(reader), pair),
                     value != NULL ? value : "");
}

int option_take(const struct option_reader *reader, const char *text)
{
    switch (reader->row->kind) {
    case OPTION_FLAG:
        return take_flag(reader, text);
    case OPTION_TEXT:
        take_text(reader, text);
        return 0;
    case OPTION_INTEGER:
    case OPTION_BYTES:
    case OPTION_DURATION:
        return take_number(reader, text);
    case OPTION_LIST:
        take_item(reader, text);
        return 0;
    case OPTION_PAIRS:
        take_pair(reader, text);
        return 0;
    case OPTION_READ:
        return reader->row->read(reader, text);
    case OPTION_REFUSED:
        if (reader->row->value == NULL && text != NULL && strcasecmp(text, "false") == 0)
            return 0;
        return error_set(&reader->cli->err, ERROR_UNSUPPORTED, ENOTSUP, "--%s: %s",
                         reader->row->name, reader->row->help);
    }
    return -EINVAL;
}

int option_read_filter(const struct option_reader *reader, const char *text)
{
    if (strchr(text, '=') == NULL)
        return refuse(reader, text, "KEY=VALUE");
    request_add_filter(reader->request, text);
    return 0;
}

int option_read_content_trust(const struct option_reader *reader, const char *text)
{
    bool is_off;

    if (option_read_boolean(reader, text, &is_off) < 0)
        return -EINVAL;
    if (is_off)
        return 0;
    return error_set(&reader->cli->err, ERROR_UNSUPPORTED, ENOTSUP,
                     "--disable-content-trust=%.32s: docker's notary is not asked; davitd's image "
                     "policy checks signatures, see davit-policy.json(5)",
                     text);
}

int option_read_json(const struct option_reader *reader, const char *text)
{
    if (strcmp(text, "json") != 0)
        return refuse(reader, text, "json");
    *(bool *)place_in_values(reader) = true;
    return 0;
}

/* "usage: davit volume rm [OPTION...] VOLUME..." */
static char *format_usage(const struct cli *cli, const char *command, const struct option_set *set)
{
    return memory_printf("usage: davit %s%s%s%s%s%s", cli->group != NULL ? cli->group : "",
                         cli->group != NULL ? " " : "", command,
                         set->tables[0].rows != NULL ? " [OPTION...]" : "",
                         set->usage[0] != '\0' ? " " : "", set->usage);
}

static void print_row(const struct option_row *row)
{
    cleanup_free char *left =
        memory_printf("  %c%c%s --%s %s", row->letter != '\0' ? '-' : ' ',
                      row->letter != '\0' ? row->letter : ' ', row->letter != '\0' ? "," : " ",
                      row->name, takes_value(row) ? row->value : "");

    if (strlen(left) < HELP_COLUMN)
        printf("%-*s %s\n", HELP_COLUMN, left, row->help);
    else
        printf("%s\n%-*s %s\n", left, HELP_COLUMN, "", row->help);
}

static void print_help(struct cli *cli, const char *command, const struct option_set *set,
                       const struct rows *rows)
{
    cleanup_free char *usage = format_usage(cli, command, set);

    puts(usage);
    if (rows->count > 0)
        puts("\noptions:");
    for (size_t i = 0; i < rows->count; i++) {
        if (is_shown(rows->items[i].row))
            print_row(rows->items[i].row);
    }
    puts("\ndavit(1) says more.");
    cli->has_helped = true;
}

/* "volume rm" */
static char *format_command(const struct cli *cli, const char *command)
{
    return memory_printf("%s%s%s", cli->group != NULL ? cli->group : "",
                         cli->group != NULL ? " " : "", command);
}

static int refuse_unknown(struct cli *cli, const char *command, const char *word,
                          const struct rows *rows)
{
    cleanup_free char *name = memory_printf("%.*s", (int)strcspn(word, "="), word);
    cleanup_free char *whole = format_command(cli, command);
    struct nearest nearest = nearest_to(strncmp(name, "--", 2) == 0 ? name + 2 : name);

    for (size_t i = 0; strncmp(word, "--", 2) == 0 && i < rows->count; i++) {
        if (is_shown(rows->items[i].row))
            nearest_try(&nearest, name + 2, rows->items[i].row->name);
    }
    return error_set(&cli->err, ERROR_INVALID, EINVAL,
                     "unknown option %.64s%s%s%s; \"davit %s --help\" lists them", name,
                     nearest.word != NULL ? ": is --" : "",
                     nearest.word != NULL ? nearest.word : "",
                     nearest.word != NULL ? " meant?" : "", whole);
}

static int refuse_missing(struct cli *cli, const struct option_row *row)
{
    return error_set(&cli->err, ERROR_INVALID, EINVAL, "--%s: a value is missing: --%s %s",
                     row->name, row->name, row->value);
}

/* getopt_long(3) has found an option of which it can make nothing. */
static int refuse_option(struct cli *cli, int argc, char **argv, int option,
                         const struct rows *rows)
{
    const char *word = optind > 0 && optind <= argc ? argv[optind - 1] : "";
    const struct bound_row *found = optopt != 0 ? find_row(rows, optopt) : NULL;
    char letter[] = {'-', (char)optopt, '\0'};

    if (option == ':' && found != NULL)
        return refuse_missing(cli, found->row);
    return refuse_unknown(cli, argv[0], optopt != 0 ? letter : word, rows);
}

/* What one form of a usage takes: "CONTAINER [PORT]" is one or two. */
static void count_form(const char *form, size_t length, int *least, int *most)
{
    bool is_optional = false;

    *least = *most = 0;
    for (size_t i = 0; i < length; i++) {
        if (length - i >= 3 && strncmp(form + i, "...", 3) == 0)
            *most = INT_MAX;
        if (i > 0 && form[i - 1] != ' ')
            continue;
        is_optional = is_optional || form[i] == '[';
        *most += *most < INT_MAX;
        *least += !is_optional && form[i] != '-';
    }
}

/* The forms are held apart by " or " and " | ". */
static bool fits_usage(const char *usage, int count)
{
    const char *form = usage;

    for (;;) {
        const char *either = strstr(form, " or ");
        const char *end = either != NULL ? either : strstr(form, " | ");
        int least;
        int most;

        count_form(form, end != NULL ? (size_t)(end - form) : strlen(form), &least, &most);
        if (count >= least && count <= most)
            return true;
        if (end == NULL)
            return false;
        form = end + (either != NULL ? 4 : 3);
    }
}

static int check_arguments(struct cli *cli, int argc, char **argv, const struct option_set *set)
{
    cleanup_free char *command = format_command(cli, argv[0]);
    int count = argc - optind;

    if (fits_usage(set->usage, count))
        return 0;
    if (set->usage[0] == '\0')
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "%s takes no arguments, and was given \"%.64s\"", command, argv[optind]);
    if (count == 0)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "%s takes %s, and was given none; \"davit %s --help\" says more", command,
                         set->usage, command);
    return error_set(&cli->err, ERROR_INVALID, EINVAL,
                     "%s takes %s, and was given %d argument%s, the last \"%.64s\"", command,
                     set->usage, count, count == 1 ? "" : "s", argv[argc - 1]);
}

/* What the words of a command line may go on with, in place of reading them: see complete.c. */
static void note_completion(struct completion_words *words, const struct rows *rows,
                            const struct option_set *set)
{
    words->usage = set->usage;
    for (size_t i = 0; i < rows->count; i++) {
        const struct option_row *row = rows->items[i].row;

        if (!is_shown(row))
            continue;
        if (words->option == NULL)
            printf("--%s\n", row->name);
        else if (takes_value(row) && strncmp(words->option, "--", 2) == 0 &&
                 strcmp(words->option + 2, row->name) == 0)
            words->value = row->value;
        else if (takes_value(row) && row->letter != '\0' && words->option[0] == '-' &&
                 words->option[1] == row->letter && words->option[2] == '\0')
            words->value = row->value;
    }
    if (words->option == NULL)
        puts("--help");
}

/* docker takes "-n=1" for "-n 1" and "-i=false" for "--interactive=false". */
static void spell_out(struct cli *cli, const struct rows *rows, const struct option_set *set,
                      int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const struct bound_row *found;

        if (argv[i][0] != '-' && set->ends_at_argument)
            return;
        if (argv[i][0] != '-' || argv[i][1] == '-' || argv[i][1] == '\0' || argv[i][2] != '=')
            continue;
        found = find_row(rows, argv[i][1]);
        if (found != NULL)
            argv[i] = arena_printf(&cli->arena, "--%s%s", found->row->name, argv[i] + 2);
    }
}

/* The word that a long option was just read from; its value may be the next one. */
static const char *long_word(char **argv, const char *value)
{
    return argv[value != NULL && value == argv[optind - 1] ? optind - 2 : optind - 1];
}

/* getopt_long(3) takes the beginning of a name for it; a script that relies on that breaks with the
 * next option of that beginning. */
static bool is_abbreviated(const struct option_row *row, char **argv, const char *value)
{
    return strcspn(long_word(argv, value) + 2, "=") != strlen(row->name);
}

int options_read(struct cli *cli, int argc, char **argv, const struct option_set *set)
{
    struct rows rows;
    int option;
    int result = 0;

    collect_rows(&rows, set);
    if (cli->completion != NULL) {
        note_completion(cli->completion, &rows, set);
        return error_set(&cli->err, ERROR_INVALID, ECANCELED, "words are completed");
    }
    spell_out(cli, &rows, set, argc, argv);
    while (result == 0 &&
           (option = getopt_long(argc, argv, rows.letters, rows.options, NULL)) != -1) {
        const struct bound_row *found =
            option != '?' && option != ':' ? find_row(&rows, option) : NULL;
        const char *word = argv[optind - 1];
        struct option_reader reader = {.cli = cli, .request = set->request, .values = set->values};

        if (found == NULL || found->row == NULL) {
            if (strcmp(word, "--help") != 0)
                return refuse_option(cli, argc, argv, option, &rows);
            print_help(cli, argv[0], set, &rows);
            return -ECANCELED;
        }
        if (option >= LONG_OPTION_FIRST && is_abbreviated(found->row, argv, optarg))
            return refuse_unknown(cli, argv[0], long_word(argv, optarg), &rows);
        reader.row = found->row;
        if (set->request != NULL && found->object != NULL)
            reader.object = request_at(set->request, NULL, found->object);
        result = option_take(&reader, optarg);
    }
    return result < 0 ? result : check_arguments(cli, argc, argv, set);
}

int options_read_none(struct cli *cli, int argc, char **argv, const char *usage)
{
    return options_read(cli, argc, argv, &(struct option_set){.usage = usage});
}

/* The forms without a zone that docker takes, in ours: "2026-11-24", "2026-11-24T10:00:05". */
static bool parse_local_time(const char *text, int64_t *time_ns)
{
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"};

    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        struct tm local = {.tm_isdst = -1};
        const char *end = strptime(text, forms[i], &local);
        time_t seconds;

        if (end == NULL || *end != '\0')
            continue;
        seconds = mktime(&local);
        if (seconds < 0 || seconds > INT64_MAX / 1000000000)
            return false;
        *time_ns = (int64_t)seconds * 1000000000;
        return true;
    }
    return false;
}

int option_read_time(const struct option_reader *reader, const char *text)
{
    struct request_value *value = request_at(reader->request, NULL, reader->row->member);
    cleanup_free char *time_text = NULL;
    int64_t time_ns = 0;
    bool is_number = text[0] != '\0' && strspn(text, "0123456789.") == strlen(text);
    bool is_time =
        is_number || clock_parse_rfc3339(text, &time_ns) == 0 || parse_local_time(text, &time_ns);

    if (!is_time && clock_parse_duration(text, &time_ns) == 0) {
        is_time = true;
        time_ns = clock_now_ns() - time_ns;
    }
    if (!is_time || time_ns < 0)
        return error_set(&reader->cli->err, ERROR_INVALID, EINVAL,
                         "--%s: \"%.40s\" is neither a time nor a duration like 10m",
                         reader->row->name, text);
    if (!is_number)
        time_text = memory_printf("%lld.%09lld", (long long)(time_ns / 1000000000),
                                  (long long)(time_ns % 1000000000));
    request_set_text(reader->request, value, time_text != NULL ? time_text : text);
    return 0;
}
