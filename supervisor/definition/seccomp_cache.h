/*
 * Compiled seccomp filters, in <root>/seccomp under a name that says what they were made from.
 * Compiling takes milliseconds, more than starting a container; loading a compiled one takes none.
 * What an earlier davitd has left may be damaged: each is compiled once in a davitd's life.
 */
#ifndef DAVIT_SUPERVISOR_DEFINITION_SECCOMP_CACHE_H
#define DAVIT_SUPERVISOR_DEFINITION_SECCOMP_CACHE_H

#include "definition.h"

/* Zeroed knows none. */
struct seccomp_cache {
    struct arena arena;
    struct string_list known; /* names of those that this davitd has written */
};

/* The name in the directory of the compiled filter for a container, written if it is not known yet.
 * NULL for an unconfined one. Allocated in the arena. */
int seccomp_cache_get(struct seccomp_cache *cache, int directory_fd, struct arena *arena,
                      const struct definition_security *security,
                      const struct string_list *capabilities, const char **name, struct error *err);

#endif
