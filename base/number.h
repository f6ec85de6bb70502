/* Numbers as text from outside: whole, within bounds, and nothing behind them. */
#ifndef DAVIT_BASE_NUMBER_H
#define DAVIT_BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* A decimal number from `lowest` to `highest`: digits, with a minus sign before them where `lowest`
 * is negative. Anything else, also space, "+1", "1e3" and "0x1", is none, and leaves *value as it
 * is. */
bool number_parse(const char *text, int64_t lowest, int64_t highest, int64_t *value);
bool number_parse_unsigned(const char *text, uint64_t highest, uint64_t *value);

/* The same of digits at the beginning of *text in the base 8, 10 or 16, and moves *text behind
 * them. */
bool number_take(const char **text, int base, uint64_t highest, uint64_t *value);

/* "80" or "80-90" at the beginning of *text, in the base 10: *last is not below *first. */
bool number_take_range(const char **text, uint64_t highest, uint64_t *first, uint64_t *last);

#endif
