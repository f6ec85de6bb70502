/* Reading logs: GET /containers/ID/logs. */
#ifndef DAVIT_SUPERVISOR_CONTAINERS_LOGS_H
#define DAVIT_SUPERVISOR_CONTAINERS_LOGS_H

#include "container.h"

/* Answers the request and, with follow=1, keeps it until the container has ended. The log is read
 * in pieces between other work, no faster than the client takes it. */
void logs_serve(struct managed_container *container, struct request *request);

/* Likewise an attach with logs=1: what there is and, with stream=1, what comes. The connection is
 * no longer HTTP, and input is not taken. */
void logs_attach(struct managed_container *container, struct request *request);

/* The container has ended: those who follow its log get what is left and then the end. */
void logs_end(struct managed_container *container);

#endif
