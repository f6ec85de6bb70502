/* http_encode(): see http.h. Apart from the parser, which not everybody who encodes needs. */
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
