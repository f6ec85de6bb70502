/* Execs: POST /containers/ID/exec and /exec/ID/... */
#ifndef DAVIT_SUPERVISOR_EXEC_H
#define DAVIT_SUPERVISOR_EXEC_H

#include "container.h"

/* Answers the requests of that name. */
void exec_create(struct managed_container *container, struct request *request);
void exec_start(struct daemon *daemon, const char *id, struct request *request);
void exec_inspect(struct daemon *daemon, const char *id, struct request *request);
void exec_resize(struct daemon *daemon, const char *id, struct request *request);

#endif
