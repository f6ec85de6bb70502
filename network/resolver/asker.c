/* Who wants an answer: see resolver.h. */
#include <sys/socket.h>

#include "connection.h"

void asker_answer(const struct asker *asker, const uint8_t *message, size_t length)
{
    if (asker->connection != NULL)
        connection_answer(asker->connection, message, length);
    else
        sendto(asker->served->udp.fd, message, length, MSG_DONTWAIT | MSG_NOSIGNAL,
               (const struct sockaddr *)&asker->address, sizeof(asker->address));
}
