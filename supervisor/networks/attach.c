/* A container's way into its networks, when it starts. See containers/internal.h. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "names.h"
#include "networks.h"
#include "plugins.h"
#include "supervisor/containers/internal.h"

#define ATTEMPT_US 10000
#define ATTEMPTS_MAX 200

/* All but what needs its first process. */
static int attach_devices(struct managed_container *container, int netns_fd, struct error *err)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < container->definition.endpoints.count; i++)
        result = container_device_add(container, i, netns_fd, err);
    if (result == 0)
        result = container_ports_publish(container, err);
    if (result == 0)
        result = container_network_write_hosts(container, err);
    if (result < 0)
        return result;
    firewall_change_ports(container, false);
    if (container->definition.host_config.egress != NULL)
        firewall_change(container->daemon);
    return 0;
}

/* As if there had been no attempt. */
static void take_back(struct managed_container *container, int netns_fd)
{
    for (size_t i = 0; i < container->definition.endpoints.count; i++)
        container_device_remove(container, i, netns_fd, NULL);
    container_network_forget(container);
}

static ino_t namespace_number(int netns_fd)
{
    struct stat status;

    return fstat(netns_fd, &status) == 0 ? status.st_ino : 0;
}

void container_network_prepare(struct managed_container *container, int netns_fd)
{
    struct error err = {0};

    if (container->definition.endpoints.count == 0)
        return;
    if (attach_devices(container, netns_fd, &err) < 0)
        take_back(container, netns_fd);
    else
        container->prepared_netns = namespace_number(netns_fd);
}

static int attach_once(struct managed_container *container, int netns_fd, struct error *err)
{
    if (container->prepared_netns != 0 && container->prepared_netns == namespace_number(netns_fd))
        return 0;
    if (container->prepared_netns != 0)
        container_network_forget(container);
    return attach_devices(container, netns_fd, err);
}

/* A start, until its devices are there and its rules are, which has to be before its program is. */
struct attachment {
    struct firewall_waiter waiter;
    struct plugins_waiter plugins;
    struct daemon *daemon;
    char id[IDENTIFIER_SIZE];
    int netns_fd;
    pid_t pid;
    int attempts;
    sd_event_source *timer;
};

static void attachment_free(struct attachment *attachment)
{
    sd_event_source_disable_unref(attachment->timer);
    fd_close(&attachment->netns_fd);
    free(attachment);
}

static void answer(struct managed_container *container, const struct error *err)
{
    const struct monitor_message message = {
        .type = MONITOR_NETWORK_READY, .value = -err->errnum, .value2 = (int32_t)err->code};

    if (err->errnum != 0)
        container_network_forget(container);
    else
        /* A davitd that does not live to see it start finds out what it has. */
        container_save_state(container);
    container_send(container, &message, err->message, strlen(err->message), -1, NULL);
}

/* The container, if it still waits for this; NULL: it does not. */
static struct managed_container *who_waits(const struct attachment *attachment)
{
    struct managed_container *container;

    return container_find(attachment->daemon, attachment->id, &container, NULL) == 0 &&
                   container->status == CONTAINER_STARTING && container->attachment == attachment
               ? container
               : NULL;
}

static void on_rules_set(struct firewall_waiter *waiter, const struct error *err)
{
    struct attachment *attachment = (struct attachment *)(void *)waiter;
    struct managed_container *container = who_waits(attachment);

    if (container != NULL)
        answer(container, err);
    attachment_free(attachment);
}

static int on_next_attempt(sd_event_source *source, uint64_t usec, void *context);

/* A device of macvlan with the same address, which is that of its start before, goes with a
 * namespace that the kernel frees by and by. */
static bool tries_again(struct attachment *attachment, struct managed_container *container,
                        const struct error *err)
{
    if (err->errnum != EADDRINUSE || err->code == ERROR_CONFLICT ||
        ++attachment->attempts == ATTEMPTS_MAX)
        return false;
    take_back(container, attachment->netns_fd);
    sd_event_source_disable_unref(attachment->timer);
    return sd_event_add_time_relative(attachment->daemon->loop, &attachment->timer, CLOCK_MONOTONIC,
                                      ATTEMPT_US, 0, on_next_attempt, attachment) >= 0;
}

/* What needs all addresses, and its process. */
static int attach_names(const struct attachment *attachment, struct managed_container *container,
                        struct error *err)
{
    int result = container->has_plugins ? container_network_write_hosts(container, err) : 0;

    return result < 0 ? result
                      : resolver_begin(container, attachment->netns_fd, attachment->pid, err);
}

static void fail(struct attachment *attachment, struct managed_container *container,
                 const struct error *err)
{
    answer(container, err);
    attachment_free(attachment);
}

static void on_plugins_done(struct plugins_waiter *waiter, const struct error *outcome)
{
    struct attachment *attachment =
        (struct attachment *)(void *)((char *)waiter - offsetof(struct attachment, plugins));
    struct managed_container *container = who_waits(attachment);
    struct error err = *outcome;

    if (container == NULL)
        attachment_free(attachment);
    else if (err.errnum != 0 || attach_names(attachment, container, &err) < 0)
        fail(attachment, container, &err);
    else
        firewall_await(container->daemon, &attachment->waiter);
}

static void attach_now(struct attachment *attachment, struct managed_container *container)
{
    struct error err = {0};

    if (attach_once(container, attachment->netns_fd, &err) == 0)
        network_plugins_attach(container, attachment->netns_fd, &attachment->plugins);
    else if (!tries_again(attachment, container, &err))
        fail(attachment, container, &err);
}

static int on_next_attempt(sd_event_source *source, uint64_t usec, void *context)
{
    struct attachment *attachment = context;
    struct managed_container *container = who_waits(attachment);

    (void)source;
    (void)usec;
    if (container != NULL)
        attach_now(attachment, container);
    else
        attachment_free(attachment);
    return 0;
}

void container_network_attach(struct managed_container *container, int netns_fd, pid_t pid)
{
    struct attachment *attachment = memory_new_one(struct attachment);

    attachment->waiter.done = on_rules_set;
    attachment->plugins.done = on_plugins_done;
    attachment->daemon = container->daemon;
    attachment->netns_fd = fcntl(netns_fd, F_DUPFD_CLOEXEC, 0);
    attachment->pid = pid;
    strcpy(attachment->id, container->definition.id);
    container->attachment = attachment;
    attach_now(attachment, container);
}
