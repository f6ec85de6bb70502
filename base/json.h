/*
 * JSON over yajl, the only place that knows yajl. Reading gives a tree of values in an arena, with
 * numbers kept as the text they were written in, so that every 64-bit integer stays exact. Depth,
 * size and number of values are bounded before anything is stored.
 */
#ifndef DAVIT_BASE_JSON_H
#define DAVIT_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "memory.h"

enum json_type {
    JSON_NULL,
    JSON_BOOLEAN,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

struct json_member;

struct json {
    enum json_type type;
    size_t count; /* bytes of a string or number, items of an array, members of an object */
    union {
        bool boolean;
        const char *text; /* string (UTF-8, no NUL inside) or number as written */
        const struct json *items;
        const struct json_member *members;
    };
};

struct json_member {
    const char *name;
    struct json value;
};

struct json_limits {
    size_t max_bytes;
    size_t max_depth;
    size_t max_values;
    bool allow_comments; /* C and C++ comments, for configuration files */
};

/* 4 MiB, 64 levels, 200,000 values, no comments: enough for any configuration or request. */
extern const struct json_limits json_default_limits;

/* Parses one document. The tree lives in `arena`. Strings that hold a NUL and numbers that are
 * not JSON are refused. Errors carry line and column. */
int json_parse(struct arena *arena, const char *text, size_t length,
               const struct json_limits *limits, const struct json **value, struct error *err);

/* The member of that name, or NULL; the last one if the name stands twice. `object` may be NULL
 * or of another type, which has no members. */
const struct json *json_get(const struct json *object, const char *name);

/* The text of a string member, or NULL if it is missing or no string. */
const char *json_get_string(const struct json *object, const char *name);

/* Exact conversions of a number; -EINVAL if it is no integer, -ERANGE if it does not fit. */
int json_to_int64(const struct json *number, int64_t *value);
int json_to_uint64(const struct json *number, uint64_t *value);

/* "null", "a boolean", "a number", "a string", "an array", "an object". */
const char *json_type_name(enum json_type type);

/* True for what clients send for "not set": null, false, 0, -1, "", [], {}, and an object whose
 * members are all such values. A member that is an object, even {}, makes the object not empty. */
bool json_is_empty(const struct json *value);

/* Writing: text grows in the writer. Misuse (a value without a key, unbalanced brackets) is a
 * programming error and asserted. Invalid UTF-8 becomes U+FFFD. */
struct json_writer;

struct json_writer *json_writer_new(bool is_indented);
void json_writer_free(struct json_writer *writer);
const char *json_writer_text(const struct json_writer *writer);
size_t json_writer_length(const struct json_writer *writer);

void json_object_open(struct json_writer *writer);
void json_object_close(struct json_writer *writer);
void json_array_open(struct json_writer *writer);
void json_array_close(struct json_writer *writer);
void json_key(struct json_writer *writer, const char *name);
void json_string(struct json_writer *writer, const char *string);
void json_integer(struct json_writer *writer, int64_t value);
void json_unsigned(struct json_writer *writer, uint64_t value);
void json_boolean(struct json_writer *writer, bool value);
void json_null(struct json_writer *writer);
/* Writes a parsed value again; numbers as they were. NULL writes null. */
void json_value(struct json_writer *writer, const struct json *value);
/* A value that an earlier writer has made: it is copied as it stands. */
void json_raw(struct json_writer *writer, const char *text, size_t length);

void json_member_string(struct json_writer *writer, const char *name, const char *string);
void json_member_integer(struct json_writer *writer, const char *name, int64_t value);
void json_member_unsigned(struct json_writer *writer, const char *name, uint64_t value);
void json_member_boolean(struct json_writer *writer, const char *name, bool value);
/* In RFC 3339, of nanoseconds since the epoch; 0 as Docker writes a time that is not known. */
void json_member_time(struct json_writer *writer, const char *name, int64_t time_ns);

#endif
