/* Sizes as people write them: see size.h. */
#include "size.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "number.h"

int size_parse(const char *text, int64_t *bytes)
{
    static const char units[] = "bkmgt";
    const char *end = text;
    const char *unit;
    uint64_t value;

    if (strcmp(text, "-1") == 0) {
        *bytes = -1;
        return 0;
    }
    if (!number_take(&end, 10, INT64_MAX, &value))
        return -EINVAL;
    unit = *end != '\0' ? strchr(units, *end | 0x20) : units;
    if (unit == NULL ||
        (*end != '\0' && end[1] != '\0' && strcasecmp(end + 1, "b") != 0 &&
         strcasecmp(end + 1, "ib") != 0) ||
        value > (uint64_t)INT64_MAX >> (10 * (unit - units)))
        return -EINVAL;
    *bytes = (int64_t)(value << (10 * (unit - units)));
    return 0;
}
