/*
 * A process that reads bytes from outside first gives up rights, files and system calls here. It
 * cannot get them back.
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

/* Keeps these capabilities and no others. Empties the bounding set, so that a program which the
 * process executes has none. */
int confine_drop_capabilities(const cap_value_t *kept, size_t count, struct error *err);

/* Becomes the user nobody (65534), without capabilities, in new mount, IPC and UTS namespaces in
 * which all files are read-only, with these limits and sealed by confine_seal(). The network
 * namespace stays. */
int confine_to_nobody(const struct confine_limit *limits, size_t count, struct error *err);

/* Sets no_new_privs and makes the process not dumpable, so that no other process of its user may
 * look into its memory. */
int confine_seal(struct error *err);

/* Allows all threads of the process these system calls only; any other ends as `action` says
 * (seccomp_init(3)). `extra` adds rules of its own to the libseccomp filter; NULL: no more
 * rules. */
int confine_filter(const int *calls, size_t count, uint32_t action, int (*extra)(void *filter),
                   struct error *err);

#endif
