/* http_encode(): see http.h. In a file of its own, so that a program can encode without
 * http_parser. */
#include <ctype.h>
#include <string.h>

#include "buffer.h"
#include "http.h"

void http_encode(struct buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (isalnum(c) || strchr("-._~", c) != NULL)
            buffer_append(out, text, 1);
        else
            buffer_printf(out, "%%%02X", c);
    }
}
