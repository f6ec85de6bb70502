/* Probes of containers that run: when they are due, what came of them, and what follows. */
#ifndef DAVIT_SUPERVISOR_CONTAINERS_PROBES_H
#define DAVIT_SUPERVISOR_CONTAINERS_PROBES_H

#include "container.h"

/* "healthy" and so on of Docker's HEALTHCHECK; NULL without one. */
const char *probes_health(const struct managed_container *container);

/* State.Health of `inspect`, if there is a HEALTHCHECK. */
void probes_write_health(struct json_writer *writer, const struct managed_container *container);

/* The definitions and what was found: GET /davit/v1/containers/ID/probes. */
void probes_write(struct json_writer *writer, const struct managed_container *container);

#endif
