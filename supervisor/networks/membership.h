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
    /* Saves what membership_record() writes: it has changed. */
    void (*save)(struct membership *member);
    /* membership_attach() is done, or has failed (`err`, else NULL). Not called for a start that is
     * over before. */
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
    uint8_t mac[6];                 /* of davitd's device: lease_set_mac() */
    uint32_t device;                /* 1: eth1 */
    const struct network *network;  /* of the addresses; NULL: there are none */
    char host_device[IFNAMSIZ];     /* the other end; "": there is none */
    struct plugin_lease *by_plugin; /* there as soon as plugins are at work; NULL: davitd's */
    struct device_loss loss;
    bool is_restored; /* an earlier davitd has given it */
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
    ino_t prepared_netns;         /* inode; has its devices before it runs; 0: none */
    struct published_ports ports; /* of the host, while it runs */
    /* Identity of the latest start. It may dangle: compare it, never dereference it. */
    const struct attachment *attachment;
    uint64_t refused_names;                  /* by its egress rules */
    uint64_t limit_told_us[3];               /* when its limits are told of again: packets.c */
    struct egress_notes *notes;              /* what it reaches while it learns; or NULL */
    struct egress_learnt *learnt;            /* addresses of names that it may reach; or NULL */
    bool has_egress_written;                 /* the kernel has its rules */
    bool has_moved_learnt;                   /* the kernel has lost them with the former rules */
    enum connections_phase port_connections; /* whether its ports lead all to it */
    enum connections_phase connections;      /* whether its rules let those through that it has */
    bool has_fixed_addresses;                /* on any network, whether it runs or not */
    bool has_plugins;                        /* that have made devices, or are about to */
    char resolver_instance[IDENTIFIER_SIZE]; /* resolver with its sockets; "": none */
};

/* The list, and what can be asked: membership.c */

/* Adds the container to the list; takes it off the list. */
void membership_link(struct membership *member);
void membership_unlink(struct membership *member);

/* By id, or 12 of its digits and more. NULL: there is none. */
struct membership *membership_find(const struct networks *networks, const char *id);

/* The index of its endpoint on the network; the number of its endpoints if none is on it. */
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

/* Whether it has addresses on a bridge of ours. */
bool lease_is_on_bridge(const struct network_lease *held);

/* All addresses that its device has, with that which it has by itself where it has IPv6; family 0:
 * none. */
#define LEASE_ADDRESSES 3
void lease_list_addresses(const struct network_lease *held,
                          struct address addresses[LEASE_ADDRESSES]);

/* The prefix length of the subnet that the lease's address lies in. */
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

/* The container starts. `netns_fd` is its network namespace if that is there already, or -1. If it
 * is, the container gets addresses, devices and ports now; membership_attach() tries again what
 * fails. */
void membership_start(struct membership *member, int netns_fd);

/* It runs. */
void membership_run(struct membership *member, pid_t pid);

/* Its start has failed. */
void membership_fail(struct membership *member);

/* A container that runs has one endpoint more: gives it address and device there. */
int membership_join(struct membership *member, size_t index, struct error *err);

/* The container has another revision of its definition; the former one is still there. What it has
 * of networks that are in both it keeps; it leaves those that are in the former alone. */
void membership_revise(struct membership *member, const struct definition *definition);

/* What it had is free again: release.c */

/* The container has ended: what it had is free again. While others still run in its network
 * namespace, addresses, rules and ports stay, until the last of them has ended. */
void membership_end(struct membership *member);

/* The container could not start: what it had is free again. Nobody else was in its namespace. */
void membership_forget(struct membership *member);

/* The container starts anew, leaves a network or is removed: containers that are still in the
 * namespace of its former run lose their network. */
void membership_cut(struct membership *member);

/* At davitd's start, when all members are known: releases what ended containers have kept and
 * nobody uses, and writes the kernel's rules anew. */
void networks_recovered(struct networks *networks);

/* Its way into networks when it starts: attach.c */

/* See membership_start(). */
void membership_prepare(struct membership *member, int netns_fd);

/* Its monitor has its network namespace, and its first process: gives it what it has not yet of
 * addresses, devices, names and ports, and tells its owner. The descriptor stays the caller's. */
void membership_attach(struct membership *member, int netns_fd, pid_t pid);

/* Addresses and devices: leases.c */

/* Leases addresses on the network that its endpoint `index` is on, and makes its device; for one of
 * plugins, to be run later, its name alone. After a failure it has neither. */
int lease_add(struct membership *member, size_t index, int netns_fd, struct error *err);

/* Somebody may have removed its device, or taken it off its bridge: makes it as it was. Fails for a
 * container that has ended, whether that is known or not. */
int lease_mend(struct membership *member, size_t index, struct netlink *netlink, bool *was_lost,
               struct error *err);

/* The endpoint's own address, or one that follows from its IPv4 address. */
void lease_set_mac(struct membership *member, size_t index);
/* The device's name in the container: "eth0". */
void lease_device_name(const struct network_lease *held, char name[IFNAMSIZ]);

int lease_remove(const struct membership *member, size_t index, int netns_fd, struct error *err);

/* After it has left networks while it runs: gives it default routes over the first of the others
 * that leads out. */
void leases_restore_way_out(const struct membership *member);

/* Its endpoints have changed: notes whether any asks for a certain address. */
void leases_note_fixed(struct membership *member);

struct device_counters {
    char name[IFNAMSIZ]; /* as the container knows it */
    struct link_counters counters;
};

/* What has gone through its devices. Returns how many there are. */
size_t leases_read_counters(const struct membership *member,
                            struct device_counters counters[ENDPOINTS_MAX]);

/* Hosts, resolv.conf and hostname: name_files.c */

/* Writes the three files if the container has its own (`names_directory` of its definition is ".").
 * They are bound into it. */
int membership_write_files(struct membership *member, struct error *err);

/* Before a start: writes them again where one is missing. */
int membership_write_lost_files(struct membership *member, struct error *err);

/* Writes hosts anew, in place, with the addresses that the container has now. */
int membership_write_hosts(const struct membership *member, struct error *err);

/* Ports of the host: ports.c */

/* Takes those that its definition asks for, for as long as it runs. */
int ports_publish(struct membership *member, struct error *err);
void ports_release(struct membership *member);

/* Copies a port for a member's list. The copy owns its texts; ports_release() frees them. */
void port_copy(const struct published_port *from, struct published_port *to);

/* Its state across davitd's life: state.c */

struct plugin_record;

struct lease_record {
    const char *network_id; /* NULL: an early davit wrote it, for the endpoint of the same index */
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
    struct string_list noted; /* egress_notes.h */
};
extern const struct json_struct membership_record_type;

/* The record points into the member and the arena. */
void membership_record(const struct membership *member, struct arena *arena,
                       struct membership_record *record);

/* At davitd's start, before it is known whether the container runs. */
void membership_restore(struct membership *member, const struct membership_record *record);

/* Docker's objects: describe.c */

/* Writes a network with the containers that run on it. */
void network_write(struct json_writer *writer, const struct networks *networks,
                   const struct network *network);

/* Members of NetworkSettings: Ports and Networks, and Networks alone. */
void membership_write(struct json_writer *writer, const struct membership *member);
void membership_write_list(struct json_writer *writer, const struct membership *member);

/* Ports, as lists of containers have them. */
void ports_write_list(struct json_writer *writer, const struct membership *member);

/* A number that is another as soon as membership_write_list() or ports_write_list() would write
 * something else, the container's definition being the same; 0: it is not known. */
uint64_t membership_stamp(const struct membership *member);

#endif
