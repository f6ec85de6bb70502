/*
 * Revisions of a container's definition. A revision owns all that it points to, and is immutable
 * once the container is known. A change copies the revision, changes and saves the copy, and puts
 * it in place of the former: a failure on the way changes nothing, and the former is freed as a
 * whole.
 */
#ifndef DAVIT_SUPERVISOR_DEFINITION_REVISION_H
#define DAVIT_SUPERVISOR_DEFINITION_REVISION_H

#include "definition.h"

struct revision {
    struct arena arena;
    struct definition definition;
};

/* An empty one, to be filled before it is anybody's. */
struct revision *revision_new(void);

/* A copy of everything that is kept of a definition, wherever its parts lie. NULL after a failure:
 * it is larger than what can be kept. */
struct revision *revision_copy(const struct definition *definition, struct error *err);

/* NULL is fine. */
void revision_free(struct revision *revision);

#endif
