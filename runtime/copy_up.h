/* A directory starts with the content that it hides: tmpcopyup, and volumes. */
#ifndef DAVIT_RUNTIME_COPY_UP_H
#define DAVIT_RUNTIME_COPY_UP_H

#include "base/error.h"

/* Copies directories, files, symbolic links, FIFOs and sockets with modes, owners, times and
 * extended attributes from one directory to another, both given by descriptor (O_PATH will do).
 * Device nodes are refused. Nothing is copied if the target has content, unless a copy that was
 * killed has left it: then that copy is completed. The mark for this is a user.* attribute, which
 * not every filesystem can hold. */
int copy_up(int from_fd, int to_fd, struct error *err);

#endif
