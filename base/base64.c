/* Base64 by the C library: see base64.h. */
#include "base64.h"

#include <netinet/in.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "memory.h"

char *base64_encode(const char *text)
{
    size_t length = strlen(text);
    size_t size = (length + 2) / 3 * 4 + 1;
    char *encoded = memory_new(size, 1);

    b64_ntop((const unsigned char *)text, length, encoded, size);
    return encoded;
}

char *base64_decode(const char *text)
{
    size_t length = strlen(text);
    cleanup_free char *padded = memory_new(length + 4, 1);
    char *plain = memory_new(length + 4, 1);
    int count;

    for (size_t i = 0; i < length; i++)
        padded[i] = text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
    while (length % 4 != 0)
        padded[length++] = '=';
    count = b64_pton(padded, (unsigned char *)plain, length + 1);
    if (count >= 0 && memchr(plain, '\0', (size_t)count) == NULL)
        return plain;
    free(plain);
    return NULL;
}
