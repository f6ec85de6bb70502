/* What is watched, and what is freed when nobody can look at it any more: see resolver.h. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "resolver.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

int watch_begin(struct resolver *resolver, struct watch *watch, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};

    watch->fd = fd;
    if (epoll_ctl(resolver->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
        return 0;
    fd_close(&watch->fd);
    return -errno;
}

void watch_change(struct resolver *resolver, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};

    epoll_ctl(resolver->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event);
}

void watch_end(struct watch *watch)
{
    fd_close(&watch->fd);
}

void resolver_bury(struct resolver *resolver, void *memory)
{
    resolver->dead =
        memory_resize(resolver->dead, resolver->dead_count + 1, sizeof(*resolver->dead));
    resolver->dead[resolver->dead_count++] = memory;
}

void resolver_free_buried(struct resolver *resolver)
{
    for (size_t i = 0; i < resolver->dead_count; i++)
        free(resolver->dead[i]);
    resolver->dead_count = 0;
}

uint64_t resolver_now_ms(void)
{
    return clock_monotonic_us() / 1000;
}
