/* Numbers from outside: see number.h. */
#include "number.h"

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

bool number_take(const char **text, int base, uint64_t highest, uint64_t *value)
{
    const char *position = *text;
    uint64_t number = 0;

    while (digit_of(*position) < base) {
        uint64_t digit = (uint64_t)digit_of(*position);

        if (__builtin_mul_overflow(number, (uint64_t)base, &number) ||
            __builtin_add_overflow(number, digit, &number) || number > highest)
            return false;
        position++;
    }
    if (position == *text)
        return false;
    *text = position;
    *value = number;
    return true;
}

bool number_take_range(const char **text, uint64_t highest, uint64_t *first, uint64_t *last)
{
    if (!number_take(text, 10, highest, first))
        return false;
    *last = *first;
    if (**text != '-')
        return true;
    (*text)++;
    return number_take(text, 10, highest, last) && *last >= *first;
}

bool number_parse_unsigned(const char *text, uint64_t highest, uint64_t *value)
{
    uint64_t number;

    if (!number_take(&text, 10, highest, &number) || *text != '\0')
        return false;
    *value = number;
    return true;
}

bool number_parse(const char *text, int64_t lowest, int64_t highest, int64_t *value)
{
    bool is_negative = text[0] == '-' && lowest < 0;
    uint64_t number;
    int64_t whole;

    if (!number_parse_unsigned(text + is_negative, INT64_MAX, &number))
        return false;
    whole = is_negative ? -(int64_t)number : (int64_t)number;
    if (whole < lowest || whole > highest)
        return false;
    *value = whole;
    return true;
}
