/* Logins that `docker login` and others have left: ~/.docker/config.json, credential helpers. */
#ifndef DAVIT_CLI_CREDENTIALS_H
#define DAVIT_CLI_CREDENTIALS_H

#include "base/error.h"
#include "base/memory.h"

/* The value of X-Registry-Auth for an image's registry, in the arena; NULL if there is no login. A
 * file that cannot be read, or a helper that fails, is an error. */
int credentials_find(struct arena *arena, const char *image, const char **header,
                     struct error *err);

#endif
