/* Programs that keep logins for docker and others: docker-credential-NAME, with an action as its
 * argument, which reads from standard input and writes to standard output. */
#ifndef DAVIT_CLI_CREDENTIAL_HELPER_H
#define DAVIT_CLI_CREDENTIAL_HELPER_H

#include "base/buffer.h"
#include "base/error.h"

/* Runs the helper's action (get, store, erase) with `text` as its input and appends what it
 * answers. 1: it has done that; 0: it has failed, its answer saying why; a negative errno: it could
 * not be run. */
int credential_helper_call(const char *name, const char *action, const char *text,
                           struct buffer *answer, struct error *err);

#endif
