/*
 * Everything the container's first process needs, decided and opened by its parent: between clone
 * and exec nothing is looked up that could have been looked up before. Internal to runtime/.
 */
#ifndef DAVIT_RUNTIME_PLAN_H
#define DAVIT_RUNTIME_PLAN_H

#include <sys/capability.h>
#include <sys/resource.h>

#include "mount_options.h"
#include "runtime.h"
#include "sync.h"

/* The identity and confinement of a process; the first one's or an exec's. */
struct process_plan {
    const struct oci_process *process;
    const struct oci_config *config; /* of the container */
    char **arguments;                /* NULL-terminated copies for execve */
    char **environment;
    char **home;        /* where HOME=... goes in it; NULL: the configuration has one */
    cap_t capabilities; /* effective, permitted, inheritable */
    uint64_t bounding;
    uint64_t ambient;
    struct seccomp_program seccomp;
    bool owns_seccomp;
    LIST_OF(struct rlimit_plan) rlimits;
    unsigned int preserved_fd_count;
    bool is_limited_by_parent; /* in a user namespace, where only the parent may raise limits */
    const char *start_state;   /* the state for startContainer hooks; NULL: there are none */
    const int *hook_output;    /* as in struct hook_surroundings; NULL: nowhere */
    struct arena arena;
};

struct rlimit_plan {
    int resource;
    struct rlimit limit;
};

int process_plan_prepare(const struct oci_process *process, const struct oci_config *config,
                         const struct seccomp_program *seccomp, struct process_plan *plan,
                         struct error *err);
void process_plan_release(struct process_plan *plan);

/* Sets HOME, where the configuration does not. */
void process_plan_set_home(struct process_plan *plan, const char *home);

/* Sets limits of `pid` (0: the caller) that differ from what it has: raising one needs
 * CAP_SYS_RESOURCE, which not every host gives us. */
int process_apply_rlimits(const struct process_plan *plan, pid_t pid, struct error *err);

/* Sets the oom_score_adj of `pid` (0: the caller) in the same way (attributes.c). */
int process_apply_oom_score(const struct oci_process *process, pid_t pid, struct error *err);

/* C9 to C11: becomes the user, drops privileges and loads the filter. Then runs startContainer
 * hooks, which may come from the image and have no more rights than the program, and executes the
 * program. Returns only on failure. `control_fd`, the channel to the parent, closes with the
 * exec. */
int process_confine_and_execute(const struct process_plan *plan, int control_fd, struct error *err);

/* Receives one record of the child (launch.c). A terminal that comes with it goes to
 * container->console_fd, a seccomp listener to its agent. */
int launch_take_record(struct container *container, const struct container_identity *identity,
                       enum sync_type *type, struct error *err);

/* Becomes root of the user namespace that the caller has entered, without groups, and not dumpable,
 * so that no process there can look into it. */
int process_become_namespace_root(struct error *err);

/* C4 (attributes.c): scheduling, memory policy, io priority, personality, labels, and, unless the
 * parent sets them, oom score and limits. Call it while the procfs of the host is in reach. */
int process_apply_attributes(const struct process_plan *plan, struct error *err);
/* Says that the program is not there or not executable, as far as root of the container can tell:
 * engines look for that when a container is created. */
int process_check_program(const struct process_plan *plan, struct error *err);
/* Labels and limits, which hooks of the host do not have. Procfs of the host is still in reach. */
int process_apply_confinement(const struct process_plan *plan, struct error *err);

/* Lets the caller run on the CPUs of the list `cpus` only; NULL and "" change nothing. `name` is
 * the property of process.execCPUAffinity, for errors. */
int attributes_set_affinity(const char *name, const char *cpus, struct error *err);

struct mount_plan {
    const struct oci_mount *mount;
    struct mount_options options;
    int tree_fd;       /* a detached tree for bind mounts, -1 for others */
    const char *label; /* linux.mountLabel, NULL: none */
};

struct join_plan {
    int type; /* enum oci_namespace_type */
    int fd;
};

struct plan {
    const struct container_options *options;
    const struct oci_config *config;
    int rootfs_fd;   /* a detached tree */
    int mappings_fd; /* a user namespace with linux.uidMappings; -1: nothing needed it yet */
    LIST_OF(struct mount_plan) mounts;
    int *readonly_late; /* room for a descriptor a mount, see struct mount_order */
    LIST_OF(struct join_plan) joins;
    unsigned int new_namespaces; /* bit of every enum oci_namespace_type to make */
    bool has_user_namespace;     /* new or joined: no node can be made in it */
    bool has_network_apart;      /* the parent makes the network namespace, beside the child */
    bool joins_before_clone;     /* with the host's privilege, which a user namespace takes away */
    int hook_output[2];          /* -1: nowhere */
    int *node_fds;               /* of linux.devices that had to be made by us; NULL or -1: none */
    struct process_plan process;
    struct arena arena;
};

/* The node that plan_prepare() made for this device, a detached mount; or -1. */
int plan_find_node(const struct plan *plan, const struct oci_device *device);

/* P1 (nodes.c): makes the devices of linux.devices, because the first process is in a user
 * namespace and cannot. */
int nodes_make(struct plan *plan, struct error *err);

#define NAMESPACE_BIT(type) (1u << (type))

static inline bool plan_makes_namespace(const struct plan *plan, enum oci_namespace_type type)
{
    return (plan->new_namespaces & NAMESPACE_BIT(type)) != 0;
}

/* linux.mountLabel, or NULL. */
const char *plan_mount_label(const struct oci_config *config);

/* linux.rootfsPropagation: whether mounts of the host show in the container. */
bool plan_root_receives_mounts(const struct oci_config *config);

/* True if our reaper is to be process 1 (annotation io.davit.init). */
bool plan_wants_reaper(const struct oci_config *config);

/* CLONE_NEW* of a namespace type. */
unsigned int namespace_clone_flag(int type);

int plan_prepare(const struct container_options *options, struct plan *plan, struct error *err);
void plan_release(struct plan *plan);

/* P3 (network.c): makes a network namespace with its loopback up and linux.netDevices in it, and
 * sends it to the child. The caller stays in its own. Making one takes the kernel about as long as
 * the child takes for its mounts. */
int network_make(int control_fd, pid_t pid, const struct container_options *options,
                 struct error *err);

/* The child's side of network_make(). The first call waits for the namespace and enters it. */
struct network_entry {
    int control_fd;
    bool is_pending;
};
int network_enter(struct network_entry *entry, struct error *err);

/* Brings the loopback interface of the caller's network namespace up. */
int network_raise_loopback(struct error *err);

/* Writes /proc/PID/uid_map and gid_map from linux.uidMappings and gidMappings. */
int id_mappings_write(pid_t pid, const struct oci_id_mapping *uids, size_t uid_count,
                      const struct oci_id_mapping *gids, size_t gid_count, struct error *err);

/* The child: C1 to C11. Does not return. `parent_fd` is the inherited other end of the channel. */
_Noreturn void init_run(const struct plan *plan, int control_fd, int parent_fd);

/* C4 (mounts.c): attaches the root filesystem and mounts everything into it but what has to wait
 * (mount_order.h). Returns the root's descriptor; *is_chrooted says that "/" is not the namespace's
 * root, which C7 has to know. */
struct mount_order;
int mounts_make(const struct plan *plan, struct mount_order *order, bool *is_chrooted,
                struct error *err);
/* Makes one mount, on the descriptor that its destination resolves to inside the root (mount.c). A
 * tmpfs that is to be read-only is left in *late_fd, writable until everything below it is there.
 * The functions below are what mounts.c needs of mount.c besides. */
int mount_one(int root_fd, const struct mount_plan *mount, int *late_fd, struct error *err);
bool mount_is_readonly_late(const struct mount_plan *mount);
/* Makes a new superblock as a detached mount. Attaches a detached mount. Tells whether the root of
 * a mount is a directory. */
int mount_make_filesystem(const char *type, const struct mount_plan *mount, struct error *err);
int mount_attach_tree(int tree_fd, int target_fd, struct error *err);
bool mount_tree_is_directory(int tree_fd);
/* Attaches a node of the host's, by a detached mount, so that it can be used and not changed. */
int mount_attach_host_node(int tree_fd, int target_fd, struct error *err);
/* C6 and C7 (mounts.c) */
int mounts_mask_paths(const struct plan *plan, struct mount_order *order, struct error *err);
int mounts_pivot(const struct plan *plan, int root_fd, bool is_chrooted, bool has_place,
                 struct error *err);

/* C4 (devices.c): nodes and links in /dev. */
int devices_make(const struct plan *plan, struct mount_order *order, struct error *err);

/* C7 (console.c): opens a terminal in the container's devpts, binds it to /dev/console, makes it
 * the controlling terminal and standard input, output and error. *master_fd is the other end. */
int console_make(const struct plan *plan, int root_fd, int *master_fd, struct error *err);
int console_attach(int slave_fd, struct error *err);
/* The same for an exec, from inside the container's namespaces. */
int console_open(const char *ptmx_path, const struct oci_process *process, int *master_fd,
                 int *slave_fd, struct error *err);

/* C11 with a reaper: process 1 stays this program, forwards signals and reaps. */
int reaper_run(const struct process_plan *plan, int control_fd, struct error *err);

/* Joins all these namespaces, in the order that namespaces.c explains. */
int namespaces_join(const struct join_plan *joins, size_t count, struct error *err);

/* In the container's root: standard streams that are the host's null device become the container's.
 */
int stdio_reopen_null(struct error *err);

/* Makes the pipes, sockets and ordinary files among the standard streams (-1: the caller's own)
 * belong to the user of the process, so that it can open them again as /dev/stdout. Devices are the
 * host's: a terminal or /dev/null stays as it is. `uid` is an id in the user namespace of
 * `config`, or with NULL in that of the caller. What cannot be changed stays as it is. */
void stdio_give(const int stdio[3], const struct oci_config *config, uid_t uid);

/* stdio[i] to descriptor i, for those that are not -1. */
int stdio_redirect(const int stdio[3], struct error *err);

/* Sends the terminal's master to the one who asked for it. */
int console_hand_over(int console_socket_fd, int control_fd, int master_fd, struct error *err);

#endif
