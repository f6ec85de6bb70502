/* Encoding base64: see base64.h. */
#include "base64.h"

#include <stdint.h>
#include <string.h>

#include "memory.h"

char *base64_encode(const char *text)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = strlen(text);
    char *encoded = memory_new((length + 2) / 3 * 4 + 1, 1);
    char *out = encoded;

    for (size_t i = 0; i < length; i += 3) {
        const unsigned char *bytes = (const unsigned char *)text + i;
        size_t left = length - i;
        uint32_t group = (uint32_t)bytes[0] << 16 | (left > 1 ? (uint32_t)bytes[1] << 8 : 0) |
                         (left > 2 ? bytes[2] : 0);

        *out++ = alphabet[group >> 18];
        *out++ = alphabet[group >> 12 & 63];
        *out++ = left > 1 ? alphabet[group >> 6 & 63] : '=';
        *out++ = left > 2 ? alphabet[group & 63] : '=';
    }
    return encoded;
}
