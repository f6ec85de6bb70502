/* Taking a container over that an earlier davitd has left: see internal.h. */
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/socket.h"
#include "internal.h"

static int connect_monitor(struct managed_container *container)
{
    cleanup_close int run_fd = container_open_run_directory(container);

    return run_fd < 0 ? run_fd : socket_connect(run_fd, MONITOR_SOCKET, SOCK_SEQPACKET, NULL);
}

/* Its start was under way when davitd died, and came to nothing. Whoever started it wanted it to
 * run: a restart policy tries again. */
static enum container_status status_after_lost_start(const struct managed_container *container)
{
    if (container_has_policy(container) && !container->is_held_back)
        return CONTAINER_RESTARTING;
    return container->started_ns > 0 ? CONTAINER_EXITED : CONTAINER_CREATED;
}

/* Somebody has started it since its state was saved: who held it back, or wanted it restarted,
 * meant an earlier run. Without a saved state nobody knows. */
static void forget_before_start(struct managed_container *container,
                                const struct kept_state *record)
{
    if (record->json == NULL || record->status == CONTAINER_RUNNING ||
        record->status == CONTAINER_STARTING)
        return;
    container->is_held_back = false;
    container->is_restart_wanted = false;
}

/* Its monitor answers. */
static void take_running(struct managed_container *container, const struct kept_state *record)
{
    forget_before_start(container, record);
    container->status = CONTAINER_RUNNING;
    container->is_start_untold = record->status != CONTAINER_RUNNING;
    parts_found(container);
    container->is_paused = record->is_paused;
    /* An earlier davitd may have died after it saved is_paused and before it froze the container,
     * or while it had frozen the container for a commit. */
    container_freeze(container, container->is_paused, NULL);
}

/* Runs, has ended meanwhile, or never started. A monitor may end between two of these looks, but it
 * writes its exit file before its socket goes away, so the file is looked for last as well. */
void container_take_over(struct managed_container *container, const struct kept_state *record)
{
    int fd = connect_monitor(container);

    container->status =
        record->status == CONTAINER_STARTING ? status_after_lost_start(container) : record->status;
    if (fd >= 0 && container_watch_monitor(container, fd, container_receive, NULL) == 0) {
        container->monitor_pidfd = socket_peer_pidfd(fd);
        take_running(container, record);
        return;
    }
    if (container->status == CONTAINER_RUNNING || container_has_unknown_exit(container)) {
        forget_before_start(container, record);
        container_handle_exit(container, NULL);
        return;
    }
    /* Its monitor may have died between starting it and telling us. */
    container_kill_leftovers(container);
    parts_ended(container);
    /* An earlier davitd may not have come to that. */
    if (container->status == CONTAINER_EXITED)
        container_remove_if_wanted(container);
}

/* The file is there as long as a container runs, or the database could not take its state. */
bool container_read_state_file(struct managed_container *container, struct kept_state *record)
{
    cleanup_free char *text = container_record_read_state(container);

    *record = (struct kept_state){0};
    container->has_state_file =
        text != NULL && kept_state_read(&container->arena, arena_strdup(&container->arena, text),
                                        record, NULL) == 0;
    return container->has_state_file;
}

/* Another container may have the name by now of one that is taken over from its directory. */
static void use_other_name(struct managed_container *container)
{
    struct definition *definition = &container->revision->definition;

    definition->name =
        arena_printf(&container->revision->arena, "%.100s_%.12s", definition->name, definition->id);
}

/* The name is the next revision's, on disk too: of a row and a file of one revision the file would
 * count, and two had one name. */
static void settle_name(struct managed_container *container, int directory_fd)
{
    struct error err = {0};

    if (container_check_name(container->containers, container->definition->tenant,
                             container->definition->name, &err) == 0)
        return;
    use_other_name(container);
    container->revision->definition.revision++;
    err = (struct error){0};
    if (container_record_write(container, directory_fd, &err) < 0)
        log_warning("container %s: %s", container->definition->name, err.message);
}

/* Without a state file: one that was stopped has said so in its exit, one that ran goes on as its
 * policy says. Of others nobody knows whether somebody had stopped them: then only the policy
 * "always" starts them. */
static void guess_state(const struct managed_container *container, struct kept_state *record)
{
    int64_t started_ns;

    *record = (struct kept_state){.is_held_back = true};
    if (container_has_run(container, &started_ns))
        *record = (struct kept_state){.status = CONTAINER_RUNNING, .started_ns = started_ns};
}

/* Takes a container over from its files. */
int container_adopt(struct containers *containers, const char *id, int directory_fd,
                    struct error *err)
{
    struct managed_container *container = container_new(containers);
    struct kept_state record = {0};
    int result = container_record_read(directory_fd, container->revision, err);

    if (result == 0 && strcmp(container->definition->id, id) != 0)
        result = error_set(err, ERROR_CORRUPT, EINVAL, "its definition is of another container");
    if (result < 0) {
        container_free(container);
        return result;
    }
    settle_name(container, directory_fd);
    if (!container_read_state_file(container, &record))
        guess_state(container, &record);
    kept_state_restore(container, &record);
    if (record.json == NULL)
        container->started_ns = record.started_ns;
    if (container_record_put(container, err) < 0) {
        /* A row that cannot be read may have the name. */
        use_other_name(container);
        if (container_record_put(container, err) < 0)
            log_error("container %s: %s", container->definition->name, err->message);
    }
    container_link(container);
    log_warning("container %s (%s) was not in the database: taken over from its directory",
                container->definition->name, id);
    container_take_over(container, &record);
    return 0;
}
