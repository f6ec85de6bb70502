/* The definitions and states of containers, in SQLite (WAL). One thread. */
#ifndef DAVIT_SUPERVISOR_STORE_DATABASE_H
#define DAVIT_SUPERVISOR_STORE_DATABASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct database;

/* Opens or makes root_path/davit.db, for this process alone, and brings its schema up to date. A
 * database of a newer davit is refused, and one that is damaged with the way out. Waits for a
 * predecessor that is about to end, and afterwards for nobody. */
int database_open(const char *root_path, struct database **database, struct error *err);
void database_close(struct database *database);

/* A container's definition and state are JSON texts. What is durable is synced to disk before it
 * returns; the rest survives a crash of davitd, and of the machine once something durable follows.
 * Inserting is durable. */
int database_insert_container(struct database *database, const char *id, const char *tenant,
                              const char *name, const char *definition, const char *state,
                              struct error *err);
int database_update_state(struct database *database, const char *id, const char *state,
                          bool is_durable, struct error *err);
/* Another name, and the definition that has it. Durable. */
int database_update_definition(struct database *database, const char *id, const char *name,
                               const char *definition, struct error *err);
/* Frees the row's name: the row gets its id as name. A container's name is in its definition; the
 * column is there only so that no two have the same. */
int database_release_name(struct database *database, const char *id, struct error *err);
int database_delete_container(struct database *database, const char *id, bool is_durable,
                              struct error *err);

typedef int database_visit(void *context, const char *id, const char *definition, const char *state,
                           struct error *err);

/* Calls `visit` for every container, oldest first. A negative result of it stops and is returned.
 */
int database_each_container(struct database *database, database_visit *visit, void *context,
                            struct error *err);

#endif
