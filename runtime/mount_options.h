/* Mount options of config.json, sorted by what the kernel calls take. */
#ifndef DAVIT_RUNTIME_MOUNT_OPTIONS_H
#define DAVIT_RUNTIME_MOUNT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "bundle/config.h"

enum mount_idmap {
    MOUNT_IDMAP_NONE,
    MOUNT_IDMAP,
    MOUNT_IDMAP_RECURSIVE,
};

struct mount_options {
    bool is_bind;
    bool is_recursive_bind;
    bool is_remount;
    bool has_copy_up; /* a tmpfs, or an empty directory that is bound, starts with what it hides */
    const char *subpath; /* of a bind mount: the part of the source, resolved inside it; or NULL */
    const char *filesystem; /* of a bind mount: the type of a filesystem that the host mounts from
                             * the source, with `data`, in place of what lies there; or NULL */
    enum mount_idmap idmap;
    const char *mappings; /* of "idmap=...", for mount_mappings_parse(); or NULL */
    uint64_t set;         /* MOUNT_ATTR_*, mount_setattr(2) */
    uint64_t clear;
    uint64_t recursive_set; /* the same for the whole tree */
    uint64_t recursive_clear;
    uint64_t propagation; /* MS_SHARED, ...; 0: private */
    bool is_propagation_recursive;
    struct string_list data; /* the filesystem's own: "name" or "name=value" */
};

/* Sorts the options. What is no known option is the filesystem's own business; a bind mount has no
 * filesystem to tell, and as with mount(2) such options have no effect there. Options for mount(8)
 * alone ("nofail", "x-...") have none anywhere. Several may stand in one string, with commas. */
int mount_options_parse(struct arena *arena, const struct oci_mount *mount,
                        struct mount_options *options, struct error *err);

/* The names of all options that are understood here, sorted, into the arena. */
void mount_options_list(struct arena *arena, struct string_list *names);

#endif
