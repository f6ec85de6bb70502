/* What the files of this room share. Others include container.h. */
#ifndef DAVIT_SUPERVISOR_CONTAINERS_INTERNAL_H
#define DAVIT_SUPERVISOR_CONTAINERS_INTERNAL_H

#include "container.h"
#include "part.h"
#include "record.h"

/* The list of containers: container.c */

extern const char *const container_state_names[]; /* by enum container_status; NULL ends them */

/* A new struct, of a container that is to be made or was found. */
struct managed_container *container_new(struct containers *containers);
void container_free(struct managed_container *container);

/* Adds the container to davitd's list; takes it off the list. */
void container_link(struct managed_container *container);
void container_unlink(struct managed_container *container);

/* Refuses a name that is none, or that another container has. */
int container_check_name(struct containers *containers, const char *tenant, const char *name,
                         struct error *err);

/* Whether it has a restart policy other than "no". */
bool container_has_policy(const struct managed_container *container);

/* Publishes an event with a number. */
void container_event_number(struct managed_container *container, const char *action,
                            const char *name, long number);

/* Directories and cgroup: place.c */

/* The container's directory below --run, where its monitor listens: a descriptor or a negative
 * errno. */
int container_open_run_directory(const struct managed_container *container);

/* Removes that directory when the container has ended. exit.json is not in there and stays. */
void container_remove_run_directory(struct managed_container *container);

/* free() it. */
char *container_cgroup_path_of(const struct containers *containers,
                               const struct definition *definition);
char *container_cgroup_path(const struct managed_container *container);

void container_kill_by_cgroup(const struct managed_container *container);

/* Kills what may be left in the container's cgroup and removes that. */
void container_kill_leftovers(struct managed_container *container);

/* The namespace of that name in /proc/PID/ns of a container that runs: a descriptor. */
int container_open_namespace(const struct managed_container *container, const char *file,
                             struct error *err);

/* The files config.json and monitor.json: bundle.c */

/* Writes both files from a definition: the container's own, or one that it is about to get. */
int container_write_bundle(struct managed_container *container, const struct definition *definition,
                           int directory_fd, struct error *err);

/* Makes a copy of `changed` the container's next revision, as container_revise() does, and writes
 * its files. After a failure the former revision stands. Files that then could not be written back
 * are written when the container starts. */
int container_change(struct managed_container *container, const struct definition *changed,
                     struct error *err);

/* Writes the files unless this davitd has written them: those of an earlier one may be of another
 * revision or another version, or damaged. */
int container_renew_bundle(struct managed_container *container, struct error *err);

/* Reads config.json, which is written again if it cannot be read. */
int container_read_config(struct managed_container *container, struct arena *arena,
                          struct oci_config *config, struct error *err);

/* The limits that a definition says. */
int container_make_settings(const struct containers *containers,
                            const struct definition *definition, struct cgroup_settings *settings,
                            struct error *err);

/* Its state, as it is kept: state.c, save.c */

/* The members that the container itself has in what is kept; those of parts stand beside them. */
extern const struct json_struct container_state_type;

/* free() it. */
char *container_encode_state(const struct managed_container *container);

/* What was kept. */
struct kept_state {
    const struct json *json; /* all of it; NULL: nothing was */
    enum container_status status;
    bool is_paused;
    bool is_held_back;
    int64_t started_ns;
    int64_t finished_ns;
};

/* Reads it, also of an earlier davit. The text stays the caller's and lives as long as the state.
 */
int kept_state_read(struct arena *arena, const char *text, struct kept_state *state,
                    struct error *err);

/* Restores the kept state to the container and its parts, but for `status` and `is_paused`. */
void kept_state_restore(struct managed_container *container, const struct kept_state *state);

/* Writes the state to the database. Durably: also for when the machine goes down. */
void container_save_state(struct managed_container *container);
void container_save_state_durably(struct managed_container *container);

/* How it ended: exit.c */

/* Takes the exit from the monitor's file, which counts more than any message. False: the file says
 * nothing of this run. */
bool container_take_exit_file(struct managed_container *container);

/* Likewise by the monitor's message. */
bool container_take_exit_text(struct managed_container *container, const char *text, size_t length);

/* Whether the monitor's file tells of a run without an end, and when that began. */
bool container_has_run(const struct managed_container *container, int64_t *started_ns);

/* Whether the monitor's file tells of an exit after the one that davitd knows. */
bool container_has_unknown_exit(const struct managed_container *container);

/* Writes that file where davitd knows more than its monitor did. Failing loses nothing that the
 * database has. */
void container_write_exit_file(const struct managed_container *container);

/* The channel to its monitor: channel.c */

/* Listens to the monitor at the other end of fd, which is taken. */
int container_watch_monitor(struct managed_container *container, int fd, monitor_handler on_message,
                            struct error *err);

/* Closes the channel, and forgets what the monitor has not read. */
void container_close_channel(struct managed_container *container);

/* Its life: life.c, stop.c */

/* For container_watch_monitor(). */
void container_receive(struct managed_container *container, const struct monitor_message *message,
                       int *passed_fd);

/* RUNNING to EXITED: by the exit file, else by the monitor's message (or NULL), else as lost. */
void container_handle_exit(struct managed_container *container,
                           const struct monitor_message *message);

/* Removes one with auto-remove, which has ended. */
void container_remove_if_wanted(struct managed_container *container);

/* Tells those who wait for the end. */
void container_notify_stopped(struct managed_container *container);

/* Sends the signal (0: the container's own) and, after timeout_s (-1: never), SIGKILL. */
int container_ask_to_end(struct managed_container *container, int signal_number, int64_t timeout_s,
                         struct error *err);

/* Stops all its processes, or lets them go on. Waits for the kernel, a moment at most. pause.c */
int container_freeze(const struct managed_container *container, bool is_frozen, struct error *err);
/* Lets the processes of a container that is paused go on. */
int container_thaw(struct managed_container *container, struct error *err);

/* Restart policies: restart.c */

/* After an exit or a failed start: begins to wait for the next start, if the policy wants one. */
bool container_schedule_restart(struct managed_container *container);

/* Namespaces of others, and by path: joins.c */

bool container_joins_another(const struct managed_container *container);

/* What an earlier davitd has left: take_over.c, aside.c, recover.c */

/* Finds out whether it runs, has ended meanwhile, or never started. `record` is what was saved. */
void container_take_over(struct managed_container *container, const struct kept_state *record);

/* The state in its run directory; false if there is none. Texts are in the container's arena. */
bool container_read_state_file(struct managed_container *container, struct kept_state *record);

/* Takes a container over from its files, whose directory is in its place. */
int container_adopt(struct containers *containers, const char *id, int directory_fd,
                    struct error *err);

/* Settles an entry of <root>/containers that no row names. */
void container_settle_unknown(struct containers *containers, const char *name);

/* Writes why something is in aside/, beside it. */
int container_note_reason(const struct containers *containers, const char *name, const char *reason,
                          struct error *err);

/* Notes the layers of what was put aside, so that it finds them when it is given back. */
void containers_keep_layers_of_aside(struct containers *containers);

/* Makes "CONTAINER[:ALIAS]" of a request the names of containers that there are: links.c. The list
 * moves to the arena. */
int container_resolve_links(struct containers *containers, struct arena *arena, const char *tenant,
                            struct string_list *links, struct error *err);

#endif
