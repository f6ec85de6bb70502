/* Project numbers, by which the kernel counts what a container or a volume writes. */
#ifndef DAVIT_SUPERVISOR_STORE_PROJECTS_H
#define DAVIT_SUPERVISOR_STORE_PROJECTS_H

#include <stdint.h>

struct daemon;

/* One that neither a container nor a volume has, of a range that nobody else is known to use. */
uint32_t project_pick(const struct daemon *daemon);

#endif
