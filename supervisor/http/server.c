/* The HTTP server: see server.h. */
#include "connection.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Closes the connection that has been idle longest; false if all are at work. */
static bool evict(struct server *server)
{
    struct connection *victim = server->last;

    while (victim != NULL && (victim->has_request || victim->is_parsing || victim->turn != NULL))
        victim = victim->previous;
    if (victim == NULL)
        return false;
    assert(victim->server == server);
    connection_free(victim);
    return true;
}

static void turn_away(int fd)
{
    static const char answer[] =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
        "Content-Length: 34\r\nConnection: close\r\n\r\n{\"message\":\"too many connections\"}";

    (void)!send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

/* davitd has no descriptor left: the waiting connection would wake the loop for ever. Closes an
 * idle one, so that the next turn can accept it, or else refuses it with the spare descriptor. */
static void make_room(struct server *server)
{
    int fd;

    if (evict(server))
        return;
    fd_close(&server->spare_fd);
    fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        turn_away(fd);
    server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int on_connect(sd_event_source *source, int listen_fd, uint32_t events, void *context)
{
    struct server *server = context;
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct connection *connection;

    (void)source;
    (void)events;
    if (fd < 0 && (errno == EMFILE || errno == ENFILE))
        make_room(server);
    if (fd < 0)
        return 0;
    if (server->connection_count >= server->connections_max && !evict(server)) {
        turn_away(fd);
        return 0;
    }
    connection = memory_new_one(struct connection);
    connection->server = server;
    connection->fd = fd;
    connection->on_turn = connection_on_turn;
    connection->parser = http_parser_new(true, connection_on_body, connection);
    connection_link(connection);
    server->connection_count++;
    if (server->connection_count > server->peak)
        server->peak = server->connection_count;
    if (connection_watch(connection, EPOLLIN) < 0)
        connection_free(connection);
    return 0;
}

static int on_clients(sd_event_source *source, int epoll_fd, uint32_t events, void *context)
{
    struct server *server = context;

    (void)source;
    (void)events;
    server->served_count = epoll_wait(epoll_fd, server->served, SERVED_AT_ONCE, 0);
    for (int i = 0; i < server->served_count; i++) {
        struct connection *connection = server->served[i].data.ptr;

        /* What it waits for may be another thing by now. */
        if (connection != NULL &&
            (server->served[i].events & (connection->interest | EPOLLERR | EPOLLHUP)) != 0)
            connection_handle(connection, server->served[i].events &
                                              (connection->interest | EPOLLERR | EPOLLHUP));
    }
    server->served_count = 0;
    return 0;
}

static size_t connections_max(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 2 > SERVER_CONNECTIONS_MAX)
        return SERVER_CONNECTIONS_MAX;
    return (size_t)limit.rlim_cur / 2;
}

int server_start(sd_event *loop, int listen_fd, request_handler handler,
                 request_streams_body streams_body, void *context, struct server **started,
                 struct error *err)
{
    struct server *server = memory_new_one(struct server);
    int result;

    server->loop = loop;
    server->listen_fd = listen_fd;
    server->handler = handler;
    server->streams_body = streams_body;
    server->context = context;
    server->connections_max = connections_max();
    server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    result = server->epoll_fd < 0 ? -errno : 0;
    if (result == 0)
        result =
            sd_event_add_io(loop, &server->clients, server->epoll_fd, EPOLLIN, on_clients, server);
    if (result >= 0)
        result = sd_event_add_io(loop, &server->listener, listen_fd, EPOLLIN, on_connect, server);
    if (result < 0) {
        sd_event_source_disable_unref(server->clients);
        fd_close(&server->epoll_fd);
        fd_close(&server->spare_fd);
        free(server);
        return error_errno(err, -result, "listen");
    }
    *started = server;
    return 0;
}

void server_stop(struct server *server)
{
    if (server == NULL)
        return;
    for (struct connection *one = server->connections; one != NULL;) {
        struct connection *next = one->next;

        connection_free(one);
        one = next;
    }
    sd_event_source_disable_unref(server->listener);
    sd_event_source_disable_unref(server->clients);
    fd_close(&server->epoll_fd);
    fd_close(&server->listen_fd);
    fd_close(&server->spare_fd);
    free(server);
}
