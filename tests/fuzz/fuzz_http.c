/* Requests and responses, in pieces of every size. */
#include <stdint.h>

#include "base/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed(bool is_request, const char *bytes, size_t size, size_t step)
{
    struct http_parser_state *parser = http_parser_new(is_request, NULL, NULL);
    size_t position = 0;

    while (position < size) {
        size_t length = size - position < step ? size - position : step;
        size_t used = 0;

        if (http_parser_feed(parser, bytes + position, length, &used, NULL) < 0)
            break;
        position += used;
        if (http_parser_message(parser)->is_complete)
            http_parser_next(parser);
        else if (used == 0)
            break;
    }
    http_parser_free(parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    feed((data[0] & 1) != 0, (const char *)data + 1, size - 1, (size_t)(data[0] >> 1) + 1);
    return 0;
}
