/* The list of packages: see packages.h. */
#include "packages.h"
#include <errno.h>
#include <stdlib.h>

struct package *packages_add(struct packages *packages, struct error *err)
{
    struct package *package;

    if (packages->list.count == PACKAGES_MAX) {
        error_set(err, ERROR_TOO_LARGE, E2BIG, "more than %d packages", PACKAGES_MAX);
        return NULL;
    }
    if (packages->list.count == packages->capacity) {
        packages->capacity = packages->capacity > 0 ? 2 * packages->capacity : 64;
        packages->list.items =
            memory_resize(packages->list.items, packages->capacity, sizeof(*packages->list.items));
    }
    package = &packages->list.items[packages->list.count++];
    *package = (struct package){0};
    return package;
}

void packages_release(struct packages *packages)
{
    free(packages->list.items);
    arena_release(&packages->arena);
}
