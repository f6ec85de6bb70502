/* Answers by TCP: see resolver.h. */
#include <sys/epoll.h>

#include "connection.h"

/* While an answer is under way nothing more is read: the next question waits in the socket. */
void connection_watch(struct connection *connection)
{
    uint32_t events = connection->output.length > 0 ? EPOLLOUT : 0;

    if (!connection->awaits_answer)
        events |= EPOLLIN;
    watch_change(connection->served->resolver, &connection->watch, events);
}

void connection_answer(struct connection *connection, const uint8_t *message, size_t length)
{
    const uint8_t prefix[] = {(uint8_t)(length >> 8), (uint8_t)length};

    buffer_append(&connection->output, prefix, sizeof(prefix));
    buffer_append(&connection->output, message, length);
    connection->deadline_ms = resolver_now_ms() + CONNECTION_IDLE_MS;
    connection_watch(connection);
}
