/* What davitd asks for: see state.h. */
#include <sys/ioctl.h>
#include <sys/pidfd.h>

#include "base/cleanup.h"
#include "bundle/bundle.h"
#include "protocol.h"
#include "runtime/runtime.h"
#include "state.h"
#include "streams.h"

static void signal_exec(struct monitor *monitor, const struct monitor_message *message)
{
    const struct task *task =
        message->token != 0 ? monitor_find_task(monitor, message->token) : NULL;

    if (task != NULL && task->process.pidfd >= 0)
        pidfd_send_signal(task->process.pidfd, message->value, NULL, 0);
}

static void resize(struct monitor *monitor, const struct monitor_message *message)
{
    struct task *task = monitor_find_task(monitor, message->token);

    if (task == NULL)
        return;
    task->size = (struct winsize){.ws_row = (unsigned short)message->value,
                                  .ws_col = (unsigned short)message->value2};
    if (task->streams.is_terminal && task->streams.input_fd >= 0)
        ioctl(task->streams.input_fd, TIOCSWINSZ, &task->size);
}

/* Sets the path of a namespace to its descriptor, which stays open as long as the monitor lives. */
static void join(struct monitor *monitor, int32_t type, int fd)
{
    for (size_t i = 0; monitor->config.linux != NULL && i < monitor->config.linux->namespaces.count;
         i++) {
        struct oci_namespace *one = &monitor->config.linux->namespaces.items[i];

        if (one->type == type)
            one->path = arena_printf(&monitor->arena, "/proc/self/fd/%d", fd);
    }
}

void orders_follow(struct monitor *monitor, const struct monitor_message *message, int *fd)
{
    switch (message->type) {
    case MONITOR_ATTACH:
        if (*fd >= 0)
            streams_attach(&monitor->init.streams, take_fd(fd), message->flags, message->text,
                           message->text_length);
        break;
    case MONITOR_SIGNAL:
        if (monitor->init.process.pidfd >= 0)
            pidfd_send_signal(monitor->init.process.pidfd, message->value, NULL, 0);
        break;
    case MONITOR_RESIZE:
        resize(monitor, message);
        break;
    case MONITOR_EXEC:
        execs_start(monitor, message, take_fd(fd));
        break;
    case MONITOR_EXEC_SIGNAL:
        signal_exec(monitor, message);
        break;
    case MONITOR_PROBE:
        execs_start_probe(monitor, message, *fd);
        break;
    case MONITOR_JOIN:
        join(monitor, message->value, take_fd(fd));
        break;
    case MONITOR_SHM:
        fd_close(&monitor->shm_mounts_fd);
        monitor->shm_mounts_fd = take_fd(fd);
        break;
    case MONITOR_HELD:
        monitor->is_held = message->value != 0;
        break;
    default:
        break;
    }
}

void orders_receive(struct monitor *monitor)
{
    cleanup_close int fd = -1;
    const struct monitor_message *message = monitor_receive(monitor, &fd);

    if (message != NULL)
        orders_follow(monitor, message, &fd);
}
