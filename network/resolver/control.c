/* davitd at the other end: see network/resolver_channel.h. */
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/build.h"
#include "base/cleanup.h"
#include "base/socket.h"
#include "resolver.h"

#define RESOLVER_OF(watch, member) \
    ((struct resolver *)(void *)((char *)(watch)-offsetof(struct resolver, member)))

static void answer_begin_order(struct resolver *resolver, const struct resolver_order *order)
{
    if (resolver->instance[0] == '\0' && order->instance != NULL)
        snprintf(resolver->instance, sizeof(resolver->instance), "%s", order->instance);
    served_mark_all_stale(resolver);
    report_send(resolver, &(struct resolver_report){.version = davit_version,
                                                    .instance = resolver->instance});
    resolver->has_begun = true;
}

static void carry_out_order(struct resolver *resolver, const char *text, size_t length,
                            int fds[RESOLVER_DESCRIPTORS])
{
    struct arena arena = {0};
    struct resolver_order order = {0};

    if (json_decode_text(&arena, text, length, &resolver_order_type, &order, NULL) == 0 &&
        order.kind == RESOLVER_SET && order.container.id != NULL) {
        served_set(resolver, &order.container, arena, fds);
        return;
    }
    if (order.kind == RESOLVER_BEGIN)
        answer_begin_order(resolver, &order);
    else if (order.kind == RESOLVER_REMOVE)
        served_remove(resolver, order.container.id);
    else if (order.kind == RESOLVER_ALL)
        served_remove_others(resolver);
    else if (order.kind == RESOLVER_GRANTED)
        hold_release(resolver, order.serial);
    else if (order.kind == RESOLVER_QUIT)
        resolver->has_ended = true;
    arena_release(&arena);
    for (size_t i = 0; i < RESOLVER_DESCRIPTORS; i++)
        fd_close(&fds[i]);
}

/* When davitd goes away the resolver goes on serving, because the containers live on. */
static void on_order(struct watch *watch, uint32_t events)
{
    static char text[RESOLVER_MESSAGE_MAX];
    int fds[RESOLVER_DESCRIPTORS] = {-1, -1, -1};
    size_t fd_count = RESOLVER_DESCRIPTORS;
    ssize_t length = socket_receive(watch->fd, text, sizeof(text), fds, &fd_count);

    (void)events;
    if (length <= 0)
        watch_end(watch);
    else
        carry_out_order(RESOLVER_OF(watch, control), text, (size_t)length, fds);
}

/* A davitd that comes takes the place of one that was there. */
static void on_connection(struct watch *watch, uint32_t events)
{
    struct resolver *resolver = RESOLVER_OF(watch, listener);
    int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    if (fd < 0)
        return;
    watch_end(&resolver->control);
    resolver->has_begun = false;
    resolver->control.on_ready = on_order;
    watch_begin(resolver, &resolver->control, fd, EPOLLIN);
}

void control_listen(struct resolver *resolver, int fd)
{
    resolver->control.fd = -1;
    resolver->listener.on_ready = on_connection;
    watch_begin(resolver, &resolver->listener, fd, EPOLLIN);
}
