/* The header X-Registry-Auth: a login that a client sends along for a registry. */
#ifndef DAVIT_SUPERVISOR_IMAGES_REGISTRY_AUTH_H
#define DAVIT_SUPERVISOR_IMAGES_REGISTRY_AUTH_H

#include "images/fetch_channel.h"

/* NULL and "" are no login. What is found lives in the arena. */
int registry_auth_read(const char *header, struct arena *arena,
                       struct fetch_credentials *credentials, struct error *err);

#endif
