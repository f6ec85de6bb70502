/* See yaml_document.h. */
#include "yaml_document.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <yaml.h>

#include "cleanup.h"
#include "number.h"

struct reader {
    yaml_parser_t parser;
    struct arena *arena;
    const struct json_limits *limits;
    size_t values;
    struct error *err;
};

static int refuse(struct reader *reader, const yaml_mark_t *mark, const char *what)
{
    return error_set(reader->err, ERROR_INVALID, EINVAL, "line %zu, column %zu: %s", mark->line + 1,
                     mark->column + 1, what);
}

/* The next event, which the caller deletes. */
static int next_event(struct reader *reader, yaml_event_t *event)
{
    const yaml_parser_t *parser = &reader->parser;

    if (yaml_parser_parse(&reader->parser, event))
        return 0;
    return refuse(reader, &parser->problem_mark,
                  parser->problem != NULL ? parser->problem : "no YAML");
}

static bool is_one_of(const char *text, const char *const *words)
{
    while (*words != NULL && strcmp(text, *words) != 0)
        words++;
    return *words != NULL;
}

/* "-12", "0x1f", "0644" and "0o644" as JSON writes them; NULL if it is no integer. */
static const char *integer_text(struct arena *arena, const char *text)
{
    bool is_negative = text[0] == '-';
    const char *digits = text + (text[0] == '-' || text[0] == '+');
    int base = 10;
    uint64_t value;

    if (digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'o')) {
        base = digits[1] == 'x' ? 16 : 8;
        digits += 2;
    } else if (digits[0] == '0' && digits[1] != '\0') {
        base = 8;
    }
    if (!number_take(&digits, base, UINT64_MAX, &value) || *digits != '\0')
        return NULL;
    return arena_printf(arena, "%s%" PRIu64, is_negative ? "-" : "", value);
}

/* A number with a point, as JSON has it. */
static bool is_fraction(const char *text)
{
    const char *rest = text + (text[0] == '-');
    size_t digits = strspn(rest, "0123456789");
    size_t after;

    rest += digits;
    if (digits == 0 || *rest != '.')
        return false;
    after = strspn(rest + 1, "0123456789");
    return after > 0 && rest[1 + after] == '\0';
}

static void read_plain(struct reader *reader, const char *text, struct json *value)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    const char *number = integer_text(reader->arena, text);

    if (is_one_of(text, nulls)) {
        value->type = JSON_NULL;
    } else if (is_one_of(text, trues) || is_one_of(text, falses)) {
        value->type = JSON_BOOLEAN;
        value->boolean = is_one_of(text, trues);
    } else if (number != NULL || is_fraction(text)) {
        value->type = JSON_NUMBER;
        value->text = number != NULL ? number : arena_strdup(reader->arena, text);
        value->count = strlen(value->text);
    } else {
        value->type = JSON_STRING;
        value->text = arena_strdup(reader->arena, text);
        value->count = strlen(value->text);
    }
}

static int read_scalar(struct reader *reader, const yaml_event_t *event, struct json *value)
{
    const char *text = (const char *)event->data.scalar.value;

    if (event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL)
        return refuse(reader, &event->start_mark, "anchors and tags are not supported");
    if (strlen(text) != event->data.scalar.length)
        return refuse(reader, &event->start_mark, "a NUL in a string");
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        read_plain(reader, text, value);
        return 0;
    }
    value->type = JSON_STRING;
    value->text = arena_strdup(reader->arena, text);
    value->count = strlen(value->text);
    return 0;
}

static int read_value(struct reader *reader, const yaml_event_t *event, size_t depth,
                      struct json *value);

/* The next event inside of a sequence or mapping, which the caller deletes. Returns 1, or 0 at the
 * end. */
static int next_inside(struct reader *reader, yaml_event_type_t end, yaml_event_t *event)
{
    int result = next_event(reader, event);

    if (result < 0)
        return result;
    if (event->type != end)
        return 1;
    yaml_event_delete(event);
    return 0;
}

static int read_sequence(struct reader *reader, size_t depth, struct json *value)
{
    yaml_event_t event = {0};
    struct json *items = NULL;
    size_t count = 0;
    int more;

    while ((more = next_inside(reader, YAML_SEQUENCE_END_EVENT, &event)) > 0) {
        int result;

        items = arena_grow(reader->arena, items, count, sizeof(*items));
        items[count] = (struct json){0};
        result = read_value(reader, &event, depth + 1, &items[count]);
        count++;
        yaml_event_delete(&event);
        if (result < 0)
            return result;
    }
    *value = (struct json){.type = JSON_ARRAY, .count = count, .items = items};
    return more;
}

static int read_member(struct reader *reader, const yaml_event_t *name, size_t depth,
                       struct json_member *member)
{
    yaml_event_t event = {0};
    int result;

    if (name->type != YAML_SCALAR_EVENT || name->data.scalar.anchor != NULL ||
        name->data.scalar.tag != NULL ||
        strlen((const char *)name->data.scalar.value) != name->data.scalar.length)
        return refuse(reader, &name->start_mark, "a name is expected");
    if (strcmp((const char *)name->data.scalar.value, "<<") == 0)
        return refuse(reader, &name->start_mark, "merge keys are not supported");
    member->name = arena_strdup(reader->arena, (const char *)name->data.scalar.value);
    result = next_event(reader, &event);
    if (result < 0)
        return result;
    result = read_value(reader, &event, depth + 1, &member->value);
    yaml_event_delete(&event);
    return result;
}

static int read_mapping(struct reader *reader, size_t depth, struct json *value)
{
    yaml_event_t event = {0};
    struct json_member *members = NULL;
    size_t count = 0;
    int more;

    while ((more = next_inside(reader, YAML_MAPPING_END_EVENT, &event)) > 0) {
        int result;

        members = arena_grow(reader->arena, members, count, sizeof(*members));
        members[count] = (struct json_member){0};
        result = read_member(reader, &event, depth, &members[count]);
        count++;
        yaml_event_delete(&event);
        if (result < 0)
            return result;
    }
    *value = (struct json){.type = JSON_OBJECT, .count = count, .members = members};
    return more;
}

static int read_value(struct reader *reader, const yaml_event_t *event, size_t depth,
                      struct json *value)
{
    if (depth > reader->limits->max_depth)
        return refuse(reader, &event->start_mark, "nested too deep");
    if (++reader->values > reader->limits->max_values)
        return refuse(reader, &event->start_mark, "too many values");
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(reader, event, value);
    case YAML_SEQUENCE_START_EVENT:
        if (event->data.sequence_start.anchor != NULL || event->data.sequence_start.tag != NULL)
            return refuse(reader, &event->start_mark, "anchors and tags are not supported");
        return read_sequence(reader, depth, value);
    case YAML_MAPPING_START_EVENT:
        if (event->data.mapping_start.anchor != NULL || event->data.mapping_start.tag != NULL)
            return refuse(reader, &event->start_mark, "anchors and tags are not supported");
        return read_mapping(reader, depth, value);
    case YAML_ALIAS_EVENT:
        return refuse(reader, &event->start_mark, "aliases are not supported");
    default:
        return refuse(reader, &event->start_mark, "a value is expected");
    }
}

/* The events around the one document: `wanted` is deleted here. */
static int expect_event(struct reader *reader, yaml_event_type_t wanted)
{
    yaml_event_t event = {0};
    int result = next_event(reader, &event);

    if (result < 0)
        return result;
    if (event.type != wanted)
        result = refuse(reader, &event.start_mark, "one document is expected");
    yaml_event_delete(&event);
    return result;
}

static int read_document(struct reader *reader, struct json *value)
{
    yaml_event_t event = {0};
    int result = expect_event(reader, YAML_STREAM_START_EVENT);

    if (result == 0)
        result = expect_event(reader, YAML_DOCUMENT_START_EVENT);
    if (result == 0)
        result = next_event(reader, &event);
    if (result < 0)
        return result;
    result = read_value(reader, &event, 1, value);
    yaml_event_delete(&event);
    if (result == 0)
        result = expect_event(reader, YAML_DOCUMENT_END_EVENT);
    return result < 0 ? result : expect_event(reader, YAML_STREAM_END_EVENT);
}

/* "%TAG" and "%YAML" stand before everything else. libyaml compares each with all before it. */
static bool has_directives(const char *text, size_t length)
{
    const char *end = text + length;

    while (text < end) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));

        if (*text == '%')
            return true;
        if (*text != '#' && *text != '\n' && *text != '\r')
            return false;
        text = line_end != NULL ? line_end + 1 : end;
    }
    return false;
}

int yaml_parse(struct arena *arena, const char *text, size_t length,
               const struct json_limits *limits, const struct json **value, struct error *err)
{
    struct reader reader = {.arena = arena, .limits = limits, .err = err};
    struct json *document = arena_new(arena, 1, sizeof(*document));
    int result;

    if (length > limits->max_bytes)
        return error_set(err, ERROR_TOO_LARGE, EFBIG, "larger than %zu bytes", limits->max_bytes);
    if (has_directives(text, length))
        return error_set(err, ERROR_INVALID, EINVAL, "directives are not supported");
    if (!yaml_parser_initialize(&reader.parser))
        return error_errno(err, ENOMEM, "YAML");
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, length);
    result = read_document(&reader, document);
    yaml_parser_delete(&reader.parser);
    if (result == 0)
        *value = document;
    return result;
}
