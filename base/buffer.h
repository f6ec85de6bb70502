/* A growing run of bytes, always followed by a NUL that is not counted. */
#ifndef DAVIT_BASE_BUFFER_H
#define DAVIT_BASE_BUFFER_H

#include <stddef.h>

struct buffer {
    char *data; /* NULL while empty and never used */
    size_t length;
    size_t capacity;
};

void buffer_append(struct buffer *buffer, const void *bytes, size_t length);
void buffer_append_string(struct buffer *buffer, const char *string);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Makes room for `length` more bytes and returns where they go. The caller adds what it wrote to
 * buffer->length. */
char *buffer_reserve(struct buffer *buffer, size_t length);

/* Drops the first `length` bytes. */
void buffer_consume(struct buffer *buffer, size_t length);

/* The content as a C string; "" when empty. */
const char *buffer_text(const struct buffer *buffer);

void buffer_release(struct buffer *buffer);

#define cleanup_buffer __attribute__((cleanup(buffer_release)))

#endif
