/*
 * Revisions of a container's definition. One is immutable once it is the container's, and owns all
 * that it points to: a change is a copy, changed, saved and put in the other's place, so that what
 * fails on the way has changed nothing, and what was replaced takes its memory with it.
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
