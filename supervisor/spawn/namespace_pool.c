/* Namespaces made ahead: see namespace_pool.h. */
#include "namespace_pool.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/socket.h"

static void end_filling(struct namespace_pool *pool)
{
    pool->channel = sd_event_source_disable_unref(pool->channel);
    fd_close(&pool->channel_fd);
}

/* Those that could not be made are missed at the next start, and tried again after it. */
static int on_channel(sd_event_source *source, int fd, uint32_t events, void *context)
{
    struct namespace_pool *pool = context;
    struct ready_namespaces ready = READY_NAMESPACES_NONE;
    size_t fd_count = READY_COUNT;
    char byte;

    (void)source;
    (void)events;
    if (socket_receive(fd, &byte, 1, ready.fds, &fd_count) <= 0)
        end_filling(pool);
    else if (fd_count == (pool->has_user ? READY_COUNT : 1) && pool->count < pool->target)
        pool->items[pool->count++] = ready;
    else
        ready_namespaces_release(&ready);
    return 0;
}

static int begin_filling(struct namespace_pool *pool, uint32_t count, struct error *err)
{
    cleanup_close int far_fd = -1;
    int pair[2];
    int result;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, errno, "socketpair");
    pool->channel_fd = pair[0];
    far_fd = pair[1];
    result = sd_event_add_io(pool->loop, &pool->channel, pair[0], EPOLLIN, on_channel, pool);
    if (result < 0)
        return error_errno(err, -result, "watch the spawner");
    return spawner_request_namespaces(pool->spawner, far_fd, pool->has_user, count, err);
}

void namespace_pool_fill(struct namespace_pool *pool)
{
    struct error err = {0};

    if (pool->channel != NULL || pool->count >= pool->target)
        return;
    if (begin_filling(pool, pool->target - pool->count, &err) < 0) {
        log_warning("namespaces made ahead: %s", err.message);
        end_filling(pool);
    }
}

bool namespace_pool_take(struct namespace_pool *pool, bool has_user, struct ready_namespaces *ready)
{
    if (pool->count == 0 || pool->has_user != has_user)
        return false;
    *ready = pool->items[--pool->count];
    return true;
}
