/* The `filters` query parameter: {"key": ["value"]} or {"key": {"value": true}}. */
#ifndef DAVIT_SUPERVISOR_HTTP_FILTERS_H
#define DAVIT_SUPERVISOR_HTTP_FILTERS_H

#include <stdbool.h>

#include "base/json_table.h"

struct filter {
    const char *key;
    struct string_list values;
};

struct filters {
    struct filter *items;
    size_t count;
};

/* NULL or "" is no filter. A key that is not in `known` (NULL-terminated) is refused by name. */
int filters_parse(struct arena *arena, const char *text, const char *const *known,
                  struct filters *filters, struct error *err);

/* The values of a key; NULL if it does not filter. */
const struct string_list *filters_get(const struct filters *filters, const char *key);

/* True if there is no such filter or one of its values equals `value`. */
bool filters_match(const struct filters *filters, const char *key, const char *value);

/* True if there is no such filter or `text` has one of its values in it. */
bool filters_match_part(const struct filters *filters, const char *key, const char *text);

/* A filter that is on unless its value is "false" or "0"; off where there is none. */
bool filters_is_on(const struct filters *filters, const char *key);

/* Whether the filter's values, if there are any, are "true", "1", "false" or "0". */
int filters_check_boolean(const struct filters *filters, const char *key, struct error *err);

/* A filter's one value as a time: clock_parse_time(), or a duration back from now such as "1h30m".
 * Absent is 0. */
int filters_get_time(const struct filters *filters, const char *key, int64_t *time_ns,
                     struct error *err);

/* True if all "label" filters ("name" or "name=value") hold, and no "label!" does. */
bool filters_match_labels(const struct filters *filters, const struct string_map *labels);

#endif
