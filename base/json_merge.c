/* Changing a decoded struct by another one of its type: see json_table.h. */
#include <string.h>

#include "json_table.h"

static size_t size_of_kind(const struct json_field *field)
{
    switch (field->kind) {
    case JSON_KIND_BOOL:
        return sizeof(bool);
    case JSON_KIND_OPTIONAL_BOOL:
        return sizeof(struct optional_bool);
    case JSON_KIND_INT32:
    case JSON_KIND_UINT32:
    case JSON_KIND_WORD:
        return sizeof(uint32_t);
    case JSON_KIND_INT64:
    case JSON_KIND_UINT64:
        return sizeof(uint64_t);
    case JSON_KIND_OPTIONAL_INT64:
        return sizeof(struct optional_int64);
    case JSON_KIND_OPTIONAL_UINT64:
        return sizeof(struct optional_uint64);
    case JSON_KIND_ENUM:
        return sizeof(int);
    case JSON_KIND_STRING:
    case JSON_KIND_STRUCT:
    case JSON_KIND_JSON:
        return sizeof(void *);
    case JSON_KIND_STRINGS:
    case JSON_KIND_STRING_MAP:
    case JSON_KIND_STRUCTS:
    case JSON_KIND_STRUCT_MAP:
        return sizeof(struct string_list); /* all lists are an address and a count */
    case JSON_KIND_INLINE:
    case JSON_KIND_UNSUPPORTED:
    case JSON_KIND_IGNORED:
        return 0;
    }
    return 0;
}

static void merge_map(struct arena *arena, struct string_map *map, const struct string_map *changes)
{
    struct string_pair *items =
        arena_new(arena, map->count + changes->count, sizeof(struct string_pair));
    size_t count = 0;

    for (size_t i = 0; i < map->count; i++) {
        if (string_map_get(changes, map->items[i].name) == NULL)
            items[count++] = map->items[i];
    }
    for (size_t i = 0; i < changes->count; i++)
        items[count++] = changes->items[i];
    map->items = items;
    map->count = count;
}

static void merge_field(struct arena *arena, const struct json_field *field, void *target,
                        const void *change)
{
    void **pointer = target;

    if (field->kind == JSON_KIND_INLINE)
        json_merge(arena, field->type, target, change);
    else if (json_field_is_unset(field, change))
        return;
    else if (field->kind == JSON_KIND_STRUCT && *pointer != NULL)
        json_merge(arena, field->type, *pointer, *(const void *const *)change);
    else if (field->kind == JSON_KIND_STRING_MAP)
        merge_map(arena, target, change);
    else
        memcpy(target, change, size_of_kind(field));
}

void json_merge(struct arena *arena, const struct json_struct *type, void *object,
                const void *changes)
{
    for (size_t i = 0; i < type->field_count; i++)
        merge_field(arena, &type->fields[i], (char *)object + type->fields[i].offset,
                    (const char *)changes + type->fields[i].offset);
}
