/* Network namespaces. */
#ifndef DAVIT_BASE_NETWORK_NAMESPACE_H
#define DAVIT_BASE_NETWORK_NAMESPACE_H

#include "error.h"

/* Calls `function` in another network namespace, in the calling thread, and goes back to the
 * thread's own namespace. Aborts if it cannot go back, rather than go on in a container's network.
 * Returns what the function returned. */
int network_namespace_run(int netns_fd, int (*function)(void *context, struct error *err),
                          void *context, struct error *err);

#endif
