/* What probes are and how results count: see probe.h. */
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

#define SECOND_NS INT64_C(1000000000)
#define DEFAULT_INTERVAL_NS (30 * SECOND_NS)
#define DEFAULT_TIMEOUT_NS (30 * SECOND_NS)
#define DEFAULT_START_INTERVAL_NS (5 * SECOND_NS)
#define DEFAULT_RETRIES 3
#define DURATION_MIN_NS INT64_C(1000000)

#define FIELD JSON_FIELD
#define COMMON_FIELDS                                                                        \
    FIELD(struct probe_definition, test, "Test", JSON_KIND_STRINGS),                         \
        FIELD(struct probe_definition, interval_ns, "Interval", JSON_KIND_INT64),            \
        FIELD(struct probe_definition, timeout_ns, "Timeout", JSON_KIND_INT64),              \
        FIELD(struct probe_definition, start_period_ns, "StartPeriod", JSON_KIND_INT64),     \
        FIELD(struct probe_definition, start_interval_ns, "StartInterval", JSON_KIND_INT64), \
        FIELD(struct probe_definition, retries, "Retries", JSON_KIND_INT64)

static const struct json_field healthcheck_fields[] = {COMMON_FIELDS};
const struct json_struct probe_healthcheck_type =
    JSON_CLOSED_STRUCT(struct probe_definition, healthcheck_fields);

static const struct json_field tcp_fields[] = {
    FIELD(struct probe_tcp, port, "Port", JSON_KIND_INT32, .flags = JSON_REQUIRED, .minimum = 1,
          .maximum = 65535),
    FIELD(struct probe_tcp, host, "Host", JSON_KIND_STRING),
};
static const struct json_struct tcp_type = JSON_STRUCT(struct probe_tcp, tcp_fields);

static const struct json_field http_fields[] = {
    FIELD(struct probe_http, port, "Port", JSON_KIND_INT32, .flags = JSON_REQUIRED, .minimum = 1,
          .maximum = 65535),
    FIELD(struct probe_http, host, "Host", JSON_KIND_STRING),
    FIELD(struct probe_http, path, "Path", JSON_KIND_STRING),
};
static const struct json_struct http_type = JSON_STRUCT(struct probe_http, http_fields);

static const struct json_field probe_fields[] = {
    COMMON_FIELDS,
    FIELD(struct probe_definition, tcp, "Tcp", JSON_KIND_STRUCT, .type = &tcp_type),
    FIELD(struct probe_definition, http, "Http", JSON_KIND_STRUCT, .type = &http_type),
};
const struct json_struct probe_type = JSON_CLOSED_STRUCT(struct probe_definition, probe_fields);

static const char *const status_names[] = {"starting", "healthy", "unhealthy", NULL};

static const struct json_field record_fields[] = {
    FIELD(struct probe_record, status, "status", JSON_KIND_WORD, .names = status_names),
    FIELD(struct probe_record, failing_streak, "failingStreak", JSON_KIND_INT32,
          .maximum = INT32_MAX),
};
const struct json_struct probe_record_type = JSON_STRUCT(struct probe_record, record_fields);

bool probe_is_defined(const struct probe_definition *definition)
{
    if (definition == NULL)
        return false;
    return definition->tcp != NULL || definition->http != NULL ||
           (definition->test.count > 0 && strcmp(definition->test.items[0], "NONE") != 0);
}

static int check_test(const struct string_list *test, const char *name, struct error *err)
{
    const char *kind = test->count > 0 ? test->items[0] : "NONE";

    if ((strcmp(kind, "NONE") == 0 && test->count <= 1) ||
        (strcmp(kind, "CMD") == 0 && test->count >= 2) ||
        (strcmp(kind, "CMD-SHELL") == 0 && test->count == 2))
        return 0;
    return error_set(err, ERROR_INVALID, EINVAL,
                     "%s.Test: expected [\"NONE\"], [\"CMD\", PROGRAM, ...] or [\"CMD-SHELL\", "
                     "COMMAND]",
                     name);
}

static int check_target(const char *host, const char *path, const char *name, struct error *err)
{
    struct in6_addr address;

    if (host != NULL && inet_pton(AF_INET, host, &address) != 1 &&
        inet_pton(AF_INET6, host, &address) != 1)
        return error_set(err, ERROR_INVALID, EINVAL, "%s: \"%.64s\" is not an address", name, host);
    if (path == NULL)
        return 0;
    for (const char *c = path; *c != '\0'; c++) {
        if (*c <= ' ' || *c == 127)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "%s.Path: a space or control character must be encoded", name);
    }
    return path[0] == '/'
               ? 0
               : error_set(err, ERROR_INVALID, EINVAL, "%s.Path: must begin with \"/\"", name);
}

int probe_check(const struct probe_definition *definition, const char *name, struct error *err)
{
    int result;

    if (definition == NULL)
        return 0;
    const struct {
        const char *name;
        int64_t value;
    } times[] = {{"Interval", definition->interval_ns},
                 {"Timeout", definition->timeout_ns},
                 {"StartPeriod", definition->start_period_ns},
                 {"StartInterval", definition->start_interval_ns}};

    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        if (times[i].value != 0 && times[i].value < DURATION_MIN_NS)
            return error_set(err, ERROR_INVALID, EINVAL, "%s in %s cannot be less than 1ms",
                             times[i].name, name);
    }
    if (definition->retries < 0)
        return error_set(err, ERROR_INVALID, EINVAL, "Retries in %s cannot be negative", name);
    if ((definition->test.count > 0) + (definition->tcp != NULL) + (definition->http != NULL) > 1)
        return error_set(err, ERROR_INVALID, EINVAL, "%s: one of Test, Tcp and Http is expected",
                         name);
    result = check_test(&definition->test, name, err);
    if (result == 0 && definition->tcp != NULL)
        result = check_target(definition->tcp->host, NULL, name, err);
    if (result == 0 && definition->http != NULL)
        result = check_target(definition->http->host, definition->http->path, name, err);
    return result;
}

static void fill(int64_t *value, int64_t other)
{
    if (*value == 0)
        *value = other;
}

struct probe_definition *probe_merge(struct arena *arena, struct probe_definition *definition,
                                     const struct json *image)
{
    struct probe_definition *other = arena_new(arena, 1, sizeof(*other));

    /* An image's author may have written anything; what cannot be run is not. */
    if (image == NULL ||
        json_decode(arena, image, &probe_healthcheck_type, "Healthcheck", other, NULL) < 0 ||
        probe_check(other, "Healthcheck", NULL) < 0)
        return definition;
    if (definition == NULL)
        return other;
    if (definition->test.count == 0)
        definition->test = other->test;
    fill(&definition->interval_ns, other->interval_ns);
    fill(&definition->timeout_ns, other->timeout_ns);
    fill(&definition->start_period_ns, other->start_period_ns);
    fill(&definition->start_interval_ns, other->start_interval_ns);
    fill(&definition->retries, other->retries);
    return definition;
}

const char *probe_status_name(int32_t status)
{
    return status_names[status];
}

bool probe_judge(const struct probe_definition *definition, struct probe_record *record,
                 bool is_good, int64_t since_start_ns)
{
    int32_t before = record->status;
    int64_t retries = definition->retries != 0 ? definition->retries : DEFAULT_RETRIES;

    if (is_good) {
        record->failing_streak = 0;
        record->status = PROBE_HEALTHY;
    } else if (record->status != PROBE_STARTING || since_start_ns >= definition->start_period_ns) {
        if (record->failing_streak < INT32_MAX)
            record->failing_streak++;
        if (record->failing_streak >= retries)
            record->status = PROBE_UNHEALTHY;
    }
    return record->status != before;
}

int64_t probe_interval_ns(const struct probe_definition *definition,
                          const struct probe_record *record, int64_t since_start_ns)
{
    if (record->status == PROBE_STARTING && since_start_ns < definition->start_period_ns)
        return definition->start_interval_ns != 0 ? definition->start_interval_ns
                                                  : DEFAULT_START_INTERVAL_NS;
    return definition->interval_ns != 0 ? definition->interval_ns : DEFAULT_INTERVAL_NS;
}

int64_t probe_timeout_ns(const struct probe_definition *definition)
{
    return definition->timeout_ns != 0 ? definition->timeout_ns : DEFAULT_TIMEOUT_NS;
}
