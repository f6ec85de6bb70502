/* A container's connection by TCP: each message behind its length (RFC 1035, 4.2.2), one question
 * at a time. See resolver.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "connection.h"

static void end_connection(struct connection *connection)
{
    struct served *served = connection->served;

    for (struct connection **link = &served->connections; *link != NULL; link = &(*link)->next) {
        if (*link == connection) {
            *link = connection->next;
            break;
        }
    }
    served->connection_count--;
    queries_drop(served, connection);
    holds_drop(served, connection);
    watch_end(&connection->watch);
    buffer_release(&connection->input);
    buffer_release(&connection->output);
    resolver_bury(served->resolver, connection);
}

/* The next question, if it is there as a whole. Returns false when the connection has ended. */
static bool take_question(struct connection *connection)
{
    const struct asker asker = {.served = connection->served, .connection = connection};
    const uint8_t *bytes = (const uint8_t *)connection->input.data;
    uint8_t message[QUERY_SIZE_MAX];
    size_t length;

    if (connection->awaits_answer || connection->input.length < 2)
        return true;
    length = (size_t)bytes[0] << 8 | bytes[1];
    if (length > QUERY_SIZE_MAX) {
        end_connection(connection);
        return false;
    }
    if (connection->input.length < 2 + length)
        return true;
    memcpy(message, bytes + 2, length);
    buffer_consume(&connection->input, 2 + length);
    connection->awaits_answer = true;
    if (query_begin(&asker, message, length))
        return true;
    end_connection(connection);
    return false;
}

static bool read_input(struct connection *connection)
{
    size_t room = 2 + QUERY_SIZE_MAX - connection->input.length;
    ssize_t count =
        recv(connection->watch.fd, buffer_reserve(&connection->input, room), room, MSG_DONTWAIT);

    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (count <= 0) {
        end_connection(connection);
        return false;
    }
    connection->input.length += (size_t)count;
    return true;
}

static bool write_output(struct connection *connection)
{
    ssize_t count = send(connection->watch.fd, connection->output.data, connection->output.length,
                         MSG_DONTWAIT | MSG_NOSIGNAL);

    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (count < 0) {
        end_connection(connection);
        return false;
    }
    buffer_consume(&connection->output, (size_t)count);
    if (connection->output.length > 0)
        return true;
    connection->awaits_answer = false;
    connection->deadline_ms = resolver_now_ms() + CONNECTION_IDLE_MS;
    return take_question(connection);
}

static void on_ready(struct watch *watch, uint32_t events)
{
    struct connection *connection = (struct connection *)(void *)watch;

    if ((events & EPOLLOUT) != 0 && connection->output.length > 0 && !write_output(connection))
        return;
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
        end_connection(connection);
        return;
    }
    if ((events & EPOLLIN) != 0 && !connection->awaits_answer &&
        (!read_input(connection) || !take_question(connection)))
        return;
    connection_watch(connection);
}

void connection_accept(struct served *served)
{
    cleanup_close int fd = accept4(served->tcp.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct connection *connection;

    if (fd < 0 || served->connection_count == CONNECTIONS_MAX)
        return;
    connection = memory_new_one(struct connection);
    connection->watch.on_ready = on_ready;
    connection->served = served;
    connection->deadline_ms = resolver_now_ms() + CONNECTION_IDLE_MS;
    if (watch_begin(served->resolver, &connection->watch, take_fd(&fd), EPOLLIN) < 0) {
        free(connection);
        return;
    }
    connection->next = served->connections;
    served->connections = connection;
    served->connection_count++;
}

void connections_drop(struct served *served)
{
    while (served->connections != NULL)
        end_connection(served->connections);
}

uint64_t connections_expire(struct served *served, uint64_t now_ms, uint64_t next_ms)
{
    struct connection *next;

    for (struct connection *one = served->connections; one != NULL; one = next) {
        next = one->next;
        if (one->deadline_ms <= now_ms)
            end_connection(one);
        else if (one->deadline_ms < next_ms)
            next_ms = one->deadline_ms;
    }
    return next_ms;
}
