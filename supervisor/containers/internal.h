/* Shared by the files about a container's life: container.c, create.c and
 * recover.c. */
#ifndef DAVIT_SUPERVISOR_CONTAINERS_INTERNAL_H
#define DAVIT_SUPERVISOR_CONTAINERS_INTERNAL_H

#include "container.h"
#include "record.h"

/* Writes the state to the database. Durably: also for when the machine goes down. */
void container_save_state(struct managed_container *container);
void container_save_state_durably(struct managed_container *container);

/* Sends the signal (0: the container's own) and, after timeout_s (-1: never), SIGKILL. */
int container_end(struct managed_container *container, int signal_number, int64_t timeout_s,
                  struct error *err);

/* Refuses a name that is none, or that another container has. */
int container_check_name(struct containers *containers, const char *name, struct error *err);

/* Gives a new container, whose mounts are known, ids of its own or the host's, as it and davitd's
 * configuration say: UsernsMode is "auto" or "host" afterwards. Sets `warning` where ids of its own
 * could not be had. */
int container_ids_assign(struct managed_container *container, struct error *err);

/* Gives a new container the mounts of those that its VolumesFrom names, where it has nothing. */
int container_volumes_from(struct managed_container *container, struct error *err);

/* ---- namespaces of another container: joins.c ---- */

/* Finds the containers whose namespaces a new one is to join: their ids stand in its modes
 * afterwards, and their user ids are its own. */
int container_joins_resolve(struct managed_container *container, struct error *err);

bool container_joins_another(const struct managed_container *container);

/* The namespace of that name in /proc/PID/ns of a container that runs: a descriptor. */
int container_open_namespace(const struct managed_container *container, const char *file,
                             struct error *err);

/* Gives a namespace to the container's monitor, which takes it in place of a new one. */
int container_join_send(struct managed_container *container, int type, int fd, struct error *err);

/* Gives it namespaces that were made ahead, before it starts. Returns a descriptor of its network
 * namespace, or -1: none are there that suit it, and its monitor will make them. */
int container_give_namespaces(struct managed_container *container);

/* Gives those that it joins to the container's monitor, before it starts. */
int container_joins_send(struct managed_container *container, struct error *err);

/* A new struct, of a container that is to be made or was found. */
struct managed_container *container_new(struct containers *containers);

/* ---- what networks ask of it: network.c ---- */

/* Its part in networks, of which nothing is known yet. */
void container_network_open(struct managed_container *container);

/* Writes config.json and monitor.json anew. */
int container_write_bundle(struct managed_container *container, struct error *err);

/* The limits that its definition says. */
int container_make_settings(struct managed_container *container, struct cgroup_settings *settings,
                            struct error *err);

/* The state as the database keeps it; free() it. */
char *container_encode_state(const struct managed_container *container);

/* The container's directory below --run, where its monitor listens: a descriptor or a negative
 * errno. */
int container_open_run_directory(const struct managed_container *container);

void container_link(struct containers *containers, struct managed_container *container);
void container_free(struct managed_container *container);

/* Listens to the monitor at the other end of fd, which is taken. */
int container_watch_monitor(struct managed_container *container, int fd, struct error *err);

/* Whether the monitor's file tells of an exit after the one that davitd knows. */
bool container_has_unknown_exit(const struct managed_container *container);

/* RUNNING to EXITED: by the exit file, else by the monitor's message (or NULL), else as lost. */
void container_handle_exit(struct managed_container *container,
                           const struct monitor_message *message);

/* ---- restart policies: restart.c ---- */

/* After an exit or a failed start: begins to wait for the next start, if the policy wants one. */
bool container_schedule_restart(struct managed_container *container);

/* Whether it is ever to be started by davitd itself. */
bool container_has_policy(const struct managed_container *container);

/* At davitd's start: what of the containers that do not run has to. */
void containers_start_at_boot(struct containers *containers);

/* Opens its cgroup into *cgroup, which the caller has and closes; after a failure it is closed. */
int container_open_cgroup(const struct managed_container *container, struct cgroup *cgroup,
                          struct error *err);

/* Stops all its processes, or lets them go on. Waits for the kernel, a moment at most. */
int container_freeze(struct managed_container *container, bool is_frozen, struct error *err);

/* Tells those who wait for the end. */
void container_notify_stopped(struct managed_container *container);

/* Kills what may be left in the container's cgroup and removes that. */
void container_kill_leftovers(struct managed_container *container);

#endif
