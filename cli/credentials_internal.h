/* What the files about logins share: the configuration that holds them. */
#ifndef DAVIT_CLI_CREDENTIALS_INTERNAL_H
#define DAVIT_CLI_CREDENTIALS_INTERNAL_H

#include "base/json.h"

/* Where the configuration is; NULL: there is neither DOCKER_CONFIG nor HOME. */
const char *credentials_path(struct arena *arena);

/* Where it lies, and what else is kept beside it; NULL: the same. */
const char *credentials_directory(struct arena *arena);

/* Makes that directory, or one of this name in it, and opens it. */
int credentials_make_directory(struct arena *arena, const char *name, struct error *err);

/* The configuration; NULL if there is none. */
int credentials_read(struct arena *arena, const struct json **config, struct error *err);

/* The helper that keeps the server's login; NULL: the file does. */
const char *credentials_helper(const struct json *config, const char *server);

#endif
