/*
 * Table-driven JSON: a struct is described once, and the same table decodes it, checks it and
 * encodes it again, so the two directions cannot drift.
 *
 * Decoding fills a zeroed struct; strings and arrays live in the arena. null counts as absent.
 * Errors name the place: "process.capabilities.bounding[2]: expected a string, found a number".
 * Encoding leaves out what is unset (NULL, empty, 0, false) unless JSON_ALWAYS is given.
 */
#ifndef DAVIT_BASE_JSON_TABLE_H
#define DAVIT_BASE_JSON_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "json.h"
#include "memory.h"

struct optional_bool {
    bool is_set;
    bool value;
};

struct optional_int64 {
    bool is_set;
    int64_t value;
};

struct optional_uint64 {
    bool is_set;
    uint64_t value;
};

struct string_list {
    const char **items;
    size_t count;
};

struct string_pair {
    const char *name;
    const char *value;
};

struct string_map {
    struct string_pair *items;
    size_t count;
};

/* Copies a map, with its strings, into the arena. */
void string_map_copy(struct arena *arena, const struct string_map *from, struct string_map *to);

/* The value of that name, or NULL. */
const char *string_map_get(const struct string_map *map, const char *name);
/* Sets the value of that name. The entries move to the arena; the strings are not copied. */
void string_map_set(struct arena *arena, struct string_map *map, const char *name,
                    const char *value);
bool string_list_has(const struct string_list *list, const char *string);
/* In the order of strcmp(3). */
void string_list_sort(struct string_list *list);
/* All strings with `separator` between them. */
const char *string_list_join(struct arena *arena, const struct string_list *list,
                             const char *separator);
/* Grows the list, whose items move to the arena; the string itself is not copied. */
void string_list_append(struct arena *arena, struct string_list *list, const char *string);

/* An array of decoded structs: `LIST_OF(struct oci_mount) mounts;` */
#define LIST_OF(type) \
    struct {          \
        type *items;  \
        size_t count; \
    }

enum json_kind {
    JSON_KIND_STRING,          /* const char * */
    JSON_KIND_BOOL,            /* bool */
    JSON_KIND_OPTIONAL_BOOL,   /* struct optional_bool */
    JSON_KIND_INT32,           /* int32_t, within [min, max] */
    JSON_KIND_UINT32,          /* uint32_t */
    JSON_KIND_INT64,           /* int64_t */
    JSON_KIND_UINT64,          /* uint64_t */
    JSON_KIND_OPTIONAL_INT64,  /* struct optional_int64 */
    JSON_KIND_OPTIONAL_UINT64, /* struct optional_uint64 */
    JSON_KIND_STRINGS,         /* struct string_list */
    JSON_KIND_STRING_MAP,      /* struct string_map */
    JSON_KIND_ENUM,            /* int: index into names, whose 0 is NULL and means unset */
    JSON_KIND_WORD,            /* int32_t: index into names, which NULL ends; always written, and
                                * read also as the number that earlier versions wrote */
    JSON_KIND_STRUCT,          /* pointer to struct, NULL if absent */
    JSON_KIND_INLINE,          /* struct inside this one */
    JSON_KIND_STRUCTS,         /* LIST_OF(struct) */
    JSON_KIND_STRUCT_MAP,      /* LIST_OF(struct), whose first member is the const char *name */
    JSON_KIND_JSON,            /* const struct json *, kept as it is */
    JSON_KIND_UNSUPPORTED,     /* refused by name with ERROR_UNSUPPORTED unless json_is_empty() */
    JSON_KIND_IGNORED,         /* known, and of no effect here by its own definition */
};

enum json_field_flags {
    JSON_REQUIRED = 1,
    JSON_ALWAYS = 2,        /* written also when zero or empty */
    JSON_EMPTY_IS_SET = 4,  /* JSON_KIND_STRINGS: an empty list is not the same as none, whose items
                             * are NULL */
    JSON_EMPTY_IS_NONE = 8, /* JSON_KIND_ENUM: "" means unset */
};

struct json_struct;

struct json_field {
    const char *name;
    enum json_kind kind;
    uint32_t flags;
    size_t offset;
    union {
        const struct json_struct *type;
        const char *const *names;
    };
    int64_t minimum; /* of numbers; both 0: the whole range of the kind */
    uint64_t maximum;
};

struct json_struct {
    size_t size;
    const struct json_field *fields;
    size_t field_count;
    bool refuses_unknown; /* a non-empty member that no field names is refused by name */
};

#define JSON_FIELD(structure, member, json_name, json_kind, ...)                         \
    {                                                                                    \
        .name = (json_name), .kind = (json_kind), .offset = offsetof(structure, member), \
        __VA_ARGS__                                                                      \
    }

#define JSON_STRUCT(structure, field_table)                           \
    {                                                                 \
        .size = sizeof(structure), .fields = (field_table),           \
        .field_count = sizeof(field_table) / sizeof((field_table)[0]) \
    }

/* The same for an object that may have no other members. */
#define JSON_CLOSED_STRUCT(structure, field_table)                                             \
    {                                                                                          \
        .size = sizeof(structure), .fields = (field_table),                                    \
        .field_count = sizeof(field_table) / sizeof((field_table)[0]), .refuses_unknown = true \
    }

/* Decodes `value` into `object`, zeroed by the caller. `path` is what errors call the document's
 * root; "" for nothing. */
int json_decode(struct arena *arena, const struct json *value, const struct json_struct *type,
                const char *path, void *object, struct error *err);

/* Writes the members of `object` into one that is open. */
void json_encode_members(struct json_writer *writer, const struct json_struct *type,
                         const void *object);

/* Parses and decodes in one step. */
int json_decode_text(struct arena *arena, const char *text, size_t length,
                     const struct json_struct *type, void *object, struct error *err);

/* True if the member at `target` is unset. Encoding leaves it out, unless it has JSON_ALWAYS. */
bool json_field_is_unset(const struct json_field *field, const void *target);

/* Sets in `object` whatever is set in `changes`: nested structs and maps of strings member by
 * member, lists as a whole. The two share memory afterwards. */
void json_merge(struct arena *arena, const struct json_struct *type, void *object,
                const void *changes);

/* Writes the object as one JSON value. */
void json_encode(struct json_writer *writer, const struct json_struct *type, const void *object);

/* A member that is a list or a map of strings; empty ones are written too. */
void json_member_strings(struct json_writer *writer, const char *name,
                         const struct string_list *list);
void json_member_map(struct json_writer *writer, const char *name, const struct string_map *map);

#endif
