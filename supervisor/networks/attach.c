/* A container's way into its networks, when it starts. See membership.h. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "connections.h"
#include "membership.h"
#include "names.h"
#include "networks.h"
#include "plugins.h"

#define ATTEMPT_US 10000
#define ATTEMPTS_MAX 200

/* Attaches all that does not need the container's first process. */
static int attach_devices(struct membership *member, int netns_fd, struct error *err)
{
    int result = 0;

    networks_watch(member->networks);
    for (size_t i = 0; result == 0 && i < member->definition->endpoints.count; i++)
        result = lease_add(member, i, netns_fd, err);
    if (result == 0)
        result = ports_publish(member, err);
    if (result == 0)
        result = membership_write_hosts(member, err);
    if (result < 0)
        return result;
    firewall_change_ports(member, false);
    connections_publish(member);
    if (member->definition->host_config.egress != NULL)
        firewall_change(member->networks);
    return 0;
}

/* Takes an attempt back: removes the devices and frees all else. */
static void take_back(struct membership *member, int netns_fd)
{
    for (size_t i = 0; i < member->definition->endpoints.count; i++)
        lease_remove(member, i, netns_fd, NULL);
    membership_forget(member);
}

static ino_t namespace_number(int netns_fd)
{
    struct stat status;

    return fstat(netns_fd, &status) == 0 ? status.st_ino : 0;
}

void membership_prepare(struct membership *member, int netns_fd)
{
    struct error err = {0};

    if (member->definition->endpoints.count == 0)
        return;
    if (attach_devices(member, netns_fd, &err) < 0)
        take_back(member, netns_fd);
    else
        member->prepared_netns = namespace_number(netns_fd);
}

static int attach_once(struct membership *member, int netns_fd, struct error *err)
{
    if (member->prepared_netns != 0 && member->prepared_netns == namespace_number(netns_fd))
        return 0;
    if (member->prepared_netns != 0)
        membership_forget(member);
    return attach_devices(member, netns_fd, err);
}

/* A start that waits for its devices and its rules: both must be there before the program runs, and
 * nothing of whoever had its addresses before. */
struct attachment {
    struct completion rules;
    struct completion plugins;
    struct completion connections;
    struct networks *networks;
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

/* The container, if it still waits for this; NULL: it does not. */
static struct membership *who_waits(const struct attachment *attachment)
{
    struct membership *member = membership_find(attachment->networks, attachment->id);

    return member != NULL && member->phase == MEMBER_STARTING && member->attachment == attachment
               ? member
               : NULL;
}

/* Frees the attachment and tells the owner; `err` is NULL if all is there. */
static void end_attachment(struct attachment *attachment, struct membership *member,
                           const struct error *err)
{
    attachment_free(attachment);
    if (member == NULL)
        return;
    if (err != NULL)
        membership_forget(member);
    else
        /* If davitd dies before the start, the next one knows what the container has. */
        member->owner->save(member);
    member->owner->attached(member, err);
}

static void on_rules_set(struct completion *completion, const struct error *err)
{
    struct attachment *attachment = (struct attachment *)(void *)completion;

    end_attachment(attachment, who_waits(attachment), err);
}

static void await_rules(struct attachment *attachment, const struct membership *member)
{
    if (!connections_are_left(member) ||
        !connections_await(member->networks, &attachment->connections))
        firewall_await(member->networks, &attachment->rules);
}

static void on_connections_ended(struct completion *completion, const struct error *err)
{
    struct attachment *attachment =
        (struct attachment *)(void *)((char *)completion -
                                      offsetof(struct attachment, connections));
    struct membership *member = who_waits(attachment);

    if (member == NULL || err != NULL)
        end_attachment(attachment, member, err);
    else
        await_rules(attachment, member);
}

static int on_next_attempt(sd_event_source *source, uint64_t usec, void *context);

/* The macvlan device of the former start may still have the address, until the kernel frees its
 * namespace: tries again a little later, for a while. */
static bool attachment_retry_later(struct attachment *attachment, struct membership *member,
                                   const struct error *err)
{
    if (err->errnum != EADDRINUSE || err->code == ERROR_CONFLICT ||
        ++attachment->attempts == ATTEMPTS_MAX)
        return false;
    take_back(member, attachment->netns_fd);
    sd_event_source_disable_unref(attachment->timer);
    return sd_event_add_time_relative(attachment->networks->loop, &attachment->timer,
                                      CLOCK_MONOTONIC, ATTEMPT_US, 0, on_next_attempt,
                                      attachment) >= 0;
}

/* Attaches what needs all addresses or the first process: hosts, and the resolver's sockets. */
static int attach_names(const struct attachment *attachment, struct membership *member,
                        struct error *err)
{
    int result = member->has_plugins ? membership_write_hosts(member, err) : 0;

    return result < 0 ? result : names_attach(member, attachment->netns_fd, attachment->pid, err);
}

static void on_plugins_done(struct completion *completion, const struct error *err)
{
    struct attachment *attachment =
        (struct attachment *)(void *)((char *)completion - offsetof(struct attachment, plugins));
    struct membership *member = who_waits(attachment);
    struct error problem = {0};

    if (member == NULL || err != NULL)
        end_attachment(attachment, member, err);
    else if (attach_names(attachment, member, &problem) < 0)
        end_attachment(attachment, member, &problem);
    else
        await_rules(attachment, member);
}

static void attach_now(struct attachment *attachment, struct membership *member)
{
    struct error err = {0};

    if (attach_once(member, attachment->netns_fd, &err) == 0)
        plugins_attach(member, attachment->netns_fd, &attachment->plugins);
    else if (!attachment_retry_later(attachment, member, &err))
        end_attachment(attachment, member, &err);
}

static int on_next_attempt(sd_event_source *source, uint64_t usec, void *context)
{
    struct attachment *attachment = context;
    struct membership *member = who_waits(attachment);

    (void)source;
    (void)usec;
    if (member != NULL)
        attach_now(attachment, member);
    else
        attachment_free(attachment);
    return 0;
}

void membership_attach(struct membership *member, int netns_fd, pid_t pid)
{
    struct attachment *attachment = memory_new_one(struct attachment);

    attachment->rules.done = on_rules_set;
    attachment->plugins.done = on_plugins_done;
    attachment->connections.done = on_connections_ended;
    attachment->networks = member->networks;
    attachment->netns_fd = fcntl(netns_fd, F_DUPFD_CLOEXEC, 0);
    attachment->pid = pid;
    strcpy(attachment->id, member->definition->id);
    member->attachment = attachment;
    attach_now(attachment, member);
}
