/* Shared by the files about a container's life: container.c, create.c and
 * recover.c. */
#ifndef DAVIT_SUPERVISOR_CONTAINERS_INTERNAL_H
#define DAVIT_SUPERVISOR_CONTAINERS_INTERNAL_H

#include "container.h"
#include "network/links.h"
#include "record.h"

/* Writes the state to the database. Durably: also for when the machine goes down. */
void container_save_state(struct managed_container *container);
void container_save_state_durably(struct managed_container *container);

/* Sends the signal (0: the container's own) and, after timeout_s (-1: never), SIGKILL. */
int container_end(struct managed_container *container, int signal_number, int64_t timeout_s,
                  struct error *err);

/* Refuses a name that is none, or that another container has. */
int container_check_name(struct daemon *daemon, const char *name, struct error *err);

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

/* Gives those that it joins to the container's monitor, before it starts. */
int container_joins_send(struct managed_container *container, struct error *err);

/* ---- its part in networks: networks/membership.c ---- */

struct network;

/* NetworkMode: "none", "host", "container:ID", or its first network's name. */
const char *container_network_mode(const struct managed_container *container);

/* Finds the networks of a new container, and checks what it wants of them. */
int container_network_resolve(struct managed_container *container, struct error *err);

/* Whether its network namespace is neither the host's nor another container's. */
bool container_network_is_own(const struct managed_container *container);

/* The index of its endpoint on the network; their number if it has none. */
size_t container_find_endpoint(const struct managed_container *container,
                               const struct network *network);

/* One network more or less, whether it runs or not. `wanted` stays the caller's. */
int container_network_connect(struct managed_container *container, const struct network *network,
                              const struct endpoint *wanted, struct error *err);
int container_network_disconnect(struct managed_container *container, const struct network *network,
                                 struct error *err);

/* It has ended: what it had is free again, unless other containers run in its network namespace
 * yet: then addresses, rules and ports stay until the last of them has ended as well. */
void container_network_release(struct managed_container *container);

/* Its start has failed, or an attempt at its devices: nobody else was in its namespace. */
void container_network_forget(struct managed_container *container);

/* It starts anew, or is removed: who is still in its former namespace loses the network. */
void container_network_cut(struct managed_container *container);

/* At davitd's start, when all containers are known: releases what was to be, and nobody is in. */
void containers_network_recovered(struct daemon *daemon);

/* Where its published ports lead: its address of the family on the first of its bridges that has a
 * way out. NULL: it has none. */
const struct address *container_network_address(const struct managed_container *container,
                                                int family);

/* Whether it has addresses: while it runs, where it has networks. */
bool container_is_on_networks(const struct managed_container *container);

/* Whether any network that it is on leads anywhere. */
bool container_network_leads_out(const struct managed_container *container);

struct lease_record {
    const char *address;
    const char *address6;
    uint32_t device;
    const char *host_device;
    const struct json *by_plugin; /* or NULL; see networks/plugins.h */
};

/* Of the subnet that it lies in. */
unsigned int container_lease_prefix(const struct network_lease *lease,
                                    const struct network *network, int family);

/* Writes and takes over what a running container has, as members of its state. */
void container_network_encode(struct json_writer *writer,
                              const struct managed_container *container);
void container_network_restore(struct managed_container *container,
                               const struct lease_record *leases, size_t lease_count,
                               const char *resolver_instance, const struct published_ports *ports);

/* Docker's members: NetworkSettings' Ports and Networks, and Networks alone. */
void container_network_write(struct json_writer *writer, const struct managed_container *container);
void container_network_write_list(struct json_writer *writer,
                                  const struct managed_container *container);

/* ---- its way into them when it starts: networks/attach.c ---- */

/* It is to start in a network namespace that is there already: gives it addresses, devices and
 * ports meanwhile. What fails is done again by what follows. */
void container_network_prepare(struct managed_container *container, int netns_fd);

/* Its monitor has its network namespace, and its first process: gives it what it has not yet of
 * addresses, devices, names and ports, and answers. */
void container_network_attach(struct managed_container *container, int netns_fd, pid_t pid);

/* ---- addresses and devices: networks/leases.c ---- */

/* Leases addresses on the network that its endpoint `index` is on, and makes its device; for one of
 * plugins, to be run later, its name alone. After a failure it has none; a device goes with the
 * namespace. */
int container_device_add(struct managed_container *container, size_t index, int netns_fd,
                         struct error *err);

/* As the container knows it. */
void container_device_name(const struct network_lease *held, char name[IFNAMSIZ]);

int container_device_remove(const struct managed_container *container, size_t index, int netns_fd,
                            struct error *err);

/* Its endpoints are new, or others: notes whether any asks for an address of its own. */
void container_devices_note_fixed(struct managed_container *container);

struct device_counters {
    char name[IFNAMSIZ]; /* as the container knows it */
    struct link_counters counters;
};

/* What has gone through its devices. Returns how many there are. */
size_t container_device_counters(const struct managed_container *container,
                                 struct device_counters counters[ENDPOINTS_MAX]);

/* ---- hosts, resolv.conf and hostname: networks/name_files.c ---- */

/* Bound into a container that has a network; nothing is written for others. */
int container_network_write_files(struct managed_container *container, struct error *err);

/* In place, with the addresses that it has now. */
int container_network_write_hosts(const struct managed_container *container, struct error *err);

/* ---- ports of the host: networks/ports.c ---- */

/* Takes those that its definition asks for, for as long as it runs. */
int container_ports_publish(struct managed_container *container, struct error *err);
void container_ports_release(struct managed_container *container);

/* Docker's members: NetworkSettings' Ports, and the list's. */
void container_ports_write(struct json_writer *writer, const struct managed_container *container);
void container_ports_write_list(struct json_writer *writer,
                                const struct managed_container *container);

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

void container_link(struct daemon *daemon, struct managed_container *container);
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
void containers_start_at_boot(struct daemon *daemon);

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
