/*
 * A container's part in networks: which it is on, its addresses, devices, ports, names and rules.
 * It is a member of the container's own struct, and knows of the container what is said here alone.
 */
#ifndef DAVIT_SUPERVISOR_NETWORKS_MEMBERSHIP_H
#define DAVIT_SUPERVISOR_NETWORKS_MEMBERSHIP_H

#include <net/if.h>
#include <sys/types.h>

#include "network/links.h"
#include "networks.h"
#include "supervisor/definition/revision.h"

struct attachment;

enum membership_phase {
    MEMBER_ENDED, /* or never ran */
    MEMBER_STARTING,
    MEMBER_RUNNING,
};

/* What networks ask of a member's container. */
struct membership_owner {
    /* Its directory: a descriptor or a negative errno. */
    int (*open_directory)(const struct membership *member);
    /* The network namespace of one that runs: a descriptor. */
    int (*open_namespace)(const struct membership *member, struct error *err);
    /* What membership_encode() writes has changed. */
    void (*save)(struct membership *member);
    /* What membership_attach() was to do is done, or cannot be (`err`, else NULL). It is not called
     * for a start that is over by then. */
    void (*attached)(struct membership *member, const struct error *err);
    /* Publishes an event of the container's; `extra` may be NULL. */
    void (*publish)(struct membership *member, const char *action, const struct string_map *extra);
};

/* What plugins have said of a device that they made. */
struct plugin_lease {
    unsigned int prefix; /* bits of the subnet */
    unsigned int prefix6;
    struct address gateway; /* family 0: none */
    struct address gateway6;
    char mac[32];
};

/* What a running container has of one of its networks. */
struct network_lease {
    struct address address;         /* family 0: nothing */
    struct address address6;        /* family 0: none */
    uint32_t device;                /* 1: eth1 */
    const struct network *network;  /* that the addresses are of; NULL: there are none */
    char host_device[IFNAMSIZ];     /* the other end; "": there is none */
    struct plugin_lease *by_plugin; /* NULL: davitd made it; also while plugins are at work */
};

struct membership {
    struct networks *networks;
    struct membership *next;
    const struct membership_owner *owner;
    const struct definition *definition; /* the container's */
    enum membership_phase phase;
    pid_t pid;                                  /* of its first process; 0: it does not run */
    struct network_lease leases[ENDPOINTS_MAX]; /* on its networks, while it runs */
    bool keeps_network;           /* it has ended, and others are in its network namespace */
    ino_t prepared_netns;         /* that has its devices, before it runs; 0: none */
    struct published_ports ports; /* of the host, while it runs */
    /* Identity of the latest start. It may dangle: compare it, never dereference it. */
    const struct attachment *attachment;
    uint64_t refused_names;                  /* by its egress rules */
    bool has_fixed_addresses;                /* on any network, whether it runs or not */
    bool has_plugins;                        /* that have made devices, or are about to */
    char resolver_instance[IDENTIFIER_SIZE]; /* that has its sockets; "": none */
};

/* The list, and what can be asked: membership.c */

/* The container is there; it is gone. */
void membership_link(struct membership *member);
void membership_unlink(struct membership *member);

/* By id, or 12 of its digits and more. NULL: there is none. */
struct membership *membership_find(const struct networks *networks, const char *id);

/* The index of its endpoint on the network; their number if it has none. */
size_t membership_find_endpoint(const struct membership *member, const struct network *network);

/* The network that its endpoint `index` is on; NULL: it is gone. */
struct network *membership_network(const struct membership *member, size_t index);

/* Whether a container, running or not, belongs to the network. */
bool network_is_used(const struct networks *networks, const struct network *network);

/* Whether its network namespace is neither the host's nor another container's. */
bool membership_is_own(const struct membership *member);

/* Where its published ports lead: its address of the family on the first of its bridges that has a
 * way out. NULL: it has none. */
const struct address *membership_address(const struct membership *member, int family);

/* Whether it has addresses: while it runs, where it has networks. */
bool membership_is_attached(const struct membership *member);

/* Whether any network that it is on leads anywhere. */
bool membership_leads_out(const struct membership *member);

/* Of the subnet that its address lies in. */
unsigned int lease_prefix(const struct network_lease *lease, const struct network *network,
                          int family);

/* What is asked for: resolve.c */

/* Finds the networks of a new container, and checks what it wants of them. `joined` is the
 * container that its NetworkMode names; NULL: none. */
int membership_resolve(struct membership *member, struct revision *draft,
                       const struct definition *joined, struct error *err);

/* Whether it can be connected to the network as `wanted` says. */
int membership_check_endpoint(const struct membership *member, const struct network *network,
                              const struct endpoint *wanted, struct error *err);

/* Its life: life.c */

/* It starts. `netns_fd` is the namespace that it will be in, if that is there already, or -1: it
 * gets addresses, devices and ports meanwhile, and what fails is done again by membership_attach().
 */
void membership_start(struct membership *member, int netns_fd);

/* It runs. */
void membership_run(struct membership *member, pid_t pid);

/* Its start has failed. */
void membership_fail(struct membership *member);

/* One more endpoint of one that runs: gives it what that takes. */
int membership_join(struct membership *member, size_t index, struct error *err);

/* One less: takes away what it has by its endpoint, which the caller removes next and then calls
 * membership_left(). */
int membership_leave(struct membership *member, size_t index, struct error *err);
void membership_left(struct membership *member, size_t index);

/* Its definition is another. */
void membership_revise(struct membership *member, const struct definition *definition);

/* What it had is free again: release.c */

/* It has ended: what it had is free again, unless other containers run in its network namespace
 * yet: then addresses, rules and ports stay until the last of them has ended as well. */
void membership_end(struct membership *member);

/* It has not started, and nobody else was in its namespace. */
void membership_forget(struct membership *member);

/* It starts anew, or is removed: who is still in its former namespace loses the network. */
void membership_cut(struct membership *member);

/* At davitd's start, when all members are known: releases what was to be, and nobody is in, and
 * puts the kernel's rules right, whatever has happened to them since. */
void networks_recovered(struct networks *networks);

/* Its way into networks when it starts: attach.c */

/* See membership_start(). */
void membership_prepare(struct membership *member, int netns_fd);

/* Its monitor has its network namespace, and its first process: gives it what it has not yet of
 * addresses, devices, names and ports, and tells its owner. The descriptor stays the caller's. */
void membership_attach(struct membership *member, int netns_fd, pid_t pid);

/* Addresses and devices: leases.c */

/* Leases addresses on the network that its endpoint `index` is on, and makes its device; for one of
 * plugins, to be run later, its name alone. After a failure it has none; a device goes with the
 * namespace. */
int lease_add(struct membership *member, size_t index, int netns_fd, struct error *err);

/* As the container knows it. */
void lease_device_name(const struct network_lease *held, char name[IFNAMSIZ]);

int lease_remove(const struct membership *member, size_t index, int netns_fd, struct error *err);

/* Its endpoints are new, or others: notes whether any asks for an address of its own. */
void leases_note_fixed(struct membership *member);

struct device_counters {
    char name[IFNAMSIZ]; /* as the container knows it */
    struct link_counters counters;
};

/* What has gone through its devices. Returns how many there are. */
size_t leases_read_counters(const struct membership *member,
                            struct device_counters counters[ENDPOINTS_MAX]);

/* Hosts, resolv.conf and hostname: name_files.c */

/* Bound into a container that has a network; nothing is written for others. */
int membership_write_files(struct membership *member, struct error *err);

/* In place, with the addresses that it has now. */
int membership_write_hosts(const struct membership *member, struct error *err);

/* Ports of the host: ports.c */

/* Takes those that its definition asks for, for as long as it runs. */
int ports_publish(struct membership *member, struct error *err);
void ports_release(struct membership *member);

/* Of those that a member has: its texts are its own, by malloc(3). */
void port_copy(const struct published_port *from, struct published_port *to);

/* Its state across davitd's life: state.c */

struct plugin_record;

struct lease_record {
    const char *address;
    const char *address6;
    uint32_t device;
    const char *host_device;
    struct plugin_record *by_plugin; /* or NULL */
};

/* What a running container has, as it is kept. */
struct membership_record {
    LIST_OF(struct lease_record) leases;
    const char *resolver; /* instance that has its sockets */
    struct published_ports ports;
};
extern const struct json_struct membership_record_type;

/* The record points into the member and the arena. */
void membership_record(const struct membership *member, struct arena *arena,
                       struct membership_record *record);

/* At davitd's start, before it is known whether the container runs. */
void membership_restore(struct membership *member, const struct membership_record *record);

/* Docker's objects: describe.c */

/* Of a network, with who runs on it. */
void network_write(struct json_writer *writer, const struct networks *networks,
                   const struct network *network);

/* Members of NetworkSettings: Ports and Networks, and Networks alone. */
void membership_write(struct json_writer *writer, const struct membership *member);
void membership_write_list(struct json_writer *writer, const struct membership *member);

/* Ports, as lists of containers have them. */
void ports_write_list(struct json_writer *writer, const struct membership *member);

#endif
