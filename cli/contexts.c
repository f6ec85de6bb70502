/* The file of contexts: see contexts.h. */
#include "contexts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "credentials_internal.h"

#define CONTEXTS_FILE "contexts-davit.json"
#define CONTEXTS_MAX (1 << 20)

static const struct json_field context_fields[] = {
    JSON_FIELD(struct context, name, "Name", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct context, host, "Host", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct context, description, "Description", JSON_KIND_STRING),
};
static const struct json_struct context_type = JSON_STRUCT(struct context, context_fields);

static const struct json_field contexts_fields[] = {
    JSON_FIELD(struct contexts, current, "Current", JSON_KIND_STRING),
    JSON_FIELD(struct contexts, items, "Contexts", JSON_KIND_STRUCTS, .type = &context_type),
};
static const struct json_struct contexts_type = JSON_STRUCT(struct contexts, contexts_fields);

int contexts_read(struct arena *arena, struct contexts *contexts, struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    const char *directory = credentials_directory(arena);
    const char *path;
    int result;

    *contexts = (struct contexts){0};
    if (directory == NULL)
        return 0;
    path = arena_printf(arena, "%s/" CONTEXTS_FILE, directory);
    result = file_read(AT_FDCWD, path, CONTEXTS_MAX, &text, err);
    if (result == -ENOENT || result == -ENOTDIR) {
        *err = (struct error){0};
        return 0;
    }
    if (result == 0)
        result =
            json_decode_text(arena, buffer_text(&text), text.length, &contexts_type, contexts, err);
    return result < 0 ? error_prefix(err, "%s", path) : 0;
}

int contexts_write(struct arena *arena, const struct contexts *contexts, struct error *err)
{
    cleanup_close int fd = credentials_make_directory(arena, NULL, err);
    struct json_writer *writer;
    int result;

    if (fd < 0)
        return fd;
    writer = json_writer_new(true);
    json_encode(writer, &contexts_type, contexts);
    result = file_replace(fd, CONTEXTS_FILE, json_writer_text(writer),
                          strlen(json_writer_text(writer)), 0600, false, err);
    json_writer_free(writer);
    return result;
}

struct context *contexts_find(const struct contexts *contexts, const char *name)
{
    for (size_t i = 0; i < contexts->items.count; i++) {
        if (strcmp(contexts->items.items[i].name, name) == 0)
            return &contexts->items.items[i];
    }
    return NULL;
}

const char *contexts_current(const struct contexts *contexts)
{
    return contexts->current != NULL ? contexts->current : CONTEXT_DEFAULT;
}

int contexts_no_such(const char *name, struct error *err)
{
    return error_set(err, ERROR_NOT_FOUND, ENOENT,
                     "no context \"%.64s\"; davit context ls lists them", name);
}

int contexts_get(const struct contexts *contexts, const char *name, struct context **context,
                 struct error *err)
{
    *context = contexts_find(contexts, name);
    return *context != NULL ? 0 : contexts_no_such(name, err);
}

int contexts_get_host(const struct contexts *contexts, const char *name, const char **host,
                      struct error *err)
{
    struct context *context = NULL;
    int result =
        strcmp(name, CONTEXT_DEFAULT) == 0 ? 0 : contexts_get(contexts, name, &context, err);

    if (context != NULL)
        *host = context->host;
    return result;
}

int contexts_choose(struct arena *arena, const char *name, const char **host, struct error *err)
{
    struct contexts contexts;
    int result = contexts_read(arena, &contexts, err);

    return result < 0
               ? result
               : contexts_get_host(&contexts, name != NULL ? name : contexts_current(&contexts),
                                   host, err);
}
