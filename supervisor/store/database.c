/* The state database: see database.h. */
#include "database.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/memory.h"

#define SCHEMA_VERSION 2
#define PREDECESSOR_MS 5000 /* a davitd that was killed may still have the lock */
/* Room that is reserved so that a full disk still has it: for what is written between two
 * checkpoints, and for the tables to grow. A checkpoint comes after 256 pages, 1 MiB. */
#define JOURNAL_ROOM (2 << 20)
#define TABLES_ROOM (512 << 10)

struct database {
    sqlite3 *handle;
    sqlite3_stmt *insert;
    sqlite3_stmt *update;
    sqlite3_stmt *define;
    sqlite3_stmt *delete;
};

static int damage(const char *what, const char *how, struct error *err)
{
    return error_set(err, ERROR_INTERNAL, EUCLEAN,
                     "database: %s: %s. Move davit.db, davit.db-wal and davit.db-shm away and "
                     "start davitd again: it takes the containers over from their directories",
                     what, how);
}

static int failure(const struct database *database, const char *what, struct error *err)
{
    int code = sqlite3_errcode(database->handle);

    if (code == SQLITE_BUSY)
        return error_set(err, ERROR_BUSY, EBUSY,
                         "database: %s: another program has davit.db open (fuser davit.db)", what);
    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
        return damage(what, sqlite3_errmsg(database->handle), err);
    return error_set(err, ERROR_INTERNAL, code == SQLITE_FULL ? ENOSPC : EIO, "database: %s: %s",
                     what, sqlite3_errmsg(database->handle));
}

static int database_run_sql(struct database *database, const char *sql, struct error *err)
{
    if (sqlite3_exec(database->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        return failure(database, sql, err);
    return 0;
}

static int read_version(struct database *database, int *version, struct error *err)
{
    sqlite3_stmt *statement;

    if (sqlite3_prepare_v2(database->handle, "PRAGMA user_version", -1, &statement, NULL) !=
            SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        return failure(database, "read its version", err);
    *version = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return 0;
}

/* Half of a damaged database can be read, and the other is found out with the next change. */
static int check(struct database *database, struct error *err)
{
    sqlite3_stmt *statement;
    const char *found;
    int result = 0;

    if (sqlite3_prepare_v2(database->handle, "PRAGMA quick_check(1)", -1, &statement, NULL) !=
            SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        return failure(database, "check it", err);
    found = (const char *)sqlite3_column_text(statement, 0);
    if (found == NULL || strcmp(found, "ok") != 0)
        result = damage("check it", found != NULL ? found : "no answer", err);
    sqlite3_finalize(statement);
    return result;
}

static int prepare(struct database *database, const char *sql, sqlite3_stmt **statement,
                   struct error *err)
{
    if (sqlite3_prepare_v3(database->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL) !=
        SQLITE_OK)
        return failure(database, sql, err);
    return 0;
}

/* Of a new database. Nobody sees half of it. */
static const char schema[] = "BEGIN IMMEDIATE;"
                             "CREATE TABLE containers ("
                             "  id TEXT PRIMARY KEY, tenant TEXT NOT NULL, name TEXT NOT NULL,"
                             "  definition TEXT NOT NULL, state TEXT NOT NULL,"
                             "  UNIQUE (tenant, name));"
                             "PRAGMA user_version = 2;"
                             "COMMIT;";

/* Version 1 knew no tenants. */
static const char from_version_1[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE keyed ("
    "  id TEXT PRIMARY KEY, tenant TEXT NOT NULL, name TEXT NOT NULL,"
    "  definition TEXT NOT NULL, state TEXT NOT NULL, UNIQUE (tenant, name));"
    "INSERT INTO keyed SELECT id, '', name, definition, state FROM containers ORDER BY rowid;"
    "DROP TABLE containers;"
    "ALTER TABLE keyed RENAME TO containers;"
    "PRAGMA user_version = 2;"
    "COMMIT;";

static int set_up(struct database *database, struct error *err)
{
    int version = 0;
    int result = database_run_sql(database, "PRAGMA journal_mode = WAL", err);

    if (result == 0)
        result = database_run_sql(database, "PRAGMA wal_autocheckpoint = 256", err);
    if (result == 0)
        result = database_run_sql(database, "PRAGMA synchronous = NORMAL", err);
    if (result == 0)
        result = read_version(database, &version, err);
    if (result == 0 && version > SCHEMA_VERSION)
        result = error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                           "database: made by a newer davit (schema %d, this one knows %d)",
                           version, SCHEMA_VERSION);
    if (result == 0 && version > 0)
        result = check(database, err);
    if (result == 0 && version < SCHEMA_VERSION)
        result = database_run_sql(database, version == 0 ? schema : from_version_1, err);
    /* What that took is not needed again. */
    if (version == 1)
        malloc_trim(0);
    if (result == 0)
        result = prepare(database, "INSERT INTO containers VALUES (?1, ?2, ?3, ?4, ?5)",
                         &database->insert, err);
    if (result == 0)
        result = prepare(database, "UPDATE containers SET state = ?2 WHERE id = ?1",
                         &database->update, err);
    if (result == 0)
        result = prepare(database, "UPDATE containers SET name = ?2, definition = ?3 WHERE id = ?1",
                         &database->define, err);
    if (result == 0)
        result = prepare(database, "DELETE FROM containers WHERE id = ?1", &database->delete, err);
    return result;
}

/* Reserves room behind the end of the file, where SQLite appends (fallocate(2)). May fail: not
 * every filesystem can do that, and the disk may be full already. */
static void reserve(const char *path, int flags, off_t beyond)
{
    cleanup_close int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | flags, 0600);
    struct stat status;

    if (fd >= 0 && fstat(fd, &status) == 0)
        fallocate(fd, FALLOC_FL_KEEP_SIZE, status.st_size, beyond);
}

/* The journal stays when the database is closed, and its room with it. SQLite locks only the other
 * file, so that this one may be closed here. */
static void reserve_journal(struct database *database, const char *path)
{
    cleanup_free char *journal = memory_printf("%s-wal", path);
    int keeps = 1;

    sqlite3_file_control(database->handle, "main", SQLITE_FCNTL_PERSIST_WAL, &keeps);
    reserve(journal, 0, JOURNAL_ROOM);
}

int database_open(const char *root_path, struct database **opened, struct error *err)
{
    struct database *database = memory_new_one(struct database);
    cleanup_free char *path = memory_printf("%s/davit.db", root_path);
    int result = 0;

    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    /* Before SQLite has it: to close any descriptor of a file gives up all locks that a process has
     * on it (fcntl(2)), and SQLite's would go too. */
    reserve(path, O_CREAT, TABLES_ROOM);
    if (sqlite3_open_v2(path, &database->handle,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        result = failure(database, path, err);
    if (result == 0) {
        sqlite3_busy_timeout(database->handle, PREDECESSOR_MS);
        /* Before anything is read: nobody else can lock it then and make us wait, and no file of
         * shared memory is needed, for which a full disk has no room. */
        result = database_run_sql(database, "PRAGMA locking_mode = EXCLUSIVE", err);
    }
    /* 128 KiB: the database is small, and so is the daemon. */
    if (result == 0)
        result = database_run_sql(database, "PRAGMA cache_size = -128", err);
    if (result == 0)
        result = set_up(database, err);
    sqlite3_busy_timeout(database->handle, 0);
    if (result < 0) {
        database_close(database);
        return result;
    }
    reserve_journal(database, path);
    *opened = database;
    return 0;
}

void database_close(struct database *database)
{
    if (database == NULL)
        return;
    sqlite3_finalize(database->insert);
    sqlite3_finalize(database->update);
    sqlite3_finalize(database->define);
    sqlite3_finalize(database->delete);
    sqlite3_close(database->handle);
    free(database);
}

static int step(struct database *database, sqlite3_stmt *statement, const char *what,
                struct error *err)
{
    int code = sqlite3_step(statement);
    int result = code == SQLITE_DONE ? 0 : failure(database, what, err);

    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return result;
}

static void bind(sqlite3_stmt *statement, int index, const char *text)
{
    sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

/* With what has been bound; synced before it returns. */
static int step_durably(struct database *database, sqlite3_stmt *statement, const char *what,
                        struct error *err)
{
    int result = database_run_sql(database, "PRAGMA synchronous = FULL", err);

    if (result < 0)
        return result;
    result = step(database, statement, what, err);
    database_run_sql(database, "PRAGMA synchronous = NORMAL", NULL);
    return result;
}

int database_insert_container(struct database *database, const char *id, const char *tenant,
                              const char *name, const char *definition, const char *state,
                              struct error *err)
{
    bind(database->insert, 1, id);
    bind(database->insert, 2, tenant != NULL ? tenant : "");
    bind(database->insert, 3, name);
    bind(database->insert, 4, definition);
    bind(database->insert, 5, state);
    return step_durably(database, database->insert, "store a container", err);
}

int database_update_state(struct database *database, const char *id, const char *state,
                          bool is_durable, struct error *err)
{
    static const char what[] = "store a container's state";

    bind(database->update, 1, id);
    bind(database->update, 2, state);
    return is_durable ? step_durably(database, database->update, what, err)
                      : step(database, database->update, what, err);
}

int database_update_definition(struct database *database, const char *id, const char *name,
                               const char *definition, struct error *err)
{
    bind(database->define, 1, id);
    bind(database->define, 2, name);
    bind(database->define, 3, definition);
    return step_durably(database, database->define, "store a container's definition", err);
}

int database_release_name(struct database *database, const char *id, struct error *err)
{
    sqlite3_stmt *statement;
    int result =
        prepare(database, "UPDATE containers SET name = id WHERE id = ?1", &statement, err);

    if (result < 0)
        return result;
    bind(statement, 1, id);
    result = step(database, statement, "give a name up", err);
    sqlite3_finalize(statement);
    return result;
}

int database_delete_container(struct database *database, const char *id, bool is_durable,
                              struct error *err)
{
    static const char what[] = "remove a container";

    bind(database->delete, 1, id);
    return is_durable ? step_durably(database, database->delete, what, err)
                      : step(database, database->delete, what, err);
}

int database_each_container(struct database *database, database_visit *visit, void *context,
                            struct error *err)
{
    sqlite3_stmt *statement;
    int result = prepare(database, "SELECT id, definition, state FROM containers ORDER BY rowid",
                         &statement, err);
    int code = SQLITE_DONE;

    while (result == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW)
        result = visit(context, (const char *)sqlite3_column_text(statement, 0),
                       (const char *)sqlite3_column_text(statement, 1),
                       (const char *)sqlite3_column_text(statement, 2), err);
    if (result == 0 && code != SQLITE_DONE)
        result = failure(database, "read containers", err);
    sqlite3_finalize(statement);
    return result;
}
