/* Filters: see filters.h. */
#include "filters.h"

#include <errno.h>
#include <string.h>

static bool is_known(const char *key, const char *const *known)
{
    for (; *known != NULL; known++) {
        if (strcmp(*known, key) == 0)
            return true;
    }
    return false;
}

static int read_values(struct arena *arena, const struct json_member *member, struct filter *filter,
                       struct error *err)
{
    const struct json *values = &member->value;

    filter->key = member->name;
    filter->values.items = arena_new(arena, values->count, sizeof(char *));
    for (size_t i = 0; i < values->count; i++) {
        if (values->type == JSON_OBJECT)
            filter->values.items[filter->values.count++] = values->members[i].name;
        else if (values->type == JSON_ARRAY && values->items[i].type == JSON_STRING)
            filter->values.items[filter->values.count++] = values->items[i].text;
        else
            return error_set(err, ERROR_INVALID, EINVAL, "invalid filter \"%.64s\"", member->name);
    }
    return 0;
}

int filters_parse(struct arena *arena, const char *text, const char *const *known,
                  struct filters *filters, struct error *err)
{
    const struct json *json;
    int result;

    *filters = (struct filters){0};
    if (text == NULL || text[0] == '\0')
        return 0;
    result = json_parse(arena, text, strlen(text), &json_default_limits, &json, err);
    if (result < 0)
        return error_prefix(err, "filters");
    if (json->type != JSON_OBJECT)
        return error_set(err, ERROR_INVALID, EINVAL, "filters: expected an object");
    filters->items = arena_new(arena, json->count, sizeof(*filters->items));
    for (size_t i = 0; result == 0 && i < json->count; i++) {
        if (!is_known(json->members[i].name, known))
            return error_set(err, ERROR_INVALID, EINVAL, "invalid filter '%.64s'",
                             json->members[i].name);
        result = read_values(arena, &json->members[i], &filters->items[filters->count++], err);
    }
    return result;
}

const struct string_list *filters_get(const struct filters *filters, const char *key)
{
    for (size_t i = 0; i < filters->count; i++) {
        if (strcmp(filters->items[i].key, key) == 0 && filters->items[i].values.count > 0)
            return &filters->items[i].values;
    }
    return NULL;
}

bool filters_match(const struct filters *filters, const char *key, const char *value)
{
    const struct string_list *values = filters_get(filters, key);

    return values == NULL || string_list_has(values, value);
}

bool filters_match_labels(const struct filters *filters, const struct string_map *labels)
{
    const struct string_list *wanted = filters_get(filters, "label");

    for (size_t i = 0; wanted != NULL && i < wanted->count; i++) {
        const char *equals = strchr(wanted->items[i], '=');
        size_t length =
            equals != NULL ? (size_t)(equals - wanted->items[i]) : strlen(wanted->items[i]);
        bool holds = false;

        for (size_t j = 0; j < labels->count; j++) {
            const struct string_pair *label = &labels->items[j];

            if (strlen(label->name) == length &&
                strncmp(label->name, wanted->items[i], length) == 0 &&
                (equals == NULL || strcmp(label->value, equals + 1) == 0))
                holds = true;
        }
        if (!holds)
            return false;
    }
    return true;
}
