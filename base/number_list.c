/* Lists of numbers: see number_list.h. */
#include "number_list.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

static int parse_number(const char **text, unsigned long *number)
{
    char *end;

    if (!isdigit((unsigned char)**text))
        return -EINVAL;
    *number = strtoul(*text, &end, 10);
    *text = end;
    return *number < NUMBER_LIST_MAX ? 0 : -EINVAL;
}

int number_list_parse(const char *text, uint8_t *mask)
{
    unsigned long end = 0;

    while (*text != '\0') {
        unsigned long first;
        unsigned long last;

        if (parse_number(&text, &first) < 0)
            return -EINVAL;
        last = first;
        if (*text == '-') {
            text++;
            if (parse_number(&text, &last) < 0 || last < first)
                return -EINVAL;
        }
        for (unsigned long number = first; number <= last; number++)
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
