/* Namespaces made ahead: see namespace_pool.h. */
#include "namespace_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/socket.h"
#include "runtime/runtime.h"
#include "spawner.h"
#include "supervisor/containers/internal.h"

struct namespace_pool {
    struct ready_namespaces items[NAMESPACE_POOL_MAX];
    uint32_t count;
    bool has_user;
    int channel_fd;
    sd_event_source *channel; /* while more are made; NULL: none are */
};

static void end_filling(struct namespace_pool *pool)
{
    pool->channel = sd_event_source_disable_unref(pool->channel);
    fd_close(&pool->channel_fd);
}

/* Those that could not be made are missed at the next start, and tried again after it. */
static int on_channel(sd_event_source *source, int fd, uint32_t events, void *context)
{
    struct daemon *daemon = context;
    struct namespace_pool *pool = daemon->namespace_pool;
    struct ready_namespaces ready = READY_NAMESPACES_NONE;
    size_t fd_count = READY_COUNT;
    char byte;

    (void)source;
    (void)events;
    if (socket_receive(fd, &byte, 1, ready.fds, &fd_count) <= 0)
        end_filling(pool);
    else if (fd_count == (pool->has_user ? READY_COUNT : 1) &&
             pool->count < daemon->options.namespace_pool)
        pool->items[pool->count++] = ready;
    else
        ready_namespaces_release(&ready);
    return 0;
}

static int begin_filling(struct daemon *daemon, uint32_t count, struct error *err)
{
    struct namespace_pool *pool = daemon->namespace_pool;
    cleanup_close int far_fd = -1;
    int pair[2];
    int result;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, errno, "socketpair");
    pool->channel_fd = pair[0];
    far_fd = pair[1];
    result = sd_event_add_io(daemon->loop, &pool->channel, pair[0], EPOLLIN, on_channel, daemon);
    if (result < 0)
        return error_errno(err, -result, "watch the spawner");
    return spawner_request_namespaces(&daemon->spawner, far_fd, pool->has_user, count, err);
}

void namespace_pool_fill(struct daemon *daemon)
{
    struct namespace_pool *pool = daemon->namespace_pool;
    struct error err = {0};

    if (pool->channel != NULL || pool->count >= daemon->options.namespace_pool)
        return;
    if (begin_filling(daemon, daemon->options.namespace_pool - pool->count, &err) < 0) {
        log_warning("namespaces made ahead: %s", err.message);
        end_filling(pool);
    }
}

void namespace_pool_open(struct daemon *daemon)
{
    struct namespace_pool *pool = memory_new_one(struct namespace_pool);

    pool->channel_fd = -1;
    pool->has_user = daemon->maps_ids && !daemon->options.gives_host_ids;
    daemon->namespace_pool = pool;
    namespace_pool_fill(daemon);
}

/* Nothing is sent before all that may fail has been done. */
static int give(struct managed_container *container, const struct ready_namespaces *ready,
                struct error *err)
{
    const struct oci_id_mapping mapping = {0, container->definition.id_range_first, ID_RANGE_SIZE};
    int result = 0;

    if (mapping.host_id != 0)
        result = ready_namespaces_map(ready, &mapping, err);
    if (result == 0)
        result =
            container_join_send(container, OCI_NAMESPACE_NETWORK, ready->fds[READY_NETWORK], err);
    if (result == 0 && mapping.host_id != 0)
        result = container_join_send(container, OCI_NAMESPACE_USER, ready->fds[READY_USER], err);
    return result;
}

int namespace_pool_give(struct managed_container *container)
{
    struct namespace_pool *pool = container->daemon->namespace_pool;
    struct ready_namespaces ready;
    struct error err = {0};
    int fd = -1;

    if (pool->count == 0 || !container_network_is_own(container) ||
        container_joins_another(container) ||
        pool->has_user != (container->definition.id_range_first != 0))
        return -1;
    ready = pool->items[--pool->count];
    if (give(container, &ready, &err) == 0)
        fd = take_fd(&ready.fds[READY_NETWORK]);
    else
        log_warning("container %s: namespaces made ahead: %s", container->definition.name,
                    err.message);
    ready_namespaces_release(&ready);
    return fd;
}
