/*
 * Compiled seccomp filters, in <root>/seccomp under a name that says what they were made from.
 * Compiling takes milliseconds, more than starting a container; loading a compiled one takes none.
 */
#ifndef DAVIT_SUPERVISOR_DEFINITION_SECCOMP_CACHE_H
#define DAVIT_SUPERVISOR_DEFINITION_SECCOMP_CACHE_H

#include "definition.h"

/* The name in the directory of the compiled filter for a container, made if it is new. NULL for an
 * unconfined one. Allocated in the arena. */
int seccomp_cache_get(int directory_fd, struct arena *arena,
                      const struct definition_security *security,
                      const struct string_list *capabilities, const char **name, struct error *err);

#endif
