/* Unix sockets: addressed relative to a directory descriptor, messages that carry descriptors. */
#ifndef DAVIT_BASE_SOCKET_H
#define DAVIT_BASE_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "error.h"

#define SOCKET_MAX_FDS 16

/* Binds and listens at directory_fd/name; `type` is SOCK_STREAM or SOCK_SEQPACKET, with
 * SOCK_NONBLOCK if wanted. A leftover socket of that name is replaced. The directory decides who
 * may connect; `mode` is the socket's own. */
int socket_listen(int directory_fd, const char *name, int type, mode_t mode, struct error *err);

/* Connects to directory_fd/name. Paths may be longer than sun_path. */
int socket_connect(int directory_fd, const char *name, int type, struct error *err);

/* Sends one message with up to SOCKET_MAX_FDS descriptors (still owned by the caller), without
 * SIGPIPE. Returns the bytes sent or a negative errno. */
ssize_t socket_send(int fd, const void *bytes, size_t length, const int *fds, size_t fd_count);

/* The same without waiting: -EAGAIN if the other end has too much unread. */
ssize_t socket_try_send(int fd, const void *bytes, size_t length, const int *fds, size_t fd_count);

/* Bytes that have been sent and not read by the other end yet (unix(7), SIOCOUTQ). */
int socket_unread(int fd);

/* Returns a pidfd of the process that listened on the socket which this connection was made to. A
 * negative errno if that process is gone: its number may belong to another one by then. */
int socket_peer_pidfd(int fd);

/* Receives one message. Descriptors arrive close-on-exec and belong to the caller; *fd_count is
 * the room in `fds` before and the number received after. A message or a set of descriptors that
 * does not fit is -EMSGSIZE and leaves nothing open. 0 is the end of the stream. */
ssize_t socket_receive(int fd, void *bytes, size_t size, int *fds, size_t *fd_count);

#endif
