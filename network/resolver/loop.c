/* What is watched: see resolver.h. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "resolver.h"

#define EVENTS_AT_ONCE 64
#define SLEEP_MAX_MS 3600000

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

static void free_dead(struct resolver *resolver)
{
    for (size_t i = 0; i < resolver->dead_count; i++)
        free(resolver->dead[i]);
    resolver->dead_count = 0;
}

uint64_t resolver_now_ms(void)
{
    return clock_monotonic_us() / 1000;
}

/* Returns how long nothing happens by itself. */
static int expire(struct resolver *resolver)
{
    uint64_t now_ms = resolver_now_ms();
    uint64_t next_ms = now_ms + SLEEP_MAX_MS;

    for (struct served *one = resolver->served; one != NULL; one = one->next) {
        next_ms = queries_expire(one, now_ms, next_ms);
        next_ms = holds_expire(one, now_ms, next_ms);
        next_ms = connections_expire(one, now_ms, next_ms);
        next_ms = refusals_expire(one, now_ms, next_ms);
    }
    return next_ms > now_ms ? (int)(next_ms - now_ms) : 0;
}

void resolver_run(struct resolver *resolver)
{
    struct epoll_event events[EVENTS_AT_ONCE];

    while (!resolver->has_ended) {
        int count = epoll_wait(resolver->epoll_fd, events, EVENTS_AT_ONCE, expire(resolver));

        for (int i = 0; i < count; i++) {
            struct watch *watch = events[i].data.ptr;

            if (watch->fd >= 0)
                watch->on_ready(watch, events[i].events);
        }
        free_dead(resolver);
    }
}
