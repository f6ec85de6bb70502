/* What somebody else removes of davit's devices is made again: bridges, their addresses, and the
 * host's ends of containers' devices. Rules need no mending: nobody else can remove them. */
#include <net/if.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "groups.h"
#include "membership.h"
#include "network/firewall.h"
#include "network/link_watch.h"

/* A container's device goes a moment before its end is known. Who removes a device again and again
 * waits longer each time. */
#define FIRST_DELAY_US 20000
#define DOUBLINGS_MAX 9 /* ten seconds */
#define FORGIVEN_US 60000000
#define TOLD_US 1000000 /* what goes so soon after its bridge went with it */

static int on_due(sd_event_source *source, uint64_t usec, void *context);

static void set_timer(struct networks *networks, uint64_t due_us)
{
    struct mend_state *mend = &networks->mend;

    if (mend->timer == NULL) {
        sd_event_add_time(networks->loop, &mend->timer, CLOCK_MONOTONIC, due_us, 1000, on_due,
                          networks);
        mend->due_us = due_us;
    } else if (due_us < mend->due_us) {
        sd_event_source_set_time(mend->timer, due_us);
        mend->due_us = due_us;
    }
}

static void note_loss(struct networks *networks, struct device_loss *loss, bool is_certain)
{
    uint64_t now_us = clock_monotonic_us();

    loss->is_certain = loss->is_certain || is_certain;
    if (loss->due_us != 0)
        return;
    if (now_us - loss->last_us > FORGIVEN_US)
        loss->count = 0;
    loss->last_us = now_us;
    loss->due_us = now_us + ((uint64_t)FIRST_DELAY_US
                             << (loss->count < DOUBLINGS_MAX ? loss->count : DOUBLINGS_MAX));
    loss->count++;
    set_timer(networks, loss->due_us);
}

/* Nothing is made for a network that no container is attached to. */
static bool is_in_use(const struct networks *networks, const struct network *network)
{
    for (const struct membership *one = networks->members; one != NULL; one = one->next) {
        for (size_t i = 0; i < ENDPOINTS_MAX; i++) {
            if (one->leases[i].network == network)
                return true;
        }
    }
    return false;
}

static void note_network(struct networks *networks, const char *device, bool is_certain)
{
    for (struct network *one = networks->list; one != NULL; one = one->next) {
        if (one->driver == NETWORK_DRIVER_BRIDGE &&
            (device == NULL || strcmp(one->device, device) == 0) && is_in_use(networks, one))
            note_loss(networks, &one->loss, is_certain);
    }
}

static void note_lease(struct networks *networks, const char *device)
{
    for (struct membership *one = networks->members; one != NULL; one = one->next) {
        if (one->phase != MEMBER_RUNNING)
            continue;
        for (size_t i = 0; i < one->definition->endpoints.count; i++) {
            struct network_lease *lease = &one->leases[i];

            if (lease->host_device[0] != '\0' &&
                (device == NULL || strcmp(lease->host_device, device) == 0))
                note_loss(networks, &lease->loss, false);
        }
    }
}

static void on_loss(void *context, const struct link_loss *loss)
{
    struct networks *networks = context;
    char name[IF_NAMESIZE];

    if (loss->index != 0) {
        if (if_indextoname(loss->index, name) != NULL)
            note_network(networks, name, true);
    } else if (loss->device == NULL) {
        note_network(networks, NULL, false);
        note_lease(networks, NULL);
    } else if (strncmp(loss->device, FIREWALL_DEVICE_PREFIX, strlen(FIREWALL_DEVICE_PREFIX)) == 0) {
        note_lease(networks, loss->device);
    } else {
        note_network(networks, loss->device, false);
    }
}

static int on_message(sd_event_source *source, int fd, uint32_t events, void *context)
{
    (void)source;
    (void)events;
    link_watch_read(fd, on_loss, context);
    return 0;
}

static void tell(struct networks *networks, const struct network *network, const char *device,
                 const char *container)
{
    const struct string_map attributes = {
        (struct string_pair[]){{"name", network->name},
                               {"type", network_driver_name(network)},
                               {"device", device},
                               {"container", container}},
        container != NULL ? 4 : 3};

    log_warning("network %s: somebody has removed %s, or taken its addresses or its bridge: it is "
                "made again",
                network->name, device);
    events_publish(networks->events, "network", "mend", network->id, &attributes);
}

/* All its ports have gone with it, whether that was told yet or not. */
static void look_at_ports(struct networks *networks, const struct network *network, uint64_t now_us)
{
    for (struct membership *one = networks->members; one != NULL; one = one->next) {
        for (size_t i = 0; i < ENDPOINTS_MAX; i++) {
            if (one->leases[i].network == network && one->leases[i].host_device[0] != '\0')
                one->leases[i].loss.due_us = now_us;
        }
    }
    /* Some of them may have been passed by already. */
    set_timer(networks, now_us);
}

static void mend_network(struct networks *networks, struct netlink *netlink,
                         struct network *network)
{
    struct error err = {0};
    bool was_lost = network->loss.is_certain || link_index(netlink, network->device) == 0;

    network->loss.due_us = 0;
    network->loss.is_certain = false;
    if (!was_lost || !is_in_use(networks, network))
        return;
    network->is_prepared = false;
    if (network_prepare(networks, netlink, network, &err) == 0) {
        network->mended++;
        network->mended_us = clock_monotonic_us();
        look_at_ports(networks, network, network->mended_us);
        group_proxies_restore(networks, netlink, network);
        tell(networks, network, network->device, NULL);
        return;
    }
    log_error("network %s: make its device again: %s", network->name, err.message);
    note_loss(networks, &network->loss, true);
}

/* A device that has only lost its bridge is told of with that. */
static void tell_of_lease(struct membership *member, struct network *network,
                          const struct network_lease *lease, const char *former)
{
    bool is_new = strcmp(lease->host_device, former) != 0;

    if (!is_new && network->mended_us + TOLD_US > lease->loss.last_us)
        return;
    network->mended++;
    tell(member->networks, network, former, member->definition->id);
    if (is_new)
        member->owner->save(member);
}

static void mend_lease(struct membership *member, struct netlink *netlink, size_t index)
{
    struct network_lease *lease = &member->leases[index];
    struct network *network = membership_network(member, index);
    char former[IFNAMSIZ];
    struct error err = {0};
    bool was_lost = false;

    lease->loss.due_us = 0;
    if (network == NULL || member->phase != MEMBER_RUNNING)
        return;
    memcpy(former, lease->host_device, sizeof(former));
    /* It may be on its way to be told. */
    if (link_index(netlink, network->device) == 0)
        mend_network(member->networks, netlink, network);
    if (lease_mend(member, index, netlink, &was_lost, &err) < 0) {
        /* Most have ended, which is about to be known. */
        log_debug("container %s: make its device on network %s again: %s", member->definition->name,
                  network->name, err.message);
        note_loss(member->networks, &lease->loss, false);
    } else if (was_lost) {
        tell_of_lease(member, network, lease, former);
    }
}

/* True if it is due; else it is looked at again then. */
static bool is_due(struct networks *networks, const struct device_loss *loss, uint64_t now_us)
{
    if (loss->due_us > now_us)
        set_timer(networks, loss->due_us);
    return loss->due_us != 0 && loss->due_us <= now_us;
}

static int on_due(sd_event_source *source, uint64_t usec, void *context)
{
    struct networks *networks = context;
    uint64_t now_us = clock_monotonic_us();
    struct error err = {0};
    struct netlink netlink;

    (void)source;
    (void)usec;
    networks->mend.timer = sd_event_source_disable_unref(networks->mend.timer);
    if (netlink_open(&netlink, &err) < 0) {
        log_error("networks: %s", err.message);
        set_timer(networks, now_us + FORGIVEN_US);
        return 0;
    }
    /* Waits for whoever is removing devices: what is half gone would look as if it were there. */
    link_master(&netlink, "lo");
    for (struct network *one = networks->list; one != NULL; one = one->next) {
        if (is_due(networks, &one->loss, now_us))
            mend_network(networks, &netlink, one);
    }
    for (struct membership *one = networks->members; one != NULL; one = one->next) {
        for (size_t i = 0; i < ENDPOINTS_MAX; i++) {
            if (is_due(networks, &one->leases[i].loss, now_us))
                mend_lease(one, &netlink, i);
        }
    }
    netlink_close(&netlink);
    return 0;
}

void networks_watch(struct networks *networks)
{
    struct mend_state *mend = &networks->mend;
    struct error err = {0};

    if (mend->source != NULL)
        return;
    mend->fd = link_watch_open(&err);
    if (mend->fd >= 0 &&
        sd_event_add_io(networks->loop, &mend->source, mend->fd, EPOLLIN, on_message, networks) < 0)
        fd_close(&mend->fd);
    if (mend->fd < 0)
        log_warning("what somebody removes of networks is not made again: %s", err.message);
    note_network(networks, NULL, false);
    note_lease(networks, NULL);
}
