/* JSON over yajl: see json.h. */
#include "json.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>
#include <yajl/yajl_parse.h>

#include "buffer.h"
#include "cleanup.h"
#include "clock.h"

const struct json_limits json_default_limits = {
    .max_bytes = 4 << 20,
    .max_depth = 64,
    .max_values = 200000,
};

/* An array or object being read. `pending` grows by realloc and moves to the arena when complete.
 */
struct frame {
    enum json_type type;
    const char *key;
    struct json_member *pending;
    size_t count;
    size_t capacity;
};

struct parser {
    struct arena *arena;
    const struct json_limits *limits;
    struct frame *frames;
    size_t depth;
    size_t values;
    struct json root;
    char reason[128]; /* why a callback cancelled */
};

static int refuse_document(struct parser *parser, const char *reason)
{
    snprintf(parser->reason, sizeof(parser->reason), "%s", reason);
    return 0;
}

static int add_value(struct parser *parser, const struct json *value)
{
    struct frame *frame;

    if (++parser->values > parser->limits->max_values)
        return refuse_document(parser, "too many values");
    if (parser->depth == 0) {
        parser->root = *value;
        return 1;
    }
    frame = &parser->frames[parser->depth - 1];
    if (frame->count == frame->capacity) {
        frame->capacity = frame->capacity > 0 ? frame->capacity * 2 : 8;
        frame->pending = memory_resize(frame->pending, frame->capacity, sizeof(*frame->pending));
    }
    frame->pending[frame->count++] = (struct json_member){.name = frame->key, .value = *value};
    return 1;
}

static int on_null(void *context)
{
    return add_value(context, &(struct json){.type = JSON_NULL});
}

static int on_boolean(void *context, int value)
{
    return add_value(context, &(struct json){.type = JSON_BOOLEAN, .boolean = value != 0});
}

static int add_text(struct parser *parser, enum json_type type, const char *text, size_t length)
{
    return add_value(parser, &(struct json){.type = type,
                                            .count = length,
                                            .text = arena_strndup(parser->arena, text, length)});
}

static int on_number(void *context, const char *text, size_t length)
{
    return add_text(context, JSON_NUMBER, text, length);
}

static int on_string(void *context, const unsigned char *text, size_t length)
{
    if (memchr(text, '\0', length) != NULL)
        return refuse_document(context, "a string contains a NUL");
    return add_text(context, JSON_STRING, (const char *)text, length);
}

static int on_key(void *context, const unsigned char *text, size_t length)
{
    struct parser *parser = context;

    if (memchr(text, '\0', length) != NULL)
        return refuse_document(parser, "a name contains a NUL");
    parser->frames[parser->depth - 1].key =
        arena_strndup(parser->arena, (const char *)text, length);
    return 1;
}

static int open_frame(struct parser *parser, enum json_type type)
{
    if (parser->depth == parser->limits->max_depth)
        return refuse_document(parser, "nested too deeply");
    parser->frames[parser->depth++] = (struct frame){.type = type};
    return 1;
}

static int close_frame(struct parser *parser)
{
    struct frame *frame = &parser->frames[parser->depth - 1];
    struct json value = {.type = frame->type, .count = frame->count};

    if (frame->type == JSON_OBJECT) {
        struct json_member *members =
            arena_new(parser->arena, frame->count, sizeof(struct json_member));

        if (frame->count > 0)
            memcpy(members, frame->pending, frame->count * sizeof(*members));
        value.members = members;
    } else {
        struct json *items = arena_new(parser->arena, frame->count, sizeof(struct json));

        for (size_t i = 0; i < frame->count; i++)
            items[i] = frame->pending[i].value;
        value.items = items;
    }
    free(frame->pending);
    frame->pending = NULL;
    parser->depth--;
    return add_value(parser, &value);
}

static int on_object_open(void *context)
{
    return open_frame(context, JSON_OBJECT);
}

static int on_array_open(void *context)
{
    return open_frame(context, JSON_ARRAY);
}

static int on_close(void *context)
{
    return close_frame(context);
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_object_open,
    .yajl_map_key = on_key,
    .yajl_end_map = on_close,
    .yajl_start_array = on_array_open,
    .yajl_end_array = on_close,
};

/* yajl's message is a sentence followed by an excerpt; the sentence is enough beside a position. */
static int report(yajl_handle handle, const struct parser *parser, const char *text, size_t length,
                  struct error *err)
{
    size_t consumed = yajl_get_bytes_consumed(handle);
    size_t line = 1;
    size_t column = 1;
    char reason[128];

    if (consumed > length)
        consumed = length;
    for (size_t i = 0; i < consumed; i++) {
        column++;
        if (text[i] == '\n') {
            line++;
            column = 1;
        }
    }
    snprintf(reason, sizeof(reason), "%s", parser->reason);
    if (reason[0] == '\0') {
        unsigned char *message = yajl_get_error(handle, 0, (const unsigned char *)text, length);

        snprintf(reason, sizeof(reason), "%s", (const char *)message);
        reason[strcspn(reason, "\n")] = '\0';
        yajl_free_error(handle, message);
    }
    return error_set(err, ERROR_INVALID, EINVAL, "invalid JSON at line %zu, column %zu: %s", line,
                     column, reason);
}

int json_parse(struct arena *arena, const char *text, size_t length,
               const struct json_limits *limits, const struct json **value, struct error *err)
{
    struct parser parser = {.arena = arena, .limits = limits};
    yajl_handle handle;
    yajl_status status;
    struct json *root;
    int result = 0;

    if (length > limits->max_bytes)
        return error_set(err, ERROR_TOO_LARGE, EFBIG, "JSON of %zu bytes: at most %zu are accepted",
                         length, limits->max_bytes);
    parser.frames = memory_new(limits->max_depth, sizeof(*parser.frames));
    handle = yajl_alloc(&callbacks, NULL, &parser);
    yajl_config(handle, yajl_allow_comments, limits->allow_comments ? 1 : 0);
    status = yajl_parse(handle, (const unsigned char *)text, length);
    if (status == yajl_status_ok)
        status = yajl_complete_parse(handle);
    if (status != yajl_status_ok)
        result = report(handle, &parser, text, length, err);
    yajl_free(handle);
    for (size_t i = 0; i < parser.depth; i++)
        free(parser.frames[i].pending);
    free(parser.frames);
    if (result < 0)
        return result;
    root = arena_new(arena, 1, sizeof(*root));
    *root = parser.root;
    *value = root;
    return 0;
}

const struct json *json_get(const struct json *object, const char *name)
{
    if (object == NULL || object->type != JSON_OBJECT)
        return NULL;
    for (size_t i = object->count; i > 0; i--) {
        if (strcmp(object->members[i - 1].name, name) == 0)
            return &object->members[i - 1].value;
    }
    return NULL;
}

const char *json_get_string(const struct json *object, const char *name)
{
    const struct json *value = json_get(object, name);

    return value != NULL && value->type == JSON_STRING ? value->text : NULL;
}

int json_to_int64(const struct json *number, int64_t *value)
{
    char *end;
    long long parsed;

    if (number->type != JSON_NUMBER)
        return -EINVAL;
    errno = 0;
    parsed = strtoll(number->text, &end, 10);
    if (*end != '\0')
        return -EINVAL;
    if (errno == ERANGE)
        return -ERANGE;
    *value = parsed;
    return 0;
}

int json_to_uint64(const struct json *number, uint64_t *value)
{
    char *end;
    unsigned long long parsed;

    if (number->type != JSON_NUMBER)
        return -EINVAL;
    errno = 0;
    parsed = strtoull(number->text, &end, 10);
    if (*end != '\0')
        return -EINVAL;
    /* strtoull negates what follows a minus sign instead of refusing it. */
    if (errno == ERANGE || (number->text[0] == '-' && parsed != 0))
        return -ERANGE;
    *value = parsed;
    return 0;
}

const char *json_type_name(enum json_type type)
{
    static const char *const names[] = {"null",     "a boolean", "a number",
                                        "a string", "an array",  "an object"};

    return names[type];
}

bool json_is_empty(const struct json *value)
{
    switch (value->type) {
    case JSON_NULL:
        return true;
    case JSON_BOOLEAN:
        return !value->boolean;
    case JSON_NUMBER:
        return strcmp(value->text, "0") == 0 || strcmp(value->text, "-1") == 0;
    case JSON_STRING:
    case JSON_ARRAY:
        return value->count == 0;
    case JSON_OBJECT:
        for (size_t i = 0; i < value->count; i++) {
            const struct json *member = &value->members[i].value;

            /* Docker writes a set as {"/data": {}}: so a member that is an object means
             * something. */
            if (member->type == JSON_OBJECT || !json_is_empty(member))
                return false;
        }
        return true;
    }
    return false;
}

struct json_writer {
    yajl_gen generator;
    struct buffer text;
};

static void on_print(void *context, const char *text, size_t length)
{
    buffer_append(context, text, length);
}

struct json_writer *json_writer_new(bool is_indented)
{
    struct json_writer *writer = memory_new_one(struct json_writer);

    writer->generator = yajl_gen_alloc(NULL);
    yajl_gen_config(writer->generator, yajl_gen_print_callback, on_print, &writer->text);
    yajl_gen_config(writer->generator, yajl_gen_beautify, is_indented ? 1 : 0);
    yajl_gen_config(writer->generator, yajl_gen_indent_string, "    ");
    return writer;
}

void json_writer_free(struct json_writer *writer)
{
    if (writer == NULL)
        return;
    yajl_gen_free(writer->generator);
    buffer_release(&writer->text);
    free(writer);
}

const char *json_writer_text(const struct json_writer *writer)
{
    return buffer_text(&writer->text);
}

size_t json_writer_length(const struct json_writer *writer)
{
    return writer->text.length;
}

static void check(yajl_gen_status status)
{
    assert(status == yajl_gen_status_ok || status == yajl_gen_generation_complete);
    (void)status;
}

void json_object_open(struct json_writer *writer)
{
    check(yajl_gen_map_open(writer->generator));
}

void json_object_close(struct json_writer *writer)
{
    check(yajl_gen_map_close(writer->generator));
}

void json_array_open(struct json_writer *writer)
{
    check(yajl_gen_array_open(writer->generator));
}

void json_array_close(struct json_writer *writer)
{
    check(yajl_gen_array_close(writer->generator));
}

/* Length of the well-formed UTF-8 sequence at `text`, 0 if there is none (RFC 3629). */
static size_t utf8_sequence_length(const unsigned char *text)
{
    static const unsigned int minimum[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = text[0] < 0x80             ? 1
                    : (text[0] & 0xe0) == 0xc0 ? 2
                    : (text[0] & 0xf0) == 0xe0 ? 3
                    : (text[0] & 0xf8) == 0xf0 ? 4
                                               : 0;
    unsigned int code;

    if (length <= 1)
        return length;
    code = text[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    if (code < minimum[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return 0;
    return length;
}

/* True for pure ASCII, as most strings are: they need no check of their UTF-8. */
static bool is_ascii(const char *string, size_t length)
{
    uint64_t high_bits = 0;
    uint64_t word;

    for (; length >= sizeof(word); length -= sizeof(word), string += sizeof(word)) {
        memcpy(&word, string, sizeof(word));
        high_bits |= word;
    }
    for (; length > 0; length--, string++)
        high_bits |= (unsigned char)*string;
    return (high_bits & UINT64_C(0x8080808080808080)) == 0;
}

static void write_clean(struct json_writer *writer, const char *string)
{
    cleanup_buffer struct buffer clean = {0};
    const unsigned char *text = (const unsigned char *)string;
    const unsigned char *valid_start = text;

    while (*text != '\0') {
        size_t length = utf8_sequence_length(text);

        if (length == 0) {
            buffer_append(&clean, valid_start, (size_t)(text - valid_start));
            buffer_append_string(&clean, "\xef\xbf\xbd");
            text++;
            valid_start = text;
        } else {
            text += length;
        }
    }
    buffer_append(&clean, valid_start, (size_t)(text - valid_start));
    check(yajl_gen_string(writer->generator, (const unsigned char *)clean.data, clean.length));
}

void json_string(struct json_writer *writer, const char *string)
{
    size_t length = strlen(string);

    if (is_ascii(string, length))
        check(yajl_gen_string(writer->generator, (const unsigned char *)string, length));
    else
        write_clean(writer, string);
}

void json_key(struct json_writer *writer, const char *name)
{
    json_string(writer, name);
}

void json_integer(struct json_writer *writer, int64_t value)
{
    check(yajl_gen_integer(writer->generator, value));
}

void json_unsigned(struct json_writer *writer, uint64_t value)
{
    char text[24];
    int length = snprintf(text, sizeof(text), "%llu", (unsigned long long)value);

    check(yajl_gen_number(writer->generator, text, (size_t)length));
}

void json_boolean(struct json_writer *writer, bool value)
{
    check(yajl_gen_bool(writer->generator, value));
}

void json_null(struct json_writer *writer)
{
    check(yajl_gen_null(writer->generator));
}

void json_raw(struct json_writer *writer, const char *text, size_t length)
{
    check(yajl_gen_number(writer->generator, text, length));
}

void json_value(struct json_writer *writer, const struct json *value)
{
    enum json_type type = value != NULL ? value->type : JSON_NULL;

    switch (type) {
    case JSON_NULL:
        json_null(writer);
        break;
    case JSON_BOOLEAN:
        json_boolean(writer, value->boolean);
        break;
    case JSON_NUMBER:
        check(yajl_gen_number(writer->generator, value->text, value->count));
        break;
    case JSON_STRING:
        json_string(writer, value->text);
        break;
    case JSON_ARRAY:
        json_array_open(writer);
        for (size_t i = 0; i < value->count; i++)
            json_value(writer, &value->items[i]);
        json_array_close(writer);
        break;
    case JSON_OBJECT:
        json_object_open(writer);
        for (size_t i = 0; i < value->count; i++) {
            json_key(writer, value->members[i].name);
            json_value(writer, &value->members[i].value);
        }
        json_object_close(writer);
        break;
    }
}

void json_member_string(struct json_writer *writer, const char *name, const char *string)
{
    json_key(writer, name);
    json_string(writer, string != NULL ? string : "");
}

void json_member_integer(struct json_writer *writer, const char *name, int64_t value)
{
    json_key(writer, name);
    json_integer(writer, value);
}

void json_member_unsigned(struct json_writer *writer, const char *name, uint64_t value)
{
    json_key(writer, name);
    json_unsigned(writer, value);
}

void json_member_boolean(struct json_writer *writer, const char *name, bool value)
{
    json_key(writer, name);
    json_boolean(writer, value);
}

void json_member_time(struct json_writer *writer, const char *name, int64_t time_ns)
{
    char text[CLOCK_RFC3339_SIZE];

    clock_format_rfc3339(time_ns, text);
    json_member_string(writer, name, text);
}
