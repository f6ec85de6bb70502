/* The life of a container: see container.h. */
#include "container.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/signals.h"
#include "base/socket.h"
#include "exec.h"
#include "internal.h"
#include "leftovers.h"
#include "logs.h"
#include "probes.h"
#include "runtime/runtime.h"
#include "supervisor/networks/names.h"
#include "supervisor/shutdown.h"
#include "supervisor/spawn/namespace_pool.h"
#include "supervisor/spawn/spawner.h"
#include "supervisor/store/trash.h"
#include "supervisor/volumes/volumes.h"

/* A monitor that was lost left its container without a parent: it is killed, and this is said. */
#define EXIT_LOST 137
#define SAVE_AGAIN_US 2000000
#define KILL_PATIENCE_US 10000000  /* for a monitor to say that what was killed is dead */
#define KILL_IMPATIENCE_US 1000000 /* likewise where nothing has run yet, or was killed before */
/* Container messages before anything else that is ready: who sees a stream end and asks for the
 * exit status must find it. */
#define CONTROL_PRIORITY (SD_EVENT_PRIORITY_NORMAL - 10)

const char *container_state_name(const struct managed_container *container)
{
    static const char *const names[] = {"created", "created",  "running",
                                        "exited",  "removing", "restarting"};

    return container->is_paused ? "paused" : names[container->status];
}

/* ---- state on disk ---- */

char *container_encode_state(const struct managed_container *container)
{
    struct json_writer *writer = json_writer_new(false);
    char *text;

    json_object_open(writer);
    json_member_integer(writer, "status", container->status);
    json_member_integer(writer, "pid", container->pid);
    json_member_integer(writer, "exitCode", container->exit_code);
    json_member_integer(writer, "startedNs", container->started_ns);
    json_member_integer(writer, "finishedNs", container->finished_ns);
    json_member_boolean(writer, "oomKilled", container->is_oom_killed);
    json_member_boolean(writer, "paused", container->is_paused);
    json_member_boolean(writer, "heldBack", container->is_held_back);
    json_member_integer(writer, "restartCount", container->restart_count);
    json_member_boolean(writer, "restartWanted", container->is_restart_wanted);
    json_member_string(writer, "error", container->error);
    membership_encode(writer, &container->network);
    json_key(writer, "probes");
    json_array_open(writer);
    for (int kind = 0; kind < PROBE_KIND_COUNT; kind++)
        json_encode(writer, &probe_record_type, &container->probe_records[kind]);
    json_array_close(writer);
    json_object_close(writer);
    text = memory_strdup(json_writer_text(writer));
    json_writer_free(writer);
    return text;
}

static void save_state(struct managed_container *container, bool is_durable);

/* A full disk may have room again. */
static int on_save_timer(sd_event_source *source, uint64_t usec, void *context)
{
    struct containers *containers = context;

    (void)source;
    (void)usec;
    containers->save_timer = sd_event_source_disable_unref(containers->save_timer);
    for (struct managed_container *one = containers->list; one != NULL; one = one->next) {
        if (one->has_unsaved_state && one->status != CONTAINER_REMOVING)
            save_state(one, true);
    }
    return 0;
}

static void save_later(struct containers *containers)
{
    if (containers->save_timer == NULL)
        sd_event_add_time_relative(containers->loop, &containers->save_timer, CLOCK_MONOTONIC,
                                   SAVE_AGAIN_US, 0, on_save_timer, containers);
}

static void save_state(struct managed_container *container, bool is_durable)
{
    cleanup_free char *state = container_encode_state(container);
    struct error err = {0};

    /* Until the database has it the file in /run has. */
    container->has_unsaved_state =
        database_update_state(container->containers->database, container->definition.id, state,
                              is_durable, &err) < 0;
    if (container->has_unsaved_state || container->status == CONTAINER_RUNNING)
        container_record_state(container, state);
    else if (container->has_state_file)
        container_record_forget_state(container);
    if (!container->has_unsaved_state)
        return;
    log_error("container %s: %s", container->definition.name, err.message);
    save_later(container->containers);
}

void container_save_state(struct managed_container *container)
{
    save_state(container, false);
}

void container_save_state_durably(struct managed_container *container)
{
    save_state(container, true);
}

int container_open_directory(const struct managed_container *container)
{
    char name[sizeof(CONTAINER_NEW_PREFIX) + IDENTIFIER_SIZE];
    int fd;

    snprintf(name, sizeof(name), "%s%s", container->is_unpublished ? CONTAINER_NEW_PREFIX : "",
             container->definition.id);
    fd = openat(container->containers->places->containers_fd, name,
                O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int container_open_run_directory(const struct managed_container *container)
{
    int fd = openat(container->containers->places->run_containers_fd, container->definition.id,
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

/* ---- finding ---- */

int container_find(struct containers *containers, const char *reference,
                   struct managed_container **found, struct error *err)
{
    const char *name = reference[0] == '/' ? reference + 1 : reference;
    size_t length = strlen(reference);

    *found = NULL;
    for (struct managed_container *one = containers->list; one != NULL; one = one->next) {
        if (strcmp(one->definition.id, reference) == 0 || strcmp(one->definition.name, name) == 0) {
            *found = one;
            return 0;
        }
    }
    for (struct managed_container *one = containers->list; one != NULL && length > 0;
         one = one->next) {
        if (strncmp(one->definition.id, reference, length) != 0)
            continue;
        if (*found != NULL)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "Multiple IDs found with provided prefix: %.64s", reference);
        *found = one;
    }
    if (*found == NULL)
        error_set(err, ERROR_NOT_FOUND, ENOENT, "No such container: %.256s", reference);
    return *found != NULL ? 0 : -ENOENT;
}

/* ---- waiters ---- */

void container_wait_for(struct managed_container *container, enum container_wait kind,
                        struct completion *completion)
{
    completion_add(&container->waiters[kind], completion);
}

void container_stop_waiting(struct managed_container *container,
                            const struct completion *completion)
{
    for (int kind = 0; kind < WAIT_COUNT; kind++)
        completion_remove(&container->waiters[kind], completion);
}

/* ---- events ---- */

void container_event(struct managed_container *container, const char *action,
                     const struct string_map *extra)
{
    cleanup_arena struct arena arena = {0};
    const struct string_map *labels = &container->definition.config.labels;
    static const struct string_map none;
    struct string_map attributes = {0};

    if (extra == NULL)
        extra = &none;
    attributes.items =
        arena_new(&arena, labels->count + extra->count + 2, sizeof(struct string_pair));
    for (size_t i = 0; i < labels->count; i++)
        attributes.items[attributes.count++] = labels->items[i];
    for (size_t i = 0; i < extra->count; i++)
        attributes.items[attributes.count++] = extra->items[i];
    attributes.items[attributes.count++] =
        (struct string_pair){"image", container->definition.config.image};
    attributes.items[attributes.count++] = (struct string_pair){"name", container->definition.name};
    events_publish(container->containers->events, "container", action, container->definition.id,
                   &attributes);
}

static void event_with_number(struct managed_container *container, const char *action,
                              const char *name, long number)
{
    char text[24];
    struct string_pair pair = {name, text};

    snprintf(text, sizeof(text), "%ld", number);
    container_event(container, action, &(struct string_map){&pair, 1});
}

/* ---- the list ---- */

static void disconnect(struct managed_container *container);

struct managed_container *container_new(struct containers *containers)
{
    struct managed_container *container = memory_new_one(struct managed_container);

    container->containers = containers;
    container->control_fd = -1;
    container->monitor_pidfd = -1;
    container_network_open(container);
    return container;
}

void container_free(struct managed_container *container)
{
    while (container->attachments != NULL) {
        struct early_attachment *attachment = container->attachments;

        container->attachments = attachment->next;
        fd_close(&attachment->fd);
        buffer_release(&attachment->leftover);
        free(attachment);
    }
    disconnect(container);
    sd_event_source_disable_unref(container->stop_timer);
    sd_event_source_disable_unref(container->restart_timer);
    probes_release(container);
    free(container->error);
    arena_release(&container->arena);
    free(container);
}

void container_link(struct containers *containers, struct managed_container *container)
{
    container->next = containers->list;
    containers->list = container;
    containers->count++;
    membership_link(&container->network);
    volumes_hold(containers->volumes, &container->definition);
    projects_note(containers->projects, container->definition.project);
}

static void unlink_container(struct managed_container *container)
{
    struct managed_container **link = &container->containers->list;

    while (*link != container)
        link = &(*link)->next;
    *link = container->next;
    container->containers->count--;
    membership_unlink(&container->network);
    volumes_release(container->containers->volumes, &container->definition);
    projects_release(container->containers->projects, container->definition.project);
}

/* ---- the monitor ---- */

int container_send(struct managed_container *container, const struct monitor_message *header,
                   const void *text, size_t text_length, int fd, struct error *err)
{
    bool is_long = text_length > MONITOR_TEXT_MAX;
    size_t max_length = container->monitor_version >= 2 ? MONITOR_LONG_TEXT_MAX : MONITOR_TEXT_MAX;
    cleanup_buffer struct buffer message = {0};
    cleanup_close int text_fd = -1;
    struct monitor_message copy = *header;
    int fds[2];
    size_t fd_count = 0;

    if (container->control_fd < 0)
        return error_set(err, ERROR_CONFLICT, ESRCH, "container %s is not running",
                         container->definition.id);
    if (text_length > max_length)
        return error_set(err, ERROR_TOO_LARGE, E2BIG, "the request is larger than %zu bytes",
                         max_length);
    if (is_long) {
        text_fd = file_in_memory("text", text, text_length);
        if (text_fd < 0)
            return error_errno(err, -text_fd, "memory for a request");
        copy.flags |= MONITOR_TEXT_FD;
    }
    copy.version = MONITOR_PROTOCOL_VERSION;
    copy.text_length = is_long ? 0 : (uint32_t)text_length;
    buffer_append(&message, &copy, sizeof(copy));
    buffer_append(&message, text, copy.text_length);
    if (fd >= 0)
        fds[fd_count++] = fd;
    if (text_fd >= 0)
        fds[fd_count++] = text_fd;
    return outbox_send(&container->outbox, container->containers->loop, container->control_fd,
                       message.data, message.length, fds, fd_count, "the container's monitor", err);
}

static void disconnect(struct managed_container *container)
{
    container->control = sd_event_source_disable_unref(container->control);
    container->kill_timer = sd_event_source_disable_unref(container->kill_timer);
    container->is_kill_overdue = false;
    outbox_release(&container->outbox);
    fd_close(&container->control_fd);
    fd_close(&container->monitor_pidfd);
}

static void on_started(struct managed_container *container, const struct monitor_message *message)
{
    bool is_new = container->status != CONTAINER_RUNNING;

    container->status = CONTAINER_RUNNING;
    container->pid = message->value;
    container->started_ns = message->time_ns;
    /* The wall clock may have jumped since another davitd started it. */
    container->started_us =
        clock_monotonic_us() - (is_new ? 0 : clock_process_age_us(container->pid));
    container->finished_ns = 0;
    container->exit_code = 0;
    container->is_oom_killed = false;
    free(take_pointer(&container->error));
    if (is_new)
        memset(container->probe_records, 0, sizeof(container->probe_records));
    /* What has to be started with the machine must not be forgotten with it. */
    save_state(container, is_new && container_has_policy(container));
    if (is_new)
        container_event(container, "start", NULL);
    membership_run(&container->network, container->pid);
    /* One that an earlier davitd has started may be new to the resolver. */
    if (!is_new)
        names_update(&container->network);
    probes_start(container);
    namespace_pool_fill(container->containers->namespace_pool);
    if (container->is_kill_wanted)
        container_kill(container);
    completions_end(&container->waiters[WAIT_STARTED], NULL);
    shutdown_container_started(container);
}

static void remove_if_wanted(struct managed_container *container)
{
    struct error err = {0};

    if (container->definition.host_config.is_auto_removed &&
        container_remove(container, true, &err) < 0)
        log_error("container %s: %s", container->definition.name, err.message);
}

static void on_start_failed(struct managed_container *container,
                            const struct monitor_message *message)
{
    struct containers *containers = container->containers;
    struct error err = {0};

    monitor_message_error(message, &err);
    error_prefix(&err, "failed to start container");
    disconnect(container);
    membership_fail(&container->network);
    namespace_pool_fill(container->containers->namespace_pool);
    container->status = CONTAINER_CREATED;
    container->exit_code = message->value;
    free(container->error);
    container->error = memory_strdup(err.message);
    /* One that never ran has nothing to go back to: that is a mistake of whoever made it. */
    if (container->started_ns > 0) {
        container->status = CONTAINER_EXITED;
        container_schedule_restart(container);
    }
    container_save_state(container);
    completions_end(&container->waiters[WAIT_STARTED], &err);
    container_notify_stopped(container);
    /* Those who waited may have removed it, or started it again. */
    if (container->status == CONTAINER_CREATED || container->status == CONTAINER_EXITED)
        remove_if_wanted(container);
    shutdown_container_ended(containers);
}

void container_notify_stopped(struct managed_container *container)
{
    completions_end(&container->waiters[WAIT_NOT_RUNNING], NULL);
    completions_end(&container->waiters[WAIT_NEXT_EXIT], NULL);
}

static void take_exit_record(struct managed_container *container, const struct monitor_exit *record)
{
    container->exit_code = record->status;
    container->is_oom_killed = record->is_oom_killed;
    container->finished_ns = record->finished_ns;
    if (record->started_ns != 0)
        container->started_ns = record->started_ns;
    if (record->error != NULL) {
        free(container->error);
        container->error = memory_strdup(record->error);
    }
}

static bool take_exit_text(struct managed_container *container, const char *text, size_t length)
{
    cleanup_arena struct arena arena = {0};
    struct monitor_exit record = {0};

    if (json_decode_text(&arena, text, length, &monitor_exit_type, &record, NULL) < 0)
        return false;
    take_exit_record(container, &record);
    return true;
}

/* Texts of the record are in the arena. */
static bool read_exit_file(const struct managed_container *container, struct arena *arena,
                           struct monitor_exit *record)
{
    cleanup_buffer struct buffer text = {0};
    cleanup_close int directory_fd = container_open_directory(container);

    return directory_fd >= 0 &&
           file_read(directory_fd, MONITOR_EXIT_FILE, 4096, &text, NULL) == 0 &&
           json_decode_text(arena, arena_strndup(arena, buffer_text(&text), text.length),
                            text.length, &monitor_exit_type, record, NULL) == 0;
}

bool container_has_unknown_exit(const struct managed_container *container)
{
    cleanup_arena struct arena arena = {0};
    struct monitor_exit record = {0};

    return read_exit_file(container, &arena, &record) &&
           record.finished_ns != container->finished_ns &&
           record.started_ns >= container->started_ns;
}

/* The exit file is the truth; without one the monitor was lost. */
static bool take_exit_file(struct managed_container *container)
{
    cleanup_arena struct arena arena = {0};
    struct monitor_exit record = {0};

    /* One of an earlier run is there again after a power cut. */
    if (!read_exit_file(container, &arena, &record) || record.started_ns < container->started_ns)
        return false;
    take_exit_record(container, &record);
    return true;
}

/* exit.json stays: it says how it ended also when the database does not. */
static void remove_run_directory(struct managed_container *container)
{
    cleanup_close int run_fd = container_open_run_directory(container);

    if (run_fd < 0)
        return;
    unlinkat(run_fd, MONITOR_SOCKET, 0);
    if (container->has_unsaved_state && container->status != CONTAINER_REMOVING)
        return;
    container->has_state_file = false;
    unlinkat(run_fd, CONTAINER_STATE_FILE, 0);
    /* What else is there is of somebody who was killed while he wrote. */
    if (unlinkat(container->containers->places->run_containers_fd, container->definition.id,
                 AT_REMOVEDIR) < 0)
        path_remove_tree(container->containers->places->run_containers_fd, container->definition.id,
                         NULL);
}

static char *cgroup_path(const struct managed_container *container)
{
    return memory_printf("%s/%s", container->containers->cgroup_parent, container->definition.id);
}

int container_open_cgroup(const struct managed_container *container, struct cgroup *cgroup,
                          struct error *err)
{
    cleanup_free char *path = cgroup_path(container);

    cgroup->fd = -1;
    return cgroup_open(container->containers->hierarchy, path, cgroup, err);
}

static void kill_by_cgroup(const struct managed_container *container)
{
    cleanup_free struct cgroup *cgroup = memory_new_one(struct cgroup);

    if (container_open_cgroup(container, cgroup, NULL) < 0)
        return;
    cgroup_kill(cgroup, NULL);
    cgroup_close(cgroup);
}

void container_kill_leftovers(struct managed_container *container)
{
    cleanup_free char *path = cgroup_path(container);

    leftovers_kill(container->containers, path);
}

/* In the place of its monitor, which could not: the database is not all that knows. */
static void write_exit_file(const struct managed_container *container)
{
    const struct monitor_exit record = {.status = container->exit_code,
                                        .started_ns = container->started_ns,
                                        .finished_ns = container->finished_ns,
                                        .error = container->error};
    cleanup_close int directory_fd = container_open_directory(container);
    struct json_writer *writer = json_writer_new(false);

    json_encode(writer, &monitor_exit_type, &record);
    if (directory_fd >= 0)
        monitor_exit_write(directory_fd, json_writer_text(writer));
    json_writer_free(writer);
}

void container_handle_exit(struct managed_container *container,
                           const struct monitor_message *message)
{
    struct containers *containers = container->containers;
    bool was_stopped = container->is_stop_requested;

    disconnect(container);
    probes_stop(container);
    container->stop_timer = sd_event_source_disable_unref(container->stop_timer);
    container->is_stop_requested = false;
    container->is_kill_wanted = false;
    if (!take_exit_file(container) &&
        (message == NULL || !take_exit_text(container, message->text, message->text_length))) {
        container_kill_leftovers(container);
        container->exit_code = EXIT_LOST;
        container->finished_ns = clock_now_ns();
        free(container->error);
        container->error = memory_strdup("the container's monitor died; the container was killed");
        write_exit_file(container);
        log_error("container %s: its monitor died, the container was killed",
                  container->definition.name);
    }
    container->status = CONTAINER_EXITED;
    container->is_paused = false;
    container->pid = 0;
    membership_end(&container->network);
    /* Of one that is removed now nobody asks how it ended. */
    save_state(container, !container->definition.host_config.is_auto_removed);
    remove_run_directory(container);
    execs_forget(container);
    logs_end(container);
    if (container->is_oom_killed)
        container_event(container, "oom", NULL);
    event_with_number(container, "die", "exitCode", container->exit_code);
    if (was_stopped)
        container_event(container, "stop", NULL);
    container_schedule_restart(container);
    container->is_restart_wanted = false;
    completions_end(&container->waiters[WAIT_STARTED], NULL);
    container_notify_stopped(container);
    if (container->status == CONTAINER_EXITED)
        remove_if_wanted(container);
    shutdown_container_ended(containers);
}

/* A monitor that goes away before it could say more than nothing. */
static void on_monitor_gone(struct managed_container *container)
{
    const char *text = container->is_kill_wanted ? "it was killed while it started"
                                                 : "the container's monitor died";
    cleanup_free struct monitor_message *message =
        memory_new(1, sizeof(*message) + strlen(text) + 1);

    if (container->status == CONTAINER_RUNNING) {
        container_handle_exit(container, NULL);
        return;
    }
    message->value = 128;
    message->value2 = ERROR_INTERNAL;
    message->text_length = (uint32_t)strlen(text);
    memcpy(message->text, text, strlen(text));
    container_kill_leftovers(container);
    on_start_failed(container, message);
}

static int on_control(sd_event_source *source, int fd, uint32_t events, void *context)
{
    struct managed_container *container = context;
    cleanup_free struct monitor_message *message =
        memory_new(1, sizeof(*message) + MONITOR_TEXT_MAX);
    cleanup_close int passed_fd = -1;
    size_t fd_count = 1;
    ssize_t count =
        socket_receive(fd, message, sizeof(*message) + MONITOR_TEXT_MAX, &passed_fd, &fd_count);

    (void)source;
    (void)events;
    if (count == 0 || count == -ECONNRESET) {
        on_monitor_gone(container);
        return 0;
    }
    /* One of another version may say what is not known here. */
    if (count < (ssize_t)sizeof(*message) ||
        message->text_length > (size_t)count - sizeof(*message))
        return 0;
    container->monitor_version = message->version;
    switch (message->type) {
    case MONITOR_SPAWNED:
        fd_close(&container->monitor_pidfd);
        container->monitor_pidfd = take_fd(&passed_fd);
        break;
    case MONITOR_STARTED:
        on_started(container, message);
        break;
    case MONITOR_START_FAILED:
        on_start_failed(container, message);
        break;
    case MONITOR_NETWORK:
        membership_attach(&container->network, passed_fd, message->value);
        break;
    case MONITOR_EXITED:
        container_handle_exit(container, message);
        break;
    case MONITOR_EXEC_STARTED:
    case MONITOR_EXEC_FAILED:
    case MONITOR_EXEC_EXITED:
        if (!probes_handle_message(container, message))
            exec_handle_message(container, message);
        break;
    default:
        break;
    }
    return 0;
}

int container_watch_monitor(struct managed_container *container, int fd, struct error *err)
{
    int result;

    container->control_fd = fd;
    result = sd_event_add_io(container->containers->loop, &container->control, fd, EPOLLIN,
                             on_control, container);
    if (result < 0) {
        fd_close(&container->control_fd);
        return error_errno(err, -result, "watch the container's monitor");
    }
    sd_event_source_set_priority(container->control, CONTROL_PRIORITY);
    return 0;
}

/* ---- starting ---- */

static int spawn(struct managed_container *container, int control_fd, struct error *err)
{
    struct containers *containers = container->containers;
    cleanup_close int directory_fd = container_open_directory(container);
    cleanup_free char *cgroup = cgroup_path(container);
    cleanup_close int run_fd = -1;

    leftovers_keep(containers, cgroup);
    if (directory_fd < 0)
        return error_errno(err, -directory_fd, "container directory");
    if (mkdirat(containers->places->run_containers_fd, container->definition.id, 0700) < 0 &&
        errno != EEXIST)
        return error_errno(err, errno, "make the container's run directory");
    run_fd = container_open_run_directory(container);
    if (run_fd < 0)
        return error_errno(err, -run_fd, "container's run directory");
    return spawner_request_monitor(containers->spawner,
                                   &(struct spawn_monitor){
                                       .container_fd = directory_fd,
                                       .run_fd = run_fd,
                                       .layers_fd = containers->images->layers_fd,
                                       .seccomp_fd = containers->places->seccomp_fd,
                                       .control_fd = control_fd,
                                   },
                                   err);
}

static int send_attachment(struct managed_container *container, struct early_attachment *attachment,
                           struct error *err)
{
    int result = container_send(
        container, &(struct monitor_message){.type = MONITOR_ATTACH, .flags = attachment->flags},
        buffer_text(&attachment->leftover), attachment->leftover.length, attachment->fd, err);

    fd_close(&attachment->fd);
    buffer_release(&attachment->leftover);
    free(attachment);
    return result;
}

static int hand_over_attachments(struct managed_container *container, struct error *err)
{
    int result = 0;

    while (result == 0 && container->attachments != NULL) {
        struct early_attachment *attachment = container->attachments;

        container->attachments = attachment->next;
        result = send_attachment(container, attachment, err);
    }
    return result;
}

int container_begin_start(struct managed_container *container, struct error *err)
{
    cleanup_close int monitor_fd = -1;
    cleanup_close int netns_fd = -1;
    int pair[2];
    int result;

    if (container->status == CONTAINER_RUNNING || container->status == CONTAINER_STARTING)
        return error_set(err, ERROR_NOT_MODIFIED, EALREADY, "container is already running");
    if (container->status == CONTAINER_REMOVING)
        return error_set(err, ERROR_CONFLICT, EBUSY, "container is being removed");
    if (container->containers->shutdown != NULL)
        return error_set(err, ERROR_BUSY, EBUSY, "the machine goes down");
    if (container->copies_in > 0)
        return error_set(err, ERROR_CONFLICT, EBUSY, "files are being copied into container %s",
                         container->definition.id);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, errno, "socketpair");
    monitor_fd = pair[1];
    membership_cut(&container->network);
    result = container_watch_monitor(container, pair[0], err);
    if (result == 0)
        result = spawn(container, monitor_fd, err);
    if (result == 0)
        result = hand_over_attachments(container, err);
    if (result == 0)
        result = container_joins_send(container, err);
    if (result == 0) {
        netns_fd = container_give_namespaces(container);
        result = container_send(container, &(struct monitor_message){.type = MONITOR_START}, NULL,
                                0, -1, err);
    }
    if (result < 0) {
        disconnect(container);
        return result;
    }
    container->restart_timer = sd_event_source_disable_unref(container->restart_timer);
    container->is_held_back = false;
    container->is_kill_wanted = false;
    container->is_stop_requested = false;
    container->status = CONTAINER_STARTING;
    membership_start(&container->network, netns_fd);
    return 0;
}

/* ---- signals ---- */

/* Of one that is wedged: what it does can be found out from the files it has left. */
static void kill_monitor(struct managed_container *container)
{
    if (container->monitor_pidfd >= 0)
        pidfd_send_signal(container->monitor_pidfd, SIGKILL, NULL, 0);
}

static void arm_kill_timer(struct managed_container *container);

/* A monitor that reads what it is told is at work: it may have much to write, or clients that take
 * their time. */
static int on_kill_timeout(sd_event_source *source, uint64_t usec, void *context)
{
    struct managed_container *container = context;
    bool is_at_work = container->status == CONTAINER_RUNNING && !container->is_kill_overdue &&
                      socket_unread(container->control_fd) == 0;

    (void)source;
    (void)usec;
    container->kill_timer = sd_event_source_disable_unref(container->kill_timer);
    kill_by_cgroup(container);
    if (is_at_work) {
        arm_kill_timer(container);
    } else if (!container->is_kill_overdue) {
        log_error("container %s: its monitor does not answer: it is killed as well",
                  container->definition.name);
        container->is_kill_overdue = true;
        kill_monitor(container);
        arm_kill_timer(container);
    } else {
        /* Not even SIGKILL ends it, for now: it waits in the kernel. */
        on_monitor_gone(container);
    }
    return 0;
}

static void arm_kill_timer(struct managed_container *container)
{
    uint64_t patience_us = container->status == CONTAINER_RUNNING && !container->is_kill_overdue
                               ? KILL_PATIENCE_US
                               : KILL_IMPATIENCE_US;

    if (container->kill_timer == NULL)
        sd_event_add_time_relative(container->containers->loop, &container->kill_timer,
                                   CLOCK_MONOTONIC, patience_us, 10000, on_kill_timeout, container);
}

void container_kill(struct managed_container *container)
{
    container->is_kill_wanted = true;
    /* The monitor first, which then knows why all of them end. */
    if (container->status == CONTAINER_RUNNING)
        container_send(container,
                       &(struct monitor_message){.type = MONITOR_SIGNAL, .value = SIGKILL}, NULL, 0,
                       -1, NULL);
    kill_by_cgroup(container);
    arm_kill_timer(container);
}

int container_signal(struct managed_container *container, int signal_number, struct error *err)
{
    bool is_starting = container->status == CONTAINER_STARTING && signal_number == SIGKILL;
    int result = 0;

    if (container->status != CONTAINER_RUNNING && !is_starting)
        return error_set(err, ERROR_CONFLICT, ESRCH, "Container %s is not running",
                         container->definition.id);
    if (signal_number == SIGKILL)
        container_kill(container);
    else
        result = container_send(
            container, &(struct monitor_message){.type = MONITOR_SIGNAL, .value = signal_number},
            NULL, 0, -1, err);
    if (result == 0)
        event_with_number(container, "kill", "signal", signal_number);
    return result;
}

static int on_stop_timeout(sd_event_source *source, uint64_t usec, void *context)
{
    struct managed_container *container = context;

    (void)source;
    (void)usec;
    container->stop_timer = sd_event_source_disable_unref(container->stop_timer);
    container_signal(container, SIGKILL, NULL);
    return 0;
}

int container_stop_signal(const struct managed_container *container)
{
    const char *own = container->definition.config.stop_signal;

    return own != NULL && own[0] != '\0' ? signal_parse(own) : SIGTERM;
}

int64_t container_stop_timeout(const struct managed_container *container)
{
    const struct optional_int64 *own = &container->definition.config.stop_timeout;

    if (!own->is_set)
        return CONTAINER_STOP_TIMEOUT_S;
    return own->value < CONTAINER_STOP_TIMEOUT_MAX_S ? own->value : CONTAINER_STOP_TIMEOUT_MAX_S;
}

int container_end(struct managed_container *container, int signal_number, int64_t timeout_s,
                  struct error *err)
{
    int result;

    if (signal_number == 0)
        signal_number = container_stop_signal(container);
    if (timeout_s == 0)
        signal_number = SIGKILL;
    result = container_signal(container, signal_number, err);
    /* A monitor that does not answer keeps nothing from being killed in time. */
    if (result < 0 && timeout_s > 0 && container->status == CONTAINER_RUNNING)
        result = 0;
    /* Processes that are held do not see the signal. */
    if (result == 0 && container->is_paused)
        result = container_unpause(container, err);
    if (result < 0 || timeout_s <= 0)
        return result;
    container->stop_timer = sd_event_source_disable_unref(container->stop_timer);
    result = sd_event_add_time_relative(container->containers->loop, &container->stop_timer,
                                        CLOCK_MONOTONIC, (uint64_t)timeout_s * 1000000, 10000,
                                        on_stop_timeout, container);
    return result < 0 ? error_errno(err, -result, "stop timer") : 0;
}

int container_begin_stop(struct managed_container *container, int signal_number, int64_t timeout_s,
                         struct error *err)
{
    if (container->status == CONTAINER_RESTARTING) {
        container->is_held_back = true;
        container_cancel_restart(container);
    }
    if (container->status != CONTAINER_RUNNING && container->status != CONTAINER_STARTING)
        return error_set(err, ERROR_NOT_MODIFIED, EALREADY, "container is not running");
    container_hold_back(container);
    container->is_stop_requested = true;
    /* One that starts has no program yet that could be asked to end. */
    if (container->status == CONTAINER_STARTING) {
        container_kill(container);
        return 0;
    }
    return container_end(container, signal_number, timeout_s, err);
}

/* ---- streams ---- */

int container_attach(struct managed_container *container, int fd, unsigned int flags,
                     struct buffer *leftover, struct error *err)
{
    struct early_attachment *attachment = memory_new_one(struct early_attachment);
    struct early_attachment **link = &container->attachments;

    *attachment = (struct early_attachment){.fd = fd, .flags = flags, .leftover = *leftover};
    *leftover = (struct buffer){0};
    container_event(container, "attach", NULL);
    if (container->control_fd >= 0)
        return send_attachment(container, attachment, err);
    while (*link != NULL)
        link = &(*link)->next;
    *link = attachment;
    return 0;
}

int container_resize(struct managed_container *container, uint64_t token, int rows, int columns,
                     struct error *err)
{
    if (container->status != CONTAINER_RUNNING)
        return error_set(err, ERROR_CONFLICT, ESRCH, "Container %s is not running",
                         container->definition.id);
    return container_send(
        container,
        &(struct monitor_message){
            .type = MONITOR_RESIZE, .token = token, .value = rows, .value2 = columns},
        NULL, 0, -1, err);
}

/* ---- removing ---- */

static int on_bury(sd_event_source *source, void *context)
{
    (void)source;
    container_free(context);
    return 0;
}

int container_remove(struct managed_container *container, bool removes_volumes, struct error *err)
{
    struct containers *containers = container->containers;
    const enum container_status status = container->status;
    int result;

    if (container->status == CONTAINER_RUNNING || container->status == CONTAINER_STARTING)
        return error_set(err, ERROR_CONFLICT, EBUSY,
                         "You cannot remove a running container %s. Stop the container before "
                         "attempting removal or force remove",
                         container->definition.id);
    if (container->status == CONTAINER_RESTARTING)
        return error_set(err, ERROR_CONFLICT, EBUSY,
                         "You cannot remove a restarting container %s. Stop the container before "
                         "attempting removal or force remove",
                         container->definition.id);
    if (container->status == CONTAINER_REMOVING)
        return error_set(err, ERROR_CONFLICT, EBUSY,
                         "removal of container %s is already in "
                         "progress",
                         container->definition.id);
    container->status = CONTAINER_REMOVING;
    result = container_record_remove(container, err);
    if (result < 0) {
        container->status = status;
        return result;
    }
    membership_cut(&container->network);
    if (container->definition.project != 0)
        quota_limit(containers->places->containers_fd, container->definition.project, 0, NULL);
    remove_run_directory(container);
    unlink_container(container);
    /* It may have been its network's last. */
    if (container->definition.endpoints.count > 0)
        firewall_change(containers->networks);
    if (removes_volumes)
        container_volumes_remove(containers->volumes, &container->definition);
    container_event(container, "destroy", NULL);
    execs_forget(container);
    for (int kind = 0; kind < WAIT_COUNT; kind++)
        completions_end(&container->waiters[kind], NULL);
    /* Callers up the stack may be in the middle of this container's affairs: it goes when they are
     * done. */
    sd_event_add_defer(containers->loop, NULL, on_bury, container);
    return 0;
}
