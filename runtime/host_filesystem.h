/* Filesystems that the host mounts for a container: those of a network or a device, which a
 * container in a user namespace or another network could not mount itself. Internal to runtime/. */
#ifndef DAVIT_RUNTIME_HOST_FILESYSTEM_H
#define DAVIT_RUNTIME_HOST_FILESYSTEM_H

#include "plan.h"

/* How long a server may take that is asked for the filesystem. */
#define HOST_FILESYSTEM_TIMEOUT_MS 60000

/* Makes the filesystem of a mount with the option x-davit.filesystem=TYPE, and returns it as a
 * detached mount, or the part of it that x-davit.subpath names. A process of its own does it, which
 * may hang: it is killed when the time is over, and dies when the kernel lets it. */
int host_filesystem_make(const struct mount_plan *mount, struct error *err);

#endif
