/* Expressions of templates: see template_eval.h. They are evaluated while they are read. */
#include "template_eval.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"

#define ARGUMENTS_MAX 16
#define DEPTH_MAX 16

/* What is left of an expression. */
struct reader {
    struct template_scope *scope;
    const char *start; /* of all of it, for errors */
    const char *at;
    const char *end;
    int depth;
};

struct arguments {
    const struct json *items[ARGUMENTS_MAX]; /* NULL: a value that is not there */
    size_t count;
};

static int refuse(const struct reader *reader, const char *why)
{
    size_t length = (size_t)(reader->end - reader->start);

    return error_set(reader->scope->err, ERROR_UNSUPPORTED, ENOTSUP, "--format: \"{{%.*s}}\" %s",
                     (int)(length < 80 ? length : 80), reader->start, why);
}

/* Values that functions make. */

static const struct json *make_text(struct arena *arena, const char *text, size_t length)
{
    struct json *value = arena_new(arena, 1, sizeof(*value));

    *value = (struct json){.type = JSON_STRING, .count = length};
    value->text = arena_strndup(arena, text, length);
    return value;
}

static const struct json *make_number(struct arena *arena, long long number)
{
    struct json *value = arena_new(arena, 1, sizeof(*value));

    *value = (struct json){.type = JSON_NUMBER};
    value->text = arena_printf(arena, "%lld", number);
    value->count = strlen(value->text);
    return value;
}

static const struct json *make_boolean(bool is_true)
{
    static const struct json values[] = {{.type = JSON_BOOLEAN, .boolean = false},
                                         {.type = JSON_BOOLEAN, .boolean = true}};

    return &values[is_true];
}

bool template_is_true(const struct json *value)
{
    if (value == NULL)
        return false;
    switch (value->type) {
    case JSON_BOOLEAN:
        return value->boolean;
    case JSON_STRING:
        return value->text[0] != '\0';
    case JSON_NUMBER:
        return strspn(value->text, "-0.") != value->count;
    case JSON_OBJECT:
    case JSON_ARRAY:
        return value->count > 0;
    default:
        return false;
    }
}

static int compare_members(const void *one, const void *other)
{
    const struct json_member *const *a = one;
    const struct json_member *const *b = other;

    return strcmp((*a)->name, (*b)->name);
}

/* Go prints maps in the order of their keys. */
static void append_map(struct buffer *out, const struct json *object)
{
    cleanup_free const struct json_member **sorted = memory_new(object->count + 1, sizeof(*sorted));
    size_t shown = 0;

    for (size_t i = 0; i < object->count; i++)
        sorted[i] = &object->members[i];
    qsort(sorted, object->count, sizeof(*sorted), compare_members);
    buffer_append_string(out, "map[");
    for (size_t i = 0; i < object->count; i++) {
        if (strcmp(sorted[i]->name, TEMPLATE_LABELS) == 0)
            continue;
        buffer_printf(out, "%s%s:", shown++ > 0 ? " " : "", sorted[i]->name);
        template_append(out, &sorted[i]->value);
    }
    buffer_append_string(out, "]");
}

void template_append(struct buffer *out, const struct json *value)
{
    if (value == NULL || value->type == JSON_NULL) {
        buffer_append_string(out, "<no value>");
    } else if (value->type == JSON_STRING || value->type == JSON_NUMBER) {
        buffer_append_string(out, value->text);
    } else if (value->type == JSON_BOOLEAN) {
        buffer_append_string(out, value->boolean ? "true" : "false");
    } else if (value->type == JSON_OBJECT) {
        append_map(out, value);
    } else {
        buffer_append_string(out, "[");
        for (size_t i = 0; i < value->count; i++) {
            buffer_append_string(out, i > 0 ? " " : "");
            template_append(out, &value->items[i]);
        }
        buffer_append_string(out, "]");
    }
}

/* Functions. Each has as many arguments as its row says. */

static const struct json *find_member(const struct json *object, const char *name, size_t length)
{
    for (size_t i = 0; object != NULL && object->type == JSON_OBJECT && i < object->count; i++) {
        if (strlen(object->members[i].name) == length &&
            strncmp(object->members[i].name, name, length) == 0)
            return &object->members[i].value;
    }
    return NULL;
}

static int to_integer(const struct reader *reader, const struct json *value, int64_t *number)
{
    if (value != NULL && value->type == JSON_NUMBER && json_to_int64(value, number) == 0)
        return 0;
    return refuse(reader, "has something else where a number is expected");
}

static const char *text_of(struct arena *arena, const struct json *value)
{
    cleanup_buffer struct buffer text = {0};

    if (value != NULL && value->type == JSON_STRING)
        return value->text;
    template_append(&text, value);
    return arena_strdup(arena, buffer_text(&text));
}

static int run_json(const struct reader *reader, const struct arguments *arguments,
                    const struct json **result)
{
    struct json_writer *writer = json_writer_new(false);
    const struct json *value = arguments->items[0];

    if (value == NULL) {
        json_null(writer);
    } else if (value == reader->scope->dot && value->type == JSON_OBJECT) {
        /* An item of a list, without what {{.Label}} alone looks into. */
        json_object_open(writer);
        for (size_t i = 0; i < value->count; i++) {
            if (strcmp(value->members[i].name, TEMPLATE_LABELS) == 0)
                continue;
            json_key(writer, value->members[i].name);
            json_value(writer, &value->members[i].value);
        }
        json_object_close(writer);
    } else {
        json_value(writer, value);
    }
    *result =
        make_text(reader->scope->arena, json_writer_text(writer), strlen(json_writer_text(writer)));
    json_writer_free(writer);
    return 0;
}

static int run_index(const struct reader *reader, const struct arguments *arguments,
                     const struct json **result)
{
    const struct json *value = arguments->items[0];

    for (size_t i = 1; i < arguments->count; i++) {
        const struct json *key = arguments->items[i];
        int64_t number = 0;

        if (value == NULL)
            return refuse(reader, "indexes what is not there");
        if (value->type == JSON_OBJECT && key != NULL && key->type == JSON_STRING) {
            value = find_member(value, key->text, key->count);
            continue;
        }
        if (value->type != JSON_ARRAY)
            return refuse(reader, "indexes what is neither a list nor an object");
        if (to_integer(reader, key, &number) < 0)
            return -ENOTSUP;
        if (number < 0 || (size_t)number >= value->count)
            return refuse(reader, "indexes a list behind its end");
        value = &value->items[number];
    }
    /* As docker's maps of texts: what is not in them is empty. */
    *result = value != NULL ? value : make_text(reader->scope->arena, "", 0);
    return 0;
}

static int run_len(const struct reader *reader, const struct arguments *arguments,
                   const struct json **result)
{
    const struct json *value = arguments->items[0];

    if (value != NULL && value->type == JSON_BOOLEAN)
        return refuse(reader, "asks for the length of what has none");
    *result = make_number(reader->scope->arena,
                          value == NULL || value->type == JSON_NULL ? 0 : (long long)value->count);
    return 0;
}

static int run_slice(const struct reader *reader, const struct arguments *arguments,
                     const struct json **result)
{
    const struct json *value = arguments->items[0];
    int64_t first = 0;
    int64_t last = 0;
    struct json *part;

    if (value == NULL || (value->type != JSON_STRING && value->type != JSON_ARRAY))
        return refuse(reader, "slices what is neither a text nor a list");
    last = (int64_t)value->count;
    if (arguments->count > 1 && to_integer(reader, arguments->items[1], &first) < 0)
        return -ENOTSUP;
    if (arguments->count > 2 && to_integer(reader, arguments->items[2], &last) < 0)
        return -ENOTSUP;
    if (first < 0 || last < first || last > (int64_t)value->count)
        return refuse(reader, "slices behind the end");
    if (value->type == JSON_STRING) {
        *result = make_text(reader->scope->arena, value->text + first, (size_t)(last - first));
        return 0;
    }
    part = arena_new(reader->scope->arena, 1, sizeof(*part));
    *part = (struct json){.type = JSON_ARRAY, .count = (size_t)(last - first)};
    part->items = value->items + first;
    *result = part;
    return 0;
}

static int run_join(const struct reader *reader, const struct arguments *arguments,
                    const struct json **result)
{
    const struct json *list = arguments->items[0];
    const char *separator = text_of(reader->scope->arena, arguments->items[1]);
    cleanup_buffer struct buffer text = {0};

    if (list != NULL && list->type != JSON_ARRAY && list->type != JSON_NULL)
        return refuse(reader, "joins what is no list");
    for (size_t i = 0; list != NULL && list->type == JSON_ARRAY && i < list->count; i++) {
        buffer_append_string(&text, i > 0 ? separator : "");
        template_append(&text, &list->items[i]);
    }
    *result = make_text(reader->scope->arena, buffer_text(&text), text.length);
    return 0;
}

static int run_split(const struct reader *reader, const struct arguments *arguments,
                     const struct json **result)
{
    struct arena *arena = reader->scope->arena;
    const char *text = text_of(arena, arguments->items[0]);
    const char *separator = text_of(arena, arguments->items[1]);
    size_t width = strlen(separator);
    struct json *items = arena_new(arena, strlen(text) + 1, sizeof(*items));
    struct json *list = arena_new(arena, 1, sizeof(*list));

    *list = (struct json){.type = JSON_ARRAY};
    for (const char *end; text != NULL; text = end) {
        end = width > 0 ? strstr(text, separator) : NULL;
        items[list->count++] =
            *make_text(arena, text, end != NULL ? (size_t)(end - text) : strlen(text));
        end = end != NULL ? end + width : NULL;
    }
    list->items = items;
    *result = list;
    return 0;
}

static const struct json *change_case(const struct reader *reader, const struct json *value,
                                      int (*change)(int), bool changes_all)
{
    char *text = arena_strdup(reader->scope->arena, text_of(reader->scope->arena, value));

    for (char *c = text; *c != '\0'; c++) {
        if (changes_all || c == text || c[-1] == ' ')
            *c = (char)change((unsigned char)*c);
    }
    return make_text(reader->scope->arena, text, strlen(text));
}

static int run_lower(const struct reader *reader, const struct arguments *arguments,
                     const struct json **result)
{
    *result = change_case(reader, arguments->items[0], tolower, true);
    return 0;
}

static int run_upper(const struct reader *reader, const struct arguments *arguments,
                     const struct json **result)
{
    *result = change_case(reader, arguments->items[0], toupper, true);
    return 0;
}

static int run_title(const struct reader *reader, const struct arguments *arguments,
                     const struct json **result)
{
    *result = change_case(reader, arguments->items[0], toupper, false);
    return 0;
}

static int run_truncate(const struct reader *reader, const struct arguments *arguments,
                        const struct json **result)
{
    const char *text = text_of(reader->scope->arena, arguments->items[0]);
    int64_t width = 0;

    if (to_integer(reader, arguments->items[1], &width) < 0)
        return -ENOTSUP;
    *result = make_text(reader->scope->arena, text,
                        width >= 0 ? strnlen(text, (size_t)width) : strlen(text));
    return 0;
}

/* {{pad .Name 1 2}}: so many spaces before and behind what is not empty. */
static int run_pad(const struct reader *reader, const struct arguments *arguments,
                   const struct json **result)
{
    const char *text = text_of(reader->scope->arena, arguments->items[0]);
    const char *padded = text;
    int64_t before = 0;
    int64_t behind = 0;

    if (to_integer(reader, arguments->items[1], &before) < 0 ||
        to_integer(reader, arguments->items[2], &behind) < 0)
        return -ENOTSUP;
    if (before < 0 || behind < 0 || before > 1000 || behind > 1000)
        return refuse(reader, "pads by less than 0 or more than 1000");
    if (text[0] != '\0')
        padded =
            arena_printf(reader->scope->arena, "%*s%s%*s", (int)before, "", text, (int)behind, "");
    *result = make_text(reader->scope->arena, padded, strlen(padded));
    return 0;
}

static const struct json *print_all(const struct reader *reader, const struct arguments *arguments,
                                    bool is_line)
{
    cleanup_buffer struct buffer text = {0};

    for (size_t i = 0; i < arguments->count; i++) {
        const struct json *const *items = arguments->items;
        bool is_text = items[i] != NULL && items[i]->type == JSON_STRING;
        bool was_text = i > 0 && items[i - 1] != NULL && items[i - 1]->type == JSON_STRING;

        /* fmt.Print: a space between two of which neither is a text. */
        if (i > 0 && (is_line || (!is_text && !was_text)))
            buffer_append_string(&text, " ");
        template_append(&text, items[i]);
    }
    if (is_line)
        buffer_append_string(&text, "\n");
    return make_text(reader->scope->arena, buffer_text(&text), text.length);
}

static int run_print(const struct reader *reader, const struct arguments *arguments,
                     const struct json **result)
{
    *result = print_all(reader, arguments, false);
    return 0;
}

static int run_println(const struct reader *reader, const struct arguments *arguments,
                       const struct json **result)
{
    *result = print_all(reader, arguments, true);
    return 0;
}

/* One verb of printf, at `verb` behind "%": "-20s". Returns where it ends; NULL: it is none. */
static const char *append_verb(const struct reader *reader, struct buffer *out, const char *verb,
                               const struct json *value)
{
    bool is_left = *verb == '-';
    const char *at = verb + is_left;
    bool has_zeros = *at == '0';
    uint64_t width = 0;
    const char *text;

    if (isdigit((unsigned char)*at) && !number_take(&at, 10, 1000, &width))
        return NULL;
    if (*at == '\0' || strchr("svdqt", *at) == NULL)
        return NULL;
    text = text_of(reader->scope->arena, value);
    if (*at == 'q')
        text = arena_printf(reader->scope->arena, "\"%s\"", text);
    for (size_t i = strlen(text); !is_left && i < width; i++)
        buffer_append_string(out, has_zeros && *at == 'd' ? "0" : " ");
    buffer_append_string(out, text);
    for (size_t i = strlen(text); is_left && i < width; i++)
        buffer_append_string(out, " ");
    return at + 1;
}

static int run_printf(const struct reader *reader, const struct arguments *arguments,
                      const struct json **result)
{
    const char *format = text_of(reader->scope->arena, arguments->items[0]);
    cleanup_buffer struct buffer text = {0};
    size_t next = 1;

    while (*format != '\0') {
        size_t plain = strcspn(format, "%");

        buffer_append(&text, format, plain);
        format += plain;
        if (format[0] == '%' && format[1] == '%') {
            buffer_append_string(&text, "%");
            format += 2;
        } else if (*format == '%') {
            if (next == arguments->count)
                return refuse(reader, "has more verbs than values");
            format = append_verb(reader, &text, format + 1, arguments->items[next++]);
            if (format == NULL)
                return refuse(reader, "has a verb other than %s, %v, %d, %q and %t");
        }
    }
    if (next < arguments->count)
        return refuse(reader, "has more values than verbs");
    *result = make_text(reader->scope->arena, buffer_text(&text), text.length);
    return 0;
}

static int run_not(const struct reader *reader, const struct arguments *arguments,
                   const struct json **result)
{
    (void)reader;
    *result = make_boolean(!template_is_true(arguments->items[0]));
    return 0;
}

static int run_and(const struct reader *reader, const struct arguments *arguments,
                   const struct json **result)
{
    size_t i = 0;

    (void)reader;
    while (i + 1 < arguments->count && template_is_true(arguments->items[i]))
        i++;
    *result = arguments->items[i];
    return 0;
}

static int run_or(const struct reader *reader, const struct arguments *arguments,
                  const struct json **result)
{
    size_t i = 0;

    (void)reader;
    while (i + 1 < arguments->count && !template_is_true(arguments->items[i]))
        i++;
    *result = arguments->items[i];
    return 0;
}

/* Whole numbers by their values, all else by its text. */
static int compare(const struct reader *reader, const struct json *one, const struct json *other)
{
    int64_t a = 0;
    int64_t b = 0;

    if (one != NULL && other != NULL && one->type == JSON_NUMBER && other->type == JSON_NUMBER &&
        json_to_int64(one, &a) == 0 && json_to_int64(other, &b) == 0)
        return (a > b) - (a < b);
    return strcmp(text_of(reader->scope->arena, one), text_of(reader->scope->arena, other));
}

static int run_eq(const struct reader *reader, const struct arguments *arguments,
                  const struct json **result)
{
    bool is_equal = false;

    for (size_t i = 1; i < arguments->count; i++)
        is_equal = is_equal || compare(reader, arguments->items[0], arguments->items[i]) == 0;
    *result = make_boolean(is_equal);
    return 0;
}

static int run_ne(const struct reader *reader, const struct arguments *arguments,
                  const struct json **result)
{
    *result = make_boolean(compare(reader, arguments->items[0], arguments->items[1]) != 0);
    return 0;
}

static int run_lt(const struct reader *reader, const struct arguments *arguments,
                  const struct json **result)
{
    *result = make_boolean(compare(reader, arguments->items[0], arguments->items[1]) < 0);
    return 0;
}

static int run_le(const struct reader *reader, const struct arguments *arguments,
                  const struct json **result)
{
    *result = make_boolean(compare(reader, arguments->items[0], arguments->items[1]) <= 0);
    return 0;
}

static int run_gt(const struct reader *reader, const struct arguments *arguments,
                  const struct json **result)
{
    *result = make_boolean(compare(reader, arguments->items[0], arguments->items[1]) > 0);
    return 0;
}

static int run_ge(const struct reader *reader, const struct arguments *arguments,
                  const struct json **result)
{
    *result = make_boolean(compare(reader, arguments->items[0], arguments->items[1]) >= 0);
    return 0;
}

static const struct function {
    const char *name;
    size_t least; /* arguments */
    size_t most;
    int (*run)(const struct reader *reader, const struct arguments *arguments,
               const struct json **result);
} functions[] = {
    {"and", 1, ARGUMENTS_MAX, run_and},
    {"eq", 2, ARGUMENTS_MAX, run_eq},
    {"ge", 2, 2, run_ge},
    {"gt", 2, 2, run_gt},
    {"index", 1, ARGUMENTS_MAX, run_index},
    {"join", 2, 2, run_join},
    {"json", 1, 1, run_json},
    {"le", 2, 2, run_le},
    {"len", 1, 1, run_len},
    {"lower", 1, 1, run_lower},
    {"lt", 2, 2, run_lt},
    {"ne", 2, 2, run_ne},
    {"not", 1, 1, run_not},
    {"or", 1, ARGUMENTS_MAX, run_or},
    {"pad", 3, 3, run_pad},
    {"print", 0, ARGUMENTS_MAX, run_print},
    {"printf", 1, ARGUMENTS_MAX, run_printf},
    {"println", 0, ARGUMENTS_MAX, run_println},
    {"slice", 1, 3, run_slice},
    {"split", 2, 2, run_split},
    {"title", 1, 1, run_title},
    {"truncate", 2, 2, run_truncate},
    {"upper", 1, 1, run_upper},
};

/* Reading. */

static void skip_spaces(struct reader *reader)
{
    while (reader->at < reader->end && isspace((unsigned char)*reader->at))
        reader->at++;
}

/* The length of the name that begins at `text`. */
static size_t name_length(const struct reader *reader, const char *text)
{
    const char *end = text;

    while (end < reader->end && (isalnum((unsigned char)*end) || *end == '_' || *end == '-'))
        end++;
    return (size_t)(end - text);
}

/* ".A.B" behind a value. */
static const struct json *read_path(struct reader *reader, const struct json *value)
{
    while (reader->at < reader->end && *reader->at == '.') {
        size_t length = name_length(reader, reader->at + 1);

        if (length > 0)
            value = find_member(value, reader->at + 1, length);
        reader->at += 1 + length;
    }
    return value;
}

static int read_text(struct reader *reader, const struct json **value)
{
    char quote = *reader->at++;
    cleanup_buffer struct buffer text = {0};

    while (reader->at < reader->end && *reader->at != quote) {
        char c = *reader->at++;

        if (c == '\\' && quote == '"' && reader->at < reader->end) {
            c = *reader->at++;
            c = (char)(c == 'n' ? '\n' : c == 't' ? '\t' : c);
        }
        buffer_append(&text, &c, 1);
    }
    if (reader->at == reader->end)
        return refuse(reader, "has a text without its end");
    reader->at++;
    *value = make_text(reader->scope->arena, buffer_text(&text), text.length);
    return 0;
}

static int read_number(struct reader *reader, const struct json **value)
{
    const char *start = reader->at;
    struct json *number = arena_new(reader->scope->arena, 1, sizeof(*number));

    if (*reader->at == '-')
        reader->at++;
    while (reader->at < reader->end && (isdigit((unsigned char)*reader->at) || *reader->at == '.'))
        reader->at++;
    *number = (struct json){.type = JSON_NUMBER, .count = (size_t)(reader->at - start)};
    number->text = arena_strndup(reader->scope->arena, start, number->count);
    *value = number;
    return 0;
}

static int read_variable(struct reader *reader, const struct json **value)
{
    const struct template_scope *scope = reader->scope;
    const char *name = ++reader->at;
    size_t length = name_length(reader, name);

    reader->at += length;
    for (size_t i = scope->variable_count; i > 0; i--) {
        const struct template_variable *one = &scope->variables[i - 1];

        if (one->length == length && strncmp(one->name, name, length) == 0) {
            *value = read_path(reader, one->value);
            return 0;
        }
    }
    return refuse(reader, "has a variable that was not set");
}

static int read_pipeline(struct reader *reader, const struct json **value);

static int read_parentheses(struct reader *reader, const struct json **value)
{
    int result;

    if (++reader->depth > DEPTH_MAX)
        return refuse(reader, "is nested too deeply");
    reader->at++;
    result = read_pipeline(reader, value);
    if (result < 0)
        return result;
    skip_spaces(reader);
    if (reader->at == reader->end || *reader->at != ')')
        return refuse(reader, "has no \")\"");
    reader->at++;
    reader->depth--;
    *value = read_path(reader, *value);
    return 0;
}

/* {{.Label "name"}} is what docker has for a method. */
static int read_label(struct reader *reader, const struct json *labels, const struct json **value)
{
    const struct json *name;

    skip_spaces(reader);
    if (reader->at == reader->end || (*reader->at != '"' && *reader->at != '`'))
        return 0;
    if (read_text(reader, &name) < 0)
        return -ENOTSUP;
    *value = find_member(labels, name->text, name->count);
    if (*value == NULL)
        *value = make_text(reader->scope->arena, "", 0);
    return 0;
}

static bool is_word(const struct reader *reader, const char *word)
{
    return strlen(word) == name_length(reader, reader->at) &&
           strncmp(reader->at, word, strlen(word)) == 0;
}

static int read_operand(struct reader *reader, const struct json **value)
{
    const struct json *labels = find_member(reader->scope->dot, TEMPLATE_LABELS, 8);
    char first = *reader->at;

    if (first == '.' && labels != NULL && strncmp(reader->at, ".Label", 6) == 0 &&
        name_length(reader, reader->at + 1) == 5) {
        reader->at += 6;
        *value = labels;
        return read_label(reader, labels, value);
    }
    if (first == '.') {
        *value = read_path(reader, reader->scope->dot);
        return 0;
    }
    if (first == '$')
        return read_variable(reader, value);
    if (first == '"' || first == '`')
        return read_text(reader, value);
    if (first == '(')
        return read_parentheses(reader, value);
    if (isdigit((unsigned char)first) || first == '-')
        return read_number(reader, value);
    if (!is_word(reader, "true") && !is_word(reader, "false") && !is_word(reader, "nil"))
        return refuse(reader, "is not supported");
    *value = first == 'n' ? NULL : make_boolean(first == 't');
    reader->at += name_length(reader, reader->at);
    return 0;
}

static const struct function *find_function(const struct reader *reader)
{
    for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
        if (is_word(reader, functions[i].name))
            return &functions[i];
    }
    return NULL;
}

/* `piped` is the value before "|"; it is the last argument if there is one. */
static int read_call(struct reader *reader, const struct function *function, bool is_piped,
                     const struct json **value)
{
    struct arguments arguments = {.count = 0};

    reader->at += strlen(function->name);
    for (;;) {
        skip_spaces(reader);
        if (reader->at == reader->end || *reader->at == '|' || *reader->at == ')')
            break;
        if (arguments.count == ARGUMENTS_MAX - 1)
            return refuse(reader, "has too many arguments");
        if (read_operand(reader, &arguments.items[arguments.count++]) < 0)
            return -ENOTSUP;
    }
    if (is_piped)
        arguments.items[arguments.count++] = *value;
    if (arguments.count < function->least || arguments.count > function->most)
        return refuse(reader, "has too few or too many arguments");
    return function->run(reader, &arguments, value);
}

static int read_pipeline(struct reader *reader, const struct json **value)
{
    bool is_piped = false;

    for (;;) {
        const struct function *function;
        int result;

        skip_spaces(reader);
        if (reader->at == reader->end)
            return refuse(reader, "is not supported");
        function = find_function(reader);
        if (function == NULL && is_piped)
            return refuse(reader, "is not supported");
        result = function != NULL ? read_call(reader, function, is_piped, value)
                                  : read_operand(reader, value);
        if (result < 0)
            return result;
        skip_spaces(reader);
        if (reader->at == reader->end || *reader->at != '|')
            return 0;
        reader->at++;
        is_piped = true;
    }
}

int template_set(struct template_scope *scope, const char *name, size_t length,
                 const struct json *value)
{
    if (scope->variable_count == TEMPLATE_VARIABLES_MAX)
        return error_set(scope->err, ERROR_INVALID, E2BIG, "--format: too many variables");
    scope->variables[scope->variable_count++] = (struct template_variable){name, length, value};
    return 0;
}

static int assign(struct reader *reader, const char *name, size_t length, const struct json *value)
{
    for (size_t i = reader->scope->variable_count; i > 0; i--) {
        struct template_variable *one = &reader->scope->variables[i - 1];

        if (one->length == length && strncmp(one->name, name, length) == 0) {
            one->value = value;
            return 0;
        }
    }
    return refuse(reader, "changes a variable that was not set");
}

int template_eval(struct template_scope *scope, const char *text, size_t length,
                  const struct json **value, bool *is_silent)
{
    struct reader reader = {.scope = scope, .start = text, .at = text, .end = text + length};
    const char *name = NULL;
    size_t name_size = 0;
    bool is_new = false;
    int result;

    *value = NULL;
    skip_spaces(&reader);
    if (reader.at < reader.end && *reader.at == '$') {
        const char *before = reader.at;

        name = ++reader.at;
        name_size = name_length(&reader, name);
        reader.at += name_size;
        skip_spaces(&reader);
        is_new = reader.end - reader.at >= 2 && strncmp(reader.at, ":=", 2) == 0;
        if (is_new || (reader.at < reader.end && *reader.at == '=')) {
            reader.at += is_new ? 2 : 1;
        } else {
            reader.at = before;
            name = NULL;
        }
    }
    *is_silent = name != NULL;
    result = read_pipeline(&reader, value);
    if (result == 0 && reader.at != reader.end)
        result = refuse(&reader, "is not supported");
    if (result < 0 || name == NULL)
        return result;
    return is_new ? template_set(scope, name, name_size, *value)
                  : assign(&reader, name, name_size, *value);
}
