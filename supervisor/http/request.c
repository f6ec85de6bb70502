/* What a request says: see server.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/number.h"
#include "connection.h"

const char *request_query(const struct request *request, const char *name)
{
    for (size_t i = 0; i < request->query_count; i++) {
        if (strcmp(request->query[i].name, name) == 0)
            return request->query[i].value;
    }
    return NULL;
}

bool request_query_bool(const struct request *request, const char *name)
{
    static const char *const false_words[] = {"", "0", "no", "false", "none"};
    const char *value = request_query(request, name);

    if (value == NULL)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(false_words); i++) {
        if (strcasecmp(value, false_words[i]) == 0)
            return false;
    }
    return true;
}

int request_query_integer(const struct request *request, const char *name, int64_t lowest,
                          int64_t highest, int64_t *value, struct error *err)
{
    const char *text = request_query(request, name);
    int64_t number;

    if (text == NULL || text[0] == '\0')
        return 0;
    if (!number_parse(text, lowest, highest, &number))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "bad parameter: %s: \"%.40s\" is not a whole number from %lld to %lld",
                         name, text, (long long)lowest, (long long)highest);
    *value = number;
    return 0;
}

int request_query_time(const struct request *request, const char *name, int64_t *time_ns)
{
    const char *text = request_query(request, name);

    *time_ns = 0;
    return text == NULL || text[0] == '\0' ? 0 : clock_parse_time(text, time_ns);
}

/* "a=b&c" to decoded pairs. */
static bool parse_query(struct request *request, char *query)
{
    size_t count = 1;

    for (const char *c = query; *c != '\0'; c++)
        count += *c == '&';
    request->query = arena_new(&request->arena, count, sizeof(*request->query));
    for (char *pair = strsep(&query, "&"); pair != NULL; pair = strsep(&query, "&")) {
        char *value = strchr(pair, '=');

        if (value != NULL)
            *value++ = '\0';
        else
            value = pair + strlen(pair);
        if (!http_decode(pair, true) || !http_decode(value, true))
            return false;
        request->query[request->query_count++] = (struct query_parameter){pair, value};
    }
    return true;
}

/* "/v1.41/containers/json" is "/containers/json" of version 41. */
static char *strip_version(struct request *request, char *path)
{
    const char *rest = path + 2;
    uint64_t major;
    uint64_t minor;

    request->version = -1;
    if (strncmp(path, "/v", 2) != 0 || !number_take(&rest, 10, 1, &major) || major != 1 ||
        *rest++ != '.' || !number_take(&rest, 10, INT32_MAX, &minor) || *rest != '/')
        return path;
    request->version = (int)minor;
    return path + (rest - path);
}

bool request_parse_target(struct request *request)
{
    char *target = arena_strdup(&request->arena, request->message->target);
    char *query = strchr(target, '?');

    if (query != NULL)
        *query++ = '\0';
    if (target[0] != '/' || !http_decode(target, false))
        return false;
    request->path = strip_version(request, target);
    return query == NULL || parse_query(request, query);
}
