/*
 * davitd's side of the resolver, a process of its own that answers containers' questions for names
 * (network/resolver_channel.h). It is started with the first container that has a network, outlives
 * davitd, and ends when a davitd ends that has no such container.
 */
#ifndef DAVIT_SUPERVISOR_NETWORKS_NAMES_H
#define DAVIT_SUPERVISOR_NETWORKS_NAMES_H

#include "membership.h"

/* At davitd's start, when it knows what runs: takes over a resolver that is there, or starts one
 * where containers need it. */
void names_open(struct networks *networks);

/* At davitd's end. */
void names_close(struct networks *networks);

/* A container starts: makes its sockets in its network namespace. `pid` is its first process. */
int names_attach(struct membership *member, int netns_fd, pid_t pid, struct error *err);

/* Names or addresses of a running container have changed, or davitd has only now found it. */
void names_update(struct membership *member);

/* The container has ended: the resolver forgets it. */
void names_detach(struct membership *member);

/* The `nameserver` lines, the search list and the options of the host's resolv.conf(5). */
struct resolver_host {
    struct string_list servers;
    struct string_list search;
    struct string_list options;
};
void names_read_host(struct arena *arena, struct resolver_host *host);

#endif
