/* The commands of davit-oci. Internal to that program. */
#ifndef DAVIT_RUNTIME_OCI_OCI_H
#define DAVIT_RUNTIME_OCI_OCI_H

#include <stdbool.h>

#include "base/error.h"
#include "cgroups/cgroups.h"
#include "runtime/runtime.h"
#include "state.h"

#define OCI_DEFAULT_ROOT "/run/davit-oci"

struct oci_context {
    const char *root;
    enum cgroup_manager cgroup_manager;
    int exe_fd;       /* of the mount that this program runs from, see self_take_descriptor() */
    struct error err; /* what a failing command says */
};

/* Each returns the program's exit status, or a negative errno with context->err filled. */
int oci_checkpoint(struct oci_context *context, int argc, char **argv);
int oci_create(struct oci_context *context, int argc, char **argv);
int oci_delete(struct oci_context *context, int argc, char **argv);
int oci_events(struct oci_context *context, int argc, char **argv);
int oci_exec(struct oci_context *context, int argc, char **argv);
int oci_features(struct oci_context *context, int argc, char **argv);
int oci_kill(struct oci_context *context, int argc, char **argv);
int oci_list(struct oci_context *context, int argc, char **argv);
int oci_pause(struct oci_context *context, int argc, char **argv);
int oci_ps(struct oci_context *context, int argc, char **argv);
int oci_restore(struct oci_context *context, int argc, char **argv);
int oci_resume(struct oci_context *context, int argc, char **argv);
int oci_run(struct oci_context *context, int argc, char **argv);
int oci_spec(struct oci_context *context, int argc, char **argv);
int oci_start(struct oci_context *context, int argc, char **argv);
int oci_state(struct oci_context *context, int argc, char **argv);
int oci_update(struct oci_context *context, int argc, char **argv);

/* Stops a created or running container and removes all of it; used by delete, run and restore. */
int oci_destroy(struct oci_context *context, struct state *state, bool is_forced);

/*
 * Ordinary files that a foreground process has as standard streams. The program could open them
 * again
 * (/dev/stdout) and write over what is not its own, or could not because they are somebody else's:
 * so there are pipes between, as runc has for every stream.
 */
struct oci_relays {
    int input;    /* where the file on standard input goes; -1: it is none */
    int pipes[2]; /* that standard output and error come out of; -1: they are none */
};

#define OCI_RELAYS_NONE                  \
    {                                    \
        .input = -1, .pipes = { -1, -1 } \
    }

/* Makes the pipes that are needed and puts their other ends into `stdio`; the caller closes those
 * when the process has them: oci_close_streams(). */
int oci_open_relays(const struct oci_process *process, struct oci_relays *relays, int stdio[3],
                    struct error *err);
void oci_close_streams(int stdio[3]);

/* Waits for a foreground process: passes signals on, and what comes out of its terminal or of the
 * relays, which it closes. Returns its exit status. */
int oci_attend(struct container *container, struct oci_relays *relays, struct error *err);

/* SIGKILL to everything in the container. */
int oci_kill_all(const struct state *state, struct error *err);

/* Makes the container's cgroup as its configuration and the manager say, with its limits, and notes
 * in the state where it is. After a failure the caller calls oci_remove_cgroup() for what was
 * made. */
int oci_make_cgroup(enum cgroup_manager manager, const char *id, struct state *state,
                    struct cgroup_hierarchy *hierarchy, struct cgroup *cgroup, struct error *err);

/* Ends the process that kept a new scope alive. Call it when the container's own process is in the
 * scope, or could not be made. */
void oci_release_placeholder(struct state *state);

/* Removes the cgroup when its processes have ended, for which it waits up to timeout_ms. */
int oci_remove_cgroup(const struct state *state, const struct cgroup_hierarchy *hierarchy,
                      struct cgroup *cgroup, int timeout_ms, struct error *err);

/* Kills what a creation or restoration that failed has started, and removes its cgroup. */
void oci_undo_process(const struct state *state, const struct cgroup_hierarchy *hierarchy,
                      struct cgroup *cgroup, struct container *container);

/* Removes what a creation that was cut off may have left outside the state directory: resctrl
 * groups, and the cgroup if nothing lives in it. */
int oci_remove_remains(const struct state *state, struct error *err);

/* Opens the container's cgroup; -ENOENT if it has none. The caller closes hierarchy and cgroup,
 * also after a failure. */
int oci_open_cgroup(const struct state *state, struct cgroup_hierarchy *hierarchy,
                    struct cgroup *cgroup, struct error *err);

/* Hooks with the container's state on their standard input. */
int oci_run_hooks(const struct state *state, enum hook_kind kind, const char *status,
                  struct error *err);

/* Writes a pid to a file by rename. */
int oci_write_pid_file(const char *path, pid_t pid, struct error *err);

/* Connects to an AF_UNIX stream socket that takes a terminal's master; -1 for no path. */
int oci_connect_console(const char *path, int *fd, struct error *err);

/* A whole number in [lowest, highest] from an option. */
int oci_parse_number(const char *option, const char *text, long lowest, long highest, long *value,
                     struct error *err);

/* getopt's complaint about argv as an error. */
int oci_usage_error(struct oci_context *context, char **argv);

/* For commands that take one container id and no option: parses the arguments and loads the
 * state. */
int oci_load_by_only_argument(struct oci_context *context, int argc, char **argv,
                              struct state *state);

#endif
