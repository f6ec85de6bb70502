/* An OCI layout directory as a tar stream, which is what davitd loads. */
#ifndef DAVIT_CLI_LAYOUT_TAR_H
#define DAVIT_CLI_LAYOUT_TAR_H

#include <sys/types.h>

#include "base/error.h"

/* Replaces *fd, an open directory, by the read end of a pipe into which a child writes the tar. The
 * caller waits for *writer after reading. */
int layout_tar_open(int *fd, pid_t *writer, struct error *err);

#endif
