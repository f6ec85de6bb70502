/* The end of processes, and of the container: see state.h. */
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "bundle/bundle.h"
#include "cgroups/cgroups.h"
#include "protocol.h"
#include "runtime/runtime.h"
#include "state.h"
#include "streams.h"

#define DEATH_MS 10000 /* of what was killed; the rest sleeps in the kernel and is left behind */

void task_reap(struct task *task)
{
    if (!task->has_ended && container_wait(&task->process, &task->status, NULL) == 0)
        task->has_ended = true;
    if (task->has_ended && !task->streams.is_ending)
        streams_end(&task->streams);
}

void execs_report_ended(struct monitor *monitor)
{
    struct task **link = &monitor->execs;

    while (*link != NULL) {
        struct task *task = *link;

        if (!task->has_ended || !streams_are_done(&task->streams)) {
            link = &task->next;
            continue;
        }
        if (!task->was_refused)
            monitor_tell(monitor,
                         &(struct monitor_message){.type = MONITOR_EXEC_EXITED,
                                                   .token = task->token,
                                                   .value = task->status},
                         NULL);
        *link = task->next;
        monitor->exec_count--;
        task_free(task);
    }
}

void monitor_end_container(struct monitor *monitor)
{
    cgroup_kill(&monitor->cgroup, NULL);
    for (struct task *task = monitor->execs; task != NULL; task = task->next) {
        if (!task->has_ended)
            pidfd_send_signal(task->process.pidfd, SIGKILL, NULL, 0);
    }
    task_reap(&monitor->init);
    monitor->finished_ns = clock_now_ns();
    monitor->dead_us = clock_monotonic_us() + (uint64_t)DEATH_MS * 1000;
}

void monitor_kill_container(struct monitor *monitor)
{
    if (monitor->init.process.pidfd < 0)
        return;
    pidfd_send_signal(monitor->init.process.pidfd, SIGKILL, NULL, 0);
    /* It may sleep in the kernel. */
    if (poll(&(struct pollfd){monitor->init.process.pidfd, POLLIN, 0}, 1, DEATH_MS) > 0)
        container_wait(&monitor->init.process, &monitor->init.status, NULL);
}

bool monitor_is_over(const struct monitor *monitor)
{
    if (!monitor->init.has_ended || !streams_are_done(&monitor->init.streams))
        return false;
    for (const struct task *task = monitor->execs; task != NULL; task = task->next) {
        if (task->has_ended || clock_monotonic_us() < monitor->dead_us)
            return false;
    }
    return true;
}

void monitor_stop_container(struct monitor *monitor)
{
    struct signalfd_siginfo info;
    int signal_number =
        monitor->settings.stop_signal != 0 ? monitor->settings.stop_signal : SIGTERM;

    if (read(monitor->stop_fd, &info, sizeof(info)) != sizeof(info) || monitor->init.has_ended)
        return;
    pidfd_send_signal(monitor->init.process.pidfd, signal_number, NULL, 0);
    if (monitor->kill_us == 0 && monitor->settings.stop_timeout_s >= 0)
        monitor->kill_us =
            clock_monotonic_us() + (uint64_t)monitor->settings.stop_timeout_s * 1000000;
}

void monitor_kill_if_due(struct monitor *monitor)
{
    if (monitor->kill_us == 0 || monitor->init.has_ended || clock_monotonic_us() < monitor->kill_us)
        return;
    monitor->kill_us = 0;
    pidfd_send_signal(monitor->init.process.pidfd, SIGKILL, NULL, 0);
}

static struct json_writer *make_exit_record(const struct monitor *monitor)
{
    const struct monitor_exit record = {
        .status = monitor->init.status,
        .is_oom_killed = cgroup_oom_kill_count(&monitor->cgroup) > 0,
        .started_ns = monitor->started_ns,
        .finished_ns = monitor->finished_ns,
    };

    return monitor_exit_encode(&record);
}

struct json_writer *monitor_write_exit(const struct monitor *monitor)
{
    struct json_writer *record = make_exit_record(monitor);
    const char *text = json_writer_text(record);

    /* A disk that takes nothing any more is not the only one: davitd looks in both places. */
    if (monitor_exit_write(monitor->fds.container_fd, text) < 0)
        monitor_exit_write(monitor->fds.run_fd, text);
    return record;
}

void monitor_tell_exit(struct monitor *monitor, struct json_writer *record)
{
    monitor_remove_cgroup(monitor);
    container_remove_resctrl(&monitor->config, monitor->settings.id);
    monitor_tell(monitor,
                 &(struct monitor_message){.type = MONITOR_EXITED, .value = monitor->init.status},
                 json_writer_text(record));
    json_writer_free(record);
}
