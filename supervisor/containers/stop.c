/* Signals, and ends that are asked for: see container.h. */
#include <errno.h>
#include <signal.h>
#include <time.h>

#include "internal.h"

static int send_signal(struct managed_container *container, int signal_number, struct error *err)
{
    int result = 0;

    if (signal_number == SIGKILL)
        container_kill(container);
    else
        result = container_send(
            container, &(struct monitor_message){.type = MONITOR_SIGNAL, .value = signal_number},
            NULL, 0, -1, err);
    if (result == 0)
        container_event_number(container, "kill", "signal", signal_number);
    return result;
}

int container_signal(struct managed_container *container, const struct actor *actor,
                     int signal_number, struct error *err)
{
    bool is_starting = container->status == CONTAINER_STARTING && signal_number == SIGKILL;
    int result = parts_admit(container, actor, ACTION_SIGNAL, err);

    if (result < 0)
        return result;
    if (container->status != CONTAINER_RUNNING && !is_starting)
        return error_set(err, ERROR_CONFLICT, ESRCH, "Container %s is not running",
                         container->definition->id);
    container_hold_back(container);
    result = send_signal(container, signal_number, err);
    /* It has just ended, and so has its monitor; davitd is about to hear of it. */
    return result != -EPIPE ? result
                            : error_set(err, ERROR_CONFLICT, ESRCH, "Container %s is not running",
                                        container->definition->id);
}

static int on_stop_timeout(sd_event_source *source, uint64_t usec, void *context)
{
    struct managed_container *container = context;

    (void)source;
    (void)usec;
    container->stop_timer = sd_event_source_disable_unref(container->stop_timer);
    if (container->status == CONTAINER_RUNNING || container->status == CONTAINER_STARTING)
        send_signal(container, SIGKILL, NULL);
    return 0;
}

int container_ask_to_end(struct managed_container *container, int signal_number, int64_t timeout_s,
                         struct error *err)
{
    int result;

    if (signal_number == 0)
        signal_number = container_stop_signal(container);
    if (timeout_s == 0)
        signal_number = SIGKILL;
    result = send_signal(container, signal_number, err);
    /* A monitor that does not take the signal must not prevent the SIGKILL after timeout_s. One
     * that has ended has nothing to take it for. */
    if (result < 0 && (timeout_s > 0 || result == -EPIPE) && container->status == CONTAINER_RUNNING)
        result = 0;
    /* Processes that are held do not see the signal. */
    if (result == 0 && container->is_paused)
        result = container_thaw(container, err);
    if (result < 0 || timeout_s <= 0)
        return result;
    container->stop_timer = sd_event_source_disable_unref(container->stop_timer);
    result = sd_event_add_time_relative(container->containers->loop, &container->stop_timer,
                                        CLOCK_MONOTONIC, (uint64_t)timeout_s * 1000000, 10000,
                                        on_stop_timeout, container);
    return result < 0 ? error_errno(err, -result, "stop timer") : 0;
}

int container_begin_stop(struct managed_container *container, const struct actor *actor,
                         int signal_number, int64_t timeout_s, struct error *err)
{
    int result = parts_admit(container, actor, ACTION_STOP, err);

    if (result < 0)
        return result;
    if (container->status == CONTAINER_RESTARTING) {
        container->status = CONTAINER_EXITED;
        container_hold_back(container);
        container_write_exit_file(container);
        container_cancel_restart(container);
        return 0;
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
    return container_ask_to_end(container, signal_number, timeout_s, err);
}
