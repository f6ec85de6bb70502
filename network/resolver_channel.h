/*
 * Between davitd and the resolver (davit-resolver), which answers containers' questions for names.
 * The resolver listens in davitd's run directory and outlives it: a new davitd connects to the one
 * that is there. SOCK_SEQPACKET; every message is one JSON object.
 *
 * davitd sends a RESOLVER_BEGIN, is answered by a resolver_report, and then says what containers
 * there are. A container that has started is sent with three descriptors: its UDP and its TCP
 * socket, which are bound in its network namespace, and a pidfd of its first process; when that
 * ends, the resolver closes the sockets. A message without descriptors changes what is known of the
 * container.
 */
#ifndef DAVIT_NETWORK_RESOLVER_CHANNEL_H
#define DAVIT_NETWORK_RESOLVER_CHANNEL_H

#include "base/json_table.h"

#define RESOLVER_SOCKET "resolver.sock"
#define RESOLVER_MESSAGE_MAX 65536

/* Where containers find it, as in Docker. The sockets have a port that programs do not use
 * themselves; cgroup_redirect() leads there. */
#define RESOLVER_ADDRESS "127.0.0.11"
#define RESOLVER_PORT 65353

enum resolver_order_kind {
    RESOLVER_UNKNOWN,
    RESOLVER_BEGIN,
    RESOLVER_SET,    /* a container, in place of what was said of it before */
    RESOLVER_REMOVE, /* it has ended */
    RESOLVER_ALL,    /* those that were not set since RESOLVER_BEGIN have gone */
    RESOLVER_QUIT,
    RESOLVER_GRANTED, /* the addresses of a grant are let through: give the answer */
};

enum resolver_descriptor {
    RESOLVER_UDP,
    RESOLVER_TCP,
    RESOLVER_PROCESS,
    RESOLVER_DESCRIPTORS,
};

/* A container's part in a network. */
struct resolver_endpoint {
    const char *network;      /* id */
    const char *network_name; /* "NAME.NETWORK" is found as well */
    const char *ipv4;
    const char *ipv6;
    struct string_list names; /* that others on the network know it by; the first is for PTR */
};

struct resolver_container {
    const char *id;
    const char *tenant; /* it finds the names of its tenant alone; NULL: "" */
    LIST_OF(struct resolver_endpoint) endpoints;
    struct string_map
        links; /* names that it alone has for others: alias, and a name of the other */
    struct string_list servers; /* asked for all other names; empty: other names do not exist */
    bool is_limited;            /* to the names of `allowed`, whose addresses davitd is told of */
    struct string_list allowed; /* "example.org", "*.example.org", "*" */
};

struct resolver_order {
    int kind;
    uint64_t serial;      /* RESOLVER_GRANTED: of the resolver's report */
    const char *instance; /* RESOLVER_BEGIN: what a resolver without a name is to be called */
    struct resolver_container container;
};

/* A limited container has asked for a name, and these are its addresses. */
struct resolver_grant {
    uint64_t serial; /* 0: none */
    const char *id;  /* the container */
    const char *name;
    struct string_list addresses;
    uint32_t ttl_s;
    bool
        is_member; /* they are those of a container on one of its networks, which davitd has said */
};

/* How often a limited container has asked for names that it may not know, since it was started or
 * its rules changed. `name` is the last one; NULL if only the count is told. */
struct resolver_refusal {
    const char *id; /* the container; NULL: no refusal */
    const char *name;
    uint64_t count;
};

/* A message of the resolver: the answer to RESOLVER_BEGIN, a grant, or a refusal. */
struct resolver_report {
    const char *version;  /* davit_version */
    const char *instance; /* the same as before: the resolver still has its sockets */
    struct resolver_grant grant;
    struct resolver_refusal refusal;
};

extern const struct json_struct resolver_order_type;
extern const struct json_struct resolver_report_type;

#endif
