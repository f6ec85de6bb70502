/* Identifiers and names: see identifier.h. */
#include "identifier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void identifier_make(char id[IDENTIFIER_SIZE])
{
    unsigned char bytes[32];

    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
        abort();
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(id + 2 * i, 3, "%02x", bytes[i]);
}

bool identifier_is_valid(const char *text)
{
    return strlen(text) == IDENTIFIER_SIZE - 1 &&
           strspn(text, "0123456789abcdef") == IDENTIFIER_SIZE - 1;
}

bool name_is_valid(const char *name, size_t max_length)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t length = strlen(name);

    return length >= 2 && length <= max_length && strspn(name, allowed) == length &&
           strchr("_.-", name[0]) == NULL;
}
