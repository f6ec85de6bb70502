/* Lists of numbers: see number_list.h. */
#include "number_list.h"

#include <errno.h>

#include "number.h"

int number_list_parse(const char *text, uint8_t *mask)
{
    uint64_t end = 0;

    while (*text != '\0') {
        uint64_t first;
        uint64_t last;

        if (!number_take_range(&text, NUMBER_LIST_MAX - 1, &first, &last))
            return -EINVAL;
        for (uint64_t number = first; number <= last; number++)
            mask[number / 8] |= (uint8_t)(1u << number % 8);
        if (last + 1 > end)
            end = last + 1;
        if (*text == ',' && text[1] != '\0')
            text++;
        else if (*text != '\0')
            return -EINVAL;
    }
    return (int)end;
}
