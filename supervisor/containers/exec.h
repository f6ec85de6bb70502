/* Execs: processes that are started in a container that runs. */
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

struct exec {
    struct exec *next;
    struct managed_container *container; /* NULL when that has ended */
    char id[IDENTIFIER_SIZE];
    char container_id[IDENTIFIER_SIZE];
    uint64_t token;
    struct arena arena;
    struct exec_config config;
    bool has_started;
    bool is_running;
    bool has_exit_code;
    int32_t exit_code;
    int32_t pid;
    uint64_t ended_us;        /* monotonic; 0: it has not */
    struct completion *start; /* who waits for the outcome of a detached start */
};

/* Makes an exec, to be started later. What `config` points to lies in the arena, which the exec
 * takes. An exec that has ended is kept for a while, but never longer than its container exists. */
int exec_create(struct managed_container *container, const struct actor *actor, struct arena *arena,
                const struct exec_config *config, struct exec **exec, struct error *err);

/* Finds an exec by its id, or by 12 or more of its first digits. ERROR_NOT_FOUND "No such exec
 * instance: X". */
int exec_find(const struct containers *containers, const char *id, struct exec **exec,
              struct error *err);

/* Starts the exec with no client attached. The completion ends when its program runs or could not
 * be run; exec_stop_waiting() takes it back. When exec_start() itself fails, it is not called. */
int exec_start(struct exec *exec, struct completion *completion, struct error *err);
void exec_stop_waiting(struct exec *exec, const struct completion *completion);

/* Starts it with a connection as its streams, in two steps: what can be refused is refused before
 * the connection is given away. The second frees what the first has prepared; the descriptor stays
 * the caller's (-1: the client has gone), and a failure is told on it. `input` was read already. */
struct json_writer *exec_prepare_attached(struct exec *exec, struct error *err);
void exec_start_attached(struct exec *exec, struct json_writer *prepared, int fd,
                         const struct buffer *input);

int exec_resize(struct exec *exec, int rows, int columns, struct error *err);

/* The request to the monitor, a struct monitor_exec; NULL after a failure. */
struct json_writer *exec_make_request(struct managed_container *container,
                                      const struct exec_config *config, bool is_attached,
                                      struct error *err);

#endif
