/* Who asks for something, and for whom. */
#ifndef DAVIT_BASE_ACTOR_H
#define DAVIT_BASE_ACTOR_H

#include <sys/types.h>

struct actor {
    uid_t uid;
    gid_t gid;
    const char *tenant; /* whose resources are meant; "": the host itself, no tenant */
};

/* davitd itself: restart policies, probes, its start. */
extern const struct actor actor_davitd;

#endif
