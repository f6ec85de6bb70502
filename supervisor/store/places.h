/*
 * Where davitd keeps things: the directories below --root and --run. Each of the two is locked, so
 * that no two davitds work in one, and belongs to root alone: images contain setuid files.
 */
#ifndef DAVIT_SUPERVISOR_STORE_PLACES_H
#define DAVIT_SUPERVISOR_STORE_PLACES_H

#include "base/error.h"

struct places {
    const char *root;
    const char *run;
    int root_fd;
    int run_fd;
    int run_containers_fd; /* <run>/containers */
    int containers_fd;     /* <root>/containers, and so on */
    int seccomp_fd;
    int volumes_fd;
    int networks_fd;
    int trash_fd;
    int aside_fd; /* what was found and is not known */
};

/* Makes what is missing, and takes the locks. `root` and `run` stay the caller's and are kept.
 * ERROR_CONFLICT if another davitd has one of the locks for longer than one that was killed would.
 */
int places_open(struct places *places, const char *root, const char *run, struct error *err);

#endif
