/* Documents with their sum: see json_sum.h. */
#include "json_sum.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "hash.h"

#define SUM_DIGITS 16
#define SUM_START ",\"sum\":\""
#define SUM_END "\"}"
#define SUM_LENGTH (sizeof(SUM_START) - 1 + SUM_DIGITS + sizeof(SUM_END) - 1)

static void print_sum(const char *text, size_t length, char sum[SUM_DIGITS + 1])
{
    snprintf(sum, SUM_DIGITS + 1, "%016" PRIx64, hash_bytes(HASH_START, text, length));
}

void json_object_close_with_sum(struct json_writer *writer)
{
    const char *text = json_writer_text(writer);
    char sum[SUM_DIGITS + 1];

    print_sum(text, strlen(text), sum);
    json_member_string(writer, "sum", sum);
    json_object_close(writer);
}

bool json_sum_is_right(const char *text, size_t length)
{
    const char *end;
    char sum[SUM_DIGITS + 1];

    while (length > 0 && text[length - 1] == ' ')
        length--;
    if (length < SUM_LENGTH)
        return true;
    end = text + length - SUM_LENGTH;
    if (strncmp(end, SUM_START, sizeof(SUM_START) - 1) != 0)
        return true;
    print_sum(text, length - SUM_LENGTH, sum);
    return strncmp(end + sizeof(SUM_START) - 1, sum, SUM_DIGITS) == 0;
}
