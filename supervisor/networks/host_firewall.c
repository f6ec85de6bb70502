/* The firewall of the host, which has to let through what davit lets through: see networks.h and
 * docs/decisions/host-firewall.md. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "firewalld.h"
#include "network/host_chains.h"
#include "networks.h"

/* One change is many messages; who changes all the time is looked at ten times a second. */
#define DELAY_US 20000
#define INTERVAL_US 100000
#define LEGACY_TABLES "/proc/net/ip_tables_names"

static const char *const bridges[] = {"davit0", "dv-*"};

static void look_at_chains(struct networks *networks);

static int on_due(sd_event_source *source, uint64_t usec, void *context)
{
    struct networks *networks = context;

    (void)source;
    (void)usec;
    networks->host_firewall.timer = sd_event_source_disable_unref(networks->host_firewall.timer);
    look_at_chains(networks);
    return 0;
}

static void look_at_chains_later(struct networks *networks)
{
    struct host_firewall_state *state = &networks->host_firewall;
    uint64_t due_us = clock_monotonic_us() + DELAY_US;

    if (state->timer != NULL)
        return;
    if (due_us < state->looked_us + INTERVAL_US)
        due_us = state->looked_us + INTERVAL_US;
    sd_event_add_time(networks->loop, &state->timer, CLOCK_MONOTONIC, due_us, 1000, on_due,
                      networks);
}

static void tell_of_chains(struct networks *networks, const struct host_chains *found)
{
    struct host_firewall_state *state = &networks->host_firewall;

    if (found->opened[0] != '\0')
        log_info("the host's firewall drops what is forwarded: davit has added rules at the end of "
                 "its chain %s that let davit0 and dv-* through, see host_firewall in "
                 "davitd.json(5)",
                 found->opened);
    if (strcmp(found->closed, state->closed) == 0)
        return;
    strcpy(state->closed, found->closed);
    if (state->closed[0] != '\0')
        log_warning("the host's firewall (%s) drops what is forwarded, and belongs to another "
                    "program: let davit0 and dv-* through there, or containers reach nobody "
                    "outside",
                    state->closed);
}

static void look_at_chains(struct networks *networks)
{
    struct host_firewall_state *state = &networks->host_firewall;
    struct host_chains found;
    struct error err = {0};
    size_t count = networks->leaves_host_firewall ? 0 : ARRAY_SIZE(bridges);
    int result = host_chains_open(&networks->nft, bridges, count, &found, &err);

    state->looked_us = clock_monotonic_us();
    /* Somebody is changing them: what was missing may be there now. */
    if (result == -EINTR || result == -ENOENT) {
        look_at_chains_later(networks);
        return;
    }
    if (result < 0) {
        log_warning("the host's firewall: %s", err.message);
        return;
    }
    tell_of_chains(networks, &found);
    if (found.has_firewalld && count > 0)
        firewalld_bind(networks, bridges, ARRAY_SIZE(bridges));
}

static int on_change(sd_event_source *source, int fd, uint32_t events, void *context)
{
    (void)source;
    (void)events;
    if (host_chains_have_changed(fd))
        look_at_chains_later(context);
    return 0;
}

/* Rules of iptables-legacy are not in nftables; they are seen, and not read. */
static void look_for_legacy(struct networks *networks)
{
    cleanup_buffer struct buffer names = {0};

    networks->host_firewall.has_legacy =
        file_read(AT_FDCWD, LEGACY_TABLES, 4096, &names, NULL) == 0 &&
        strstr(buffer_text(&names), "filter") != NULL;
    if (networks->host_firewall.has_legacy)
        log_warning("this host has rules of iptables-legacy, which davit does not read: where they "
                    "drop what is forwarded, let davit0 and dv-+ through");
}

void host_firewall_watch(struct networks *networks)
{
    struct host_firewall_state *state = &networks->host_firewall;
    struct error err = {0};

    if (state->is_watched || networks->nft.fd < 0)
        return;
    state->is_watched = true;
    if (networks->leaves_host_firewall) {
        /* Of a davitd that was told otherwise. */
        look_at_chains(networks);
        return;
    }
    state->fd = host_chains_watch(networks->nft.port, &err);
    if (state->fd >= 0 && sd_event_add_io(networks->loop, &state->source, state->fd, EPOLLIN,
                                          on_change, networks) < 0)
        fd_close(&state->fd);
    if (state->source == NULL)
        log_warning("the host's firewall is not followed: %s", err.message);
    look_for_legacy(networks);
    look_at_chains(networks);
}
