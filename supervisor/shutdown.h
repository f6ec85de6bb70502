/*
 * The end of the machine. Containers outlive davitd, but not the host: when systemd stops davitd
 * because all is stopped, they are asked to end as `stop` would ask them, and davitd waits for
 * that. What their policies say holds for the next start of the machine.
 */
#ifndef DAVIT_SUPERVISOR_SHUTDOWN_H
#define DAVIT_SUPERVISOR_SHUTDOWN_H

#include "supervisor/containers/container.h"

/* davitd was told to end. False if that is all; else the loop ends when the containers have. */
bool shutdown_begin(struct containers *containers);

/* One that was on its way. */
void shutdown_container_started(struct managed_container *container);

/* It was perhaps the last. */
void shutdown_container_ended(struct containers *containers);

#endif
