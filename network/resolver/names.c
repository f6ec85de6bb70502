/* The names of containers on the networks of the one that asks: see resolver.h. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/actor.h"
#include "resolver.h"

static const struct resolver_endpoint *find_endpoint(const struct served *served,
                                                     const char *network)
{
    for (size_t i = 0; i < served->container.endpoints.count; i++) {
        if (strcmp(served->container.endpoints.items[i].network, network) == 0)
            return &served->container.endpoints.items[i];
    }
    return NULL;
}

/* A network may have containers of several tenants. */
static bool has_same_tenant(const struct served *one, const struct served *other)
{
    return tenant_is(one->container.tenant, other->container.tenant);
}

/* "NAME" or "NAME.NETWORK". */
static bool is_called(const struct resolver_endpoint *endpoint, const char *name)
{
    for (size_t i = 0; i < endpoint->names.count; i++) {
        size_t length = strlen(endpoint->names.items[i]);

        if (strncasecmp(endpoint->names.items[i], name, length) == 0 &&
            (name[length] == '\0' ||
             (name[length] == '.' && strcasecmp(name + length + 1, endpoint->network_name) == 0)))
            return true;
    }
    return false;
}

static void add_address(const struct resolver_endpoint *endpoint, int family, struct address *found,
                        size_t *count)
{
    const char *text = family == AF_INET6 ? endpoint->ipv6 : endpoint->ipv4;
    struct address address;

    if (text == NULL || address_parse(text, &address) < 0 || address.family != family)
        return;
    for (size_t i = 0; i < *count; i++) {
        if (address_equals(&found[i], &address))
            return;
    }
    if (*count < DNS_ADDRESSES_MAX)
        found[(*count)++] = address;
}

/* What a name of the container's own stands for; the name itself otherwise. */
static const char *follow_link(const struct served *asking, const char *name)
{
    const struct string_map *links = &asking->container.links;

    for (size_t i = 0; i < links->count; i++) {
        if (strcasecmp(links->items[i].name, name) == 0)
            return links->items[i].value;
    }
    return name;
}

bool names_find(const struct served *asking, const char *name, int family, struct address *found,
                size_t *count)
{
    bool is_known = false;

    name = follow_link(asking, name);
    *count = 0;
    for (size_t i = 0; i < asking->container.endpoints.count; i++) {
        const char *network = asking->container.endpoints.items[i].network;

        for (const struct served *one = asking->resolver->served; one != NULL; one = one->next) {
            const struct resolver_endpoint *endpoint = find_endpoint(one, network);

            if (!has_same_tenant(asking, one) || endpoint == NULL || !is_called(endpoint, name))
                continue;
            is_known = true;
            add_address(endpoint, family, found, count);
        }
    }
    return is_known;
}

static bool has_address(const struct resolver_endpoint *endpoint, const struct address *address)
{
    const char *text = address->family == AF_INET6 ? endpoint->ipv6 : endpoint->ipv4;
    struct address own;

    return text != NULL && address_parse(text, &own) == 0 && address_equals(&own, address);
}

bool names_find_reverse(const struct served *asking, const struct address *address,
                        char name[DNS_NAME_SIZE])
{
    for (size_t i = 0; i < asking->container.endpoints.count; i++) {
        const char *network = asking->container.endpoints.items[i].network;

        for (const struct served *one = asking->resolver->served; one != NULL; one = one->next) {
            const struct resolver_endpoint *endpoint = find_endpoint(one, network);

            if (!has_same_tenant(asking, one) || endpoint == NULL || endpoint->names.count == 0 ||
                !has_address(endpoint, address))
                continue;
            snprintf(name, DNS_NAME_SIZE, "%s.%s", endpoint->names.items[0],
                     endpoint->network_name);
            return true;
        }
    }
    return false;
}
