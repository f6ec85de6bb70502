/* The commands of davit-oci. Internal to that program. */
#ifndef DAVIT_RUNTIME_OCI_H
#define DAVIT_RUNTIME_OCI_H

#include <stdbool.h>

#include "base/error.h"
#include "runtime.h"
#include "state.h"

#define OCI_DEFAULT_ROOT "/run/davit-oci"

struct oci_context {
    const char *root;
    struct error err; /* what a failing command says */
};

/* Each returns the program's exit status, or a negative errno with context->err filled. */
int oci_create(struct oci_context *context, int argc, char **argv);
int oci_run(struct oci_context *context, int argc, char **argv);
int oci_start(struct oci_context *context, int argc, char **argv);
int oci_state(struct oci_context *context, int argc, char **argv);
int oci_kill(struct oci_context *context, int argc, char **argv);
int oci_delete(struct oci_context *context, int argc, char **argv);
int oci_exec(struct oci_context *context, int argc, char **argv);
int oci_list(struct oci_context *context, int argc, char **argv);
int oci_spec(struct oci_context *context, int argc, char **argv);

/* Stops a created or running container and removes all of it; used by delete and by run. */
int oci_destroy(struct oci_context *context, struct state *state, bool is_forced);

/* Waits for a foreground process: passes signals on, and a terminal's bytes if it has one. Returns
 * its exit status. */
int oci_attend(struct container *container, struct error *err);

/* Writes a pid to a file by rename. */
int oci_write_pid_file(const char *path, pid_t pid, struct error *err);

/* Connects to an AF_UNIX stream socket that takes a terminal's master; -1 for no path. */
int oci_connect_console(const char *path, int *fd, struct error *err);

/* A whole number in [lowest, highest] from an option. */
int oci_parse_number(const char *option, const char *text, long lowest, long highest, long *value,
                     struct error *err);

/* getopt's complaint about argv as an error. */
int oci_usage_error(struct oci_context *context, char **argv);

#endif
