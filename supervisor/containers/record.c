/* Rows and files of containers: see record.h. */
#include "record.h"
#include "base/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "internal.h"
#include "supervisor/store/trash.h"

#define DEFINITION_PREFIX "definition-"
#define DEFINITION_MAX_BYTES (16 << 20)
#define DEFINITION_NAME_SIZE 64

static void name_definition(uint64_t revision, char name[DEFINITION_NAME_SIZE])
{
    snprintf(name, DEFINITION_NAME_SIZE, DEFINITION_PREFIX "%llu.json",
             (unsigned long long)revision);
}

/* False if it is none of ours. */
static bool parse_definition_name(const char *name, uint64_t *revision)
{
    char expected[DEFINITION_NAME_SIZE];

    if (strncmp(name, DEFINITION_PREFIX, strlen(DEFINITION_PREFIX)) != 0)
        return false;
    *revision = strtoull(name + strlen(DEFINITION_PREFIX), NULL, 10);
    name_definition(*revision, expected);
    return strcmp(name, expected) == 0;
}

static char *encode_definition(const struct definition *definition)
{
    struct json_writer *writer = json_writer_new(false);
    char *text;

    json_encode(writer, &definition_type, definition);
    text = memory_strdup(json_writer_text(writer));
    json_writer_free(writer);
    return text;
}

static int write_definition(const struct definition *definition, int directory_fd, const char *text,
                            struct error *err)
{
    char name[DEFINITION_NAME_SIZE];

    name_definition(definition->revision, name);
    /* A first revision need not be durable, since its row is. A later one replaces a good file. */
    return file_replace_sealed(directory_fd, name, text, strlen(text), 0600,
                               definition->revision > 0, err);
}

static void forget_revision(int directory_fd, uint64_t revision)
{
    char name[DEFINITION_NAME_SIZE];

    name_definition(revision, name);
    unlinkat(directory_fd, name, 0);
}

int container_record_write(struct managed_container *container, int directory_fd, struct error *err)
{
    cleanup_free char *text = encode_definition(container->definition);

    return write_definition(container->definition, directory_fd, text, err);
}

static int save_revision(struct managed_container *container, struct revision *draft,
                         struct error *err)
{
    struct definition *definition = &draft->definition;
    cleanup_close int directory_fd = container_open_directory(container);
    cleanup_free char *text = NULL;
    int result;

    if (directory_fd < 0)
        return error_errno(err, -directory_fd, "container directory");
    definition->revision = container->definition->revision + 1;
    text = encode_definition(definition);
    result = write_definition(definition, directory_fd, text, err);
    if (result == 0)
        result = database_update_definition(container->containers->database, definition->id,
                                            definition->name, text, err);
    forget_revision(directory_fd,
                    result == 0 ? container->definition->revision : definition->revision);
    return result;
}

static void take_revision(struct managed_container *container, struct revision *revision)
{
    struct revision *former = container->revision;
    bool is_listed = container->link != NULL;

    if (is_listed)
        index_remove(&container->containers->index, container);
    container->revision = revision;
    container->definition = &revision->definition;
    if (is_listed)
        index_add(&container->containers->index, container);
    parts_revised(container);
    revision_free(former);
}

int container_revise(struct managed_container *container, const struct definition *changed,
                     struct error *err)
{
    struct revision *draft = revision_copy(changed, err);

    if (draft == NULL)
        return -err->errnum;
    if (save_revision(container, draft, err) < 0) {
        revision_free(draft);
        return -err->errnum;
    }
    take_revision(container, draft);
    return 0;
}

static int insert_row(struct managed_container *container, struct error *err)
{
    cleanup_free char *definition = encode_definition(container->definition);
    cleanup_free char *state = container_encode_state(container);

    return database_insert_container(container->containers->database, container->definition->id,
                                     container->definition->tenant, container->definition->name,
                                     definition, state, err);
}

int container_record_publish(struct managed_container *container, struct error *err)
{
    struct containers *containers = container->containers;
    const char *id = container->definition->id;
    cleanup_free char *unpublished = memory_printf(CONTAINER_NEW_PREFIX "%s", id);
    int result = insert_row(container, err);

    if (result < 0)
        return result;
    /* If davitd dies here, the row's directory is still called .new-ID: the next davitd renames
     * it. */
    if (renameat2(containers->places->containers_fd, unpublished, containers->places->containers_fd,
                  id, RENAME_NOREPLACE) < 0) {
        error_errno(err, errno, "name the container's directory");
        database_delete_container(containers->database, id, true, NULL);
        return -EIO;
    }
    container->is_unpublished = false;
    return 0;
}

int container_record_put(struct managed_container *container, struct error *err)
{
    int result = database_delete_container(container->containers->database,
                                           container->definition->id, false, err);

    return result < 0 ? result : insert_row(container, err);
}

int container_record_remove(struct managed_container *container, struct error *err)
{
    struct containers *containers = container->containers;
    const char *id = container->definition->id;
    cleanup_free char *removed = memory_printf(CONTAINER_REMOVED_PREFIX "%s", id);
    int rename_errno = renameat(containers->places->containers_fd, id,
                                containers->places->containers_fd, removed) < 0
                           ? errno
                           : 0;
    bool is_gone = rename_errno == ENOENT;
    int result;

    if (!is_gone &&
        faccessat(containers->places->containers_fd, id, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return error_errno(err, rename_errno, "rename the container's directory");
    /* With auto-remove nobody relies on the removal: it need not be durable. */
    result = database_delete_container(containers->database, id,
                                       !container->definition->host_config.is_auto_removed, err);
    if (result < 0) {
        if (!is_gone)
            renameat(containers->places->containers_fd, removed, containers->places->containers_fd,
                     id);
        return result;
    }
    if (!is_gone &&
        trash_put(containers->trash, containers->places->containers_fd, removed, err) < 0)
        log_error("container %s: %s", container->definition->name, err->message);
    return 0;
}

/* The highest below `limit`. */
static int find_newest(int directory_fd, uint64_t limit, uint64_t *revision, struct error *err)
{
    cleanup_dir DIR *dir = path_list(directory_fd, ".");
    struct dirent *entry;
    bool is_found = false;

    if (dir == NULL)
        return error_errno(err, errno, "open the directory");
    while ((entry = readdir(dir)) != NULL) {
        uint64_t found;

        if (!parse_definition_name(entry->d_name, &found) || found >= limit ||
            (is_found && found < *revision))
            continue;
        *revision = found;
        is_found = true;
    }
    return is_found
               ? 0
               : error_set(err, ERROR_NOT_FOUND, ENOENT, "there is no " DEFINITION_PREFIX "N.json");
}

static int read_revision(int directory_fd, uint64_t revision, struct arena *arena,
                         struct definition *definition, struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    char name[DEFINITION_NAME_SIZE];
    int result;

    name_definition(revision, name);
    *definition = (struct definition){0};
    result = file_read_sealed(directory_fd, name, DEFINITION_MAX_BYTES, &text, err);
    if (result == 0)
        result = json_decode_text(arena, arena_strndup(arena, buffer_text(&text), text.length),
                                  text.length, &definition_type, definition, err);
    return result < 0 ? error_prefix(err, "%s", name) : 0;
}

int container_record_read(int directory_fd, struct revision *into, struct error *err)
{
    uint64_t revision = 0;
    int result = find_newest(directory_fd, UINT64_MAX, &revision, err);

    if (result == 0)
        result = read_revision(directory_fd, revision, &into->arena, &into->definition, err);
    /* A revision that was damaged while it was written has an earlier one beside it. */
    while (result < 0 && find_newest(directory_fd, revision, &revision, NULL) == 0) {
        if (read_revision(directory_fd, revision, &into->arena, &into->definition, NULL) == 0)
            return 0;
    }
    return result;
}

/* Whether the definition is on disk too, and the same. A file that a power cut has left empty is no
 * copy. */
static bool has_revision(const struct managed_container *container, const char *row)
{
    char path[IDENTIFIER_SIZE + DEFINITION_NAME_SIZE];
    char name[DEFINITION_NAME_SIZE];
    cleanup_close int fd = -1;
    struct stat status;

    name_definition(container->definition->revision, name);
    snprintf(path, sizeof(path), "%s/%s", container->definition->id, name);
    fd = file_open_regular(container->containers->places->containers_fd, path,
                           O_RDONLY | O_NOFOLLOW, 0);
    return fd >= 0 && fstat(fd, &status) == 0 && status.st_size > 0 &&
           file_is_sealed_as(fd, row, strlen(row));
}

static int update_row(const struct managed_container *container, struct error *err)
{
    const struct definition *definition = container->definition;
    cleanup_free char *text = encode_definition(definition);

    /* Another row, not reconciled yet, may have the name: the row gets the id as its name. */
    return database_update_definition(container->containers->database, definition->id,
                                      definition->id, text, err);
}

static bool is_same(const struct definition *one, const struct definition *other)
{
    cleanup_free char *text = encode_definition(one);
    cleanup_free char *other_text = encode_definition(other);

    return strcmp(text, other_text) == 0;
}

/* What the directory's definition is to the row's: later, where the row is from an older copy of
 * the database; another one, where the row is damaged, since a file is read only if it is whole. */
static bool is_better(const struct definition *file, const struct definition *row)
{
    return file->id != NULL && strcmp(file->id, row->id) == 0 &&
           (file->revision > row->revision ||
            (file->revision == row->revision && !is_same(file, row)));
}

static int take_better(struct managed_container *container, struct revision *better,
                       struct error *err)
{
    log_warning("container %s: its directory has a newer definition than the database, or the "
                "database's is damaged: it takes that of the directory",
                container->definition->name);
    take_revision(container, better);
    return update_row(container, err);
}

int container_record_reconcile(struct managed_container *container, const char *row,
                               struct error *err)
{
    cleanup_close int directory_fd = -1;
    struct revision *own = container->revision;
    struct revision *other;
    struct error unread = {0};
    int result = 0;

    if (has_revision(container, row) && own->definition.layers.count > 0)
        return 0;
    directory_fd = container_open_directory(container);
    if (directory_fd < 0)
        return error_errno(err, -directory_fd, "its directory");
    other = revision_new();
    if (container_record_read(directory_fd, other, &unread) == 0 &&
        is_better(&other->definition, &own->definition))
        return take_better(container, other, err);
    revision_free(other);
    /* A container of an early davit has no definition file, and no layers in its definition. */
    if (own->definition.layers.count == 0)
        result =
            container_record_read_layers(directory_fd, &own->arena, &own->definition.layers, err);
    if (result == 0)
        result = container_record_write(container, directory_fd, err);
    return result < 0 ? result : update_row(container, err);
}

void container_record_state(struct managed_container *container, const char *state)
{
    int runs_fd = container->containers->places->run_containers_fd;
    cleanup_close int run_fd = container_open_run_directory(container);

    if (run_fd < 0 && mkdirat(runs_fd, container->definition->id, 0700) == 0)
        run_fd = container_open_run_directory(container);
    container->has_state_file = true;
    /* No file is better than one with a former state. */
    if (run_fd >= 0 &&
        file_replace(run_fd, CONTAINER_STATE_FILE, state, strlen(state), 0600, false, NULL) < 0)
        unlinkat(run_fd, CONTAINER_STATE_FILE, 0);
}

void container_record_forget_state(struct managed_container *container)
{
    cleanup_close int run_fd = container_open_run_directory(container);

    container->has_state_file = false;
    if (run_fd < 0)
        return;
    unlinkat(run_fd, CONTAINER_STATE_FILE, 0);
    /* The directory itself is its monitor's as long as there is one. */
    if (container->control_fd < 0)
        unlinkat(container->containers->places->run_containers_fd, container->definition->id,
                 AT_REMOVEDIR);
}

char *container_record_read_state(const struct managed_container *container)
{
    cleanup_close int run_fd = container_open_run_directory(container);
    cleanup_buffer struct buffer text = {0};

    if (run_fd < 0 ||
        file_read(run_fd, CONTAINER_STATE_FILE, DEFINITION_MAX_BYTES, &text, NULL) < 0)
        return NULL;
    return memory_strdup(buffer_text(&text));
}

int container_record_read_layers(int directory_fd, struct arena *arena, struct string_list *layers,
                                 struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    struct monitor_config config = {0};
    int result = file_read(directory_fd, "monitor.json", DEFINITION_MAX_BYTES, &text, err);

    if (result == 0)
        result = json_decode_text(arena, arena_strndup(arena, buffer_text(&text), text.length),
                                  text.length, &monitor_config_type, &config, err);
    if (result < 0)
        return error_prefix(err, "monitor.json");
    for (size_t i = 0; i < config.layers.count; i++)
        string_list_append(arena, layers, config.layers.items[i]);
    return 0;
}
