/* Who asks for something, and for whom. */
#ifndef DAVIT_BASE_ACTOR_H
#define DAVIT_BASE_ACTOR_H

#include <stdbool.h>
#include <sys/types.h>

struct actor {
    uid_t uid;
    gid_t gid;
    /* Whose resources are meant; "": the host's own. Lives as long as davitd. */
    const char *tenant;
};

/* davitd itself: restart policies, probes, its start. */
extern const struct actor actor_davitd;

/* Names are unique within a tenant: whatever has a name is found by its tenant and its name. NULL
 * is the tenant "", which files without a tenant mean. */
bool tenant_is(const char *tenant, const char *other);

#endif
