/*
 * What davitd knows of a container is kept twice: as a row of the database, and as files beside
 * what the row is about. The row is what davitd reads when it starts. The files bring back what a
 * database that was lost, damaged or put back from a copy does not know:
 *
 *   <root>/containers/ID/definition-N.json   the definition, in its Nth revision
 *   <root>/containers/ID/exit.json           how it ended the last time (monitor/protocol.h)
 *   <run>/containers/ID/state.json           the state of one that runs
 *
 * A container's directory has another name while it is no container yet or no more, so that who
 * finds it can tell: .new-ID until the row is there, .removed-ID from before the row goes.
 */
#ifndef DAVIT_SUPERVISOR_CONTAINERS_RECORD_H
#define DAVIT_SUPERVISOR_CONTAINERS_RECORD_H

#include "container.h"

#define CONTAINER_NEW_PREFIX ".new-"
#define CONTAINER_REMOVED_PREFIX ".removed-"
#define CONTAINER_STATE_FILE "state.json"

/* Publishes a new container whose files are complete: row and name. Durable when it returns. After
 * a failure neither is there. */
int container_record_publish(struct managed_container *container, struct error *err);

/* Writes the row of a container that has its directory, in place of any row with its id. */
int container_record_put(struct managed_container *container, struct error *err);

/* Takes the name and the row away; the directory goes to the trash. */
int container_record_remove(struct managed_container *container, struct error *err);

/* Makes a copy of `changed`, wherever its parts lie, the container's next revision. Row and file
 * are durable when it returns; after a failure the earlier one stands, and nothing has changed. */
int container_revise(struct managed_container *container, const struct definition *changed,
                     struct error *err);

/* The first revision, for a container that has no row yet. */
int container_record_write(struct managed_container *container, int directory_fd,
                           struct error *err);

/* Reads the newest definition that is in a container's directory into a new revision. */
int container_record_read(int directory_fd, struct revision *into, struct error *err);

/* At start, for a row, of which `row` is the definition's text: whether the directory has the same.
 * If it does not, the newer of the two is the container's afterwards, in both places, and of two of
 * one revision the one that is not damaged. */
int container_record_reconcile(struct managed_container *container, const char *row,
                               struct error *err);

/* Writes the state to the run directory, for a container that runs or whose state the database
 * could not take. */
void container_record_state(struct managed_container *container, const char *state);

/* Removes that file: the database has the state. */
void container_record_forget_state(struct managed_container *container);

/* Reads it; free() it. NULL: there is none. */
char *container_record_read_state(const struct managed_container *container);

/* Adds the layers that a directory's monitor.json names to the list: for definitions of an early
 * davit, which have none, and for directories without a definition. */
int container_record_read_layers(int directory_fd, struct arena *arena, struct string_list *layers,
                                 struct error *err);

#endif
