/* Project numbers, by which the kernel counts what a container or a volume writes: who has one is
 * known here, so that no two have the same. */
#ifndef DAVIT_SUPERVISOR_STORE_PROJECTS_H
#define DAVIT_SUPERVISOR_STORE_PROJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed has none. */
struct projects {
    bool *is_taken; /* from the first number of davit's range on */
    size_t count;
};

/* One that nobody has, of a range that nobody else is known to use. It is the caller's. */
uint32_t projects_pick(struct projects *projects);

/* Found at start: somebody has it. 0 is none. */
void projects_note(struct projects *projects, uint32_t project);

/* Nobody has it any more. 0 is none. */
void projects_release(struct projects *projects, uint32_t project);

#endif
