/* A container's life on its networks: see membership.h. */
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "connections.h"
#include "membership.h"
#include "names.h"

void membership_start(struct membership *member, int netns_fd)
{
    member->phase = MEMBER_STARTING;
    if (netns_fd >= 0)
        membership_prepare(member, netns_fd);
}

void membership_run(struct membership *member, pid_t pid)
{
    member->phase = MEMBER_RUNNING;
    member->pid = pid;
}

void membership_fail(struct membership *member)
{
    membership_forget(member);
    member->phase = MEMBER_ENDED;
}

static int write_hosts_or_leave(struct membership *member, size_t index, int netns_fd,
                                struct error *err)
{
    int result = membership_write_hosts(member, err);

    if (result < 0) {
        lease_remove(member, index, netns_fd, NULL);
        connections_end(member, &member->leases[index]);
        member->leases[index] = (struct network_lease){0};
    }
    return result;
}

int membership_join(struct membership *member, size_t index, struct error *err)
{
    cleanup_close int netns_fd = member->owner->open_namespace(member, err);
    int result;

    if (netns_fd < 0)
        return netns_fd;
    networks_watch(member->networks);
    /* Published ports may lead to another of its networks now. */
    firewall_change_ports(member, true);
    result = lease_add(member, index, netns_fd, err);
    if (result == 0)
        result = write_hosts_or_leave(member, index, netns_fd, err);
    firewall_change_ports(member, false);
    if (result == 0) {
        names_update(member);
        member->owner->save(member);
    }
    return result;
}

/* Leases stand in the order of the endpoints. */
static void move_leases(struct membership *member, const struct definition *definition)
{
    struct network_lease moved[ENDPOINTS_MAX] = {0};

    for (size_t i = 0; i < definition->endpoints.count; i++) {
        const char *network_id = definition->endpoints.items[i].network_id;
        size_t former = definition_find_endpoint(member->definition, network_id);

        if (former < member->definition->endpoints.count)
            moved[i] = member->leases[former];
    }
    memcpy(member->leases, moved, sizeof(moved));
}

/* Takes away what the container has by an endpoint that `definition` lacks. */
static void leave(struct membership *member, size_t index)
{
    cleanup_close int netns_fd = -1;
    struct error err = {0};

    if (member->leases[index].address.family == 0)
        return;
    netns_fd = member->owner->open_namespace(member, &err);
    if (netns_fd < 0 || lease_remove(member, index, netns_fd, &err) < 0)
        log_warning("container %s: it has a device of network %s until it ends: %s",
                    member->definition->name,
                    member->definition->endpoints.items[index].network_name, err.message);
    else
        connections_end(member, &member->leases[index]);
}

static bool has_endpoint(const struct definition *definition, const struct endpoint *endpoint)
{
    return definition_find_endpoint(definition, endpoint->network_id) < definition->endpoints.count;
}

/* True if there were any. */
static bool leave_others(struct membership *member, const struct definition *definition)
{
    bool has_left = false;

    for (size_t i = 0; i < member->definition->endpoints.count; i++) {
        if (has_endpoint(definition, &member->definition->endpoints.items[i]))
            continue;
        if (!has_left) {
            membership_cut(member);
            /* Published ports may lead to another of its networks next. */
            firewall_change_ports(member, true);
        }
        has_left = true;
        leave(member, i);
    }
    return has_left;
}

void membership_revise(struct membership *member, const struct definition *definition)
{
    bool has_left = leave_others(member, definition);

    move_leases(member, definition);
    member->definition = definition;
    leases_note_fixed(member);
    if (has_left) {
        firewall_change_ports(member, false);
        firewall_change(member->networks);
    }
    if (member->phase != MEMBER_RUNNING)
        return;
    if (has_left && membership_is_attached(member))
        leases_restore_way_out(member);
    names_update(member);
}
