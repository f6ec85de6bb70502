/* Removing trees beside the event loop: see trash.h. */
#include "trash.h"

#include "base/log.h"
#include "base/path.h"

/* Trees that come within this time go together: a sweep is a process. */
#define SWEEP_DELAY_US 250000

/* What cannot be removed now is removed at davitd's next start. */
void trash_sweep(struct trash *trash)
{
    struct error err = {0};

    if (trash->sweep(trash->context, trash->fd, &err) < 0)
        log_warning("trash: %s", err.message);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *context)
{
    struct trash *trash = context;

    (void)source;
    (void)usec;
    trash->timer = sd_event_source_disable_unref(trash->timer);
    trash_sweep(trash);
    return 0;
}

void trash_sweep_later(struct trash *trash)
{
    if (trash->timer == NULL)
        sd_event_add_time_relative(trash->loop, &trash->timer, CLOCK_MONOTONIC, SWEEP_DELAY_US, 0,
                                   on_timer, trash);
}

int trash_move(struct trash *trash, int directory_fd, const char *name, struct error *err)
{
    int result = path_discard(directory_fd, name, trash->fd, err);

    return result < 0 ? error_prefix(err, "remove %s", name) : 0;
}

int trash_put(struct trash *trash, int directory_fd, const char *name, struct error *err)
{
    int result = trash_move(trash, directory_fd, name, err);

    if (result == 0)
        trash_sweep_later(trash);
    return result;
}
