/* At davitd's start: what has become of the containers while it was away. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/identifier.h"
#include "base/log.h"
#include "base/path.h"
#include "internal.h"

/* An earlier davitd may have died before it renamed a new container's directory, or before it
 * deleted a container's row, whose removal then nobody was told of. -ENOENT: there is no
 * directory. */
static int settle_directory(const struct managed_container *container)
{
    int containers_fd = container->containers->places->containers_fd;
    const char *id = container->definition->id;
    cleanup_free char *unpublished = memory_printf(CONTAINER_NEW_PREFIX "%s", id);
    cleanup_free char *removed = memory_printf(CONTAINER_REMOVED_PREFIX "%s", id);

    if (faccessat(containers_fd, id, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
        renameat(containers_fd, unpublished, containers_fd, id) == 0 ||
        renameat(containers_fd, removed, containers_fd, id) == 0)
        return 0;
    return -errno;
}

static void read_newer_state(struct managed_container *container, struct kept_state *record)
{
    struct kept_state newer;

    if (!container_read_state_file(container, &newer))
        return;
    /* A davitd that died after it saved an end to the database has left the file from before. */
    if (newer.started_ns < record->started_ns ||
        (newer.started_ns == record->started_ns && newer.finished_ns == 0 &&
         record->finished_ns != 0))
        return;
    *record = newer;
}

/* The newer of what the row and the files say. The state comes after the definition to which it
 * belongs. */
static void settle_revision_and_state(struct managed_container *container, const char *row,
                                      struct kept_state *record)
{
    struct error err = {0};

    if (container_record_reconcile(container, row, &err) < 0)
        log_error("container %s: %s", container->definition->name, err.message);
    read_newer_state(container, record);
}

/* What reading the rows comes to. */
struct recovery {
    struct containers *containers;
    size_t found;                     /* rows that have a directory */
    struct managed_container *ghosts; /* of rows that have no directory */
};

/* A row that cannot be read is left out, so that the others are recovered. Its container may still
 * be found by its directory. */
static int recover_row(void *context, const char *id, const char *definition, const char *state,
                       struct error *err)
{
    struct recovery *recovery = context;
    struct managed_container *container = container_new(recovery->containers);
    struct kept_state record = {0};
    struct error problem = {0};
    int result = json_decode_text(&container->revision->arena, definition, strlen(definition),
                                  &definition_type, &container->revision->definition, &problem);

    (void)err;
    if (result == 0)
        result = kept_state_read(&container->arena, arena_strdup(&container->arena, state), &record,
                                 &problem);
    if (result == 0 && strcmp(container->definition->id, id) != 0)
        result = error_set(&problem, ERROR_CORRUPT, EINVAL, "it is of another container");
    if (result < 0) {
        log_error("database: the row of container %s is left out: %s", id, problem.message);
        database_release_name(recovery->containers->database, id, NULL);
        container_free(container);
        return 0;
    }
    result = settle_directory(container);
    if (result == 0)
        settle_revision_and_state(container, definition, &record);
    kept_state_restore(container, &record);
    if (result < 0) {
        container->status = CONTAINER_EXITED;
        container->next = recovery->ghosts;
        recovery->ghosts = container;
        return 0;
    }
    recovery->found++;
    container_link(container);
    container_take_over(container, &record);
    return 0;
}

/* A row without a directory is of a container that was removed, in a database that was put back
 * from a copy. It must not hold a name that is another's now. Its definition goes to aside/. */
static void put_row_aside(struct managed_container *ghost)
{
    struct containers *containers = ghost->containers;
    struct json_writer *writer = json_writer_new(true);
    cleanup_free char *name = memory_printf("%s.json", ghost->definition->id);
    cleanup_free char *why = memory_printf(
        "the directory of container %s was gone: this is its definition", ghost->definition->name);
    const char *text;
    struct error err = {0};

    json_encode(writer, &definition_type, ghost->definition);
    text = json_writer_text(writer);
    log_warning("container %s (%s) is in the database and its directory is gone: it counts as "
                "removed, and its definition is aside/%s",
                ghost->definition->name, ghost->definition->id, name);
    if (container_note_reason(containers, name, why, &err) < 0 ||
        file_replace(containers->places->aside_fd, name, text, strlen(text), 0600, false, &err) <
            0 ||
        database_delete_container(containers->database, ghost->definition->id, false, &err) < 0)
        log_error("container %s: %s", ghost->definition->name, err.message);
    json_writer_free(writer);
    container_free(ghost);
}

/* If no container has a directory, a filesystem is probably not mounted: the rows stay. */
static void settle_ghosts(struct recovery *recovery, bool has_directories)
{
    while (recovery->ghosts != NULL) {
        struct managed_container *ghost = recovery->ghosts;

        recovery->ghosts = ghost->next;
        ghost->next = NULL;
        if (has_directories) {
            put_row_aside(ghost);
            continue;
        }
        log_error("container %s: its directory is gone, like all others: is a filesystem not "
                  "mounted?",
                  ghost->definition->name);
        container_link(ghost);
    }
}

static bool has_id(const struct string_list *names)
{
    for (size_t i = 0; i < names->count; i++) {
        if (identifier_is_valid(names->items[i]))
            return true;
    }
    return false;
}

static int list_unknown(struct containers *containers, struct arena *arena,
                        struct string_list *names, struct error *err)
{
    cleanup_dir DIR *dir = path_list(containers->places->containers_fd, ".");
    struct dirent *entry;

    if (dir == NULL)
        return error_errno(err, errno, "read containers");
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            container_by_id(containers, entry->d_name) == NULL)
            string_list_append(arena, names, arena_strdup(arena, entry->d_name));
    }
    return 0;
}

int containers_recover(struct containers *containers, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    struct recovery recovery = {.containers = containers};
    struct string_list unknown = {0};
    int result;

    containers->is_recovering = true;
    result = database_each_container(containers->database, recover_row, &recovery, err);
    if (result == 0)
        result = list_unknown(containers, &arena, &unknown, err);
    if (result < 0)
        return result;
    settle_ghosts(&recovery, recovery.found > 0 || has_id(&unknown));
    for (size_t i = 0; i < unknown.count; i++)
        container_settle_unknown(containers, unknown.items[i]);
    containers_keep_layers_of_aside(containers);
    containers->is_recovering = false;
    parts_recovered(containers);
    return 0;
}
