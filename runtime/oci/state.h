/*
 * davit-oci's containers on disk: a directory <root>/<id> each, with
 *   cgroup         a link whose target is the cgroup's path; there before the cgroup is
 *   config.json    the configuration as it was at creation
 *   state.json     what this header describes; the last to be written, when there is a process
 *   creating.sock  while `create` is at work
 *   start.sock     the same socket, while the container waits to be started
 *
 * A creation that is cut off at any point leaves enough to undo it: without state.json no process
 * of it lives on.
 */
#ifndef DAVIT_RUNTIME_STATE_H
#define DAVIT_RUNTIME_STATE_H

#include <sys/types.h>

#include "base/error.h"
#include "bundle/config.h"

#define STATE_START_SOCKET "start.sock"
#define STATE_CREATING_SOCKET "creating.sock"

struct state {
    const char *id;
    const char *bundle;
    const char *rootfs;
    const char *created;      /* RFC 3339 */
    const char *cgroup_path;  /* NULL: none */
    const char *systemd_unit; /* the scope; NULL: systemd has no part in it */
    int32_t pid;
    uint64_t pid_start_time; /* of proc_pid_stat(5): tells a reused pid */
    pid_t placeholder;       /* our child that keeps a new scope alive; not on disk */
    struct oci_config config;
    int directory_fd;
    struct arena arena;
};

enum state_status {
    STATUS_CREATING,
    STATUS_CREATED,
    STATUS_RUNNING,
    STATUS_PAUSED,
    STATUS_STOPPED,
};

const char *state_status_name(enum state_status status);

/* Letters, digits, "_", "+", "-", ".", at most 1024, not starting with a dot. */
int state_check_id(const char *id, struct error *err);

/* Makes <root>/<id>, which must not exist, and returns its descriptor. */
int state_make_directory(const char *root, const char *id, struct error *err);

/* Reads the bundle of a new container into the state: configuration, bundle and root filesystem.
 * `config_file` is NULL for the bundle's own config.json; the caller closes *bundle_fd, whatever
 * comes back. */
int state_read_bundle(struct state *state, const char *bundle, const char *config_file,
                      int *bundle_fd, struct error *err);

/* Writes config.json, and state.json. */
int state_save_config(const struct state *state, struct error *err);
int state_save(const struct state *state, struct error *err);

/* Notes down the container's process and when it came, and saves that: from here on the container
 * can be found and deleted. */
int state_note_process(struct state *state, pid_t pid, struct error *err);

/* Parses what state_save() wrote into the state, whose arena it uses. */
int state_parse(struct state *state, const char *text, size_t length, struct error *err);

/* Reads a container. state_release() it. */
int state_load(const char *root, const char *id, struct state *state, struct error *err);

/* Notes down where the container's cgroup is going to be. */
int state_note_cgroup(const struct state *state, struct error *err);

/* Reads what a cut off creation has left: id, directory, perhaps the cgroup's path and the
 * configuration. ERROR_NOT_FOUND if there is nothing. */
int state_load_remains(const char *root, const char *id, struct state *state, struct error *err);
void state_release(struct state *state);

/* What the container is doing now. */
int state_get_status(const struct state *state, enum state_status *status, struct error *err);

/* A pidfd of the container's first process; -ESRCH if that has ended. */
int state_open_process(const struct state *state);

/* Removes <root>/<id>. */
int state_remove(const char *root, const char *id, struct error *err);

#endif
