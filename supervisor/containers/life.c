/* The life of a container: its start, its end, and what its monitor says of both.
 * docs/container-states.md draws the states. The transitions are here, in remove.c and restart.c;
 * recover.c restores a state. What the parts do meanwhile is in their rows, see part.h. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sys/pidfd.h>
#include <sys/socket.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/socket.h"
#include "internal.h"
#include "leftovers.h"

/* Exit status of a container that davitd killed because its monitor had died. */
#define EXIT_LOST 137
#define KILL_PATIENCE_US 10000000  /* for a monitor to say that what was killed is dead */
#define KILL_IMPATIENCE_US 1000000 /* likewise where nothing has run yet, or was killed before */

static void on_monitor_gone(struct managed_container *container);
static void arm_kill_timer(struct managed_container *container);

/* Kills a monitor that does not answer. How its container ended is read from its exit file. */
static void kill_monitor(struct managed_container *container)
{
    if (container->monitor_pidfd >= 0)
        pidfd_send_signal(container->monitor_pidfd, SIGKILL, NULL, 0);
}

/* A monitor that has read all its messages is at work and gets more time: its disk or its clients
 * may be slow. One that has not is killed. */
static int on_kill_timeout(sd_event_source *source, uint64_t usec, void *context)
{
    struct managed_container *container = context;
    bool is_at_work = container->status == CONTAINER_RUNNING && !container->is_kill_overdue &&
                      socket_unread(container->control_fd) == 0;

    (void)source;
    (void)usec;
    container->kill_timer = sd_event_source_disable_unref(container->kill_timer);
    container_kill_by_cgroup(container);
    if (is_at_work) {
        arm_kill_timer(container);
    } else if (!container->is_kill_overdue) {
        log_error("container %s: its monitor does not answer: it is killed as well",
                  container->definition->name);
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
    container_kill_by_cgroup(container);
    arm_kill_timer(container);
}

void container_remove_if_wanted(struct managed_container *container)
{
    struct error err = {0};

    if (container->definition->host_config.is_auto_removed &&
        container_remove(container, &actor_davitd, true, &err) < 0)
        log_error("container %s: %s", container->definition->name, err.message);
}

void container_notify_stopped(struct managed_container *container)
{
    completions_end(&container->waiters[WAIT_NOT_RUNNING], NULL);
    completions_end(&container->waiters[WAIT_NEXT_EXIT], NULL);
}

static void on_started(struct managed_container *container, const struct monitor_message *message)
{
    bool is_new = container->status != CONTAINER_RUNNING;
    bool is_untold = is_new || container->is_start_untold;

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
    container->is_start_untold = false;
    parts_started(container, is_new);
    if (is_untold)
        container_event(container, "start", NULL);
    /* What has to be started with the machine must not be forgotten with it. */
    if (is_untold && container_has_policy(container))
        container_save_state_durably(container);
    else
        container_save_state(container);
    if (container->is_kill_wanted)
        container_kill(container);
    completions_end(&container->waiters[WAIT_STARTED], NULL);
}

static void on_start_failed(struct managed_container *container,
                            const struct monitor_message *message)
{
    struct error err = {0};

    monitor_message_error(message, &err);
    error_prefix(&err, "failed to start container");
    container_close_channel(container);
    /* A container that has never run is CREATED again: it has no exit that could be shown. */
    container->status = container->started_ns > 0 ? CONTAINER_EXITED : CONTAINER_CREATED;
    container->exit_code = message->value;
    free(container->error);
    container->error = memory_strdup(err.message);
    parts_failed(container);
    parts_settled(container);
    container_save_state(container);
    completions_end(&container->waiters[WAIT_STARTED], &err);
    container_notify_stopped(container);
    /* Those who waited may have removed it, or started it again. */
    if (container->status == CONTAINER_CREATED || container->status == CONTAINER_EXITED)
        container_remove_if_wanted(container);
}

void container_handle_exit(struct managed_container *container,
                           const struct monitor_message *message)
{
    bool was_stopped = container->is_stop_requested;

    container_close_channel(container);
    container->stop_timer = sd_event_source_disable_unref(container->stop_timer);
    container->is_stop_requested = false;
    container->is_kill_wanted = false;
    if (!container_take_exit_file(container) &&
        (message == NULL ||
         !container_take_exit_text(container, message->text, message->text_length))) {
        container_kill_leftovers(container);
        container->exit_code = EXIT_LOST;
        container->finished_ns = clock_now_ns();
        free(container->error);
        container->error = memory_strdup("the container's monitor died; the container was killed");
        container_write_exit_file(container);
        log_error("container %s: its monitor died, the container was killed",
                  container->definition->name);
    }
    if (container->is_held_back && container_has_policy(container))
        container_write_exit_file(container);
    container->status = CONTAINER_EXITED;
    container->is_paused = false;
    container->pid = 0;
    parts_ended(container);
    /* With auto-remove the container goes now: nobody asks later how it ended. */
    if (container->definition->host_config.is_auto_removed)
        container_save_state(container);
    else
        container_save_state_durably(container);
    container_remove_run_directory(container);
    if (container->is_oom_killed)
        container_event(container, "oom", NULL);
    container_event_number(container, "die", "exitCode", container->exit_code);
    if (was_stopped)
        container_event(container, "stop", NULL);
    parts_settled(container);
    completions_end(&container->waiters[WAIT_STARTED], NULL);
    container_notify_stopped(container);
    if (container->status == CONTAINER_EXITED)
        container_remove_if_wanted(container);
}

/* A monitor that this davitd has found, and that has ended before it said whether its container
 * runs, has not started it. */
static bool has_started(const struct managed_container *container)
{
    return container->status == CONTAINER_RUNNING &&
           (!container->is_start_untold || container_has_unknown_exit(container));
}

/* The monitor has gone, or is stuck in the kernel, without a last message. */
static void on_monitor_gone(struct managed_container *container)
{
    const char *text = container->is_kill_wanted ? "it was killed while it started"
                                                 : "the container's monitor died";
    cleanup_free struct monitor_message *message =
        memory_new(1, sizeof(*message) + strlen(text) + 1);

    if (has_started(container)) {
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

void container_receive(struct managed_container *container, const struct monitor_message *message,
                       int *passed_fd)
{
    if (message == NULL) {
        on_monitor_gone(container);
        return;
    }
    switch (message->type) {
    case MONITOR_SPAWNED:
        fd_close(&container->monitor_pidfd);
        container->monitor_pidfd = take_fd(passed_fd);
        break;
    case MONITOR_STARTED:
        on_started(container, message);
        break;
    case MONITOR_START_FAILED:
        on_start_failed(container, message);
        break;
    case MONITOR_NETWORK:
        parts_attach(container, *passed_fd, message->value);
        break;
    case MONITOR_EXITED:
        container_handle_exit(container, message);
        break;
    case MONITOR_WARNING:
        log_warning("container %s: %.*s", container->definition->name, (int)message->text_length,
                    message->text);
        break;
    default:
        parts_message(container, message);
        break;
    }
}

static int spawn_monitor(struct managed_container *container, int control_fd, struct error *err)
{
    struct containers *containers = container->containers;
    cleanup_close int directory_fd = container_open_directory(container);
    cleanup_free char *cgroup = container_cgroup_path(container);
    cleanup_close int run_fd = -1;
    int walls_fd = containers->networks->nft.fd;

    leftovers_keep(containers, cgroup);
    if (directory_fd < 0)
        return error_errno(err, -directory_fd, "container directory");
    if (mkdirat(containers->places->run_containers_fd, container->definition->id, 0700) < 0 &&
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
                                       .walls_fd = walls_fd >= 0 ? walls_fd : directory_fd,
                                   },
                                   err);
}

/* Starts a monitor and tells it what it needs. The last message, MONITOR_START, lets it begin. */
static int start_monitor(struct managed_container *container, struct container_start *start,
                         struct error *err)
{
    cleanup_close int monitor_fd = -1;
    int pair[2];
    int result;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, errno, "socketpair");
    monitor_fd = pair[1];
    result = container_watch_monitor(container, pair[0], container_receive, err);
    if (result == 0)
        result = spawn_monitor(container, monitor_fd, err);
    if (result == 0)
        result = parts_prepare(container, start, err);
    if (result == 0)
        result = container_send(container, &(struct monitor_message){.type = MONITOR_START}, NULL,
                                0, -1, err);
    return result;
}

int container_begin_start(struct managed_container *container, const struct actor *actor,
                          struct error *err)
{
    struct container_start start = {.netns_fd = -1};
    bool is_restart = container->status == CONTAINER_RESTARTING;
    int result;

    if (container->status == CONTAINER_RUNNING || container->status == CONTAINER_STARTING)
        return error_set(err, ERROR_NOT_MODIFIED, EALREADY, "container is already running");
    if (container->status == CONTAINER_REMOVING)
        return error_set(err, ERROR_CONFLICT, EBUSY, "container is being removed");
    if (container->copies_in > 0)
        return error_set(err, ERROR_CONFLICT, EBUSY, "files are being copied into container %s",
                         container->definition->id);
    result = parts_admit(container, actor, ACTION_START, err);
    if (result == 0)
        result = container_renew_bundle(container, err);
    if (result == 0)
        result = start_monitor(container, &start, err);
    if (result < 0) {
        fd_close(&start.netns_fd);
        container_close_channel(container);
        return result;
    }
    container->restart_timer = sd_event_source_disable_unref(container->restart_timer);
    container->is_held_back = false;
    container->is_restart_wanted = false;
    container->is_kill_wanted = false;
    container->is_stop_requested = false;
    container->is_start_untold = false;
    container->status = CONTAINER_STARTING;
    parts_starting(container, &start);
    fd_close(&start.netns_fd);
    /* If davitd dies now, the next one starts it. It does so too where RESTARTING is saved. */
    if (container_has_policy(container) && !is_restart)
        container_save_state(container);
    return 0;
}
