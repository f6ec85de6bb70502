/*
 * The monitor: parent of one container's first process and of its execs. It holds their streams,
 * writes the log, serves attached connections, reaps, and records the exit status. It is a fork of
 * the spawner and outlives davitd; a new davitd finds it at MONITOR_SOCKET.
 */
#ifndef DAVIT_SUPERVISOR_MONITOR_MONITOR_H
#define DAVIT_SUPERVISOR_MONITOR_MONITOR_H

/* What a monitor is born with. */
struct spawn_monitor {
    int container_fd; /* <root>/containers/ID */
    int run_fd;       /* <run>/containers/ID */
    int layers_fd;    /* <root>/layers */
    int seccomp_fd;   /* <root>/seccomp */
    int control_fd;   /* the monitor's end of its channel to davitd */
    int walls_fd;     /* the socket that owns the rules of networks (network/nft.h): it is kept */
};

/* Where a monitor has them. */
#define MONITOR_FIRST_FD 64
#define MONITOR_END_FD 80
#define MONITOR_TITLE "davit-monitor"

/* Runs in the process that the spawner forked, until the container has ended. */
_Noreturn void monitor_run(const struct spawn_monitor *spawn);

#endif
