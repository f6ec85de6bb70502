/* tmpcopyup: a tmpfs starts with what lies under it. */
#ifndef DAVIT_RUNTIME_COPY_UP_H
#define DAVIT_RUNTIME_COPY_UP_H

#include "base/error.h"

/* Copies directories, files and symbolic links with modes and owners from one directory to
 * another, both given by descriptor (O_PATH will do). Other kinds of files are refused. */
int copy_up(int from_fd, int to_fd, struct error *err);

#endif
