/* Trees that nobody wants any more. Removing a large one takes long: a process of its own does it,
 * while davitd goes on. */
#ifndef DAVIT_SUPERVISOR_STORE_TRASH_H
#define DAVIT_SUPERVISOR_STORE_TRASH_H

#include <systemd/sd-event.h>

#include "base/error.h"

struct trash {
    int fd;         /* <root>/trash */
    sd_event *loop; /* to be set before anything is swept */
    /* Has everything in a directory removed by another process. */
    int (*sweep)(void *context, int directory_fd, struct error *err);
    void *context;
    sd_event_source *timer; /* the next sweep; NULL: none is due */
};

/* Has the trash emptied: at once, or a moment later together with what else comes. */
void trash_sweep(struct trash *trash);
void trash_sweep_later(struct trash *trash);

/* Moves directory_fd/name to the trash without a sweep: for davitd's start, which sweeps later. */
int trash_move(struct trash *trash, int directory_fd, const char *name, struct error *err);

/* Moves directory_fd/name there and has it removed. It is gone for good, also after a power cut,
 * when the caller has synced the directory. */
int trash_put(struct trash *trash, int directory_fd, const char *name, struct error *err);

#endif
