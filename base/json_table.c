/* Table-driven JSON: see json_table.h. */
#include "json_table.h"

#include "buffer.h"
#include "cleanup.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the decoder is: a list on the stack from the value at hand up to the root. */
struct place {
    const struct place *parent;
    const char *name; /* NULL for an array item */
    size_t index;
};

struct decoder {
    struct arena *arena;
    struct error *err;
};

static size_t describe(const struct place *place, char *text, size_t size)
{
    size_t used = 0;
    int written;

    if (place->parent != NULL)
        used = describe(place->parent, text, size);
    if (used >= size)
        return used;
    if (place->name == NULL)
        written = snprintf(text + used, size - used, "[%zu]", place->index);
    else
        written = snprintf(text + used, size - used, "%s%s", used > 0 ? "." : "", place->name);
    return written < 0 ? used : used + (size_t)written;
}

static int refuse_value(struct decoder *decoder, const struct place *place, enum error_code code,
                        const char *what)
{
    char path[256] = "";

    describe(place, path, sizeof(path));
    return error_set(decoder->err, code, code == ERROR_UNSUPPORTED ? ENOTSUP : EINVAL, "%s%s%s",
                     path, path[0] != '\0' ? ": " : "", what);
}

static int expect(struct decoder *decoder, const struct place *place, const struct json *value,
                  enum json_type type)
{
    char what[64];

    if (value->type == type)
        return 0;
    snprintf(what, sizeof(what), "expected %s, found %s", json_type_name(type),
             json_type_name(value->type));
    return refuse_value(decoder, place, ERROR_INVALID, what);
}

static int decode_struct(struct decoder *decoder, const struct place *place,
                         const struct json *value, const struct json_struct *type, void *object);

static int refuse_number(struct decoder *decoder, const struct place *place,
                         const struct json *value)
{
    char what[96];

    snprintf(what, sizeof(what), "%.40s is not an integer in the allowed range", value->text);
    return refuse_value(decoder, place, ERROR_INVALID, what);
}

static int decode_signed(struct decoder *decoder, const struct place *place,
                         const struct json *value, const struct json_field *field, int64_t lowest,
                         int64_t highest, int64_t *number)
{
    int result = expect(decoder, place, value, JSON_NUMBER);

    if (result < 0)
        return result;
    if (field->minimum != 0 || field->maximum != 0) {
        lowest = field->minimum;
        highest = field->maximum > INT64_MAX ? INT64_MAX : (int64_t)field->maximum;
    }
    if (json_to_int64(value, number) < 0 || *number < lowest || *number > highest)
        return refuse_number(decoder, place, value);
    return 0;
}

static int decode_unsigned(struct decoder *decoder, const struct place *place,
                           const struct json *value, const struct json_field *field,
                           uint64_t highest, uint64_t *number)
{
    uint64_t lowest = 0;
    int result = expect(decoder, place, value, JSON_NUMBER);

    if (result < 0)
        return result;
    if (field->minimum != 0 || field->maximum != 0) {
        lowest = (uint64_t)field->minimum;
        highest = field->maximum;
    }
    if (json_to_uint64(value, number) < 0 || *number < lowest || *number > highest)
        return refuse_number(decoder, place, value);
    return 0;
}

static int decode_number(struct decoder *decoder, const struct place *place,
                         const struct json *value, const struct json_field *field, void *target)
{
    int64_t integer = 0;
    uint64_t natural = 0;
    int result;

    switch (field->kind) {
    case JSON_KIND_INT32:
        result = decode_signed(decoder, place, value, field, INT32_MIN, INT32_MAX, &integer);
        *(int32_t *)target = (int32_t)integer;
        return result;
    case JSON_KIND_UINT32:
        result = decode_unsigned(decoder, place, value, field, UINT32_MAX, &natural);
        *(uint32_t *)target = (uint32_t)natural;
        return result;
    case JSON_KIND_INT64:
        return decode_signed(decoder, place, value, field, INT64_MIN, INT64_MAX, target);
    case JSON_KIND_UINT64:
        return decode_unsigned(decoder, place, value, field, UINT64_MAX, target);
    case JSON_KIND_OPTIONAL_INT64:
        result = decode_signed(decoder, place, value, field, INT64_MIN, INT64_MAX, &integer);
        *(struct optional_int64 *)target = (struct optional_int64){true, integer};
        return result;
    default:
        result = decode_unsigned(decoder, place, value, field, UINT64_MAX, &natural);
        *(struct optional_uint64 *)target = (struct optional_uint64){true, natural};
        return result;
    }
}

static int decode_strings(struct decoder *decoder, const struct place *place,
                          const struct json *value, struct string_list *list)
{
    int result = expect(decoder, place, value, JSON_ARRAY);

    if (result < 0)
        return result;
    list->items = arena_new(decoder->arena, value->count + 1, sizeof(*list->items));
    list->count = value->count;
    for (size_t i = 0; i < value->count; i++) {
        struct place here = {.parent = place, .index = i};

        result = expect(decoder, &here, &value->items[i], JSON_STRING);
        if (result < 0)
            return result;
        list->items[i] = value->items[i].text;
    }
    return 0;
}

static int decode_string_map(struct decoder *decoder, const struct place *place,
                             const struct json *value, struct string_map *map)
{
    int result = expect(decoder, place, value, JSON_OBJECT);

    if (result < 0)
        return result;
    map->items = arena_new(decoder->arena, value->count, sizeof(*map->items));
    map->count = value->count;
    for (size_t i = 0; i < value->count; i++) {
        const struct json_member *member = &value->members[i];
        struct place here = {.parent = place, .name = member->name};

        result = expect(decoder, &here, &member->value, JSON_STRING);
        if (result < 0)
            return result;
        map->items[i] = (struct string_pair){member->name, member->value.text};
    }
    return 0;
}

static int decode_enum(struct decoder *decoder, const struct place *place, const struct json *value,
                       const struct json_field *field, int *target)
{
    const char *const *names = field->names;
    char what[160];
    int result = expect(decoder, place, value, JSON_STRING);

    if (result < 0 || ((field->flags & JSON_EMPTY_IS_NONE) != 0 && value->text[0] == '\0'))
        return result;
    for (int i = 1; names[i] != NULL; i++) {
        if (strcmp(names[i], value->text) == 0) {
            *target = i;
            return 0;
        }
    }
    snprintf(what, sizeof(what), "unknown value \"%.100s\"", value->text);
    return refuse_value(decoder, place, ERROR_INVALID, what);
}

/* An array, or an object whose member names become the structs' first member. */
static int decode_structs(struct decoder *decoder, const struct place *place,
                          const struct json *value, const struct json_field *field, void *target)
{
    bool is_map = field->kind == JSON_KIND_STRUCT_MAP;
    LIST_OF(char) *list = target;
    int result = expect(decoder, place, value, is_map ? JSON_OBJECT : JSON_ARRAY);

    if (result < 0)
        return result;
    list->items = arena_new(decoder->arena, value->count, field->type->size);
    list->count = value->count;
    for (size_t i = 0; i < value->count; i++) {
        void *item = list->items + i * field->type->size;
        struct place here = {.parent = place, .index = i};

        if (is_map) {
            here.name = value->members[i].name;
            *(const char **)item = here.name;
        }
        result = decode_struct(decoder, &here, is_map ? &value->members[i].value : &value->items[i],
                               field->type, item);
        if (result < 0)
            return result;
    }
    return 0;
}

static int decode_word(struct decoder *decoder, const struct place *place, const struct json *value,
                       const struct json_field *field, int32_t *target)
{
    struct json_field number = {.kind = JSON_KIND_INT32};
    int32_t count = 0;

    while (field->names[count] != NULL)
        count++;
    number.maximum = (uint64_t)count - 1;
    if (value->type == JSON_NUMBER)
        return decode_number(decoder, place, value, &number, target);
    if (value->type == JSON_STRING) {
        for (int32_t i = 0; i < count; i++) {
            if (strcmp(field->names[i], value->text) == 0) {
                *target = i;
                return 0;
            }
        }
    }
    return refuse_value(decoder, place, ERROR_INVALID, "not one of the words that are known here");
}

static int decode_field(struct decoder *decoder, const struct place *place,
                        const struct json *value, const struct json_field *field, void *target)
{
    int result;

    switch (field->kind) {
    case JSON_KIND_STRING:
        result = expect(decoder, place, value, JSON_STRING);
        if (result == 0)
            *(const char **)target = value->text;
        return result;
    case JSON_KIND_BOOL:
        result = expect(decoder, place, value, JSON_BOOLEAN);
        if (result == 0)
            *(bool *)target = value->boolean;
        return result;
    case JSON_KIND_OPTIONAL_BOOL:
        result = expect(decoder, place, value, JSON_BOOLEAN);
        if (result == 0)
            *(struct optional_bool *)target = (struct optional_bool){true, value->boolean};
        return result;
    case JSON_KIND_STRINGS:
        return decode_strings(decoder, place, value, target);
    case JSON_KIND_STRING_MAP:
        return decode_string_map(decoder, place, value, target);
    case JSON_KIND_ENUM:
        return decode_enum(decoder, place, value, field, target);
    case JSON_KIND_WORD:
        return decode_word(decoder, place, value, field, target);
    case JSON_KIND_STRUCT:
        *(void **)target = arena_new(decoder->arena, 1, field->type->size);
        return decode_struct(decoder, place, value, field->type, *(void **)target);
    case JSON_KIND_INLINE:
        return decode_struct(decoder, place, value, field->type, target);
    case JSON_KIND_STRUCTS:
    case JSON_KIND_STRUCT_MAP:
        return decode_structs(decoder, place, value, field, target);
    case JSON_KIND_JSON:
        *(const struct json **)target = value;
        return 0;
    case JSON_KIND_UNSUPPORTED:
        if (json_is_empty(value))
            return 0;
        return refuse_value(decoder, place, ERROR_UNSUPPORTED,
                            "not supported by this version of davit");
    case JSON_KIND_IGNORED:
        return 0;
    default:
        return decode_number(decoder, place, value, field, target);
    }
}

static bool is_known(const struct json_struct *type, const char *name)
{
    for (size_t i = 0; i < type->field_count; i++) {
        if (strcmp(type->fields[i].name, name) == 0)
            return true;
    }
    return false;
}

static int refuse_unknown_members(struct decoder *decoder, const struct place *place,
                                  const struct json *value, const struct json_struct *type)
{
    for (size_t i = 0; i < value->count; i++) {
        const struct json_member *member = &value->members[i];
        struct place here = {.parent = place, .name = member->name};

        if (!json_is_empty(&member->value) && !is_known(type, member->name))
            return refuse_value(decoder, &here, ERROR_UNSUPPORTED, "unknown option");
    }
    return 0;
}

static int decode_struct(struct decoder *decoder, const struct place *place,
                         const struct json *value, const struct json_struct *type, void *object)
{
    int result = expect(decoder, place, value, JSON_OBJECT);

    if (result < 0)
        return result;
    for (size_t i = 0; i < type->field_count; i++) {
        const struct json_field *field = &type->fields[i];
        const struct json *member = json_get(value, field->name);
        struct place here = {.parent = place, .name = field->name};

        if (member == NULL || member->type == JSON_NULL) {
            if ((field->flags & JSON_REQUIRED) != 0)
                return refuse_value(decoder, &here, ERROR_INVALID, "required, but missing");
            continue;
        }
        result = decode_field(decoder, &here, member, field, (char *)object + field->offset);
        if (result < 0)
            return result;
    }
    return type->refuses_unknown ? refuse_unknown_members(decoder, place, value, type) : 0;
}

int json_decode(struct arena *arena, const struct json *value, const struct json_struct *type,
                const char *path, void *object, struct error *err)
{
    struct decoder decoder = {.arena = arena, .err = err};
    struct place root = {.name = path};

    return decode_struct(&decoder, &root, value, type, object);
}

int json_decode_text(struct arena *arena, const char *text, size_t length,
                     const struct json_struct *type, void *object, struct error *err)
{
    const struct json *value;
    int result = json_parse(arena, text, length, &json_default_limits, &value, err);

    return result < 0 ? result : json_decode(arena, value, type, "", object, err);
}

bool json_field_is_unset(const struct json_field *field, const void *target)
{
    const LIST_OF(char) *list = target;

    switch (field->kind) {
    case JSON_KIND_STRING:
    case JSON_KIND_STRUCT:
    case JSON_KIND_JSON:
        return *(const void *const *)target == NULL;
    case JSON_KIND_BOOL:
        return !*(const bool *)target;
    case JSON_KIND_OPTIONAL_BOOL:
        return !((const struct optional_bool *)target)->is_set;
    case JSON_KIND_INT32:
    case JSON_KIND_UINT32:
        return *(const uint32_t *)target == 0;
    case JSON_KIND_INT64:
    case JSON_KIND_UINT64:
        return *(const uint64_t *)target == 0;
    case JSON_KIND_OPTIONAL_INT64:
        return !((const struct optional_int64 *)target)->is_set;
    case JSON_KIND_OPTIONAL_UINT64:
        return !((const struct optional_uint64 *)target)->is_set;
    case JSON_KIND_ENUM:
        return *(const int *)target == 0;
    case JSON_KIND_STRINGS:
        return (field->flags & JSON_EMPTY_IS_SET) != 0 ? list->items == NULL : list->count == 0;
    case JSON_KIND_STRING_MAP:
    case JSON_KIND_STRUCTS:
    case JSON_KIND_STRUCT_MAP:
        return list->count == 0;
    case JSON_KIND_INLINE:
    case JSON_KIND_WORD:
        return false;
    case JSON_KIND_UNSUPPORTED:
    case JSON_KIND_IGNORED:
        return true;
    }
    return true;
}

static void encode_strings(struct json_writer *writer, const struct string_list *list)
{
    json_array_open(writer);
    for (size_t i = 0; i < list->count; i++)
        json_string(writer, list->items[i]);
    json_array_close(writer);
}

static void encode_string_map(struct json_writer *writer, const struct string_map *map)
{
    json_object_open(writer);
    for (size_t i = 0; i < map->count; i++)
        json_member_string(writer, map->items[i].name, map->items[i].value);
    json_object_close(writer);
}

void json_member_strings(struct json_writer *writer, const char *name,
                         const struct string_list *list)
{
    json_key(writer, name);
    encode_strings(writer, list);
}

void json_member_map(struct json_writer *writer, const char *name, const struct string_map *map)
{
    json_key(writer, name);
    encode_string_map(writer, map);
}

static void encode_structs(struct json_writer *writer, const struct json_field *field,
                           const void *target)
{
    bool is_map = field->kind == JSON_KIND_STRUCT_MAP;
    const LIST_OF(char) *list = target;

    if (is_map)
        json_object_open(writer);
    else
        json_array_open(writer);
    for (size_t i = 0; i < list->count; i++) {
        const void *item = list->items + i * field->type->size;

        if (is_map)
            json_key(writer, *(const char *const *)item);
        json_encode(writer, field->type, item);
    }
    if (is_map)
        json_object_close(writer);
    else
        json_array_close(writer);
}

/* Writes the value of a field that is set, or that is written always: then NULL is "" or null. */
static void encode_field(struct json_writer *writer, const struct json_field *field,
                         const void *target)
{
    const char *string;

    switch (field->kind) {
    case JSON_KIND_STRING:
        string = *(const char *const *)target;
        json_string(writer, string != NULL ? string : "");
        break;
    case JSON_KIND_BOOL:
        json_boolean(writer, *(const bool *)target);
        break;
    case JSON_KIND_OPTIONAL_BOOL:
        json_boolean(writer, ((const struct optional_bool *)target)->value);
        break;
    case JSON_KIND_INT32:
        json_integer(writer, *(const int32_t *)target);
        break;
    case JSON_KIND_UINT32:
        json_unsigned(writer, *(const uint32_t *)target);
        break;
    case JSON_KIND_INT64:
        json_integer(writer, *(const int64_t *)target);
        break;
    case JSON_KIND_UINT64:
        json_unsigned(writer, *(const uint64_t *)target);
        break;
    case JSON_KIND_OPTIONAL_INT64:
        json_integer(writer, ((const struct optional_int64 *)target)->value);
        break;
    case JSON_KIND_OPTIONAL_UINT64:
        json_unsigned(writer, ((const struct optional_uint64 *)target)->value);
        break;
    case JSON_KIND_STRINGS:
        encode_strings(writer, target);
        break;
    case JSON_KIND_STRING_MAP:
        encode_string_map(writer, target);
        break;
    case JSON_KIND_ENUM:
        string = field->names[*(const int *)target];
        json_string(writer, string != NULL ? string : "");
        break;
    case JSON_KIND_WORD:
        json_string(writer, field->names[*(const int32_t *)target]);
        break;
    case JSON_KIND_STRUCT:
        if (*(const void *const *)target == NULL)
            json_null(writer);
        else
            json_encode(writer, field->type, *(const void *const *)target);
        break;
    case JSON_KIND_INLINE:
        json_encode(writer, field->type, target);
        break;
    case JSON_KIND_STRUCTS:
    case JSON_KIND_STRUCT_MAP:
        encode_structs(writer, field, target);
        break;
    case JSON_KIND_JSON:
        json_value(writer, *(const struct json *const *)target);
        break;
    case JSON_KIND_UNSUPPORTED:
    case JSON_KIND_IGNORED:
        assert(false);
        break;
    }
}

void json_encode_members(struct json_writer *writer, const struct json_struct *type,
                         const void *object)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const struct json_field *field = &type->fields[i];
        const void *target = (const char *)object + field->offset;

        if (field->kind == JSON_KIND_UNSUPPORTED || field->kind == JSON_KIND_IGNORED ||
            ((field->flags & JSON_ALWAYS) == 0 && json_field_is_unset(field, target)))
            continue;
        json_key(writer, field->name);
        encode_field(writer, field, target);
    }
}

void json_encode(struct json_writer *writer, const struct json_struct *type, const void *object)
{
    json_object_open(writer);
    json_encode_members(writer, type, object);
    json_object_close(writer);
}

void string_map_copy(struct arena *arena, const struct string_map *from, struct string_map *to)
{
    to->items = arena_new(arena, from->count, sizeof(*to->items));
    to->count = from->count;
    for (size_t i = 0; i < from->count; i++)
        to->items[i] = (struct string_pair){arena_strdup(arena, from->items[i].name),
                                            arena_strdup(arena, from->items[i].value)};
}

const char *string_map_get(const struct string_map *map, const char *name)
{
    for (size_t i = map->count; i > 0; i--) {
        if (strcmp(map->items[i - 1].name, name) == 0)
            return map->items[i - 1].value;
    }
    return NULL;
}

static int compare_strings(const void *one, const void *other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

void string_list_sort(struct string_list *list)
{
    if (list->count > 0)
        qsort(list->items, list->count, sizeof(*list->items), compare_strings);
}

void string_map_set(struct arena *arena, struct string_map *map, const char *name,
                    const char *value)
{
    struct string_pair *pairs = arena_grow(arena, map->items, map->count, sizeof(*pairs));
    size_t i = 0;

    map->items = pairs;
    while (i < map->count && strcmp(pairs[i].name, name) != 0)
        i++;
    pairs[i] = (struct string_pair){name, value};
    if (i == map->count)
        map->count++;
}

bool string_list_has(const struct string_list *list, const char *string)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], string) == 0)
            return true;
    }
    return false;
}

const char *string_list_join(struct arena *arena, const struct string_list *list,
                             const char *separator)
{
    cleanup_buffer struct buffer text = {0};

    for (size_t i = 0; i < list->count; i++)
        buffer_printf(&text, "%s%s", i > 0 ? separator : "", list->items[i]);
    return arena_strdup(arena, buffer_text(&text));
}

void string_list_append(struct arena *arena, struct string_list *list, const char *string)
{
    list->items = arena_grow(arena, list->items, list->count, sizeof(*list->items));
    list->items[list->count++] = string;
}
