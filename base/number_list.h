/* Lists of CPUs and memory nodes as the kernel writes them: "0-3,7". */
#ifndef DAVIT_BASE_NUMBER_LIST_H
#define DAVIT_BASE_NUMBER_LIST_H

#include <stddef.h>
#include <stdint.h>

#define NUMBER_LIST_MAX 8192 /* as many CPUs as kernels are built for */
#define NUMBER_LIST_BYTES (NUMBER_LIST_MAX / 8)

/* Sets the bits of the numbers, lowest first, in the zeroed `mask` of NUMBER_LIST_BYTES bytes.
 * Returns the highest number plus one (0 for an empty list), or -EINVAL. */
int number_list_parse(const char *text, uint8_t *mask);

#endif
