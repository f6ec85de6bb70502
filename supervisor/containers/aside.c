/* What is among the containers and is none that davitd knows: it is put aside with the reason, and
 * can be given back or removed. See containers.h and internal.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/identifier.h"
#include "base/log.h"
#include "base/path.h"
#include "base/socket.h"
#include "internal.h"
#include "supervisor/store/trash.h"

#define ASIDE_MAX 1000 /* further ones stay where they are */
#define REASON_PREFIX ".reason-"
#define REASON_MAX_BYTES 4096

/* A directory's own entries that are not hidden. */
static int count_entries(int directory_fd)
{
    cleanup_dir DIR *dir = path_list(directory_fd, ".");
    struct dirent *entry;
    int count = 0;

    while (dir != NULL && (entry = readdir(dir)) != NULL)
        count += entry->d_name[0] != '.';
    return count;
}

/* The layers of a container that nobody knows must not be collected. */
static void keep_layers(struct containers *containers, const char *name, int directory_fd)
{
    struct arena *arena = &containers->aside_arena;
    struct string_list *kept = &containers->aside_layers;
    struct revision *revision = revision_new();
    const struct string_list *layers = &revision->definition.layers;
    bool is_known = container_record_read_layers(directory_fd, arena, kept, NULL) == 0;

    if (!is_known && container_record_read(directory_fd, revision, NULL) == 0) {
        for (size_t i = 0; i < layers->count; i++)
            string_list_append(arena, kept, arena_strdup(arena, layers->items[i]));
        is_known = layers->count > 0;
    }
    if (!is_known && identifier_is_valid(name) &&
        faccessat(directory_fd, "upper", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        containers->has_unknown_layers = true;
    revision_free(revision);
}

static bool has_monitor(struct containers *containers, const char *id)
{
    cleanup_close int run_fd = openat(containers->places->run_containers_fd, id,
                                      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    cleanup_close int fd =
        run_fd >= 0 ? socket_connect(run_fd, MONITOR_SOCKET, SOCK_SEQPACKET, NULL) : -1;

    return fd >= 0;
}

int container_note_reason(const struct containers *containers, const char *name, const char *reason,
                          struct error *err)
{
    cleanup_free char *note = memory_printf(REASON_PREFIX "%s", name);

    return file_replace(containers->places->aside_fd, note, reason, strlen(reason), 0600, false,
                        err);
}

static void put_aside(struct containers *containers, const char *name, const struct error *reason)
{
    struct error err = {0};

    if (count_entries(containers->places->aside_fd) >= ASIDE_MAX)
        error_set(&err, ERROR_TOO_LARGE, ENOSPC, "aside/ has %d entries: davit system repair",
                  ASIDE_MAX);
    else if (container_note_reason(containers, name, reason->message, &err) == 0)
        path_move_unique(containers->places->containers_fd, name, containers->places->aside_fd,
                         name, &err);
    if (err.code != ERROR_NONE)
        log_error("containers/%s is no container that davitd knows (%s): %s", name, reason->message,
                  err.message);
    else
        log_error("containers/%s is no container that davitd knows (%s): it is in aside/ now", name,
                  reason->message);
}

/* Settles an entry of <root>/containers that no row names. A half-made or half-removed container,
 * by its prefix, goes to the trash; any other is adopted, or left if it runs, or put aside. */
void container_settle_unknown(struct containers *containers, const char *name)
{
    cleanup_close int fd = openat(containers->places->containers_fd, name,
                                  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct error err = {0};

    if (strncmp(name, CONTAINER_NEW_PREFIX, strlen(CONTAINER_NEW_PREFIX)) == 0 ||
        strncmp(name, CONTAINER_REMOVED_PREFIX, strlen(CONTAINER_REMOVED_PREFIX)) == 0) {
        if (trash_put(containers->trash, containers->places->containers_fd, name, &err) < 0)
            log_warning("containers: %s", err.message);
        return;
    }
    if (fd < 0)
        error_errno(&err, errno, "open");
    else if (!identifier_is_valid(name))
        error_set(&err, ERROR_INVALID, EINVAL, "its name is no id");
    else if (container_adopt(containers, name, fd, &err) == 0)
        return;
    if (fd >= 0)
        keep_layers(containers, name, fd);
    if (has_monitor(containers, name))
        log_error("container %s runs and is not known (%s): it goes on, and its directory stays",
                  name, err.message);
    else
        put_aside(containers, name, &err);
}

/* A container that is moved back from aside/ must find its layers. */
void containers_keep_layers_of_aside(struct containers *containers)
{
    cleanup_dir DIR *dir = path_list(containers->places->aside_fd, ".");
    struct dirent *entry;

    containers->has_unknown_layers = false;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        cleanup_close int directory_fd =
            openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (directory_fd >= 0 && entry->d_name[0] != '.')
            keep_layers(containers, entry->d_name, directory_fd);
    }
}

/* Gives a container back its place. */
static int give_back(struct containers *containers, const char *name, struct error *err)
{
    int aside_fd = containers->places->aside_fd;
    cleanup_close int fd = openat(aside_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct revision *revision = revision_new();
    int result = fd < 0 ? error_errno(err, errno, "open") : 0;

    if (result == 0 && !identifier_is_valid(name))
        result = error_set(err, ERROR_INVALID, EINVAL, "its name is no id");
    if (result == 0)
        result = container_record_read(fd, revision, err);
    if (result == 0 && strcmp(revision->definition.id, name) != 0)
        result = error_set(err, ERROR_CORRUPT, EINVAL, "its definition is of another container");
    revision_free(revision);
    if (result == 0 &&
        renameat2(aside_fd, name, containers->places->containers_fd, name, RENAME_NOREPLACE) < 0)
        return error_errno(err, errno, "move it back");
    if (result == 0)
        result = container_adopt(containers, name, fd, err);
    /* It is where its layers are kept for it. */
    if (result < 0)
        renameat2(containers->places->containers_fd, name, aside_fd, name, RENAME_NOREPLACE);
    return result;
}

static void forget_reason(const struct containers *containers, const char *name)
{
    cleanup_free char *note = memory_printf(REASON_PREFIX "%s", name);

    unlinkat(containers->places->aside_fd, note, 0);
}

static const char *reason_of(const struct containers *containers, struct arena *arena,
                             const char *name)
{
    cleanup_free char *note = memory_printf(REASON_PREFIX "%s", name);
    cleanup_buffer struct buffer text = {0};

    if (file_read(containers->places->aside_fd, note, REASON_MAX_BYTES, &text, NULL) < 0)
        return identifier_is_valid(name) ? "a container that davitd could not read"
                                         : "it was no container";
    return arena_strdup(arena, buffer_text(&text));
}

static void repair_aside(struct containers *containers, const char *name, enum repair how,
                         struct findings *findings)
{
    struct finding *finding =
        findings_add(findings, arena_printf(&findings->arena, "aside/%s", name),
                     reason_of(containers, &findings->arena, name),
                     identifier_is_valid(name)
                         ? "davit system repair tries to take it back; with --prune it is removed"
                         : "davit system repair --prune removes it");
    struct error err = {0};
    const char *done = NULL;

    if (how == REPAIR_LOOK)
        return;
    if (give_back(containers, name, &err) == 0)
        done = "it is a container again";
    else if (how == REPAIR_PRUNE &&
             trash_put(containers->trash, containers->places->aside_fd, name, &err) == 0)
        done = "removed";
    if (done == NULL)
        return;
    forget_reason(containers, name);
    finding->done = done;
}

/* A container's directory that came back while davitd ran; its container may run. */
static void repair_stranger(struct containers *containers, const char *name, enum repair how,
                            struct findings *findings)
{
    struct finding *finding =
        findings_add(findings, arena_printf(&findings->arena, "containers/%s", name),
                     "no container that davitd knows; it may run",
                     "davit system repair takes it over, or puts it aside if it does not run");
    struct error err = {0};

    if (how == REPAIR_LOOK)
        return;
    container_settle_unknown(containers, name);
    if (container_by_id(containers, name) != NULL)
        finding->done = "it is a container again";
    else if (faccessat(containers->places->containers_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        finding->done = "it is in aside/ now";
    else if (how == REPAIR_PRUNE && !has_monitor(containers, name) &&
             trash_put(containers->trash, containers->places->containers_fd, name, &err) == 0)
        finding->done = "removed";
}

static void find_lost_networks(const struct managed_container *container, struct findings *findings)
{
    const struct definition *definition = container->definition;

    for (size_t i = 0; i < definition->endpoints.count; i++) {
        if (membership_network(container_network(container), i) == NULL)
            findings_add(findings,
                         arena_printf(&findings->arena, "networks/%s.json",
                                      definition->endpoints.items[i].network_id),
                         arena_printf(&findings->arena, "network %s of container %s is gone",
                                      definition->endpoints.items[i].network_name,
                                      definition->name),
                         "davit network create and connect with its name, or disconnect");
    }
}

/* Both directories are made at the first start. */
static bool has_lost_files(int directory_fd, const char *id)
{
    cleanup_free char *upper = memory_printf("%s/upper", id);
    cleanup_free char *work = memory_printf("%s/work", id);

    return faccessat(directory_fd, work, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
           faccessat(directory_fd, upper, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
}

/* What davitd does not know, and what it knows without a directory or its files. */
static void repair_strangers(struct containers *containers, enum repair how,
                             struct findings *findings)
{
    cleanup_dir DIR *dir = path_list(containers->places->containers_fd, ".");
    struct dirent *entry;

    for (const struct managed_container *one = containers->list; one != NULL; one = one->next) {
        find_lost_networks(one, findings);
        if (dir != NULL &&
            faccessat(dirfd(dir), one->definition->id, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
            findings_add(findings,
                         arena_printf(&findings->arena, "containers/%s", one->definition->id),
                         "the directory of this container is gone",
                         "bring it back, or remove the container");
        else if (dir != NULL && has_lost_files(dirfd(dir), one->definition->id))
            findings_add(findings,
                         arena_printf(&findings->arena, "containers/%s/upper", one->definition->id),
                         "the files that this container has written are gone",
                         "bring them back, or remove work/ beside it: it starts without them");
    }
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (identifier_is_valid(entry->d_name) &&
            container_by_id(containers, entry->d_name) == NULL)
            repair_stranger(containers, entry->d_name, how, findings);
    }
}

void containers_repair(struct containers *containers, enum repair how, struct findings *findings)
{
    cleanup_dir DIR *dir = path_list(containers->places->aside_fd, ".");
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.')
            repair_aside(containers, entry->d_name, how, findings);
    }
    repair_strangers(containers, how, findings);
    if (how == REPAIR_LOOK)
        return;
    arena_release(&containers->aside_arena);
    containers->aside_layers = (struct string_list){0};
    containers_keep_layers_of_aside(containers);
}
