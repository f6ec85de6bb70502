/* Filters: see filters.h. */
#include "filters.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"

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

bool filters_match_part(const struct filters *filters, const char *key, const char *text)
{
    const struct string_list *values = filters_get(filters, key);

    for (size_t i = 0; values != NULL && i < values->count; i++) {
        if (strstr(text, values->items[i]) != NULL)
            return true;
    }
    return values == NULL;
}

bool filters_is_on(const struct filters *filters, const char *key)
{
    const struct string_list *values = filters_get(filters, key);

    return values != NULL && values->count > 0 && strcmp(values->items[0], "false") != 0 &&
           strcmp(values->items[0], "0") != 0;
}

int filters_check_boolean(const struct filters *filters, const char *key, struct error *err)
{
    static const char *words[] = {"true", "1", "false", "0"};
    const struct string_list known = {words, ARRAY_SIZE(words)};
    const struct string_list *values = filters_get(filters, key);

    for (size_t i = 0; values != NULL && i < values->count; i++) {
        if (!string_list_has(&known, values->items[i]))
            return error_set(err, ERROR_INVALID, EINVAL,
                             "filter %s: \"%.64s\" is none: true or false is expected", key,
                             values->items[i]);
    }
    return 0;
}

int filters_get_time(const struct filters *filters, const char *key, int64_t *time_ns,
                     struct error *err)
{
    const struct string_list *values = filters_get(filters, key);
    int64_t ago_ns;

    *time_ns = 0;
    if (values == NULL)
        return 0;
    if (values->count > 1)
        return error_set(err, ERROR_INVALID, EINVAL, "filter %s: more than one value", key);
    if (clock_parse_duration(values->items[0], &ago_ns) == 0)
        *time_ns = clock_now_ns() - ago_ns;
    else if (clock_parse_time(values->items[0], time_ns) < 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "filter %s: \"%.64s\" is no time and no duration", key, values->items[0]);
    return 0;
}

/* `wanted` is "name" or "name=value". */
static bool has_label(const struct string_map *labels, const char *wanted)
{
    const char *equals = strchr(wanted, '=');
    size_t length = equals != NULL ? (size_t)(equals - wanted) : strlen(wanted);

    for (size_t i = 0; i < labels->count; i++) {
        const struct string_pair *label = &labels->items[i];

        if (strlen(label->name) == length && strncmp(label->name, wanted, length) == 0 &&
            (equals == NULL || strcmp(label->value, equals + 1) == 0))
            return true;
    }
    return false;
}

bool filters_match_labels(const struct filters *filters, const struct string_map *labels)
{
    const struct string_list *wanted = filters_get(filters, "label");
    const struct string_list *unwanted = filters_get(filters, "label!");

    for (size_t i = 0; wanted != NULL && i < wanted->count; i++) {
        if (!has_label(labels, wanted->items[i]))
            return false;
    }
    for (size_t i = 0; unwanted != NULL && i < unwanted->count; i++) {
        if (has_label(labels, unwanted->items[i]))
            return false;
    }
    return true;
}
