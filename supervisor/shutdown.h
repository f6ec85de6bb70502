/*
 * The end of the machine: when systemd stops davitd because all is stopped, containers are asked to
 * end as `stop` would ask them, and davitd waits for that.
 */
#ifndef DAVIT_SUPERVISOR_SHUTDOWN_H
#define DAVIT_SUPERVISOR_SHUTDOWN_H

#include "supervisor/containers/containers.h"

/* Zeroed: the machine does not go down. */
struct shutdown {
    struct completion completion; /* the first */
    sd_event *loop;
    sd_event_source *timer;
};

/* davitd was told to end. True: the machine goes down, containers are asked to end, and the loop
 * ends when they have. False: davitd ends at once. */
bool shutdown_begin(struct shutdown *shutdown, struct containers *containers);

#endif
