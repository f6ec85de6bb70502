/* Identifiers of containers, networks and execs, and the names that people give. */
#ifndef DAVIT_BASE_IDENTIFIER_H
#define DAVIT_BASE_IDENTIFIER_H

#include <stdbool.h>
#include <stddef.h>

#define IDENTIFIER_SIZE 65 /* 64 hexadecimal digits, and NUL */

/* A new one, by getrandom(2). */
void identifier_make(char id[IDENTIFIER_SIZE]);

/* Whether a text has the form of one. So have the digits of SHA-256 digests. */
bool identifier_is_valid(const char *text);

/* Whether containers, volumes and networks may be called so: 2 to `max_length` characters of
 * [a-zA-Z0-9_.-], the first a letter or a digit. */
bool name_is_valid(const char *name, size_t max_length);

#endif
