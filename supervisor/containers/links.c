/* Links: names that one container alone has for others. See internal.h. */
#include <errno.h>
#include <string.h>

#include "internal.h"

#define ALIAS_MAX 253 /* as names of DNS */
#define LINKS_MAX 64  /* the resolver is told of all in one message */

static int resolve_link(struct containers *containers, struct arena *arena, const char *tenant,
                        const char **link, struct error *err)
{
    const char *colon = strrchr(*link, ':');
    size_t length = colon != NULL ? (size_t)(colon - *link) : strlen(*link);
    const char *reference = arena_strndup(arena, *link, length);
    const char *alias = colon != NULL ? colon + 1 : reference;
    struct managed_container *other;
    int result = container_find(containers, tenant, reference, &other, err);

    if (result < 0)
        return error_prefix(err, "Links");
    /* As an inspect writes it: "/db:/web/database". */
    alias = strrchr(alias, '/') != NULL ? strrchr(alias, '/') + 1 : alias;
    if (strlen(alias) > ALIAS_MAX || alias[0] == '\0' ||
        strspn(alias, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") !=
            strlen(alias))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "Links: \"%.64s\": CONTAINER or CONTAINER:ALIAS is expected", *link);
    *link = arena_printf(arena, "%s:%s", other->definition->name, alias);
    return 0;
}

int container_resolve_links(struct containers *containers, struct arena *arena, const char *tenant,
                            struct string_list *links, struct error *err)
{
    struct string_list resolved = {0};
    int result = 0;

    if (links->count > LINKS_MAX)
        return error_set(err, ERROR_INVALID, E2BIG, "Links: more than %d", LINKS_MAX);

    for (size_t i = 0; result == 0 && i < links->count; i++) {
        const char *link = links->items[i];

        result = resolve_link(containers, arena, tenant, &link, err);
        if (result == 0)
            string_list_append(arena, &resolved, link);
    }
    if (result == 0)
        *links = resolved;
    return result;
}
