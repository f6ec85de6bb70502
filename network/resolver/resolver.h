/*
 * The resolver's parts: one thread, one loop, which never waits for any single socket.
 *
 *   served.c      the containers, and their sockets
 *   names.c       what the containers on a network are called
 *   query.c       a question, until it is answered: at once, or by a server's answer
 *   hold.c        answers whose addresses have to be let through first
 *   refusal.c     names that a container may not know
 *   connection.c  a container's connection by TCP, its answers in connection_answer.c
 *   asker.c       who wants an answer
 *   control.c     what davitd orders
 *   report.c      what davitd is told
 *   sandbox.c     what the resolver may not do
 *   watch.c       watched descriptors, and memory that is freed after the events at hand
 *   loop.c        the loop
 *
 * A container may do to its sockets what it likes: what it can have is bounded, what is over it is
 * dropped (UDP) or closed (TCP), and the others are served in turn.
 */
#ifndef DAVIT_NETWORK_RESOLVER_RESOLVER_H
#define DAVIT_NETWORK_RESOLVER_RESOLVER_H

#include <netinet/in.h>

#include "base/buffer.h"
#include "network/dns.h"
#include "network/resolver_channel.h"

#define QUERIES_MAX 128          /* under way, of one container */
#define CONNECTIONS_MAX 16       /* of one container */
#define QUERIES_TOTAL_MAX 4096   /* under way; each has a socket */
#define QUERY_SIZE_MAX 4096      /* a question is short */
#define ATTEMPT_TIMEOUT_MS 2000  /* until the next server is asked */
#define QUERY_TIMEOUT_MS 8000    /* until a question is answered with a failure */
#define CONNECTION_IDLE_MS 20000 /* by TCP, without a question */
#define DATAGRAMS_PER_TURN 16    /* of one container, before others have theirs */

/* watch.c */

/* A descriptor and what is done when it is ready. Embedded in what it belongs to. */
struct watch {
    int fd; /* -1: none */
    void (*on_ready)(struct watch *watch, uint32_t events);
};

struct resolver {
    int epoll_fd;
    struct watch listener; /* where davitd connects */
    struct watch control;  /* the davitd that has */
    bool has_begun;        /* it has been answered who we are: the first that it may hear */
    char instance[65];     /* "": not said yet */
    struct served *served;
    size_t query_count;
    uint64_t grant_serial;
    uint32_t turns; /* of several addresses each comes first in turn */
    void **dead;    /* freed when the events at hand are handled */
    size_t dead_count;
    bool has_ended;
};

/* Whether there is a davitd to be told anything. */
bool report_is_open(const struct resolver *resolver);

/* Watches `fd` for the events. Owns `fd`, which is closed on failure. */
int watch_begin(struct resolver *resolver, struct watch *watch, int fd, uint32_t events);
void watch_change(struct resolver *resolver, struct watch *watch, uint32_t events);
/* Closes the descriptor. */
void watch_end(struct watch *watch);

/* Frees the memory later: events that have happened may point into it. */
void resolver_bury(struct resolver *resolver, void *memory);

/* Frees what resolver_bury() was given. Call this when the events at hand are handled. */
void resolver_free_buried(struct resolver *resolver);

uint64_t resolver_now_ms(void);

/* loop.c */

/* Until RESOLVER_QUIT. */
void resolver_run(struct resolver *resolver);

/* served.c */

struct connection;
struct held;
struct query;

struct served {
    struct watch udp;
    struct watch tcp;
    struct watch process;
    struct served *next;
    struct resolver *resolver;
    struct arena arena;
    struct resolver_container container;
    struct query *queries;
    struct connection *connections;
    struct held *held;
    size_t held_count;
    uint64_t grants_second;
    size_t grants_count; /* in that second */
    uint64_t refused;    /* questions for names it may not know; davitd knows of refused_told */
    uint64_t refused_told;
    uint64_t refusals_second;
    size_t refusals_count; /* that it was told by name, in that second */
    size_t query_count;
    size_t connection_count;
    bool is_current; /* set since the last RESOLVER_BEGIN */
};

/* Adds a container, or changes what is known of it. Owns the arena, in which `container` lies, and
 * the descriptors, -1 for none. */
void served_set(struct resolver *resolver, const struct resolver_container *container,
                struct arena arena, const int fds[RESOLVER_DESCRIPTORS]);
void served_remove(struct resolver *resolver, const char *id);
void served_mark_all_stale(struct resolver *resolver); /* RESOLVER_BEGIN */
void served_remove_others(struct resolver *resolver);  /* RESOLVER_ALL */

/* names.c */

/* The addresses of that name on the container's networks, each once; false if nobody has it. */
bool names_find(const struct served *asking, const char *name, int family, struct address *found,
                size_t *count);

/* Finds the name of the container with this address on one of the networks of `asking`:
 * "NAME.NETWORK". */
bool names_find_reverse(const struct served *asking, const struct address *address,
                        char name[DNS_NAME_SIZE]);

/* query.c */

/* Who wants the answer. */
struct asker {
    struct served *served;
    struct connection *connection; /* NULL: by UDP */
    struct sockaddr_in address;    /* of UDP */
};

/* asker.c */
void asker_answer(const struct asker *asker, const uint8_t *message, size_t length);

/* Answers a question now or later. Returns false if the message deserves no answer. */
bool query_begin(const struct asker *asker, const uint8_t *message, size_t length);

/* Drops the queries of a container, or with `connection` those of one connection of it. */
void queries_drop(struct served *served, const struct connection *connection);

/* Handles the queries whose deadline has passed. Returns the next deadline, `next_ms` at the
 * latest. */
uint64_t queries_expire(struct served *served, uint64_t now_ms, uint64_t next_ms);

/* hold.c */

/* What davitd is asked to let through. */
struct grant_order {
    const char *name;
    const struct dns_addresses *addresses;
    bool is_member; /* davitd has said that they are those of a container */
};

/* Keeps the answer until davitd has let the addresses through. False if davitd cannot be asked. */
bool hold_answer(const struct asker *asker, const struct grant_order *order, const uint8_t *message,
                 size_t length);

/* davitd has let the addresses of this report through: gives the answer that waits for it. */
void hold_release(struct resolver *resolver, uint64_t serial);

/* Like queries_drop() and queries_expire(). */
void holds_drop(struct served *served, const struct connection *connection);
uint64_t holds_expire(struct served *served, uint64_t now_ms, uint64_t next_ms);

/* refusal.c */

/* Counts a question for a name that the container may not know. davitd is told the names of a
 * limited number of them each second. */
void refusal_note(struct served *served, const char *name);

/* Counts from 0 again: the container was started again, or its rules have changed. */
void refusals_forget(struct served *served);

/* Tells davitd the count that it does not know yet. Returns like queries_expire(). */
uint64_t refusals_expire(struct served *served, uint64_t now_ms, uint64_t next_ms);

/* connection.c */

void connection_accept(struct served *served);
/* connection_answer.c */
void connection_answer(struct connection *connection, const uint8_t *message, size_t length);
void connections_drop(struct served *served);
uint64_t connections_expire(struct served *served, uint64_t now_ms, uint64_t next_ms);

/* control.c */

void control_listen(struct resolver *resolver, int fd);

/* report.c */

/* False if there is no davitd, or it does not read. */
bool report_send(const struct resolver *resolver, const struct resolver_report *said);

/* Asks davitd to let the addresses through. */
bool report_ask_grant(struct resolver *resolver, uint64_t serial, const char *id,
                      const struct grant_order *order);
bool report_refusal(const struct resolver *resolver, const struct resolver_refusal *refusal);

/* sandbox.c */

/* Confines the resolver: it becomes the user nobody and may use little more than sockets. */
int sandbox_enter_resolver(struct error *err);

#endif
