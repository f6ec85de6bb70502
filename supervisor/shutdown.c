/* See shutdown.h. */
#include "shutdown.h"

#include <time.h>

#include "base/log.h"
#include "cgroups/systemd/scope.h"

/* davitd waits no longer than this for containers; systemd then ends them with its own signals. */
#define LONGEST_US (240 * UINT64_C(1000000))

static int on_timeout(sd_event_source *source, uint64_t usec, void *context)
{
    struct shutdown *shutdown = context;

    (void)source;
    (void)usec;
    log_warning("containers do not end: leaving them to systemd");
    sd_event_exit(shutdown->loop, 0);
    return 0;
}

static void on_all_ended(struct completion *completion, const struct error *err)
{
    const struct shutdown *shutdown = (const struct shutdown *)(void *)completion;

    (void)err;
    sd_event_exit(shutdown->loop, 0);
}

bool shutdown_begin(struct shutdown *shutdown, struct containers *containers)
{
    if (shutdown->timer != NULL || !systemd_manages_us() || !systemd_is_stopping())
        return false;
    shutdown->loop = containers->loop;
    if (sd_event_add_time_relative(shutdown->loop, &shutdown->timer, CLOCK_MONOTONIC, LONGEST_US, 0,
                                   on_timeout, shutdown) < 0)
        return false;
    log_info("the machine goes down: stopping containers");
    shutdown->completion.done = on_all_ended;
    containers_close(containers, &shutdown->completion);
    return true;
}
