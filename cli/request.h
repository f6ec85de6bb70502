/*
 * A request that grows while options are read: a tree of what they say, which becomes the JSON of a
 * body or the query of a path. A path names a place in it by its members, "HostConfig.Memory";
 * objects on the way are made.
 */
#ifndef DAVIT_CLI_REQUEST_H
#define DAVIT_CLI_REQUEST_H

#include "base/buffer.h"
#include "base/json.h"

struct request_value;

struct request {
    struct arena arena; /* of all values, and of what options keep besides */
    struct request_value *root;
};

void request_release(struct request *request);

/* The value at `path` below `object`, NULL meaning the whole request. It is null until it is set.
 */
struct request_value *request_at(struct request *request, struct request_value *object,
                                 const char *path);
/* The member of that very name, which may have dots in it. The value becomes an object. */
struct request_value *request_member(struct request *request, struct request_value *object,
                                     const char *name);
/* A new item at the end. The value becomes an array. */
struct request_value *request_append(struct request *request, struct request_value *array);
/* Whether the object has a member of that very name. */
bool request_find(const struct request_value *object, const char *name);
/* Whether an option has said something at that path; that it is true. */
bool request_has(const struct request *request, const char *path);
bool request_is_true(const struct request *request, const char *path);

/* Texts are copied; NULL leaves the value null. */
void request_set_text(struct request *request, struct request_value *value, const char *text);
void request_set_integer(struct request_value *value, int64_t integer);
void request_set_boolean(struct request_value *value, bool boolean);
/* Makes it an empty object or array, whatever it was. */
void request_set_object(struct request_value *value);
void request_set_array(struct request_value *value);

/* Adds "KEY=VALUE" to the filters of a query, as Docker's API takes them. */
void request_add_filter(struct request *request, const char *text);

/* The body, to be freed. Members that are null are left out. */
char *request_body(const struct request *request);

/* Appends "name=value&" for each member of the request: a list as the name with each of its items,
 * an object as the JSON that Docker's API takes for filters. */
void request_append_query(const struct request *request, struct buffer *path);

#endif
