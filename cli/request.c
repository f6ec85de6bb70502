/* Requests that options fill: see request.h. */
#include "request.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/http.h"

struct request_value {
    enum json_type type;
    const char *name; /* of a member */
    const char *text;
    int64_t integer;
    bool boolean;
    struct request_value *first; /* members or items */
    struct request_value *last;
    struct request_value *next; /* behind it in the same object or array */
};

void request_release(struct request *request)
{
    arena_release(&request->arena);
    request->root = NULL;
}

static struct request_value *add_value(struct request *request, struct request_value *parent,
                                       const char *name)
{
    struct request_value *value = arena_new(&request->arena, 1, sizeof(*value));

    *value = (struct request_value){.name = name};
    if (parent->last != NULL)
        parent->last->next = value;
    else
        parent->first = value;
    parent->last = value;
    return value;
}

static struct request_value *find_member(const struct request_value *object, const char *name,
                                         size_t length)
{
    for (struct request_value *one = object->first; one != NULL; one = one->next) {
        if (strncmp(one->name, name, length) == 0 && one->name[length] == '\0')
            return one;
    }
    return NULL;
}

static struct request_value *root_of(struct request *request)
{
    if (request->root == NULL) {
        request->root = arena_new(&request->arena, 1, sizeof(*request->root));
        *request->root = (struct request_value){.type = JSON_OBJECT};
    }
    return request->root;
}

static void become(struct request_value *value, enum json_type type)
{
    if (value->type != type)
        *value = (struct request_value){.type = type, .name = value->name, .next = value->next};
}

static struct request_value *member(struct request *request, struct request_value *object,
                                    const char *name, size_t length)
{
    struct request_value *found;

    become(object, JSON_OBJECT);
    found = find_member(object, name, length);
    return found != NULL ? found
                         : add_value(request, object,
                                     arena_printf(&request->arena, "%.*s", (int)length, name));
}

struct request_value *request_member(struct request *request, struct request_value *object,
                                     const char *name)
{
    return member(request, object, name, strlen(name));
}

struct request_value *request_at(struct request *request, struct request_value *object,
                                 const char *path)
{
    struct request_value *value = object != NULL ? object : root_of(request);

    while (*path != '\0') {
        size_t length = strcspn(path, ".");

        value = member(request, value, path, length);
        path += length + (path[length] == '.');
    }
    return value;
}

struct request_value *request_append(struct request *request, struct request_value *array)
{
    become(array, JSON_ARRAY);
    return add_value(request, array, NULL);
}

bool request_find(const struct request_value *object, const char *name)
{
    return object->type == JSON_OBJECT && find_member(object, name, strlen(name)) != NULL;
}

static const struct request_value *find_value(const struct request *request, const char *path)
{
    const struct request_value *value = request->root;

    while (value != NULL && *path != '\0') {
        size_t length = strcspn(path, ".");

        value = value->type == JSON_OBJECT ? find_member(value, path, length) : NULL;
        path += length + (path[length] == '.');
    }
    return value != NULL && value->type != JSON_NULL ? value : NULL;
}

bool request_has(const struct request *request, const char *path)
{
    return find_value(request, path) != NULL;
}

bool request_is_true(const struct request *request, const char *path)
{
    const struct request_value *value = find_value(request, path);

    return value != NULL && value->type == JSON_BOOLEAN && value->boolean;
}

void request_set_text(struct request *request, struct request_value *value, const char *text)
{
    become(value, text != NULL ? JSON_STRING : JSON_NULL);
    value->text = text != NULL ? arena_strdup(&request->arena, text) : NULL;
}

void request_set_integer(struct request_value *value, int64_t integer)
{
    become(value, JSON_NUMBER);
    value->integer = integer;
}

void request_set_boolean(struct request_value *value, bool boolean)
{
    become(value, JSON_BOOLEAN);
    value->boolean = boolean;
}

void request_set_object(struct request_value *value)
{
    become(value, JSON_NULL);
    become(value, JSON_OBJECT);
}

void request_set_array(struct request_value *value)
{
    become(value, JSON_NULL);
    become(value, JSON_ARRAY);
}

void request_add_filter(struct request *request, const char *text)
{
    size_t length = strcspn(text, "=");
    struct request_value *filters = request_at(request, NULL, "filters");
    struct request_value *values = member(request, filters, text, length);

    request_set_text(request, request_append(request, values),
                     text[length] == '=' ? text + length + 1 : "");
}

static void write_value(struct json_writer *writer, const struct request_value *value);

static void write_members(struct json_writer *writer, const struct request_value *object)
{
    json_object_open(writer);
    for (const struct request_value *one = object->first; one != NULL; one = one->next) {
        if (one->type == JSON_NULL)
            continue;
        json_key(writer, one->name);
        write_value(writer, one);
    }
    json_object_close(writer);
}

static void write_items(struct json_writer *writer, const struct request_value *array)
{
    json_array_open(writer);
    for (const struct request_value *one = array->first; one != NULL; one = one->next)
        write_value(writer, one);
    json_array_close(writer);
}

static void write_value(struct json_writer *writer, const struct request_value *value)
{
    switch (value->type) {
    case JSON_NULL:
        json_null(writer);
        break;
    case JSON_BOOLEAN:
        json_boolean(writer, value->boolean);
        break;
    case JSON_NUMBER:
        json_integer(writer, value->integer);
        break;
    case JSON_STRING:
        json_string(writer, value->text);
        break;
    case JSON_ARRAY:
        write_items(writer, value);
        break;
    case JSON_OBJECT:
        write_members(writer, value);
        break;
    }
}

static char *json_of(const struct request_value *value)
{
    struct json_writer *writer = json_writer_new(false);
    char *text;

    write_value(writer, value);
    text = memory_strdup(json_writer_text(writer));
    json_writer_free(writer);
    return text;
}

char *request_body(const struct request *request)
{
    return request->root != NULL ? json_of(request->root) : memory_strdup("{}");
}

static void append_parameter(struct buffer *path, const char *name,
                             const struct request_value *value)
{
    cleanup_free char *json = NULL;

    buffer_printf(path, "%s=", name);
    if (value->type == JSON_STRING) {
        http_encode(path, value->text);
    } else if (value->type == JSON_BOOLEAN) {
        buffer_append_string(path, value->boolean ? "1" : "0");
    } else {
        json = json_of(value);
        http_encode(path, json);
    }
    buffer_append_string(path, "&");
}

void request_append_query(const struct request *request, struct buffer *path)
{
    const struct request_value *first = request->root != NULL ? request->root->first : NULL;

    for (const struct request_value *one = first; one != NULL; one = one->next) {
        if (one->type == JSON_ARRAY) {
            for (const struct request_value *item = one->first; item != NULL; item = item->next)
                append_parameter(path, one->name, item);
        } else if (one->type != JSON_NULL) {
            append_parameter(path, one->name, one);
        }
    }
}
