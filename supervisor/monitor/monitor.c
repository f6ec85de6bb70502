/* The monitor of one container: see monitor.h. */
#include "monitor.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/send_queue.h"
#include "cgroups/cgroups.h"
#include "images/images.h"
#include "runtime/runtime.h"
#include "state.h"
#include "streams.h"

/* A new davitd takes the place of the old one. */
static void accept_daemon(struct monitor *monitor)
{
    int fd = accept4(monitor->listen_fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return;
    monitor_disconnect(monitor);
    monitor->control_fd = fd;
    monitor_tell_started(monitor);
}

#define FIXED_EVENTS 5 /* they come before the streams' */
#define TASK_EVENTS 2  /* of each exec, before its streams': its end, its start */

static size_t count_events(const struct monitor *monitor)
{
    size_t count = FIXED_EVENTS + streams_event_count(&monitor->init.streams);

    for (const struct task *task = monitor->execs; task != NULL; task = task->next)
        count += TASK_EVENTS + streams_event_count(&task->streams);
    return count;
}

static void wake_within(int *timeout_ms, int other_ms)
{
    if (other_ms >= 0 && (*timeout_ms < 0 || other_ms < *timeout_ms))
        *timeout_ms = other_ms;
}

/* `deadline_us` 0: there is none. */
static void wake_at(int *timeout_ms, uint64_t deadline_us)
{
    uint64_t now_us = clock_monotonic_us();
    uint64_t left_ms = deadline_us > now_us ? (deadline_us - now_us) / 1000 + 1 : 0;

    if (deadline_us != 0)
        wake_within(timeout_ms, left_ms < INT_MAX ? (int)left_ms : INT_MAX);
}

static int next_timeout(const struct monitor *monitor)
{
    int timeout_ms = streams_timeout(&monitor->init.streams);

    for (const struct task *task = monitor->execs; task != NULL; task = task->next) {
        wake_within(&timeout_ms, streams_timeout(&task->streams));
        wake_at(&timeout_ms, task->launch_until_us);
    }
    if (!monitor->init.has_ended)
        wake_at(&timeout_ms, monitor->kill_us);
    else if (clock_monotonic_us() < monitor->dead_us)
        wake_at(&timeout_ms, monitor->dead_us);
    return timeout_ms;
}

/* Waits once and handles what came. The FIXED_EVENTS are followed by the init's streams and
 * then, for every exec, its process and its streams. */
static void monitor_poll_once(struct monitor *monitor)
{
    size_t count = count_events(monitor);
    cleanup_free struct pollfd *events = memory_new(count, sizeof(*events));
    const struct writer_process *queue = &monitor->log.queue;
    size_t position = FIXED_EVENTS;

    events[0] = (struct pollfd){
        .fd = monitor->control_fd,
        .events = (short)(send_queue_is_empty(&monitor->said) ? POLLIN : POLLIN | POLLOUT)};
    events[1] = (struct pollfd){.fd = monitor->listen_fd, .events = POLLIN};
    events[2] = (struct pollfd){.fd = monitor->init.has_ended ? -1 : monitor->init.process.pidfd,
                                .events = POLLIN};
    events[3] = (struct pollfd){.fd = queue->lines.length > 0 ? queue->fd : -1, .events = POLLOUT};
    events[4] = (struct pollfd){.fd = monitor->stop_fd, .events = POLLIN};
    position += streams_prepare(&monitor->init.streams, events + position);
    for (const struct task *task = monitor->execs; task != NULL; task = task->next) {
        events[position++] =
            (struct pollfd){.fd = task->has_ended ? -1 : task->process.pidfd, .events = POLLIN};
        events[position++] = (struct pollfd){
            .fd = task->launch_until_us != 0 ? task->process.control_fd : -1, .events = POLLIN};
        position += streams_prepare(&task->streams, events + position);
    }
    if (poll(events, count, next_timeout(monitor)) < 0)
        return;
    monitor_kill_if_due(monitor);
    if (events[4].revents != 0)
        monitor_stop_container(monitor);
    if (events[3].revents != 0)
        writer_process_flush(&monitor->log.queue);
    position = FIXED_EVENTS + streams_event_count(&monitor->init.streams);
    for (struct task *task = monitor->execs; task != NULL; task = task->next) {
        size_t used = TASK_EVENTS + streams_event_count(&task->streams);

        streams_handle(&task->streams, events + position + TASK_EVENTS);
        if (events[position + 1].revents != 0)
            execs_follow(monitor, task);
        if (events[position].revents != 0)
            task_reap(task);
        position += used;
    }
    execs_refuse_late(monitor);
    streams_handle(&monitor->init.streams, events + FIXED_EVENTS);
    if (events[2].revents != 0)
        monitor_end_container(monitor);
    /* After the events have been used: it may add tasks and clients. */
    if ((events[0].revents & POLLOUT) != 0)
        monitor_flush_said(monitor);
    if ((events[0].revents & ~POLLOUT) != 0 && monitor->control_fd >= 0)
        orders_receive(monitor);
    if (events[1].revents != 0)
        accept_daemon(monitor);
    execs_report_ended(monitor);
}

/* Keeps six descriptors of ours and nothing else that the spawner had. */
static void monitor_detach_from_spawner(struct monitor *monitor, const struct spawn_monitor *spawn)
{
    enum { FIRST = MONITOR_FIRST_FD };
    int *const fds[] = {&monitor->fds.container_fd, &monitor->fds.run_fd,
                        &monitor->fds.layers_fd,    &monitor->fds.seccomp_fd,
                        &monitor->fds.control_fd,   &monitor->fds.walls_fd};
    sigset_t stop;
    int null_fd;

    monitor->fds = *spawn;
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        *fds[i] = fcntl(*fds[i], F_DUPFD_CLOEXEC, FIRST);
    syscall(SYS_close_range, 0, FIRST - 1, 0);
    syscall(SYS_close_range, FIRST + ARRAY_SIZE(fds), ~0u, 0);
    null_fd = open("/dev/null", O_RDWR);
    dup2(null_fd, STDOUT_FILENO);
    dup2(null_fd, STDERR_FILENO);
    monitor->control_fd = monitor->fds.control_fd;
    setsid();
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    monitor->stop_fd = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
    umask(022);
    if (chdir("/") < 0)
        _exit(1);
}

/* davitd closes its end when it gives a start up. A monitor that comes late, because the spawner
 * was stopped, still reads MONITOR_START then, and must not start the container. */
static void leave_if_given_up(const struct monitor *monitor)
{
    struct pollfd event = {.fd = monitor->control_fd};

    if (poll(&event, 1, 0) > 0)
        _exit(0);
}

/* Follows orders until MONITOR_START; ends the monitor if davitd goes away before. */
static void wait_for_start(struct monitor *monitor)
{
    for (;;) {
        cleanup_close int fd = -1;
        const struct monitor_message *message = monitor_receive(monitor, &fd);

        if (message == NULL)
            _exit(0);
        if (message->type == MONITOR_START) {
            leave_if_given_up(monitor);
            return;
        }
        orders_follow(monitor, message, &fd);
    }
}

static _Noreturn void monitor_end_failed_start(struct monitor *monitor, const struct error *err)
{
    monitor_kill_container(monitor);
    monitor_remove_cgroup(monitor);
    container_remove_resctrl(&monitor->config, monitor->settings.id);
    monitor_run_poststop_hooks(monitor);
    monitor_tell_failure(monitor, MONITOR_START_FAILED, 0, err);
    monitor_say_goodbye(monitor);
    streams_release(&monitor->init.streams);
    _exit(1);
}

_Noreturn void monitor_run(const struct spawn_monitor *spawn)
{
    struct monitor *monitor = memory_new_one(struct monitor);
    struct json_writer *record;
    struct error err = {0};

    monitor->hierarchy = (struct cgroup_hierarchy)CGROUP_HIERARCHY_NONE;
    monitor->cgroup.fd = -1;
    monitor->log.fd = -1;
    monitor->listen_fd = -1;
    monitor->shm_mounts_fd = -1;
    monitor->init.process = (struct container)CONTAINER_NONE;
    streams_init(&monitor->init.streams);
    monitor_detach_from_spawner(monitor, spawn);
    if (monitor_prepare(monitor, &err) < 0) {
        wait_for_start(monitor);
        monitor_end_failed_start(monitor, &err);
    }
    wait_for_start(monitor);
    if (monitor_start(monitor, &err) < 0)
        monitor_end_failed_start(monitor, &err);
    /* Until now the file has told of the former run. */
    monitor_start_write(monitor->fds.container_fd, monitor->started_ns);
    monitor_tell_started(monitor);
    while (!monitor_is_over(monitor))
        monitor_poll_once(monitor);
    log_writer_finish(&monitor->log);
    /* Before hooks, which may take their time: what is written is known whoever dies. */
    record = monitor_write_exit(monitor);
    monitor_run_poststop_hooks(monitor);
    monitor_tell_exit(monitor, record);
    monitor_say_goodbye(monitor);
    streams_release(&monitor->init.streams);
    _exit(0);
}
