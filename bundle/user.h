/* "user[:group]" as docker's --user and an image's User say it, resolved in a container's root. */
#ifndef DAVIT_BUNDLE_USER_H
#define DAVIT_BUNDLE_USER_H

#include "base/error.h"
#include "base/memory.h"
#include "config.h"

/* Looks names up in /etc/passwd and /etc/group below `root_fd`, files that the image's author
 * wrote: bounded in size and never followed out of the root. NULL or "" is root. Fills ids and
 * supplementary groups; *home is the home directory, "/" if unknown. */
int user_resolve(struct arena *arena, int root_fd, const char *spec, struct oci_user *user,
                 const char **home, struct error *err);

/* The home directory of a user id, "/" if the root's /etc/passwd does not say. */
const char *user_find_home(struct arena *arena, int root_fd, uint32_t uid);

/* Adds supplementary groups, names or numbers separated by commas, to a user that was resolved.
 * NULL adds none. */
int user_add_groups(struct arena *arena, int root_fd, const char *groups, struct oci_user *user,
                    struct error *err);

#endif
