/* Templates: see template.h. */
#include "template.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define DEPTH_MAX 16
#define COLUMNS_MAX 32
#define COLUMN_GAP 3

struct renderer {
    struct buffer *out;
    struct error *err;
    const char *format;
};

static int refuse(struct renderer *renderer, const char *action, size_t length)
{
    return error_set(renderer->err, ERROR_UNSUPPORTED, ENOTSUP,
                     "--format: \"{{%.*s}}\" is not supported", (int)(length < 80 ? length : 80),
                     action);
}

static const struct json *member(const struct json *object, const char *name, size_t length)
{
    for (size_t i = 0; object != NULL && object->type == JSON_OBJECT && i < object->count; i++) {
        if (strlen(object->members[i].name) == length &&
            strncmp(object->members[i].name, name, length) == 0)
            return &object->members[i].value;
    }
    return NULL;
}

/* ".State.Status", "." */
static const struct json *walk(const struct json *value, const char *path, size_t length)
{
    const char *end = path + length;

    while (path < end && value != NULL) {
        size_t part;

        path++;
        part = strcspn(path, ".");
        if (part > (size_t)(end - path))
            part = (size_t)(end - path);
        if (part > 0)
            value = member(value, path, part);
        path += part;
    }
    return value;
}

static bool is_path(const char *text, size_t length)
{
    if (length == 0 || text[0] != '.')
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)text[i]) && strchr("._-", text[i]) == NULL)
            return false;
    }
    return true;
}

static bool is_true(const struct json *value)
{
    if (value == NULL)
        return false;
    switch (value->type) {
    case JSON_BOOLEAN:
        return value->boolean;
    case JSON_STRING:
        return value->text[0] != '\0';
    case JSON_NUMBER:
        return strcmp(value->text, "0") != 0;
    case JSON_OBJECT:
    case JSON_ARRAY:
        return value->count > 0;
    default:
        return false;
    }
}

static void append_json(struct buffer *out, const struct json *value)
{
    struct json_writer *writer = json_writer_new(false);

    if (value != NULL)
        json_value(writer, value);
    else
        json_null(writer);
    buffer_append_string(out, json_writer_text(writer));
    json_writer_free(writer);
}

/* {{json .}}: an item of a list without what {{.Label}} alone looks into. */
static void append_item(struct buffer *out, const struct json *object)
{
    struct json_writer *writer = json_writer_new(false);

    json_object_open(writer);
    for (size_t i = 0; i < object->count; i++) {
        if (strcmp(object->members[i].name, TEMPLATE_LABELS) == 0)
            continue;
        json_key(writer, object->members[i].name);
        json_value(writer, &object->members[i].value);
    }
    json_object_close(writer);
    buffer_append_string(out, json_writer_text(writer));
    json_writer_free(writer);
}

static void append_value(struct buffer *out, const struct json *value)
{
    if (value == NULL || value->type == JSON_NULL)
        buffer_append_string(out, "<no value>");
    else if (value->type == JSON_STRING || value->type == JSON_NUMBER)
        buffer_append_string(out, value->text);
    else if (value->type == JSON_BOOLEAN)
        buffer_append_string(out, value->boolean ? "true" : "false");
    else
        append_json(out, value);
}

/* A word of an action: up to a space, or in quotes. */
static const char *next_word(const char *text, const char *end, size_t *length)
{
    while (text < end && *text == ' ')
        text++;
    *length = 0;
    if (text < end && *text == '"') {
        const char *closing = memchr(text + 1, '"', (size_t)(end - text) - 1);

        *length = closing != NULL ? (size_t)(closing - text) + 1 : (size_t)(end - text);
        return text;
    }
    while (text + *length < end && text[*length] != ' ')
        ++*length;
    return text;
}

struct action {
    const char *words[4];
    size_t lengths[4];
    size_t count; /* four means four or more, which no action has */
};

static struct action read_action(const char *text, size_t length)
{
    struct action action = {.count = 0};
    const char *end = text + length;

    while (text < end && action.count < 4) {
        size_t word_length;
        const char *word = next_word(text, end, &word_length);

        if (word_length == 0)
            break;
        action.words[action.count] = word;
        action.lengths[action.count++] = word_length;
        text = word + word_length;
    }
    return action;
}

static bool word_is(const struct action *action, size_t number, const char *text)
{
    return number < action->count && strlen(text) == action->lengths[number] &&
           strncmp(action->words[number], text, action->lengths[number]) == 0;
}

static bool word_is_path(const struct action *action, size_t number)
{
    return number < action->count && is_path(action->words[number], action->lengths[number]);
}

static bool word_is_quoted(const struct action *action, size_t number)
{
    return number < action->count && action->lengths[number] >= 2 &&
           action->words[number][0] == '"' &&
           action->words[number][action->lengths[number] - 1] == '"';
}

static const struct json *word_value(const struct action *action, size_t number,
                                     const struct json *value)
{
    return walk(value, action->words[number], action->lengths[number]);
}

/* The member that is named in quotes. */
static const struct json *quoted_member(const struct action *action, size_t number,
                                        const struct json *object)
{
    return member(object, action->words[number] + 1, action->lengths[number] - 2);
}

static void append_escaped(struct buffer *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char c = text[i];

        if (c == '\\' && i + 1 < length && (text[i + 1] == 't' || text[i + 1] == 'n'))
            c = text[++i] == 't' ? '\t' : '\n';
        buffer_append(out, &c, 1);
    }
}

static int run_action(struct renderer *renderer, const char *text, size_t length,
                      const struct json *value)
{
    struct action action = read_action(text, length);
    const struct json *found;

    if (action.count == 1 && word_is_path(&action, 0)) {
        append_value(renderer->out, word_value(&action, 0, value));
    } else if (action.count == 1 && word_is_quoted(&action, 0)) {
        append_escaped(renderer->out, action.words[0] + 1, action.lengths[0] - 2);
    } else if (action.count == 2 && word_is(&action, 0, "json") && word_is(&action, 1, ".") &&
               value->type == JSON_OBJECT) {
        append_item(renderer->out, value);
    } else if (action.count == 2 && word_is(&action, 0, "json") && word_is_path(&action, 1)) {
        append_json(renderer->out, word_value(&action, 1, value));
    } else if (action.count == 2 && word_is(&action, 0, "len") && word_is_path(&action, 1)) {
        found = word_value(&action, 1, value);
        buffer_printf(renderer->out, "%zu",
                      found == NULL                ? 0
                      : found->type == JSON_STRING ? strlen(found->text)
                                                   : found->count);
    } else if (action.count == 3 && word_is(&action, 0, "index") && word_is_path(&action, 1) &&
               word_is_quoted(&action, 2)) {
        append_value(renderer->out, quoted_member(&action, 2, word_value(&action, 1, value)));
    } else if (action.count == 2 && word_is(&action, 0, ".Label") && word_is_quoted(&action, 1)) {
        found = quoted_member(&action, 1, json_get(value, TEMPLATE_LABELS));
        buffer_append_string(renderer->out, found != NULL ? found->text : "");
    } else {
        return refuse(renderer, text, length);
    }
    return 0;
}

/* Where an action ends; NULL if it does not. */
static const char *action_end(const char *action)
{
    return strstr(action, "}}");
}

/* The "{{else}}" or "{{end}}" (`wanted` without braces) of the block that begins at `text`; or
 * NULL. */
static const char *find_word(const char *text, const char *wanted)
{
    int depth = 0;

    for (text = strstr(text, "{{"); text != NULL; text = strstr(text + 2, "{{")) {
        size_t length;
        const char *end = action_end(text);
        const char *word = end != NULL ? next_word(text + 2, end, &length) : NULL;

        if (word == NULL)
            return NULL;
        if (depth == 0 && strlen(wanted) == length && strncmp(word, wanted, length) == 0)
            return text;
        if (strncmp(word, "range", length) == 0 || strncmp(word, "if", length) == 0)
            depth++;
        else if (length == 3 && strncmp(word, "end", 3) == 0 && depth-- == 0)
            return NULL;
    }
    return NULL;
}

static int render(struct renderer *renderer, const char *text, const char *end,
                  const struct json *value, int depth);

struct block {
    const char *inside;
    const char *otherwise; /* "{{else}}", or NULL */
    const char *end;       /* "{{end}}" */
};

static int run_block(struct renderer *renderer, const struct action *action,
                     const struct block *block, const struct json *value, int depth)
{
    const struct json *found = word_value(action, 1, value);
    const char *first_end = block->otherwise != NULL ? block->otherwise : block->end;
    int result = 0;

    if (!is_true(found))
        return block->otherwise == NULL ? 0
                                        : render(renderer, action_end(block->otherwise) + 2,
                                                 block->end, value, depth + 1);
    if (word_is(action, 0, "if"))
        return render(renderer, block->inside, first_end, value, depth + 1);
    if (found->type != JSON_ARRAY && found->type != JSON_OBJECT)
        return error_set(renderer->err, ERROR_INVALID, EINVAL,
                         "--format: range over \"%.*s\", which is no list", (int)action->lengths[1],
                         action->words[1]);
    for (size_t i = 0; result == 0 && i < found->count; i++)
        result = render(renderer, block->inside, first_end,
                        found->type == JSON_ARRAY ? &found->items[i] : &found->members[i].value,
                        depth + 1);
    return result;
}

/* Renders from `text` to `end`. */
static int render(struct renderer *renderer, const char *text, const char *end,
                  const struct json *value, int depth)
{
    if (depth == DEPTH_MAX)
        return error_set(renderer->err, ERROR_INVALID, E2BIG, "--format: nested too deeply");
    while (text < end) {
        const char *open = strstr(text, "{{");
        const char *close = open != NULL ? action_end(open) : NULL;
        struct action action;
        struct block block;
        int result;

        if (open == NULL || open >= end) {
            append_escaped(renderer->out, text, (size_t)(end - text));
            return 0;
        }
        append_escaped(renderer->out, text, (size_t)(open - text));
        if (close == NULL)
            return error_set(renderer->err, ERROR_INVALID, EINVAL,
                             "--format: \"{{\" without \"}}\"");
        text = close + 2;
        action = read_action(open + 2, (size_t)(close - open) - 2);
        if (action.count != 2 || !word_is_path(&action, 1) ||
            (!word_is(&action, 0, "range") && !word_is(&action, 0, "if"))) {
            result = run_action(renderer, open + 2, (size_t)(close - open) - 2, value);
        } else {
            block = (struct block){text, find_word(text, "else"), find_word(text, "end")};
            if (block.end == NULL)
                return error_set(renderer->err, ERROR_INVALID, EINVAL,
                                 "--format: a block without {{end}}");
            result = run_block(renderer, &action, &block, value, depth);
            text = action_end(block.end) + 2;
        }
        if (result < 0)
            return result;
    }
    return 0;
}

int template_render(const char *format, const struct json *object, struct buffer *out,
                    struct error *err)
{
    struct renderer renderer = {.out = out, .err = err, .format = format};

    return render(&renderer, format, format + strlen(format), object, 0);
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
