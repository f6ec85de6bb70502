/* Execs: POST /containers/ID/exec and /exec/ID/... */
#ifndef DAVIT_SUPERVISOR_CONTAINERS_EXEC_H
#define DAVIT_SUPERVISOR_CONTAINERS_EXEC_H

#include "container.h"

/* What is executed in a container that runs. */
struct exec_config {
    struct string_list cmd;
    struct string_list env;
    const char *user; /* NULL or "": the container's */
    const char *working_dir;
    bool has_terminal;
    bool is_privileged; /* has all capabilities */
    bool attaches_stdin;
    bool attaches_stdout;
    bool attaches_stderr;
};

/* The request to the monitor, a struct monitor_exec; NULL after a failure. */
struct json_writer *exec_make_request(struct managed_container *container,
                                      const struct exec_config *config, bool is_attached,
                                      struct error *err);

/* Answers the requests of that name. */
void exec_create(struct managed_container *container, struct request *request);
void exec_start(struct daemon *daemon, const char *id, struct request *request);
void exec_inspect(struct daemon *daemon, const char *id, struct request *request);
void exec_resize(struct daemon *daemon, const char *id, struct request *request);

#endif
