/* Running CRIU (criu(8)) for checkpoint and restore. */
#ifndef DAVIT_RUNTIME_OCI_CRIU_H
#define DAVIT_RUNTIME_OCI_CRIU_H

#include "base/error.h"
#include "base/json_table.h"
#include "bundle/config.h"

/* A command line of CRIU that grows; strings live in the arena. */
struct criu {
    struct arena arena;
    struct string_list arguments;
    const char *images_path;
    const char *work_path; /* where its log goes */
    const char *log_name;
};

/* Options that both commands take and hand on; getopt values start at CRIU_OPTION_FIRST. */
#define CRIU_OPTION_FIRST 512
struct option;
size_t criu_add_options(struct option *options);
/* True if `option` was one of them. */
bool criu_take_option(struct criu *criu, int option, const char *value);

/* Begins the command line. -ENOENT, saying so, if CRIU is not installed. */
int criu_begin_command(struct criu *criu, const char *command, struct error *err);

void criu_add(struct criu *criu, const char *argument);
void criu_add_value(struct criu *criu, const char *option, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Says which mounts come from outside of the container: at a dump their names, at a restore
 * (with `bundle_path`) what takes their place. */
void criu_add_mounts(struct criu *criu, const struct oci_config *config, const char *rootfs,
                     const char *bundle_path);

/* Runs CRIU. With `rootfs` it runs in a mount namespace of its own where that directory is a mount;
 * NULL: in ours. The error contains the reason from CRIU's log. */
int criu_run(struct criu *criu, const char *rootfs, struct error *err);

void criu_release(struct criu *criu);

#endif
