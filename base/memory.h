/*
 * Memory. Input is bounded before it is stored, so running out of memory is not an answer to
 * anything a caller did: these functions abort instead of returning NULL. davitd may die at any
 * moment without loss, which makes that safe (docs/decisions/crash-only.md).
 *
 * An arena owns many small objects with one lifetime, such as a decoded document.
 */
#ifndef DAVIT_BASE_MEMORY_H
#define DAVIT_BASE_MEMORY_H

#include <stddef.h>

/* Zeroed memory for count objects of size bytes; free() releases it. */
void *memory_new(size_t count, size_t size);

/* realloc() for count objects of size bytes. */
void *memory_resize(void *memory, size_t count, size_t size);

char *memory_strdup(const char *string);
char *memory_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define memory_new_one(type) ((type *)memory_new(1, sizeof(type)))

struct arena_chunk;

/* An array that arena_grow() has made: it has room behind its last element. */
struct arena_array {
    void *items;
    size_t count;
    size_t room; /* in elements */
};

#define ARENA_ARRAYS 4 /* that grow in turns */

struct arena {
    struct arena_chunk *chunks;
    struct arena_array arrays[ARENA_ARRAYS];
    unsigned int next_array;
};

/* Zeroed, aligned for any type, alive until arena_release(). */
void *arena_new(struct arena *arena, size_t count, size_t size);
/* An array of `count` elements with room for one more: a copy, or the array itself where it has
 * grown in this arena before and nothing was added since. Adding one after the other takes time and
 * memory in proportion to their number. */
void *arena_grow(struct arena *arena, const void *items, size_t count, size_t size);
char *arena_strdup(struct arena *arena, const char *string);
char *arena_strndup(struct arena *arena, const char *bytes, size_t length);
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* How much memory it holds. */
size_t arena_bytes(const struct arena *arena);

/* Frees everything at once. The arena is empty and usable afterwards. */
void arena_release(struct arena *arena);

#define cleanup_arena __attribute__((cleanup(arena_release)))

#endif
