/* Templates: see template.h. */
#include "template.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "template_eval.h"

#define DEPTH_MAX 16
#define COLUMNS_MAX 32
#define COLUMN_GAP 3

struct renderer {
    struct buffer *out;
    struct template_scope scope;
};

/* What ended a list of texts and actions. */
struct stop {
    enum {
        STOP_TEXT, /* the template's end */
        STOP_END,
        STOP_ELSE,
    } kind;
    const char *condition; /* of "else if" and "else with", its length not 0 */
    size_t length;
};

/* An action without its braces and spaces. */
struct action {
    const char *text;
    size_t length;
    const char *behind; /* where the template goes on */
};

static void append_escaped(struct buffer *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char c = text[i];

        if (c == '\\' && i + 1 < length && (text[i + 1] == 't' || text[i + 1] == 'n'))
            c = text[++i] == 't' ? '\t' : '\n';
        buffer_append(out, &c, 1);
    }
}

/* Where an action ends: at "}}" outside of its texts. NULL: nowhere. */
static const char *find_close(const char *text)
{
    char quote = '\0';

    for (; *text != '\0'; text++) {
        if (quote != '\0' && *text == '\\' && quote == '"' && text[1] != '\0')
            text++;
        else if (quote != '\0')
            quote = *text == quote ? '\0' : quote;
        else if (*text == '"' || *text == '`')
            quote = *text;
        else if (strncmp(text, "}}", 2) == 0)
            return text;
    }
    return NULL;
}

static bool is_space(char c)
{
    return isspace((unsigned char)c) != 0;
}

/* "{{- " takes the space before it away, " -}}" that behind it. */
static int read_action(struct renderer *renderer, const char *open, struct action *action)
{
    const char *start = open + 2;
    const char *close = find_close(start);
    const char *end = close;

    if (close == NULL)
        return error_set(renderer->scope.err, ERROR_INVALID, EINVAL,
                         "--format: \"{{\" without \"}}\"");
    action->behind = close + 2;
    if (end - start >= 2 && end[-1] == '-' && is_space(end[-2])) {
        end--;
        while (is_space(*action->behind))
            action->behind++;
    }
    if (end - start >= 2 && start[0] == '-' && is_space(start[1]))
        start++;
    while (start < end && is_space(*start))
        start++;
    while (end > start && is_space(end[-1]))
        end--;
    action->text = start;
    action->length = (size_t)(end - start);
    return 0;
}

/* What stands behind the action's first word, if it is that one. */
static bool begins_with(const struct action *action, const char *word, const char **rest,
                        size_t *length)
{
    size_t size = strlen(word);

    if (action->length < size || strncmp(action->text, word, size) != 0 ||
        (action->length > size && !is_space(action->text[size])))
        return false;
    while (size < action->length && is_space(action->text[size]))
        size++;
    *rest = action->text + size;
    *length = action->length - size;
    return true;
}

static int render_list(struct renderer *renderer, const char **at, bool is_active, int depth,
                       struct stop *stop);

static int evaluate(struct renderer *renderer, const char *text, size_t length,
                    const struct json **value)
{
    bool is_silent;

    return template_eval(&renderer->scope, text, length, value, &is_silent);
}

/* {{if}} and {{with}}, with their {{else if}}, {{else with}} and {{else}}; what is not active is
 * read over. */
static int run_if(struct renderer *renderer, const char *condition, size_t length, bool is_with,
                  const char **at, bool is_active, int depth)
{
    const size_t variables = renderer->scope.variable_count;
    const struct json *const dot = renderer->scope.dot;
    struct stop stop = {.condition = condition, .length = length};
    bool is_done = !is_active;

    if (length == 0)
        return error_set(renderer->scope.err, ERROR_INVALID, EINVAL,
                         "--format: an {{if}} or {{with}} without a condition");
    do {
        const struct json *value = NULL;
        bool is_taken = !is_done;
        int result = 0;

        if (is_taken && stop.length > 0) {
            result = evaluate(renderer, stop.condition, stop.length, &value);
            is_taken = template_is_true(value);
        }
        if (result == 0 && is_taken && is_with && stop.length > 0)
            renderer->scope.dot = value;
        if (result == 0)
            result = render_list(renderer, at, is_taken, depth, &stop);
        renderer->scope.dot = dot;
        if (result < 0)
            return result;
        is_done = is_done || is_taken;
    } while (stop.kind == STOP_ELSE);
    renderer->scope.variable_count = variables;
    return stop.kind == STOP_END ? 0
                                 : error_set(renderer->scope.err, ERROR_INVALID, EINVAL,
                                             "--format: a block without {{end}}");
}

/* The variables of {{range $i, $item := ...}}; the length of a name is 0 where there is none. */
struct range_variables {
    const char *names[2];
    size_t lengths[2];
};

/* Returns what stands behind ":=", or the text itself. */
static const char *read_range_variables(const char *text, size_t length,
                                        struct range_variables *variables)
{
    const char *sign = memmem(text, length, ":=", 2);
    const char *end = text + length;
    size_t count = 0;

    *variables = (struct range_variables){{"", ""}, {0, 0}};
    if (text[0] != '$' || sign == NULL)
        return text;
    for (const char *c = text; c < sign && count < 2; c++) {
        size_t size = 0;

        if (*c != '$')
            continue;
        while (c + 1 + size < end && isalnum((unsigned char)c[1 + size]))
            size++;
        variables->names[count] = c + 1;
        variables->lengths[count++] = size;
    }
    /* One alone is the item. */
    if (count == 1) {
        variables->names[1] = variables->names[0];
        variables->lengths[1] = variables->lengths[0];
        variables->lengths[0] = 0;
    }
    return sign + 2;
}

static const struct json *key_of(struct renderer *renderer, const struct json *list, size_t index)
{
    struct json *key = arena_new(renderer->scope.arena, 1, sizeof(*key));

    if (list->type == JSON_OBJECT) {
        *key = (struct json){.type = JSON_STRING, .count = strlen(list->members[index].name)};
        key->text = list->members[index].name;
        return key;
    }
    *key = (struct json){.type = JSON_NUMBER};
    key->text = arena_printf(renderer->scope.arena, "%zu", index);
    key->count = strlen(key->text);
    return key;
}

static int set_range_variables(struct renderer *renderer, const struct range_variables *variables,
                               const struct json *list, size_t index)
{
    struct template_scope *scope = &renderer->scope;
    int result = 0;

    scope->dot = list->type == JSON_ARRAY ? &list->items[index] : &list->members[index].value;
    if (variables->lengths[0] > 0)
        result = template_set(scope, variables->names[0], variables->lengths[0],
                              key_of(renderer, list, index));
    if (result == 0 && variables->lengths[1] > 0)
        result = template_set(scope, variables->names[1], variables->lengths[1], scope->dot);
    return result;
}

/* Renders the body for each item; *at goes behind it. */
static int run_items(struct renderer *renderer, const struct range_variables *variables,
                     const struct json *list, const char **at, int depth, struct stop *stop)
{
    const size_t count = renderer->scope.variable_count;
    const struct json *const dot = renderer->scope.dot;
    const char *const body = *at;
    int result = 0;

    for (size_t i = 0; result == 0 && i < list->count; i++) {
        *at = body;
        result = set_range_variables(renderer, variables, list, i);
        if (result == 0)
            result = render_list(renderer, at, true, depth, stop);
        renderer->scope.dot = dot;
        renderer->scope.variable_count = count;
    }
    return result;
}

static int run_range(struct renderer *renderer, const char *text, size_t length, const char **at,
                     bool is_active, int depth)
{
    struct range_variables variables;
    const char *expression = read_range_variables(text, length, &variables);
    const struct json *list = NULL;
    struct stop stop = {.kind = STOP_TEXT};
    bool has_items;
    int result = 0;

    if (is_active)
        result = evaluate(renderer, expression, (size_t)(text + length - expression), &list);
    if (result < 0)
        return result;
    if (list != NULL && list->type != JSON_ARRAY && list->type != JSON_OBJECT &&
        list->type != JSON_NULL)
        return error_set(renderer->scope.err, ERROR_INVALID, EINVAL,
                         "--format: range over \"%.*s\", which is no list", (int)length, text);
    has_items = list != NULL && list->type != JSON_NULL && list->count > 0;
    result = has_items ? run_items(renderer, &variables, list, at, depth, &stop)
                       : render_list(renderer, at, false, depth, &stop);
    if (result == 0 && stop.kind == STOP_ELSE)
        result = render_list(renderer, at, is_active && !has_items, depth, &stop);
    if (result == 0 && stop.kind != STOP_END)
        result = error_set(renderer->scope.err, ERROR_INVALID, EINVAL,
                           "--format: a block without {{end}}");
    return result;
}

static int print_action(struct renderer *renderer, const struct action *action)
{
    const struct json *value;
    bool is_silent;
    int result = template_eval(&renderer->scope, action->text, action->length, &value, &is_silent);

    if (result == 0 && !is_silent)
        template_append(renderer->out, value);
    return result;
}

/* Runs one action. Returns 1 if it ends the list: then `stop` says how. */
static int run_action(struct renderer *renderer, const struct action *action, const char **at,
                      bool is_active, int depth, struct stop *stop)
{
    const char *rest;
    size_t length;

    if (action->length >= 2 && strncmp(action->text, "/*", 2) == 0)
        return 0;
    if (begins_with(action, "end", &rest, &length) && length == 0) {
        *stop = (struct stop){.kind = STOP_END};
        return 1;
    }
    if (begins_with(action, "else", &rest, &length)) {
        const struct action condition = {.text = rest, .length = length};

        *stop = (struct stop){.kind = STOP_ELSE};
        if (length > 0 && !begins_with(&condition, "if", &stop->condition, &stop->length) &&
            !begins_with(&condition, "with", &stop->condition, &stop->length))
            return error_set(renderer->scope.err, ERROR_UNSUPPORTED, ENOTSUP,
                             "--format: \"{{%.*s}}\" is not supported", (int)action->length,
                             action->text);
        return 1;
    }
    if (begins_with(action, "if", &rest, &length))
        return run_if(renderer, rest, length, false, at, is_active, depth + 1);
    if (begins_with(action, "with", &rest, &length))
        return run_if(renderer, rest, length, true, at, is_active, depth + 1);
    if (begins_with(action, "range", &rest, &length))
        return run_range(renderer, rest, length, at, is_active, depth + 1);
    return is_active ? print_action(renderer, action) : 0;
}

/* Renders from *at to the end of the block or of the template, and moves *at behind that. */
static int render_list(struct renderer *renderer, const char **at, bool is_active, int depth,
                       struct stop *stop)
{
    *stop = (struct stop){.kind = STOP_TEXT};
    if (depth == DEPTH_MAX)
        return error_set(renderer->scope.err, ERROR_INVALID, E2BIG, "--format: nested too deeply");
    for (;;) {
        const char *open = strstr(*at, "{{");
        const char *end = open != NULL ? open : *at + strlen(*at);
        struct action action = {.text = "", .behind = ""};
        int result;

        if (open != NULL && open[2] == '-' && is_space(open[3])) {
            while (end > *at && is_space(end[-1]))
                end--;
        }
        if (is_active)
            append_escaped(renderer->out, *at, (size_t)(end - *at));
        if (open == NULL) {
            *at = end;
            return 0;
        }
        result = read_action(renderer, open, &action);
        if (result < 0)
            return result;
        *at = action.behind;
        result = run_action(renderer, &action, at, is_active, depth, stop);
        if (result != 0)
            return result < 0 ? result : 0;
    }
}

int template_render(const char *format, const struct json *object, struct buffer *out,
                    struct error *err)
{
    cleanup_arena struct arena arena = {0};
    struct renderer renderer = {.out = out, .scope = {.arena = &arena, .dot = object, .err = err}};
    struct stop stop;
    int result = template_set(&renderer.scope, "", 0, object);

    if (result == 0)
        result = render_list(&renderer, &format, true, 0, &stop);
    if (result == 0 && stop.kind != STOP_TEXT)
        result = error_set(err, ERROR_INVALID, EINVAL, "--format: {{end}} or {{else}} of no block");
    return result;
}

bool table_begin(struct table *table, const char *format)
{
    *table = (struct table){0};
    if (strncmp(format, "table ", 6) != 0)
        return false;
    table->format = format + 6;
    return true;
}

/* The header of the field whose name begins at `name`; NULL: it has none of its own. */
static const char *find_header(const struct table *table, const char *name)
{
    size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    for (const struct table_header *one = table->headers; one != NULL && one->field != NULL;
         one++) {
        if (strlen(one->field) == length && strncmp(one->field, name, length) == 0)
            return one->header;
    }
    return NULL;
}

/* "{{.CreatedAt}}" is under "CREATED AT". */
static void add_header(struct table *table)
{
    bool was_lower = false;

    for (const char *c = table->format; *c != '\0'; c++) {
        const char *header =
            isalpha((unsigned char)*c) && c > table->format && (c[-1] == '.' || c[-1] == '"')
                ? find_header(table, c)
                : NULL;

        if (header != NULL) {
            buffer_append_string(&table->rows, header);
            while (isalpha((unsigned char)c[1]))
                c++;
        } else if (strncmp(c, "\\t", 2) == 0) {
            buffer_append_string(&table->rows, "\t");
            c++;
            was_lower = false;
        } else if (isalpha((unsigned char)*c)) {
            if (isupper((unsigned char)*c) && was_lower)
                buffer_append_string(&table->rows, " ");
            was_lower = islower((unsigned char)*c) != 0;
            buffer_printf(&table->rows, "%c", toupper((unsigned char)*c));
        } else if (*c == ' ' || *c == '\t') {
            buffer_append(&table->rows, c, 1);
            was_lower = false;
        }
    }
    buffer_append_string(&table->rows, "\n");
    table->has_header = true;
}

int table_add(struct table *table, const struct json *object, struct error *err)
{
    int result;

    if (!table->has_header)
        add_header(table);
    result = template_render(table->format, object, &table->rows, err);
    buffer_append_string(&table->rows, "\n");
    return result;
}

/* A byte of UTF-8 that no character begins with takes no room. */
static bool takes_room(char byte)
{
    return ((unsigned char)byte & 0xc0) != 0x80;
}

static void measure(const char *rows, size_t widths[COLUMNS_MAX])
{
    size_t column = 0;
    size_t width = 0;

    for (; *rows != '\0'; rows++) {
        if (*rows == '\t' || *rows == '\n') {
            if (column < COLUMNS_MAX && widths[column] < width)
                widths[column] = width;
            column = *rows == '\n' ? 0 : column + 1;
            width = 0;
        } else {
            width += takes_room(*rows);
        }
    }
}

static bool has_colours(void)
{
    const char *refused = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");

    return isatty(STDOUT_FILENO) && (refused == NULL || refused[0] == '\0') && terminal != NULL &&
           strcmp(terminal, "dumb") != 0;
}

/* The beginning of an SGR sequence for a cell of a STATUS column. NULL: as it is. */
static const char *colour_of(const char *cell)
{
    static const struct {
        const char *beginning;
        const char *colour;
    } colours[] = {{"Exited (0)", "\033[2m"},
                   {"Exited", "\033[31m"},
                   {"Restarting", "\033[33m"},
                   {"Dead", "\033[31m"},
                   {"Up", "\033[32m"}};
    size_t length = strcspn(cell, "\t\n");

    if (memmem(cell, length, "(unhealthy)", 11) != NULL)
        return "\033[31m";
    if (memmem(cell, length, "(Paused)", 8) != NULL)
        return "\033[33m";
    for (size_t i = 0; i < ARRAY_SIZE(colours); i++) {
        if (strncmp(cell, colours[i].beginning, strlen(colours[i].beginning)) == 0)
            return colours[i].colour;
    }
    return NULL;
}

/* The number of the column whose header is STATUS; COLUMNS_MAX: there is none. */
static size_t find_status(const char *header)
{
    size_t column = 0;

    for (const char *cell = header; column < COLUMNS_MAX; column++) {
        size_t length = strcspn(cell, "\t\n");

        if (length == 6 && strncmp(cell, "STATUS", 6) == 0)
            return column;
        if (cell[length] != '\t')
            return COLUMNS_MAX;
        cell += length + 1;
    }
    return column;
}

static void print_cell(const char *cell, size_t length, const char *colour)
{
    printf("%s%.*s%s", colour != NULL ? colour : "", (int)length, cell,
           colour != NULL ? "\033[0m" : "");
}

void table_print(struct table *table)
{
    const bool is_coloured = has_colours();
    size_t widths[COLUMNS_MAX] = {0};
    size_t status;
    size_t column = 0;
    size_t row = 0;

    if (!table->has_header)
        add_header(table);
    measure(buffer_text(&table->rows), widths);
    status = find_status(buffer_text(&table->rows));
    for (const char *cell = buffer_text(&table->rows); *cell != '\0';) {
        size_t length = strcspn(cell, "\t\n");
        const char *colour = !is_coloured ? NULL : row == 0 ? "\033[1m" : NULL;
        size_t width = 0;

        if (is_coloured && row > 0 && column == status)
            colour = colour_of(cell);
        print_cell(cell, length, colour);
        for (size_t i = 0; i < length; i++)
            width += takes_room(cell[i]);
        if (cell[length] == '\t' && column < COLUMNS_MAX) {
            printf("%*s", (int)(widths[column] - width + COLUMN_GAP), "");
            column++;
        } else if (cell[length] == '\n') {
            putchar('\n');
            column = 0;
            row++;
        }
        cell += length + (cell[length] != '\0');
    }
    buffer_release(&table->rows);
}

void listing_begin(struct listing *listing, const char *format)
{
    *listing = (struct listing){.format = format};
    listing->is_table = table_begin(&listing->table, format);
}

int listing_add(struct listing *listing, const struct json *object, struct error *err)
{
    cleanup_buffer struct buffer line = {0};
    int result;

    if (listing->is_table)
        return table_add(&listing->table, object, err);
    result = template_render(listing->format, object, &line, err);
    if (result == 0)
        puts(buffer_text(&line));
    return result;
}

int listing_add_text(struct listing *listing, const char *text, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    const struct json *object;
    int result = json_parse(&arena, text, strlen(text), &json_default_limits, &object, err);

    return result < 0 ? result : listing_add(listing, object, err);
}

void listing_end(struct listing *listing)
{
    if (listing->is_table)
        table_print(&listing->table);
}

int listing_print(const char *format, const struct json *items, size_t count, struct error *err)
{
    struct listing listing;
    int result = 0;

    listing_begin(&listing, format);
    for (size_t i = 0; result == 0 && i < count; i++)
        result = listing_add(&listing, &items[i], err);
    listing_end(&listing);
    return result;
}
