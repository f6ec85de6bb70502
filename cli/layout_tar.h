/* Directories as tar streams, which is what davitd takes. */
#ifndef DAVIT_CLI_LAYOUT_TAR_H
#define DAVIT_CLI_LAYOUT_TAR_H

#include "base/error.h"

/* Writes an OCI layout. For input_open(). */
int layout_tar_write(int layout_fd, int out_fd, struct error *err);

/* Writes any tree, with all that a layer carries, by executing davit-image in this process. With
 * out_fd -1 only says whether davit-image is there. */
int tree_tar_write(int directory_fd, int out_fd, struct error *err);

#endif
