/* The containers: see resolver.h. */
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "resolver.h"

static struct served *find(struct resolver *resolver, const char *id)
{
    for (struct served *one = resolver->served; one != NULL; one = one->next) {
        if (strcmp(one->container.id, id) == 0)
            return one;
    }
    return NULL;
}

static void remove_served(struct served *served)
{
    struct resolver *resolver = served->resolver;

    for (struct served **link = &resolver->served; *link != NULL; link = &(*link)->next) {
        if (*link == served) {
            *link = served->next;
            break;
        }
    }
    queries_drop(served, NULL);
    holds_drop(served, NULL);
    connections_drop(served);
    watch_end(&served->udp);
    watch_end(&served->tcp);
    watch_end(&served->process);
    arena_release(&served->arena);
    resolver_bury(resolver, served);
}

#define SERVED_OF(watch, member) \
    ((struct served *)(void *)((char *)(watch)-offsetof(struct served, member)))

static void on_datagram(struct watch *watch, uint32_t events)
{
    static uint8_t message[DNS_MESSAGE_MAX];
    struct served *served = SERVED_OF(watch, udp);

    (void)events;
    for (int i = 0; i < DATAGRAMS_PER_TURN; i++) {
        struct asker asker = {.served = served};
        socklen_t size = sizeof(asker.address);
        ssize_t length = recvfrom(watch->fd, message, sizeof(message), MSG_DONTWAIT,
                                  (struct sockaddr *)&asker.address, &size);

        if (length < 0)
            return;
        if (length <= QUERY_SIZE_MAX)
            query_begin(&asker, message, (size_t)length);
    }
}

static void on_connection(struct watch *watch, uint32_t events)
{
    (void)events;
    connection_accept(SERVED_OF(watch, tcp));
}

/* The container has ended. Its sockets are closed, because they would keep its network namespace,
 * and the devices in it, alive. */
static void on_end(struct watch *watch, uint32_t events)
{
    (void)events;
    remove_served(SERVED_OF(watch, process));
}

static struct served *served_add(struct resolver *resolver)
{
    struct served *served = memory_new_one(struct served);

    served->resolver = resolver;
    served->udp = (struct watch){-1, on_datagram};
    served->tcp = (struct watch){-1, on_connection};
    served->process = (struct watch){-1, on_end};
    served->next = resolver->served;
    resolver->served = served;
    return served;
}

/* Takes the descriptors of a new start in place of those of an earlier one. */
static void take_descriptors(struct served *served, const int fds[RESOLVER_DESCRIPTORS])
{
    struct watch *const watches[] = {&served->udp, &served->tcp, &served->process};

    if (fds[RESOLVER_UDP] < 0)
        return;
    queries_drop(served, NULL);
    holds_drop(served, NULL);
    connections_drop(served);
    for (size_t i = 0; i < RESOLVER_DESCRIPTORS; i++) {
        watch_end(watches[i]);
        if (fds[i] >= 0)
            watch_begin(served->resolver, watches[i], fds[i], EPOLLIN);
    }
}

static bool have_same_rules(const struct resolver_container *one,
                            const struct resolver_container *other)
{
    if (one->is_limited != other->is_limited || one->allowed.count != other->allowed.count)
        return false;
    for (size_t i = 0; i < one->allowed.count; i++) {
        if (strcmp(one->allowed.items[i], other->allowed.items[i]) != 0)
            return false;
    }
    return true;
}

void served_set(struct resolver *resolver, const struct resolver_container *container,
                struct arena arena, const int fds[RESOLVER_DESCRIPTORS])
{
    struct served *served = find(resolver, container->id);

    if (served == NULL)
        served = served_add(resolver);
    if (fds[RESOLVER_UDP] >= 0 || !have_same_rules(&served->container, container))
        refusals_forget(served);
    /* A new davitd does not know of any refusals yet. */
    served->refused_told = 0;
    arena_release(&served->arena);
    served->arena = arena;
    served->container = *container;
    served->is_current = true;
    take_descriptors(served, fds);
}

void served_remove(struct resolver *resolver, const char *id)
{
    struct served *served = id != NULL ? find(resolver, id) : NULL;

    if (served != NULL)
        remove_served(served);
}

void served_mark_all_stale(struct resolver *resolver)
{
    for (struct served *one = resolver->served; one != NULL; one = one->next)
        one->is_current = false;
}

void served_remove_others(struct resolver *resolver)
{
    struct served *next;

    for (struct served *one = resolver->served; one != NULL; one = next) {
        next = one->next;
        if (!one->is_current)
            remove_served(one);
    }
}
