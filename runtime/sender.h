/* Processes of our own that make descriptors where we cannot, and send them: in another mount
 * namespace, or where the kernel may keep them waiting. Internal to runtime/. */
#ifndef DAVIT_RUNTIME_SENDER_H
#define DAVIT_RUNTIME_SENDER_H

#include <sys/types.h>

#include "base/error.h"

struct sender {
    pid_t pid;
    int channel_fd; /* SOCK_SEQPACKET: what it sends */
};

/* Forks a process that does `run`, which sends by socket_send() and returns, and then ends. */
int sender_start(void (*run)(const void *context, int channel_fd), const void *context,
                 struct sender *sender, struct error *err);

/* Closes the channel and waits for the process's end; with WNOHANG does not wait. */
void sender_end(struct sender *sender, int flags);

#endif
