/* Sizes as people write them: see size.h. */
#include "size.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int size_parse(const char *text, int64_t *bytes)
{
    static const char units[] = "bkmgt";
    char *end;
    long long value = strtoll(text, &end, 10);
    const char *unit = *end != '\0' ? strchr(units, *end | 0x20) : units;

    if (end == text || unit == NULL || value < -1 ||
        (*end != '\0' && end[1] != '\0' && strcasecmp(end + 1, "b") != 0 &&
         strcasecmp(end + 1, "ib") != 0) ||
        value > INT64_MAX >> (10 * (unit - units)))
        return -EINVAL;
    *bytes = value < 0 ? value : value << (10 * (unit - units));
    return 0;
}
