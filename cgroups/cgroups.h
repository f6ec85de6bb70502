/*
 * Control groups, version 2 (kernel: Documentation/admin-guide/cgroup-v2.rst).
 *
 * A hierarchy is the cgroup2 mount of this host. Hosts whose controllers belong to cgroup v1 exist;
 * there, grouping, freezing and killing work, and a setting whose controller is missing is refused
 * by name (cgroup_check_settings()), never ignored.
 *
 * Everything is reached by directory descriptors. Functions may be called from any one thread at a
 * time and do not block, except where they say so.
 */
#ifndef DAVIT_CGROUPS_CGROUPS_H
#define DAVIT_CGROUPS_CGROUPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/json_table.h"
#include "base/memory.h"

#define CGROUP_PATH_SIZE 4096

/* Who makes a container's cgroup. */
enum cgroup_manager {
    CGROUP_MANAGER_CGROUPFS, /* we, in the filesystem */
    CGROUP_MANAGER_SYSTEMD,  /* systemd, as a scope; we set limits in it */
    CGROUP_MANAGER_DISABLED, /* nobody: it stays in its creator's cgroup, without limits */
};

/* A bit each for the controllers davit uses. */
enum cgroup_controller {
    CGROUP_CPU = 1 << 0,
    CGROUP_CPUSET = 1 << 1,
    CGROUP_IO = 1 << 2,
    CGROUP_MEMORY = 1 << 3,
    CGROUP_PIDS = 1 << 4,
    CGROUP_HUGETLB = 1 << 5,
    CGROUP_RDMA = 1 << 6,
    CGROUP_MISC = 1 << 7,
    CGROUP_DMEM = 1 << 8,
    CGROUP_LAST = CGROUP_DMEM,
};

/* Those that statistics come from; enabled wherever they exist. */
#define CGROUP_ACCOUNTING (CGROUP_CPU | CGROUP_IO | CGROUP_MEMORY | CGROUP_PIDS)

/* "cpu", "memory", ... of one bit. */
const char *cgroup_controller_name(unsigned int controller);

struct cgroup_hierarchy {
    int fd;                 /* the mount point */
    char path[256];         /* the mount point */
    unsigned int available; /* controllers in the root's cgroup.controllers */
};

#define CGROUP_HIERARCHY_NONE \
    {                         \
        .fd = -1              \
    }

/* Finds the cgroup2 mount: /sys/fs/cgroup, /sys/fs/cgroup/unified, or any in mountinfo. */
int cgroup_hierarchy_open(struct cgroup_hierarchy *hierarchy, struct error *err);
void cgroup_hierarchy_close(struct cgroup_hierarchy *hierarchy);

/* The cgroup of a process (0: the caller), as a path below the mount, such as "/user.slice". */
int cgroup_path_of_process(pid_t pid, char path[CGROUP_PATH_SIZE], struct error *err);

/* One value for one file. `option` is what a user calls it, for errors. */
struct cgroup_setting {
    const char *file; /* "memory.max"; the part before the dot is its controller */
    const char *value;
    const char *option;
};

struct cgroup_settings {
    struct cgroup_setting items[128];
    size_t count;
    struct arena arena;
};

/* Adds a setting; the value is formatted into the settings' arena. -E2BIG if there are too many. */
int cgroup_settings_add(struct cgroup_settings *settings, const char *option, const char *file,
                        const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Takes out those of that file and value. */
void cgroup_settings_drop(struct cgroup_settings *settings, const char *file, const char *value);
void cgroup_settings_release(struct cgroup_settings *settings);

/* The controllers the settings need. -EINVAL for a file name that is no controller's or that
 * leaves the cgroup's directory. */
int cgroup_settings_controllers(const struct cgroup_settings *settings, unsigned int *controllers,
                                struct error *err);

/* Refuses, by option and controller name, what this host cannot enforce. Changes nothing. */
int cgroup_check_settings(const struct cgroup_hierarchy *hierarchy,
                          const struct cgroup_settings *settings, struct error *err);

struct cgroup {
    int fd; /* the directory; -1 is none */
    char path[CGROUP_PATH_SIZE];
};

#define CGROUP_NONE \
    {               \
        .fd = -1    \
    }

/* Makes the cgroup `path` ("/davit/id") and what is missing above it, and enables `controllers`
 * (those available) on the way down, so that they exist in it. -EEXIST with `must_be_new` if it is
 * there already. */
int cgroup_create(const struct cgroup_hierarchy *hierarchy, const char *path,
                  unsigned int controllers, bool must_be_new, struct cgroup *cgroup,
                  struct error *err);
int cgroup_open(const struct cgroup_hierarchy *hierarchy, const char *path, struct cgroup *cgroup,
                struct error *err);

/* Enables controllers for a cgroup that exists, as cgroup_create() does for a new one. */
int cgroup_enable_controllers(const struct cgroup_hierarchy *hierarchy, const char *path,
                              unsigned int controllers, struct error *err);

/* Gives the cgroup to a user of a container: the directory and the files that may be delegated
 * (cgroups(7), "Cgroups delegation"), not those that hold its limits. */
int cgroup_delegate(const struct cgroup *cgroup, uid_t uid, struct error *err);

void cgroup_close(struct cgroup *cgroup);

/* Writes the settings in order. Stops at the first that fails. */
int cgroup_apply(const struct cgroup *cgroup, const struct cgroup_settings *settings,
                 struct error *err);

/* Moves a process (0: the caller) into the cgroup. */
int cgroup_attach(const struct cgroup *cgroup, pid_t pid, struct error *err);

/* Freezes or thaws all processes below, and does not wait for it: see cgroup_is_frozen(). */
int cgroup_begin_freeze(const struct cgroup *cgroup, bool is_frozen, struct error *err);

/* Freezes or thaws all processes below; waits up to timeout_ms until the kernel says it is done. */
int cgroup_set_frozen(const struct cgroup *cgroup, bool is_frozen, int timeout_ms,
                      struct error *err);
int cgroup_is_frozen(const struct cgroup *cgroup, bool *is_frozen, struct error *err);

/* True while a process lives in the cgroup or below. */
int cgroup_is_populated(const struct cgroup *cgroup, bool *is_populated, struct error *err);

/* SIGKILL to every process below: cgroup.kill, or on kernels without it (before 5.14) freeze and
 * kill one by one. */
int cgroup_kill(const struct cgroup *cgroup, struct error *err);

/* Waits up to timeout_ms until no process lives in it or below. */
int cgroup_await_empty(const struct cgroup *cgroup, int timeout_ms, struct error *err);

/* Removes the cgroup and what the container made below it. Waits up to timeout_ms for processes
 * that are exiting. A missing cgroup is fine. Closes `cgroup`. */
int cgroup_remove(const struct cgroup_hierarchy *hierarchy, struct cgroup *cgroup, int timeout_ms,
                  struct error *err);

/* Pids of the cgroup and everything below, in the caller's pid namespace. free() the result. */
int cgroup_list_processes(const struct cgroup *cgroup, pid_t **pids, size_t *count,
                          struct error *err);

/* Counters; what the host's controllers do not offer stays 0, `available` tells. */
struct cgroup_statistics {
    unsigned int available;
    uint64_t cpu_usage_us;
    uint64_t cpu_user_us;
    uint64_t cpu_system_us;
    uint64_t cpu_periods;
    uint64_t cpu_throttled_periods;
    uint64_t cpu_throttled_us;
    uint64_t memory_bytes;
    uint64_t memory_peak_bytes;
    uint64_t memory_limit_bytes; /* UINT64_MAX: unlimited */
    uint64_t memory_swap_bytes;
    uint64_t memory_anon_bytes;
    uint64_t memory_file_bytes;
    uint64_t memory_inactive_file_bytes;
    uint64_t memory_kernel_bytes;
    uint64_t oom_count;      /* times the limit was hit with nothing left to reclaim */
    uint64_t oom_kill_count; /* processes killed for it */
    uint64_t pids;
    uint64_t pids_limit; /* UINT64_MAX: unlimited */
    uint64_t io_read_bytes;
    uint64_t io_write_bytes;
    uint64_t io_reads;
    uint64_t io_writes;
};

int cgroup_read_statistics(const struct cgroup *cgroup, struct cgroup_statistics *statistics,
                           struct error *err);

/* The oom_kill counter of memory.events, 0 where there is no memory controller. */
uint64_t cgroup_oom_kill_count(const struct cgroup *cgroup);

/* Device rules, in order, the last one that speaks of an access decides; what none speaks of is
 * denied. Compiled to a BPF_PROG_TYPE_CGROUP_DEVICE program. */
struct cgroup_device_rule {
    bool is_allowed;
    char type;     /* 'a', 'b' or 'c' */
    int64_t major; /* -1: any */
    int64_t minor;
    unsigned int access; /* CGROUP_DEVICE_* */
};

#define CGROUP_DEVICE_MKNOD 1u
#define CGROUP_DEVICE_READ 2u
#define CGROUP_DEVICE_WRITE 4u
#define CGROUP_DEVICE_ALL 7u

/* Replaces the cgroup's device program. */
int cgroup_apply_devices(const struct cgroup *cgroup, const struct cgroup_device_rule *rules,
                         size_t count, struct error *err);

/* Redirects a port of an IPv4 address: what processes of the cgroup and below send to port `from`
 * of `address` goes to its port `to`, and what comes back from `to` seems to come from `from`. So a
 * service can be reached at `from` without taking that port away from these processes. Replaces the
 * redirection that was there before. */
struct cgroup_redirection {
    uint8_t address[4];
    uint16_t from;
    uint16_t to;
};
int cgroup_redirect(const struct cgroup *cgroup, const struct cgroup_redirection *redirection,
                    struct error *err);

#endif
