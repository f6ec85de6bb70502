/* SELinux contexts of containers, "user:role:type:level": which ones the host's policy has for them
 * (lxc_contexts(5)), and changing parts of one. */
#ifndef DAVIT_BUNDLE_SELINUX_H
#define DAVIT_BUNDLE_SELINUX_H

#include <stdbool.h>

#include "base/memory.h"

struct selinux_contexts {
    const char *process; /* NULL: the host has no SELinux, or its policy knows no containers */
    const char *file;
};

/* The categories of a level, of which each container has two of its own. */
#define SELINUX_CATEGORIES 1024

/* What is in place of the policy's; NULL each: nothing is. */
struct selinux_parts {
    const char *user;
    const char *role;
    const char *type;
    const char *level;
    const char *file_type; /* of files, which have the level as well */
};

bool selinux_is_enabled(void);

/* Reads what the policy that is in force says. Strings lie in the arena. */
void selinux_find_contexts(struct arena *arena, struct selinux_contexts *contexts);

/* `contexts` with these parts, as the host's policy may or may not allow them. */
void selinux_change(struct arena *arena, const struct selinux_contexts *contexts,
                    const struct selinux_parts *parts, struct selinux_contexts *changed);

/* The context with the lowest level, that all containers may use: "...:s0:c1,c2" is "...:s0". */
const char *selinux_shared(struct arena *arena, const char *context);

#endif
