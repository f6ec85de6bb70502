/* Extended attributes (xattr(7)), from one file to another. */
#ifndef DAVIT_BASE_XATTRS_H
#define DAVIT_BASE_XATTRS_H

#include <stdbool.h>

#include "error.h"

/* Copies those that are wanted; what the other's filesystem cannot hold is left out. */
int xattrs_copy(int from_fd, int to_fd, bool (*is_wanted)(const char *name), struct error *err);

#endif
