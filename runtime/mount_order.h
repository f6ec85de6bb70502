/*
 * C4: the order of mounts while the network namespace is still being made. Internal to runtime/.
 *
 * Sysfs shows the network namespace of the process that mounts it, so it has to wait for it, and so
 * do cgroup mounts below sysfs. Other mounts go ahead as long as the result is the same as in the
 * order of the configuration. A path may go ahead if no waiting mount lies on it or below it, and
 * if no symlink of the image can lead it there. Before any other path is used, what waits is
 * mounted.
 */
#ifndef DAVIT_RUNTIME_MOUNT_ORDER_H
#define DAVIT_RUNTIME_MOUNT_ORDER_H

#include "plan.h"

#define MOUNTS_WAITING_MAX 4

struct mount_order {
    int root_fd;  /* borrowed */
    int place_fd; /* where the root filesystem hangs until C7; -1: over "/" at once. Owned */
    struct network_entry network;
    const struct mount_plan *waiting[MOUNTS_WAITING_MAX];
    size_t waiting_count;
    int *readonly_late; /* mounts to be made read-only when all others are there; owned */
    size_t readonly_late_count;
};

/* Mounts a mount of the configuration, or lets it wait. Call it for all mounts in their order. */
int mount_order_add(struct mount_order *order, const struct mount_plan *mount, struct error *err);

/* Call this before `path` inside the root is used: it mounts what the path could depend on. */
int mount_order_settle(struct mount_order *order, const char *path, struct error *err);

/* Does what mount_order_settle() does, and opens the path (O_PATH). *fd is a descriptor or a
 * negative errno, like the result of path_open_in_root(). */
int mount_order_open(struct mount_order *order, const char *path, int *fd, struct error *err);

/* Makes those mounts read-only that could not be until now: nothing is put below them any more. */
int mount_order_make_readonly(struct mount_order *order, struct error *err);

/* Enters the network and mounts what waits for it. */
int mount_order_mount_waiting(struct mount_order *order, struct error *err);

#endif
