/* Extended attributes (xattr(7)), from one file to another. */
#ifndef DAVIT_BASE_XATTRS_H
#define DAVIT_BASE_XATTRS_H

#include <stdbool.h>

#include "error.h"

/* Copies the attributes for which is_wanted() is true. Leaves out those that the filesystem of
 * `to_fd` does not support. */
int xattrs_copy(int from_fd, int to_fd, bool (*is_wanted)(const char *name), struct error *err);

#endif
