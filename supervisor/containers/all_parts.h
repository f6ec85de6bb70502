/* The parts of containers that this room has: rows for the table, see part.h. */
#ifndef DAVIT_SUPERVISOR_CONTAINERS_ALL_PARTS_H
#define DAVIT_SUPERVISOR_CONTAINERS_ALL_PARTS_H

#include "part.h"

extern const struct container_part closing_part;   /* closing.c */
extern const struct container_part attach_part;    /* attach.c */
extern const struct container_part network_part;   /* network.c */
extern const struct container_part volume_part;    /* volumes.c */
extern const struct container_part namespace_part; /* joins.c */
extern const struct container_part id_part;        /* ids.c: after the three above */
extern const struct container_part label_part;     /* labels.c: after namespace_part */
extern const struct container_part quota_part;     /* quota.c */
extern const struct container_part probe_part;     /* probes.c */
extern const struct container_part
    exec_part;                               /* exec.c: after the probes, whose runs are no execs */
extern const struct container_part log_part; /* logs.c */
extern const struct container_part restart_part; /* restart.c */

#endif
