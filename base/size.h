/* Sizes as people write them. */
#ifndef DAVIT_BASE_SIZE_H
#define DAVIT_BASE_SIZE_H

#include <stdint.h>

/* "512", "64k", "512m", "2g", "512MiB": powers of 1024; "-1" is passed through. Returns 0 or
 * -EINVAL. */
int size_parse(const char *text, int64_t *bytes);

#endif
