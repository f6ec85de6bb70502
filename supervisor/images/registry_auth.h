/* Logins for registries: the header X-Registry-Auth, and the body of POST /auth. */
#ifndef DAVIT_SUPERVISOR_IMAGES_REGISTRY_AUTH_H
#define DAVIT_SUPERVISOR_IMAGES_REGISTRY_AUTH_H

#include "images/fetch_channel.h"

/* A login as JSON. `server` (or NULL) becomes the registry that it names, NULL if it names none. */
int registry_auth_parse(const char *text, size_t length, struct arena *arena,
                        struct fetch_credentials *credentials, const char **server,
                        struct error *err);

/* NULL and "" are no login. What is found lives in the arena. */
int registry_auth_read(const char *header, struct arena *arena,
                       struct fetch_credentials *credentials, struct error *err);

#endif
