/*
 * Namespaces made ahead: of a container's start the kernel spends most on its network namespace.
 * davitd keeps some in reserve, each with the user namespace that owns it where containers have ids
 * of their own by default; ids are mapped when a container takes one. They are descriptors alone:
 * what nobody took goes with davitd. See docs/decisions/namespace-pool.md.
 */
#ifndef DAVIT_SUPERVISOR_SPAWN_NAMESPACE_POOL_H
#define DAVIT_SUPERVISOR_SPAWN_NAMESPACE_POOL_H

#include "supervisor/containers/container.h"

struct namespace_pool;

/* At start. The first ones are there a moment later. */
void namespace_pool_open(struct daemon *daemon);

/* Gives namespaces to the container's monitor, before it starts. Returns a descriptor of the
 * network namespace, or -1: none are there that suit it, and its monitor will make them. */
int namespace_pool_give(struct managed_container *container);

/* Makes up for what was given, beside davitd's other work: called when a start is over. */
void namespace_pool_fill(struct daemon *daemon);

#endif
