/* Logins as docker and podman keep them: ~/.docker/config.json, or the config.json in
 * DOCKER_CONFIG, and credential helpers. */
#ifndef DAVIT_CLI_CREDENTIALS_H
#define DAVIT_CLI_CREDENTIALS_H

#include "base/error.h"
#include "base/memory.h"

struct login {
    const char *username;
    const char *password;
    const char *identity_token; /* in place of a password */
};

/* What configuration files know Docker's own registry by. */
#define CREDENTIALS_DOCKER "https://index.docker.io/v1/"

/* What they know the registry by that people write as `text`: "localhost:5000",
 * "https://localhost:5000/v2/", NULL for Docker's own. In the arena. */
const char *credentials_server(struct arena *arena, const char *text);

/* The login for a server, as credentials_server() names it; all members NULL if there is none. A
 * file that cannot be read, or a helper that cannot be run, is an error. */
int credentials_get(struct arena *arena, const char *server, struct login *login,
                    struct error *err);

/* The value of X-Registry-Auth for an image's registry, in the arena; NULL if there is no login.
 */
int credentials_find(struct arena *arena, const char *image, const char **header,
                     struct error *err);

/* A login as JSON, as the API takes it, in the arena. */
const char *credentials_json(struct arena *arena, const struct login *login, const char *server);

/* Keeps a login, by the helper that the configuration names, or else in its file: then *path is
 * that file, and otherwise NULL. credentials_file.c */
int credentials_store(struct arena *arena, const char *server, const struct login *login,
                      const char **path, struct error *err);

/* Forgets it. 1 if there was one, 0 if not. */
int credentials_erase(struct arena *arena, const char *server, struct error *err);

#endif
