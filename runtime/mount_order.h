/*
 * C4: what is mounted while the network namespace is still being made. Internal to runtime/.
 *
 * Sysfs shows the network and has to wait for it, and so do cgroup mounts below it. All else goes
 * ahead of them as long as that makes no difference: mounts are listed in an order, and the result
 * must not show that it was left. A path makes no difference if nothing that waits lies on it or
 * below it, and if no symlink of the image can lead it there. Before any other path is used, what
 * waits is mounted.
 */
#ifndef DAVIT_RUNTIME_MOUNT_ORDER_H
#define DAVIT_RUNTIME_MOUNT_ORDER_H

#include "plan.h"

#define MOUNTS_WAITING_MAX 4

struct mount_order {
    int root_fd; /* borrowed */
    struct network_entry network;
    const struct mount_plan *waiting[MOUNTS_WAITING_MAX];
    size_t waiting_count;
};

/* Mounts it, or lets it wait. To be called for all mounts in their order. */
int mount_order_add(struct mount_order *order, const struct mount_plan *mount, struct error *err);

/* To be called before `path` inside the root is used: what it could depend on is mounted then. */
int mount_order_settle(struct mount_order *order, const char *path, struct error *err);

/* The same, and opens it (O_PATH): *fd is what path_open_in_root() returns. */
int mount_order_open(struct mount_order *order, const char *path, int *fd, struct error *err);

/* Enters the network and mounts what waits for it. */
int mount_order_finish(struct mount_order *order, struct error *err);

#endif
