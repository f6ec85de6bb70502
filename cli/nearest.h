/* The known word that a mistyped one is nearest to. */
#ifndef DAVIT_CLI_NEAREST_H
#define DAVIT_CLI_NEAREST_H

#include <stddef.h>

struct nearest {
    const char *word; /* NULL: none is near enough to be meant */
    size_t distance;
};

/* For words as long as `mistyped`: a third of its letters may differ. */
struct nearest nearest_to(const char *mistyped);
void nearest_try(struct nearest *nearest, const char *mistyped, const char *known);

#endif
