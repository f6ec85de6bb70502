/* A container's connection by TCP, as connection.c and connection_answer.c share it. */
#ifndef DAVIT_NETWORK_RESOLVER_CONNECTION_H
#define DAVIT_NETWORK_RESOLVER_CONNECTION_H

#include "resolver.h"

struct connection {
    struct watch watch;
    struct connection *next;
    struct served *served;
    struct buffer input;
    struct buffer output;
    uint64_t deadline_ms;
    bool awaits_answer;
};

/* Listens for what is due next: room for an answer, or a question. */
void connection_watch(struct connection *connection);

#endif
