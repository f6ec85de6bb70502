/* Id mappings that stand in a mount option, as Podman writes them. */
#ifndef DAVIT_RUNTIME_MOUNT_MAPPINGS_H
#define DAVIT_RUNTIME_MOUNT_MAPPINGS_H

#include "base/error.h"
#include "bundle/config.h"

/* Parses "uids=0-1-10#10-11-10;gids=0-100-10" (podman-run(1), "--volume ... idmap"): an id of the
 * filesystem, the id of the host that it becomes, and how many. With "@" before a list the second
 * ids are the container's, translated by linux.uidMappings and gidMappings. Fills uid_mappings and
 * gid_mappings of `mount`, from the arena. */
int mount_mappings_parse(struct arena *arena, const char *text, const struct oci_linux *linux_part,
                         struct oci_mount *mount, struct error *err);

#endif
