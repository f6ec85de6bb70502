/*
 * Compiled seccomp filters, in <root>/seccomp under a name that says what they were made from.
 * Compiling takes milliseconds, more than starting a container; loading a compiled one takes none.
 * What an earlier davitd has left may be damaged: each is compiled once in a davitd's life. Nothing
 * tells when one is not needed any more, so there is a bound, and at the bound all go.
 */
#ifndef DAVIT_SUPERVISOR_DEFINITION_SECCOMP_CACHE_H
#define DAVIT_SUPERVISOR_DEFINITION_SECCOMP_CACHE_H

#include "definition.h"

/* Zeroed knows none. */
struct seccomp_cache {
    struct arena arena;
    struct string_list known; /* names of those that this davitd has written */
    size_t count;             /* of files, with those of earlier davitds */
    bool is_counted;
};

#define SECCOMP_CACHE_MAX 256 /* files; each has a few KiB */

/* Whether no further file should be written before seccomp_cache_clear(). */
bool seccomp_cache_is_full(struct seccomp_cache *cache, int directory_fd);

/* Removes all files. Who wants one again has to ask for it again. */
void seccomp_cache_clear(struct seccomp_cache *cache, int directory_fd);

/* The name in the directory of the compiled filter for a container, written if it is not known yet.
 * NULL for an unconfined one. Allocated in the arena. */
int seccomp_cache_get(struct seccomp_cache *cache, int directory_fd, struct arena *arena,
                      const struct definition_security *security,
                      const struct string_list *capabilities, const char **name, struct error *err);

#endif
