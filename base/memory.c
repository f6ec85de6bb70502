/* Allocation that does not fail, and arenas: see memory.h. */
#include "memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_BYTES 8192
#define ALIGNMENT _Alignof(max_align_t)

struct arena_chunk {
    struct arena_chunk *next;
    size_t size;
    size_t used;
    _Alignas(max_align_t) unsigned char bytes[];
};

static _Noreturn void out_of_memory(void)
{
    static const char message[] = "davit: out of memory\n";

    (void)!write(STDERR_FILENO, message, sizeof(message) - 1);
    abort();
}

void *memory_new(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size > 0 ? size : 1);

    if (memory == NULL)
        out_of_memory();
    return memory;
}

void *memory_resize(void *memory, size_t count, size_t size)
{
    memory = reallocarray(memory, count > 0 ? count : 1, size > 0 ? size : 1);
    if (memory == NULL)
        out_of_memory();
    return memory;
}

char *memory_strdup(const char *string)
{
    char *copy = strdup(string);

    if (copy == NULL)
        out_of_memory();
    return copy;
}

char *memory_printf(const char *format, ...)
{
    va_list arguments;
    char *text;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        out_of_memory();
    va_end(arguments);
    return text;
}

void *arena_new(struct arena *arena, size_t count, size_t size)
{
    struct arena_chunk *chunk = arena->chunks;
    size_t bytes;
    void *memory;

    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - CHUNK_BYTES)
        out_of_memory();
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (chunk == NULL || chunk->size - chunk->used < bytes) {
        size_t chunk_size = bytes > CHUNK_BYTES / 4 ? bytes : CHUNK_BYTES;
        struct arena_chunk *fresh = memory_new(1, sizeof(*fresh) + chunk_size);

        fresh->size = chunk_size;
        /* An object with a chunk of its own goes behind the one that still has room. */
        if (chunk != NULL && chunk_size != CHUNK_BYTES) {
            fresh->next = chunk->next;
            chunk->next = fresh;
        } else {
            fresh->next = chunk;
            arena->chunks = fresh;
        }
        chunk = fresh;
    }
    memory = chunk->bytes + chunk->used;
    chunk->used += bytes;
    return memory;
}

char *arena_strndup(struct arena *arena, const char *bytes, size_t length)
{
    char *copy = arena_new(arena, length + 1, 1);

    memcpy(copy, bytes, length);
    return copy;
}

void *arena_grow(struct arena *arena, const void *items, size_t count, size_t size)
{
    struct arena_array *array;
    void *copy;

    for (size_t i = 0; count > 0 && i < ARENA_ARRAYS; i++) {
        array = &arena->arrays[i];
        if (array->items == items && array->count == count && array->room > count) {
            array->count++;
            return array->items;
        }
    }
    array = &arena->arrays[arena->next_array++ % ARENA_ARRAYS];
    *array = (struct arena_array){.count = count + 1, .room = count < 4 ? count + 1 : 2 * count};
    copy = array->items = arena_new(arena, array->room, size);
    if (count > 0)
        memcpy(copy, items, count * size);
    return copy;
}

char *arena_strdup(struct arena *arena, const char *string)
{
    return arena_strndup(arena, string, strlen(string));
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    va_list again;
    int length;
    char *text;

    va_start(arguments, format);
    va_copy(again, arguments);
    length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0)
        out_of_memory();
    text = arena_new(arena, (size_t)length + 1, 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

size_t arena_bytes(const struct arena *arena)
{
    size_t bytes = 0;

    for (const struct arena_chunk *chunk = arena->chunks; chunk != NULL; chunk = chunk->next)
        bytes += sizeof(*chunk) + chunk->size;
    return bytes;
}

void arena_release(struct arena *arena)
{
    struct arena_chunk *chunk = arena->chunks;

    while (chunk != NULL) {
        struct arena_chunk *next = chunk->next;

        free(chunk);
        chunk = next;
    }
    *arena = (struct arena){.chunks = NULL};
}
