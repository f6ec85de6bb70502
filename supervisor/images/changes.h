/* What commit and import change in an image's configuration: instructions as in a Dockerfile. */
#ifndef DAVIT_SUPERVISOR_IMAGES_CHANGES_H
#define DAVIT_SUPERVISOR_IMAGES_CHANGES_H

#include "base/error.h"
#include "bundle/image_config.h"

/* Applies one: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, STOPSIGNAL, USER, VOLUME or
 * WORKDIR. Any other is refused by name. */
int image_change(struct arena *arena, const char *instruction, struct image_process *process,
                 struct error *err);

#endif
