/* What a connection holds, and lets go: see connection.h. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "connection.h"

#define TRIM_CONNECTIONS 256

void connection_end_request(struct connection *connection)
{
    struct request *request = &connection->request;

    if (connection->has_request && request->on_close != NULL)
        request->on_close(request);
    connection->has_request = false;
    arena_release(&request->arena);
    memset(request, 0, sizeof(*request));
    buffer_release(&connection->body);
    connection_account(connection);
}

static void count(size_t *total, size_t *counted, size_t now)
{
    *total += now - *counted;
    *counted = now;
}

bool connection_account(struct connection *connection)
{
    struct server *server = connection->server;

    count(&server->input_bytes, &connection->input_bytes,
          connection->in.length + connection->body.length +
              http_parser_message(connection->parser)->head_bytes);
    count(&server->output_bytes, &connection->output_bytes, connection->out.length);
    return connection->has_request || server->input_bytes <= SERVER_INPUT_MAX;
}

/* Drops what waits for the client that has not read for longest. The connection itself goes in its
 * own turn: its handler may be at work. False if nothing waits. */
static bool drop_output(struct server *server)
{
    struct connection *victim = server->last;

    while (victim != NULL && (victim->out.length == 0 || victim->is_lost))
        victim = victim->previous;
    if (victim == NULL)
        return false;
    victim->is_lost = true;
    buffer_release(&victim->out);
    connection_account(victim);
    connection_go_on_later(victim);
    return true;
}

void connection_write(struct connection *connection)
{
    struct buffer *out = &connection->out;

    while (out->length > 0 && !connection->is_lost) {
        ssize_t count = send(connection->fd, out->data, out->length, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno != EAGAIN)
            connection->is_lost = true;
        if (count < 0)
            break;
        buffer_consume(out, (size_t)count);
    }
    /* A connection that waits for its next request holds no memory. */
    if (out->length == 0)
        buffer_release(out);
    connection_account(connection);
    while (connection->server->output_bytes > SERVER_OUTPUTS_MAX && drop_output(connection->server))
        ;
}

int connection_watch(struct connection *connection, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};

    if (connection->is_watched && connection->interest == events)
        return 0;
    if (epoll_ctl(connection->server->epoll_fd,
                  connection->is_watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, connection->fd,
                  &event) < 0)
        return -errno;
    connection->is_watched = true;
    connection->interest = events;
    return 0;
}

void connection_unwatch(struct connection *connection)
{
    struct server *server = connection->server;

    if (connection->is_watched)
        epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, connection->fd, NULL);
    connection->is_watched = false;
    for (int i = 0; i < server->served_count; i++) {
        if (server->served[i].data.ptr == connection)
            server->served[i].data.ptr = NULL;
    }
}

void connection_update_interest(struct connection *connection)
{
    const struct http_message *message;
    uint32_t events = 0;

    if (!connection->is_watched)
        return;
    message = http_parser_message(connection->parser);
    /* Later writes may have made room already, of which the handler was not told. */
    if (connection->out.length > 0 || connection->is_full)
        events |= EPOLLOUT;
    /* While a request is being answered its successor stays in the socket. */
    if (!connection->is_body_paused && !connection->is_input_over && !message->is_complete)
        events |= EPOLLIN;
    connection_watch(connection, events);
}

void connection_link(struct connection *connection)
{
    struct server *server = connection->server;

    connection->previous = NULL;
    connection->next = server->connections;
    if (server->connections != NULL)
        server->connections->previous = connection;
    else
        server->last = connection;
    server->connections = connection;
}

void connection_unlink(struct connection *connection)
{
    struct server *server = connection->server;

    if (server->connections == connection)
        server->connections = connection->next;
    else
        connection->previous->next = connection->next;
    if (server->last == connection)
        server->last = connection->previous;
    else
        connection->next->previous = connection->previous;
}

/* Returns the memory of many connections to the kernel when most of them have gone. */
static void give_memory_back(struct server *server)
{
    if (server->peak < TRIM_CONNECTIONS || server->connection_count > server->peak / 4)
        return;
    malloc_trim(0);
    server->peak = server->connection_count;
}

void connection_free(struct connection *connection)
{
    struct server *server = connection->server;

    connection_unlink(connection);
    server->connection_count--;
    connection_end_request(connection);
    connection_unwatch(connection);
    sd_event_source_disable_unref(connection->timer);
    sd_event_source_disable_unref(connection->turn);
    http_parser_free(connection->parser);
    buffer_release(&connection->in);
    buffer_release(&connection->out);
    buffer_release(&connection->body);
    count(&server->input_bytes, &connection->input_bytes, 0);
    count(&server->output_bytes, &connection->output_bytes, 0);
    fd_close(&connection->fd);
    free(connection);
    give_memory_back(server);
}

void connection_go_on_later(struct connection *connection)
{
    if (!connection->is_parsing && connection->turn == NULL)
        sd_event_add_defer(connection->server->loop, &connection->turn, connection->on_turn,
                           connection);
}
