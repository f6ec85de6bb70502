/*
 * A container from a bundle: the library behind davit-oci and davitd's monitors.
 *
 * container_launch() clones the container's first process, which sets up its own surroundings and
 * either waits to be started or goes straight on to run the user's program. The caller is its
 * parent and must be single-threaded. Nothing here keeps state on disk; davit-oci's is state.h.
 *
 * The sequence, numbered alike in launch.c (parent) and init.c (child):
 *
 *    parent                                   child
 *    P1  prepare the plan (plan.c)
 *    P2  clone3 into cgroup and namespaces -> C1  be unobservable, in a session of its own
 *    P3  id mappings, rlimits           [U]-> C2  wait for the mappings, become root in them
 *        network namespace              [N]-> C3  join namespaces, enter cgroup and time ones
 *        device rules of the cgroup           C4  root filesystem, mounts, devices, sysctls
 *    P4  prestart, createRuntime hooks  <-[H] C5  createContainer hooks
 *                                             C6  masked and read-only paths
 *                                             C7  terminal, pivot_root
 *                                          ->     wait until P3 is done (with hooks before C5)
 *    P5  learn that it is created       <-[S] C8  wait for the start
 *        container_start_by_socket()       -> C9  identity: user, capabilities, seccomp
 *                                             C10 startContainer hooks, which have that identity
 *    P6  learn that the program runs    <---- C11 execve (the channel closes) or an error record
 *
 *    [U] only with a new user namespace, [H] only with such hooks, [S] only if the start is held.
 *    [N] only without a user namespace; it is waited for in C4, by what depends on mounts that show
 *    it (mount_order.h), or else at its end.
 *    An error record may come instead of any message; the child then exits. The rest of P3 goes on
 *    beside the child's mounts, which take about as long.
 */
#ifndef DAVIT_RUNTIME_RUNTIME_H
#define DAVIT_RUNTIME_RUNTIME_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "bundle/config.h"
#include "cgroups/cgroups.h"

/* A compiled seccomp filter: classic BPF as seccomp(2) takes it. */
struct seccomp_program {
    void *instructions; /* struct sock_filter[], free() */
    size_t length;      /* instructions */
    unsigned int flags; /* SECCOMP_FILTER_FLAG_* */
    bool has_listener;  /* some calls are decided by the agent at linux.seccomp.listenerPath */
};

/* Compiles the rules; refuses by name what libseccomp or this kernel cannot do. System calls newer
 * than libseccomp knows answer ENOSYS where the profile's default is an error, so that C libraries
 * fall back instead of failing. */
int seccomp_compile(const struct oci_seccomp *seccomp, struct seccomp_program *program,
                    struct error *err);
void seccomp_program_release(struct seccomp_program *program);

/* What seccomp_compile() understands, in the specification's names. */
struct seccomp_names {
    struct string_list actions;
    struct string_list operators;
    struct string_list architectures;
    struct string_list known_flags;
    struct string_list supported_flags; /* by this kernel */
};
void seccomp_list_names(struct arena *arena, struct seccomp_names *names);

/* Translates linux.resources to cgroup2 settings (runtime-spec config-linux.md "Control groups").
 * Refuses what cgroup2 has no word for. */
int resources_to_settings(const struct oci_resources *resources, struct cgroup_settings *settings,
                          struct error *err);

/* Applies linux.resources.devices followed by the devices every container may use. */
int resources_apply_devices(const struct cgroup *cgroup, const struct oci_resources *resources,
                            struct error *err);

/* Gives the cgroup to the container's user where runtime-spec config-linux.md "Cgroup ownership"
 * says so: a new cgroup namespace, a writable cgroup mount, a user namespace. */
int resources_delegate_cgroup(const struct cgroup *cgroup, const struct oci_config *config,
                              struct error *err);

/* Makes the cgroup `path` for a container: refuses what this host cannot enforce before anything is
 * made, then creates it and applies the settings; the device rules are container_launch()'s. A
 * cgroup that could not be filled is left to the caller, in `cgroup`. */
int resources_make_cgroup(const struct cgroup_hierarchy *hierarchy, const char *path,
                          const struct oci_resources *resources, bool must_be_new,
                          struct cgroup *cgroup, struct error *err);

struct container_options {
    const char *id;
    const char *bundle_path; /* for the state that hooks get */
    int bundle_fd;           /* relative paths of the configuration start here */
    const struct oci_config *config;
    int rootfs_fd;   /* a detached mount to become the root; -1: root.path */
    int mappings_fd; /* a user namespace with linux.uidMappings, for idmapped mounts; -1: none yet
                      */
    int shm_fd; /* a detached mount for what has BUNDLE_SHARED_SHM as its source; -1: nothing has */
    const struct cgroup *cgroup;     /* gets the device rules; NULL: the caller's, as it is */
    int stdio[3];                    /* -1: the caller's own; unused with a terminal */
    unsigned int preserved_fd_count; /* descriptors 3, 4, ... that the program inherits */
    int console_socket_fd;           /* where the terminal's master goes; -1: to the caller */
    int start_socket_fd;             /* listening socket that starts the container; -1: none */
    bool is_start_held;              /* wait for container_start_by_socket() */
    bool keeps_keyring;              /* do not make a new session keyring */
    unsigned int step_timeout_s;     /* to the next message of the first process; 0: no limit */
    bool has_no_pivot;               /* chroot instead of pivot_root, for a host in its initramfs */
    bool keeps_hook_output;          /* as hooks_open_output() says */
    /* Called as soon as the process exists and before it can do anything that lasts. If the caller
     * dies before the call has returned, the process dies as well. NULL: no call. */
    int (*on_cloned)(void *context, pid_t pid, struct error *err);
    /* Called when the network namespace that the container gets exists, and before its program
     * does. NULL: the namespace stays as it is. */
    int (*on_network)(void *context, pid_t pid, int netns_fd, struct error *err);
    void *context;
    const struct seccomp_program *seccomp; /* NULL: compile linux.seccomp */
};

struct container {
    pid_t pid; /* in the caller's pid namespace */
    int pidfd;
    int control_fd; /* the channel to the child; closed by the caller when it is of no more use */
    int console_fd; /* master of the terminal, if it was for the caller; else -1 */
};

#define CONTAINER_NONE                                             \
    {                                                              \
        .pid = -1, .pidfd = -1, .control_fd = -1, .console_fd = -1 \
    }

/* Makes the container. With is_start_held it returns when the container is created (P5), without
 * when its program runs (P6). On failure the child is dead and reaped. */
int container_launch(const struct container_options *options, struct container *container,
                     struct error *err);

/* Names the container that a process belongs to. Seccomp agents are told of it. */
struct container_identity {
    const char *id;
    const char *bundle_path;
    const struct oci_config *config;
    pid_t pid; /* the first process */
};

/* Lets a held container run its program (P5 to P6), through the start socket in directory_fd; from
 * any process. `pidfd` is the first process's. */
int container_start_by_socket(int directory_fd, const char *name, int pidfd,
                              const struct container_identity *identity, struct error *err);

struct exec_options {
    const struct container_identity *identity; /* its config: namespaces, seccomp, labels */
    const struct oci_process *process;         /* what to run */
    int init_pidfd;                            /* the container's first process */
    const struct cgroup *cgroup;
    int stdio[3];
    unsigned int preserved_fd_count;
    int console_socket_fd;
    const struct seccomp_program *seccomp;
    const char *user_spec; /* user[:group] by name; NULL: process->user */
    const char *groups;    /* with user_spec: further groups, by comma; or NULL */
};

/* Makes another process in a container, as a child of the caller, and does not wait until its
 * program runs: processes of the container may stop it before that. Until then control_fd is
 * readable when container_exec_follow() has something to do. `options` are not needed any more when
 * this returns. */
int container_exec_begin(const struct exec_options *options, struct container *container,
                         struct error *err);

/* Handles one message of such a process. Returns 1 when its program runs, 0 when there is more to
 * come, or a negative errno when it does not start: then the caller kills it and waits for it. */
int container_exec_follow(struct container *container, const struct container_identity *identity,
                          struct error *err);

/* Calls container_exec_begin() and then container_exec_follow() until the program runs. On failure
 * the process is dead and reaped. */
int container_exec(const struct exec_options *options, struct container *container,
                   struct error *err);

/* The names that linux.memoryPolicy understands. */
void memory_policy_list_names(struct arena *arena, struct string_list *modes,
                              struct string_list *flags);

/* Capabilities that the process asks for and cannot get, because davit does not know the name, this
 * host does not have the capability to give, or it is to be effective and not permitted. The
 * process runs without them, and the caller should say so. */
void process_list_ungrantable(struct arena *arena, const struct oci_process *process,
                              struct string_list *names);

/* Waits for a child: its exit status as a shell sees it (128 + N for signal N). */
int container_wait(struct container *container, int *exit_status, struct error *err);

void container_release(struct container *container);

/* Removes what linux.intelRdt has made for a container that has ended. */
void container_remove_resctrl(const struct oci_config *config, const char *id);

/* The profile of a process that is not to be confined by AppArmor. Where the host has no AppArmor
 * it means nothing. */
#define APPARMOR_UNCONFINED "unconfined"

/* Whether the host has AppArmor, and whether that profile is loaded there. */
bool apparmor_is_enabled(void);
bool apparmor_has_profile(const char *name);

/* Gives a file, or a tree of any size with all below it, this SELinux context. A tree whose root
 * has it already is left as it is, and so is a filesystem that has no such attributes; directories
 * of the host's system are refused. Changes the working directory, to "/" in the end: for
 * single-threaded processes. */
int selinux_label_tree(int directory_fd, const char *path, const char *context, struct error *err);

/* Hook kinds, in the order in which they run. */
enum hook_kind {
    HOOK_PRESTART,
    HOOK_CREATE_RUNTIME,
    HOOK_CREATE_CONTAINER,
    HOOK_START_CONTAINER,
    HOOK_POSTSTART,
    HOOK_POSTSTOP,
};

/* What hooks find around them, beside what their configuration says. */
struct hook_surroundings {
    int directory_fd;         /* their working directory; -1: the caller's */
    char *const *environment; /* of those that have none of their own; NULL: the caller's */
    const int *output;        /* two descriptors for standard output and error, -1 or NULL: none */
    bool is_confined;         /* in the container, where a filter may forbid system calls */
};

/* Runs the hooks of a kind one after the other with `state` (JSON) on their standard input. Stops
 * at the first that fails or outlives its timeout; poststop hooks all run, and the first failure is
 * the result. What a hook writes goes to surroundings->output and never to the container's streams;
 * without an output the end of it stands in the error, if it fails. */
int hooks_run(const struct oci_config *config, enum hook_kind kind, const char *state,
              const struct hook_surroundings *surroundings, struct error *err);

/* Opens the files of the annotations run.oci.hooks.stdout and run.oci.hooks.stderr, which crun has
 * as well, to append to them. -1 for those that are not there. */
int hooks_open_output(const struct oci_config *config, int output[2], struct error *err);

/* The state document of runtime-spec runtime.md, as a value of the writer or in a new one, which
 * the caller frees. No pid is written for 0. */
void container_state_write(struct json_writer *writer, const char *id, const char *status,
                           pid_t pid, const char *bundle_path, const struct oci_config *config);
struct json_writer *container_state_json(const char *id, const char *status, pid_t pid,
                                         const char *bundle_path, const struct oci_config *config);

/* Makes this program run from a read-only mount, so that no container can write to its file
 * through /proc/PID/exe; runs the program anew if it has to. Call first in main. A host where
 * that is not possible (no privilege) is left as it is, and false returned. */
bool self_protect(char *const *argv);

/* A user namespace with these mappings and no process in it, for id-mapped mounts. */
int id_mappings_open(const struct oci_id_mapping *uids, size_t uid_count,
                     const struct oci_id_mapping *gids, size_t gid_count, struct error *err);

/* Namespaces that were made ahead of a container, with no process in them: a network namespace with
 * its loopback up, and the user namespace that owns it, which has no mappings yet. */
enum ready_namespace {
    READY_NETWORK,
    READY_USER, /* -1: the user namespace is the caller's, and no ids are to be mapped */
    READY_UID_MAP,
    READY_GID_MAP,
    READY_COUNT,
};

struct ready_namespaces {
    int fds[READY_COUNT];
};

#define READY_NAMESPACES_NONE     \
    {                             \
        .fds = { -1, -1, -1, -1 } \
    }

/* Makes a network namespace; with `has_user` in a new user namespace that owns it. The caller has
 * to be single-threaded and is in its own network namespace again afterwards. */
int ready_namespaces_make(bool has_user, struct ready_namespaces *ready, struct error *err);

/* Maps the ids of the user namespace, users and groups alike. The kernel allows this only once. */
int ready_namespaces_map(const struct ready_namespaces *ready, const struct oci_id_mapping *mapping,
                         struct error *err);
void ready_namespaces_release(struct ready_namespaces *ready);

/* Returns a detached copy of the mount that another mount namespace has at `path`. Symlinks on the
 * path are refused, because what runs there is not trusted. The caller has to be
 * single-threaded. */
int mount_copy_from(int mounts_fd, const char *path, struct error *err);

/* Whether the mount at `fd`, with all below it if `is_recursive`, can map ids as that namespace
 * does (mount_setattr(2), MOUNT_ATTR_IDMAP). */
bool mount_maps_ids(int fd, int userns_fd, bool is_recursive);

#endif
