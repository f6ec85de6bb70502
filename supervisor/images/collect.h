/* Collection of what no image and no container needs. */
#ifndef DAVIT_SUPERVISOR_IMAGES_COLLECT_H
#define DAVIT_SUPERVISOR_IMAGES_COLLECT_H

#include "supervisor/daemon.h"

/* Moves blobs and layers that neither an image nor a container needs to the trash. Where that
 * cannot be told nothing is moved, which is logged: what was asked for besides has been done. */
void images_collect(struct daemon *daemon);

#endif
