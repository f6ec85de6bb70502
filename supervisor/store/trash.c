/* Removing trees beside the event loop: see trash.h. */
#include "trash.h"

#include <errno.h>

#include "base/log.h"
#include "base/path.h"
#include "supervisor/spawn/spawner.h"

/* Trees that come within this time go together. */
#define SWEEP_DELAY_US 20000

/* What cannot be removed now is when davitd starts the next time. */
void trash_sweep(struct daemon *daemon)
{
    struct error err = {0};

    if (spawner_request_sweep(&daemon->spawner, daemon->trash_fd, &err) < 0)
        log_warning("trash: %s", err.message);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *context)
{
    struct daemon *daemon = context;

    (void)source;
    (void)usec;
    daemon->sweep_timer = sd_event_source_disable_unref(daemon->sweep_timer);
    trash_sweep(daemon);
    return 0;
}

void trash_sweep_later(struct daemon *daemon)
{
    if (daemon->sweep_timer == NULL)
        sd_event_add_time_relative(daemon->loop, &daemon->sweep_timer, CLOCK_MONOTONIC,
                                   SWEEP_DELAY_US, 0, on_timer, daemon);
}

int trash_move(struct daemon *daemon, int directory_fd, const char *name, struct error *err)
{
    int result = path_discard(directory_fd, name, daemon->trash_fd, err);

    return result < 0 ? error_prefix(err, "remove %s", name) : 0;
}

int trash_put(struct daemon *daemon, int directory_fd, const char *name, struct error *err)
{
    int result = trash_move(daemon, directory_fd, name, err);

    if (result == 0)
        trash_sweep_later(daemon);
    return result;
}
