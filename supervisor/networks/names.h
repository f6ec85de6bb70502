/*
 * davitd's side of the resolver, a process of its own that answers containers' questions for names
 * (network/resolver_channel.h). It is started with the first container that has a network, outlives
 * davitd, and ends when a davitd ends that has no such container.
 */
#ifndef DAVIT_SUPERVISOR_NETWORKS_NAMES_H
#define DAVIT_SUPERVISOR_NETWORKS_NAMES_H

#include "supervisor/containers/container.h"

/* At davitd's start, when it knows what runs: takes over a resolver that is there, or starts one
 * where containers need it. */
void resolver_open(struct daemon *daemon);

/* At davitd's end. */
void resolver_close(struct daemon *daemon);

/* A container starts: makes its sockets in its network namespace. `pid` is its first process. */
int resolver_begin(struct managed_container *container, int netns_fd, pid_t pid, struct error *err);

/* Names or addresses of one that runs have changed, or it is only now known how it runs. */
void resolver_update(struct managed_container *container);

/* The addresses of its report of that serial are let through. */
void resolver_confirm(struct daemon *daemon, uint64_t serial);

/* It has ended. */
void resolver_end(struct managed_container *container);

/* The `nameserver` lines, the search list and the options of the host's resolv.conf(5). */
struct resolver_host {
    struct string_list servers;
    struct string_list search;
    struct string_list options;
};
void resolver_read_host(struct arena *arena, struct resolver_host *host);

#endif
