/* The loop: see resolver.h. */

#include <sys/epoll.h>

#include "resolver.h"

#define EVENTS_AT_ONCE 64
#define SLEEP_MAX_MS 3600000

/* Handles all deadlines that have passed. Returns the milliseconds until the next one. */
static int expire_all(struct resolver *resolver)
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
        int count = epoll_wait(resolver->epoll_fd, events, EVENTS_AT_ONCE, expire_all(resolver));

        for (int i = 0; i < count; i++) {
            struct watch *watch = events[i].data.ptr;

            if (watch->fd >= 0)
                watch->on_ready(watch, events[i].events);
        }
        resolver_free_buried(resolver);
    }
}
