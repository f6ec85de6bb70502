/*
 * What a process that reads bytes from outside gives up before it does: rights, files and system
 * calls. Nothing of it comes back.
 */
#ifndef DAVIT_BASE_CONFINE_H
#define DAVIT_BASE_CONFINE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/capability.h>
#include <sys/resource.h>

#include "error.h"

struct confine_limit {
    int resource; /* setrlimit(2) */
    rlim_t limit;
};

int confine_set_limits(const struct confine_limit *limits, size_t count, struct error *err);

/* Keeps these capabilities and no others, now and for what it executes. */
int confine_drop_capabilities(const cap_value_t *kept, size_t count, struct error *err);

/* A user that owns nothing, without capabilities, in namespaces of its own for mounts, IPC and
 * names, in which all files are read-only; limited and sealed. The network stays. */
int confine_to_nobody(const struct confine_limit *limits, size_t count, struct error *err);

/* No new privileges, and nobody may look into its memory. */
int confine_seal(struct error *err);

/* The system calls it may still make, all threads of it; others end as `action` says
 * (seccomp_init(3)). `extra` adds rules of its own to the libseccomp filter; or NULL. */
int confine_filter(const int *calls, size_t count, uint32_t action, int (*extra)(void *filter),
                   struct error *err);

#endif
