/* What people write, as requests have it: see cli.h. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli.h"

void cli_add_env(struct arena *arena, struct string_list *env, const char *text)
{
    const char *value = strchr(text, '=') == NULL ? getenv(text) : NULL;

    string_list_append(arena, env,
                       value != NULL ? arena_printf(arena, "%s=%s", text, value) : text);
}

void cli_append_filters(struct buffer *path, const struct string_list *filters)
{
    struct json_writer *writer;

    if (filters->count == 0)
        return;
    writer = json_writer_new(false);
    json_object_open(writer);
    for (size_t i = 0; i < filters->count; i++) {
        size_t length = strcspn(filters->items[i], "=");
        cleanup_free char *key = memory_printf("%.*s", (int)length, filters->items[i]);
        bool is_first = true;

        /* Values of one key stand together, under its first mention. */
        for (size_t j = 0; j < i; j++)
            is_first = is_first && (strncmp(filters->items[j], filters->items[i], length) != 0 ||
                                    strcspn(filters->items[j], "=") != length);
        if (!is_first)
            continue;
        json_key(writer, key);
        json_array_open(writer);
        for (size_t j = i; j < filters->count; j++) {
            const char *other = filters->items[j];

            if (strcspn(other, "=") == length && strncmp(other, key, length) == 0)
                json_string(writer, other[length] == '=' ? other + length + 1 : "");
        }
        json_array_close(writer);
    }
    json_object_close(writer);
    buffer_append_string(path, "&filters=");
    http_encode(path, json_writer_text(writer));
    json_writer_free(writer);
}

void cli_write_pairs(struct json_writer *writer, const char *name, const struct string_list *list,
                     char separator)
{
    json_key(writer, name);
    json_object_open(writer);
    for (size_t i = 0; i < list->count; i++) {
        cleanup_free char *pair = memory_strdup(list->items[i]);
        char *value = strchr(pair, separator);

        if (value != NULL)
            *value++ = '\0';
        json_member_string(writer, pair, value != NULL ? value : "");
    }
    json_object_close(writer);
}
