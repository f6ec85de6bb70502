/* Network namespaces. */
#ifndef DAVIT_BASE_NETWORK_NAMESPACE_H
#define DAVIT_BASE_NETWORK_NAMESPACE_H

#include "error.h"

/* Has `function` called in another network namespace, by the calling thread, which is in its own
 * again afterwards; where that cannot be had it aborts, rather than go on in a container's network.
 * Returns what the function does. */
int network_namespace_run(int netns_fd, int (*function)(void *context, struct error *err),
                          void *context, struct error *err);

#endif
