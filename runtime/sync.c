/* Parent and child talking: see sync.h. */
#include "sync.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/socket.h"

struct record {
    enum sync_type type;
    struct error error;
};

int sync_send(int fd, enum sync_type type)
{
    ssize_t sent = socket_send(fd, &type, sizeof(type), NULL, 0);

    return sent < 0 ? (int)sent : 0;
}

int sync_send_fd(int fd, enum sync_type type, int carried_fd)
{
    ssize_t sent = socket_send(fd, &type, sizeof(type), &carried_fd, 1);

    return sent < 0 ? (int)sent : 0;
}

void sync_send_error(int fd, const struct error *error)
{
    struct record record = {.type = SYNC_ERROR, .error = *error};

    socket_send(fd, &record, sizeof(record), NULL, 0);
}

int sync_receive(int fd, enum sync_type *type, int *carried_fd, struct error *err)
{
    struct record record = {.type = SYNC_END};
    cleanup_close int received_fd = -1;
    size_t fd_count = 1;
    ssize_t count = socket_receive(fd, &record, sizeof(record), &received_fd, &fd_count);

    /* A peer that ends before it has read all we sent resets the connection, and the kernel tells
     * of that first. What the peer sent before is still there. */
    if (count == -ECONNRESET) {
        fd_count = 1;
        count = socket_receive(fd, &record, sizeof(record), &received_fd, &fd_count);
    }
    if (count == -EAGAIN)
        return error_set(err, ERROR_INTERNAL, ETIMEDOUT,
                         "the container's process does not get any further");
    if (count < 0)
        return error_errno(err, (int)-count, "talk to the container's process");
    if (fd_count == 1 && carried_fd != NULL)
        *carried_fd = take_fd(&received_fd);
    *type = count < (ssize_t)sizeof(record.type) ? SYNC_END : record.type;
    if (*type != SYNC_ERROR)
        return 0;
    if (count < (ssize_t)sizeof(record))
        return error_set(err, ERROR_INTERNAL, EPROTO, "the container's process sent half an error");
    record.error.message[sizeof(record.error.message) - 1] = '\0';
    if (record.error.errnum <= 0)
        record.error.errnum = EIO;
    if (err != NULL)
        *err = record.error;
    return -record.error.errnum;
}

int sync_expect(int fd, enum sync_type type, int *carried_fd, struct error *err)
{
    enum sync_type received = SYNC_END;
    int result = sync_receive(fd, &received, carried_fd, err);

    if (result < 0)
        return result;
    if (received == SYNC_END)
        return error_set(err, ERROR_INTERNAL, ECONNRESET,
                         "the other side went away while the container was set up");
    if (received != type)
        return error_set(err, ERROR_INTERNAL, EPROTO, "unexpected record %d, wanted %d",
                         (int)received, (int)type);
    return 0;
}
