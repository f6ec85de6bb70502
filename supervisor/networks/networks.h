/*
 * Networks that containers are attached to, with Docker's drivers "bridge", "macvlan" and "ipvlan"
 * or with plugins ("cni"). A network lies in <root>/networks/ID.json; its device on the host is
 * made when the first container needs it.
 */
#ifndef DAVIT_SUPERVISOR_NETWORKS_NETWORKS_H
#define DAVIT_SUPERVISOR_NETWORKS_NETWORKS_H

#include <net/if.h>

#include "base/completion.h"
#include "base/findings.h"
#include "base/identifier.h"
#include "base/json_table.h"
#include "cgroups/cgroups.h"
#include "network/address.h"
#include "network/firewall.h"
#include "network/nft.h"
#include "supervisor/events/bus.h"
#include "supervisor/spawn/spawner.h"
#include "supervisor/store/places.h"

struct egress_ended;
struct ended_address;
struct membership;
struct netlink;
struct network_lease;

#define NETWORK_DEFAULT "bridge" /* which is always there */

enum network_driver {
    NETWORK_DRIVER_BRIDGE = 1,
    NETWORK_DRIVER_MACVLAN,
    NETWORK_DRIVER_IPVLAN,
    NETWORK_DRIVER_CNI, /* plugins: plugins.h */
};

/* A network's addresses of one family. */
struct network_addresses {
    const char *subnet_text; /* NULL: nothing */
    const char *gateway_text;
    const char *range_text;     /* of what containers get; "": all of the subnet */
    struct string_map reserved; /* addresses that no container gets, by what has them */
    /* From the texts: */
    struct subnet subnet;
    struct subnet range;
    struct address gateway; /* family 0: none */
};

/* Somebody has removed a device of ours: mend.c. */
struct device_loss {
    uint64_t due_us; /* when it is made again; 0: it is there */
    uint64_t last_us;
    unsigned int count; /* in a row */
    bool is_certain;    /* else it is looked first whether it is there */
};

struct network {
    struct network *next;
    struct arena arena;
    const char *id;
    const char *tenant; /* whose it is; NULL or "": the host's own */
    const char *name;   /* unique within the tenant */
    int64_t created_ns;
    int driver; /* enum network_driver */
    struct network_addresses ipv4;
    struct network_addresses ipv6;
    uint32_t mtu;       /* 0: the kernel's choice */
    bool is_internal;   /* nothing leaves it */
    bool is_isolated;   /* its containers do not reach each other */
    bool keeps_sources; /* others see its containers' own addresses: no masquerading */
    bool reaches_host;  /* its containers may begin connections to this host */
    struct string_map labels;
    struct string_map options;
    LIST_OF(struct firewall_group) groups; /* of its members, from the options */
    /* Of macvlan and ipvlan: */
    const char
        *parent;      /* the host's device below those of containers; "": one that leads nowhere */
    const char *mode; /* "": the driver's usual one */
    const char *conflist; /* of cni: the file that says which plugins; NULL with other drivers */
    /* Not on disk: */
    char device[IFNAMSIZ]; /* the bridge, or the parent */
    bool is_prepared;      /* by this davitd: that device is as it has to be */
    struct device_loss loss;
    uint64_t mended;    /* how often somebody has removed devices of it */
    uint64_t mended_us; /* when its bridge was, the last time */
};

/* The kernel's rules, and how they come to be what davitd knows: firewall.c. */
struct firewall_state {
    bool is_dirty;              /* what davitd knows is not what the kernel has */
    bool is_written;            /* the kernel's sets may be changed by themselves */
    uint64_t sum;               /* of the rules in force, without elements */
    struct completion *waiters; /* for the next writing */
    sd_event_source *turn;      /* writes the rules */
    sd_event_source *retry;     /* after it has failed */
    uint64_t retry_us;          /* its delay; 0: the last writing was good */
    bool lacks_bridge_tracking; /* the kernel has no CONFIG_NF_CONNTRACK_BRIDGE */
};

/* Egress rules of containers: egress_rules.c, egress_log.c. */
struct egress_state {
    bool is_there;               /* rules of containers, or what an earlier davitd left */
    struct egress_ended *ended;  /* that the kernel may still know */
    bool written_lacks_tracking; /* what is written was for a kernel that cannot track in bridges */
    size_t learnt_count;         /* of all containers: egress_learnt.c */
};

/* Limits of devices: limits.c. */
struct limits_table {
    bool is_written;
    bool is_being_written;
};
struct limits_state {
    struct limits_table inet;
    struct limits_table bridge; /* where the kernel tracks connections in bridges */
};

/* What rules tell of packets that they stop: packets.c. */
struct packets_state {
    bool is_heard;
    int fd;
    sd_event_source *source; /* NULL: not yet */
};

/* Whether connections are what they may be. */
enum connections_phase {
    CONNECTIONS_RIGHT,
    CONNECTIONS_DUE,
    CONNECTIONS_UNDER_WAY,
};

/* The host's own firewall: host_firewall.c, firewalld.c. */
struct host_firewall_state {
    int fd;
    sd_event_source *source; /* NULL: nobody is told yet */
    sd_event_source *timer;  /* looks at it again */
    uint64_t looked_us;
    bool is_watched;
    char closed[560]; /* its chain that lets nothing through and is another program's; "": none */
    bool has_legacy;  /* rules of iptables-legacy */
    struct firewalld *firewalld; /* or NULL */
};

/* Connections that are to end: connections.c. */
struct connections_state {
    struct ended_address *ended; /* addresses that nobody has and nobody gets yet */
    size_t ended_count;
    enum connections_phase sweep; /* of what ended without a davitd */
    bool is_due;                  /* there is work for the next process */
    sd_event_source *turn;        /* begins it */
    int report_fd;                /* of the process at work; -1: none */
    char report[1024];
    size_t report_length;
    sd_event_source *source;
    sd_event_source *deadline;
    sd_event_source *retry;
    unsigned int failures;            /* one after the other */
    struct completion *waiters;       /* for the process at work */
    struct completion *later_waiters; /* for the next one */
};

/* Devices that somebody removes: mend.c. */
struct mend_state {
    int fd;
    sd_event_source *source; /* NULL: nobody is told yet */
    sd_event_source *timer;
    uint64_t due_us;
};

/* davitd's side of the resolver: names.c. */
struct names_state {
    int fd; /* channel to it; -1: none */
    struct outbox outbox;
    sd_event_source *channel;
    sd_event_source *restart_timer;
    char instance[IDENTIFIER_SIZE];
    bool watches_host;       /* the host's resolv.conf(5) */
    ino_t redirected_cgroup; /* inode; its questions come here; 0: none */
};

/* All networks, and who is on them. The first members are to be set before anything else. */
struct networks {
    sd_event *loop;
    struct spawner *spawner;
    struct event_bus *events;
    const struct places *places;
    const struct cgroup_hierarchy *hierarchy;
    const char *cgroup_parent;             /* of all containers */
    const char *default_network;           /* of containers that do not name one */
    bool leaves_host_firewall;             /* it stays as it is, whatever it drops */
    uint32_t default_connections;          /* that a container may have begun; 0: any number */
    struct string_list plugin_directories; /* of CNI */
    const char *id;                        /* davitd's */

    struct network *list;
    struct membership *members; /* newest first */
    size_t member_count;
    bool is_recovering; /* not all members that there are may be known */
    int lock_fd;        /* keeps other davitds off; -1: not locked yet */
    struct nft_channel nft;
    struct firewall_state firewall;
    struct egress_state egress;
    struct limits_state limits;
    struct packets_state packets;
    struct host_firewall_state host_firewall;
    struct connections_state connections;
    struct mend_state mend;
    struct names_state names;
};

/* POST /networks/create. */
struct network_pool_order {
    const char *subnet;
    const char *range;
    const char *gateway;
    struct string_map reserved;
};

struct network_ipam {
    const char *driver;
    LIST_OF(struct network_pool_order) pools;
};

struct network_order {
    const char *name;
    const char *driver;
    bool is_internal;
    bool has_ipv6;
    struct optional_bool has_ipv4; /* false is refused */
    const char *scope;             /* "local" */
    struct network_ipam ipam;
    struct string_map options;
    struct string_map labels;
};

/* At start: reads those on disk, and makes the default one if it is not there. */
int networks_read(struct networks *networks, struct error *err);

/* Finds files that no network can be read from, reads them again, and with REPAIR_PRUNE removes
 * them. */
void networks_repair(struct networks *networks, enum repair how, struct findings *findings);

/* A network of the tenant, or the default one, which is everybody's, by id, a part of its
 * beginning, or name. ERROR_NOT_FOUND "network NAME not found". */
int network_find(const struct networks *networks, const char *tenant, const char *name,
                 struct network **network, struct error *err);
/* Whether the tenant may know it: it is the tenant's, or the default one. */
bool network_is_visible(const struct network *network, const char *tenant);
/* By its whole id, whatever its tenant; NULL: there is none. */
struct network *network_by_id(const struct networks *networks, const char *id);

/* Durable when it returns. */
int network_create(struct networks *networks, const char *tenant, const struct network_order *order,
                   struct network **network, struct error *err);

/* Refuses the default one and those that containers are attached to. */
int network_remove(struct networks *networks, struct network *network, struct error *err);

/* "bridge", "macvlan", "ipvlan", "cni"; by enum network_driver, which begins at 1. */
extern const char *const network_driver_names[];
const char *network_driver_name(const struct network *network);

/* Of the family AF_INET or AF_INET6. */
const struct network_addresses *network_addresses(const struct network *network, int family);

/* By id, a part of its beginning, or name; NULL: there is none, or more than one. */
struct network *network_look_up(const struct networks *networks, const char *tenant,
                                const char *name);

/* Whether a container that is on it has a way out by that family. */
bool network_leads_out(const struct network *network, int family);

/* Makes the network's device on the host, or completes one that another davitd left half made. */
int network_prepare(struct networks *networks, struct netlink *netlink, struct network *network,
                    struct error *err);

/* Subnets: addresses.c */

/* Sets subnets, ranges and gateways as the order says, and picks what it leaves open. */
int network_addresses_choose(const struct networks *networks, struct network *network,
                             const struct network_order *order, struct error *err);

/* Parses and checks the texts of subnets, ranges and gateways. */
int network_addresses_resolve(struct network *network, struct error *err);

/* Refuses a subnet that overlaps with another network's. */
int network_addresses_check(const struct networks *networks, const struct network *network,
                            struct error *err);

/* The host's device: device.c */

void network_device_name(struct network *network);

/* Takes the lock that lets one davitd alone have networks in the host's network namespace: they
 * share its firewall. Waits up to timeout_ms for a davitd that may be about to die. */
int networks_claim(struct networks *networks, int timeout_ms, struct error *err);

/* At davitd's end. */
void networks_release(struct networks *networks);
void network_device_remove(const struct network *network);

/* The host's own firewall: host_firewall.c */

/* Once there are networks: where it drops what is forwarded it is made to let davit's bridges
 * through, also after it was loaded anew. */
void host_firewall_watch(struct networks *networks);

/* What somebody else removes: mend.c */

/* Once there are networks: devices of containers that run, and their bridges with their addresses,
 * are made again within 100 ms, more slowly where that happens again and again; the log says so,
 * and an event "mend" of the network. The first time it looks for what has gone before. */
void networks_watch(struct networks *networks);

/* Packets that rules stop: packets.c */

/* Once there are rules: makes events of what they stop, a few a second. */
void networks_hear_packets(struct networks *networks);

/* The firewall: firewall.c, channel.c */

/* At start: finds the socket that owns the rules, or opens one. Monitors keep a descriptor of it
 * each, so that the rules are there as long as any of their containers. */
void networks_open_channel(struct networks *networks);

/* What davitd knows has changed: the kernel's rules follow soon, for several changes at once. */
void firewall_change(struct networks *networks);

/* Adds a container's published ports to the kernel's rules, or removes them: at once, or with the
 * next run if one is due or under way. */
void firewall_change_ports(const struct membership *member, bool is_removed);

/* The same for a device in a bridge: before it is up, or when it is gone. */
int firewall_change_device_of(const struct membership *member, const struct network_lease *lease,
                              bool is_removed, struct error *err);

/* Writes the rules now: also those who wait are told. */
int firewall_update(struct networks *networks, struct error *err);

/* Ends the completion when the kernel has the rules of this moment, or they could not be set: also
 * where the last writing has failed it is tried again first. */
void firewall_await(struct networks *networks, struct completion *completion);

#endif
