/* Filters of lists of containers: see api.h. */
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "api.h"
#include "base/cleanup.h"
#include "base/number.h"
#include "supervisor/containers/container.h"
#include "supervisor/containers/probes.h"
#include "supervisor/http/filters.h"
#include "supervisor/networks/networks.h"

const char *const container_filters[] = {"id",     "name",    "label",   "status",  "exited",
                                         "volume", "health",  "before",  "since",   "ancestor",
                                         "expose", "network", "publish", "is-task", NULL};

static bool name_matches(const struct filters *filters, const struct managed_container *container)
{
    const struct string_list *patterns = filters_get(filters, "name");
    cleanup_free char *name = memory_printf("/%s", container->definition->name);

    for (size_t i = 0; patterns != NULL && i < patterns->count; i++) {
        regex_t pattern;
        bool is_match;

        if (regcomp(&pattern, patterns->items[i], REG_EXTENDED | REG_NOSUB) != 0)
            continue;
        is_match = regexec(&pattern, name, 0, NULL, 0) == 0 ||
                   regexec(&pattern, name + 1, 0, NULL, 0) == 0;
        regfree(&pattern);
        if (is_match)
            return true;
    }
    return patterns == NULL;
}

static bool id_matches(const struct filters *filters, const struct managed_container *container)
{
    const struct string_list *ids = filters_get(filters, "id");

    for (size_t i = 0; ids != NULL && i < ids->count; i++) {
        if (strncmp(container->definition->id, ids->items[i], strlen(ids->items[i])) == 0)
            return true;
    }
    return ids == NULL;
}

static bool ancestor_matches(struct api *api, const struct filters *filters,
                             const struct managed_container *container)
{
    const struct string_list *ancestors = filters_get(filters, "ancestor");

    for (size_t i = 0; ancestors != NULL && i < ancestors->count; i++) {
        struct image *image;

        if (strcmp(container->definition->config.image, ancestors->items[i]) == 0 ||
            (image_store_find(api->store, container->definition->tenant, ancestors->items[i],
                              &image, NULL) == 0 &&
             strcmp(image->id, container->definition->image_id) == 0))
            return true;
    }
    return ancestors == NULL;
}

static bool volume_matches(const struct filters *filters, const struct managed_container *container)
{
    const struct string_list *volumes = filters_get(filters, "volume");
    const struct definition *definition = container->definition;

    for (size_t i = 0; volumes != NULL && i < volumes->count; i++) {
        for (size_t j = 0; j < definition->mount_points.count; j++) {
            const struct mount_point *mount = &definition->mount_points.items[j];

            if (strcmp(mount->destination, volumes->items[i]) == 0 ||
                (mount->name != NULL && strcmp(mount->name, volumes->items[i]) == 0))
                return true;
        }
    }
    return volumes == NULL;
}

/* A filter is a network's name or id, or a mode that is no network, such as "host". */
static bool network_matches(struct api *api, const struct filters *filters,
                            const struct managed_container *container)
{
    const struct string_list *networks = filters_get(filters, "network");

    for (size_t i = 0; networks != NULL && i < networks->count; i++) {
        struct network *network;

        if (strcmp(definition_network_mode(container->definition), networks->items[i]) == 0 ||
            (network_find(api->networks, container->definition->tenant, networks->items[i],
                          &network, NULL) == 0 &&
             membership_find_endpoint(container_network(container), network) <
                 container->definition->endpoints.count))
            return true;
    }
    return networks == NULL;
}

/* "8080", "8080/udp", "8000-8010/tcp" */
struct port_range {
    uint64_t first;
    uint64_t last;
    const char *protocol;
};

static bool parse_ports(const char *text, struct port_range *range)
{
    if (!number_take(&text, 10, UINT16_MAX, &range->first))
        return false;
    range->last = range->first;
    if (*text == '-') {
        text++;
        if (!number_take(&text, 10, UINT16_MAX, &range->last) || range->last < range->first)
            return false;
    }
    range->protocol = *text == '/' ? text + 1 : "tcp";
    return *text == '\0' || strcmp(range->protocol, "tcp") == 0 ||
           strcmp(range->protocol, "udp") == 0 || strcmp(range->protocol, "sctp") == 0;
}

static bool has_port(const struct port_range *range, uint64_t port, const char *protocol)
{
    return port >= range->first && port <= range->last && strcmp(range->protocol, protocol) == 0;
}

/* A port of the host, or one of the container that is published. */
static bool publishes(const struct managed_container *container, const struct port_range *range)
{
    const struct published_ports *ports = &container_network(container)->ports;

    for (size_t i = 0; i < ports->count; i++) {
        if (has_port(range, ports->items[i].host_port, ports->items[i].protocol) ||
            has_port(range, ports->items[i].container_port, ports->items[i].protocol))
            return true;
    }
    return false;
}

/* A port that the container or its image exposes: {"80/tcp": {}}. */
static bool exposes(const struct managed_container *container, const struct port_range *range)
{
    const struct json *exposed = container->definition->config.exposed_ports;

    for (size_t i = 0; exposed != NULL && exposed->type == JSON_OBJECT && i < exposed->count; i++) {
        struct port_range own;

        if (parse_ports(exposed->members[i].name, &own) && own.first >= range->first &&
            own.last <= range->last && strcmp(own.protocol, range->protocol) == 0)
            return true;
    }
    return publishes(container, range);
}

static bool port_matches(const struct filters *filters, const char *key,
                         bool (*has)(const struct managed_container *container,
                                     const struct port_range *range),
                         const struct managed_container *container)
{
    const struct string_list *wanted = filters_get(filters, key);
    struct port_range range;

    for (size_t i = 0; wanted != NULL && i < wanted->count; i++) {
        if (parse_ports(wanted->items[i], &range) && has(container, &range))
            return true;
    }
    return wanted == NULL;
}

/* Whether it was made before or after a container of the filter. */
static bool age_matches(struct api *api, const struct filters *filters, const char *key,
                        const struct managed_container *container)
{
    const struct string_list *names = filters_get(filters, key);
    struct managed_container *other;

    for (size_t i = 0; names != NULL && i < names->count; i++) {
        if (container_find(api->containers, container->definition->tenant, names->items[i], &other,
                           NULL) < 0)
            continue;
        if (strcmp(key, "before") == 0
                ? container->definition->created_ns < other->definition->created_ns
                : container->definition->created_ns > other->definition->created_ns)
            return true;
    }
    return names == NULL;
}

static bool health_matches(const struct filters *filters, const struct managed_container *container)
{
    const char *health = probes_health(container);

    return filters_match(filters, "health", health != NULL ? health : "none");
}

static bool is_up(const struct managed_container *container)
{
    return container->status == CONTAINER_RUNNING || container->status == CONTAINER_RESTARTING;
}

bool container_is_listed(struct api *api, const struct filters *filters, bool shows_all,
                         const struct managed_container *container)
{
    char exit_code[16];

    if (filters->count == 0)
        return shows_all || is_up(container);

    snprintf(exit_code, sizeof(exit_code), "%d", container->exit_code);
    if (!shows_all && filters_get(filters, "status") == NULL &&
        filters_get(filters, "exited") == NULL && !is_up(container))
        return false;
    if (filters_get(filters, "exited") != NULL && container->status != CONTAINER_EXITED)
        return false;
    return filters_match(filters, "status", container_state_name(container)) &&
           filters_match(filters, "exited", exit_code) &&
           filters_match_labels(filters, &container->definition->config.labels) &&
           name_matches(filters, container) && id_matches(filters, container) &&
           ancestor_matches(api, filters, container) && volume_matches(filters, container) &&
           network_matches(api, filters, container) &&
           port_matches(filters, "publish", publishes, container) &&
           port_matches(filters, "expose", exposes, container) &&
           !filters_is_on(filters, "is-task") && health_matches(filters, container) &&
           age_matches(api, filters, "before", container) &&
           age_matches(api, filters, "since", container);
}

/* What one value of a filter has to be. */

static bool is_word(const char *const *words, const char *value)
{
    for (size_t i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], value) == 0)
            return true;
    }
    return false;
}

static bool is_status(const char *value)
{
    static const char *const words[] = {"created", "restarting", "running", "removing",
                                        "paused",  "exited",     "dead",    NULL};

    return is_word(words, value);
}

static bool is_health(const char *value)
{
    static const char *const words[] = {"starting", "healthy", "unhealthy", "none", NULL};

    return is_word(words, value);
}

static bool is_exit_status(const char *value)
{
    int64_t number;

    return number_parse(value, INT32_MIN, INT32_MAX, &number);
}

static bool is_port(const char *value)
{
    struct port_range range;

    return parse_ports(value, &range);
}

static const struct {
    const char *key;
    bool (*is_valid)(const char *value);
    const char *expected;
} checks[] = {
    {"status", is_status, "created, restarting, running, removing, paused, exited or dead"},
    {"health", is_health, "starting, healthy, unhealthy or none"},
    {"exited", is_exit_status, "an exit status"},
    {"publish", is_port, "PORT[-LAST][/PROTOCOL]"},
    {"expose", is_port, "PORT[-LAST][/PROTOCOL]"},
};

static int check_values(const struct filters *filters, size_t check, struct error *err)
{
    const struct string_list *values = filters_get(filters, checks[check].key);

    for (size_t i = 0; values != NULL && i < values->count; i++) {
        if (!checks[check].is_valid(values->items[i]))
            return error_set(err, ERROR_INVALID, EINVAL,
                             "filter %s: \"%.64s\" is none: %s is expected", checks[check].key,
                             values->items[i], checks[check].expected);
    }
    return 0;
}

/* Containers that others are compared with have to be there. */
static int check_age(struct api *api, const char *tenant, const struct filters *filters,
                     const char *key, struct error *err)
{
    const struct string_list *names = filters_get(filters, key);
    struct managed_container *other;
    int result = 0;

    for (size_t i = 0; result == 0 && names != NULL && i < names->count; i++)
        result = container_find(api->containers, tenant, names->items[i], &other, err);
    return result < 0 ? error_prefix(err, "filter %s", key) : 0;
}

int container_filters_check(struct api *api, const char *tenant, const struct filters *filters,
                            struct error *err)
{
    int result = check_age(api, tenant, filters, "before", err);

    if (result == 0)
        result = check_age(api, tenant, filters, "since", err);
    for (size_t i = 0; result == 0 && i < ARRAY_SIZE(checks); i++)
        result = check_values(filters, i, err);
    return result < 0 ? result : filters_check_boolean(filters, "is-task", err);
}
