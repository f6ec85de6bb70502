/* Connections end with what made them: see connections.h. */
#include "connections.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "egress.h"
#include "network/conntrack_job.h"

#define ADDRESSES_A_JOB 4096
#define CHANGES_A_JOB 8
#define DEADLINE_US 10000000
#define ATTEMPTS_MAX 3 /* until who waits is told */
#define FIRST_RETRY_US 100000
#define LATER_RETRY_US 5000000

struct ended_address {
    struct ended_address *next;
    struct address address;
    char owner[IDENTIFIER_SIZE]; /* who had it */
    bool is_under_way;
};

static int on_turn(sd_event_source *source, void *context)
{
    struct networks *networks = context;

    (void)source;
    networks->connections.turn = sd_event_source_disable_unref(networks->connections.turn);
    connections_begin(networks);
    return 0;
}

static void note_work(struct networks *networks)
{
    networks->connections.is_due = true;
    if (networks->connections.turn == NULL)
        sd_event_add_defer(networks->loop, &networks->connections.turn, on_turn, networks);
}

static void note_ended(const struct membership *member, const struct address *address)
{
    struct networks *networks = member->networks;
    struct ended_address *ended;

    if (address->family == 0)
        return;
    ended = memory_new_one(struct ended_address);
    ended->address = *address;
    strcpy(ended->owner, member->definition->id);
    ended->next = networks->connections.ended;
    networks->connections.ended = ended;
    networks->connections.ended_count++;
}

void connections_end(const struct membership *member, const struct network_lease *lease)
{
    struct address addresses[LEASE_ADDRESSES];

    if (!lease_is_on_bridge(lease) || !conntrack_has_any())
        return;
    lease_list_addresses(lease, addresses);
    for (size_t i = 0; i < LEASE_ADDRESSES; i++)
        note_ended(member, &addresses[i]);
    note_work(member->networks);
}

static bool refuses_any(const struct membership *member)
{
    return member->definition->host_config.egress != NULL && !egress_learns(member);
}

void connections_revise(struct membership *member)
{
    if (!refuses_any(member) || !conntrack_has_any())
        return;
    member->connections = CONNECTIONS_DUE;
    note_work(member->networks);
}

/* TCP begins anew by itself. */
static bool is_kept_by_sending(const struct published_port *port)
{
    return strcmp(port->protocol, "udp") == 0;
}

void connections_publish(struct membership *member)
{
    bool has_any = false;

    for (size_t i = 0; i < member->ports.count; i++)
        has_any = has_any || is_kept_by_sending(&member->ports.items[i]);
    if (!has_any || !conntrack_has_any())
        return;
    member->port_connections = CONNECTIONS_DUE;
    note_work(member->networks);
}

void connections_sweep(struct networks *networks)
{
    if (!conntrack_has_any())
        return;
    networks->connections.sweep = CONNECTIONS_DUE;
    note_work(networks);
}

/* Whoever had it but `except`; NULL: whoever had it. */
static bool has_ended(const struct networks *networks, const struct address *address,
                      const char *except)
{
    const struct ended_address *one = networks->connections.ended;

    while (one != NULL && (!address_equals(&one->address, address) ||
                           (except != NULL && strcmp(one->owner, except) == 0)))
        one = one->next;
    return one != NULL;
}

bool connections_occupy(const struct membership *member, const struct address *address)
{
    return has_ended(member->networks, address, member->definition->id);
}

void connections_each_occupied(const struct membership *member,
                               void (*mark)(void *context, const struct address *address),
                               void *context)
{
    for (const struct ended_address *one = member->networks->connections.ended; one != NULL;
         one = one->next) {
        if (strcmp(one->owner, member->definition->id) != 0)
            mark(context, &one->address);
    }
}

/* Forgets those that `is_over` is true for. */
static void forget(struct networks *networks,
                   bool (*is_over)(const void *context, const struct ended_address *ended),
                   const void *context)
{
    struct ended_address **link = &networks->connections.ended;

    while (*link != NULL) {
        struct ended_address *one = *link;

        if (is_over(context, one)) {
            *link = one->next;
            networks->connections.ended_count--;
            free(one);
        } else {
            link = &one->next;
        }
    }
}

static bool is_own(const void *context, const struct ended_address *ended)
{
    const struct membership *member = context;

    if (ended->is_under_way || strcmp(ended->owner, member->definition->id) != 0)
        return false;
    for (size_t i = 0; i < ENDPOINTS_MAX; i++) {
        struct address addresses[LEASE_ADDRESSES];

        lease_list_addresses(&member->leases[i], addresses);
        for (size_t j = 0; j < LEASE_ADDRESSES; j++) {
            if (address_equals(&addresses[j], &ended->address))
                return true;
        }
    }
    return false;
}

void connections_keep(const struct membership *member)
{
    /* Its rules may be others than those that let them through. */
    if (refuses_any(member))
        return;
    forget(member->networks, is_own, member);
}

bool connections_are_left(const struct membership *member)
{
    const struct networks *networks = member->networks;

    for (size_t i = 0; i < member->definition->endpoints.count; i++) {
        const struct network_lease *lease = &member->leases[i];

        /* The address that a device has by itself goes with the first. */
        if (lease_is_on_bridge(lease) && (networks->connections.sweep != CONNECTIONS_RIGHT ||
                                          has_ended(networks, &lease->address, NULL) ||
                                          has_ended(networks, &lease->address6, NULL)))
            return true;
    }
    return false;
}

bool connections_await(struct networks *networks, struct completion *completion)
{
    struct connections_state *state = &networks->connections;

    if (state->is_due)
        completion_add(&state->later_waiters, completion);
    else if (state->report_fd >= 0)
        completion_add(&state->waiters, completion);
    else
        return false;
    return true;
}

static const char *address_text(struct arena *arena, const struct address *address)
{
    char text[ADDRESS_TEXT_SIZE];

    address_format(address, text);
    return arena_strdup(arena, text);
}

static void append_address(struct arena *arena, struct string_list *list,
                           const struct address *address)
{
    if (address->family != 0)
        string_list_append(arena, list, address_text(arena, address));
}

static void append_leases(struct arena *arena, struct string_list *list,
                          const struct membership *member)
{
    for (size_t i = 0; i < member->definition->endpoints.count; i++) {
        struct address addresses[LEASE_ADDRESSES];

        lease_list_addresses(&member->leases[i], addresses);
        for (size_t j = 0; j < LEASE_ADDRESSES; j++)
            append_address(arena, list, &addresses[j]);
    }
}

/* What was held when this davitd began: who has got an address since waits for the sweep. */
static void append_held(struct arena *arena, struct string_list *list,
                        const struct membership *member)
{
    for (size_t i = 0; i < ENDPOINTS_MAX; i++) {
        if (!member->leases[i].is_restored)
            continue;
        append_address(arena, list, &member->leases[i].address);
        append_address(arena, list, &member->leases[i].address6);
    }
}

/* All addresses of our bridges that nobody has. */
static void describe_sweep(struct arena *arena, const struct networks *networks,
                           struct conntrack_job *job)
{
    for (const struct network *one = networks->list; one != NULL; one = one->next) {
        if (one->driver != NETWORK_DRIVER_BRIDGE)
            continue;
        string_list_append(arena, &job->networks, one->ipv4.subnet_text);
        append_address(arena, &job->held, &one->ipv4.gateway);
        if (one->ipv6.subnet_text == NULL)
            continue;
        string_list_append(arena, &job->networks, one->ipv6.subnet_text);
        append_address(arena, &job->held, &one->ipv6.gateway);
    }
    for (const struct membership *one = networks->members; one != NULL; one = one->next)
        append_held(arena, &job->held, one);
}

static void describe_change(struct arena *arena, const struct membership *member,
                            struct conntrack_change *change)
{
    append_leases(arena, &change->addresses, member);
    egress_list_addresses(arena, member, &change->allowed);
}

static void describe_ports(struct arena *arena, const struct networks *networks,
                           struct conntrack_job *job)
{
    for (struct membership *one = networks->members; one != NULL; one = one->next) {
        if (one->port_connections != CONNECTIONS_DUE)
            continue;
        one->port_connections = CONNECTIONS_UNDER_WAY;
        for (size_t i = 0; i < one->ports.count; i++) {
            if (!is_kept_by_sending(&one->ports.items[i]))
                continue;
            job->ports.items =
                arena_grow(arena, job->ports.items, job->ports.count, sizeof(*job->ports.items));
            job->ports.items[job->ports.count++] =
                (struct conntrack_port){IPPROTO_UDP, one->ports.items[i].host_port};
        }
    }
}

/* What does not go into this job stays due. */
static void describe_job(struct arena *arena, struct networks *networks, struct conntrack_job *job)
{
    struct connections_state *state = &networks->connections;

    state->is_due = false;
    if (state->sweep == CONNECTIONS_DUE) {
        describe_sweep(arena, networks, job);
        state->sweep = CONNECTIONS_UNDER_WAY;
    }
    for (struct ended_address *one = state->ended; one != NULL; one = one->next) {
        one->is_under_way = job->ended.count < ADDRESSES_A_JOB;
        state->is_due = state->is_due || !one->is_under_way;
        if (one->is_under_way)
            append_address(arena, &job->ended, &one->address);
    }
    describe_ports(arena, networks, job);
    job->changes.items = arena_new(arena, CHANGES_A_JOB, sizeof(*job->changes.items));
    for (struct membership *one = networks->members; one != NULL; one = one->next) {
        if (one->connections != CONNECTIONS_DUE)
            continue;
        if (job->changes.count == CHANGES_A_JOB) {
            state->is_due = true;
            return;
        }
        describe_change(arena, one, &job->changes.items[job->changes.count++]);
        one->connections = CONNECTIONS_UNDER_WAY;
    }
}

static bool is_under_way(const void *context, const struct ended_address *ended)
{
    (void)context;
    return ended->is_under_way;
}

static void note_all(struct networks *networks, enum connections_phase phase)
{
    struct connections_state *state = &networks->connections;

    if (state->sweep == CONNECTIONS_UNDER_WAY)
        state->sweep = phase;
    for (struct membership *one = networks->members; one != NULL; one = one->next) {
        if (one->connections == CONNECTIONS_UNDER_WAY)
            one->connections = phase;
        if (one->port_connections == CONNECTIONS_UNDER_WAY)
            one->port_connections = phase;
    }
}

static int on_retry(sd_event_source *source, uint64_t usec, void *context)
{
    struct networks *networks = context;

    (void)source;
    (void)usec;
    networks->connections.retry = sd_event_source_disable_unref(networks->connections.retry);
    connections_begin(networks);
    return 0;
}

/* All of it is due again: what waits is told only if that has happened a few times. */
static void try_again_later(struct networks *networks, const struct error *err)
{
    struct connections_state *state = &networks->connections;
    bool is_hopeless = ++state->failures >= ATTEMPTS_MAX;

    note_all(networks, CONNECTIONS_DUE);
    for (struct ended_address *one = state->ended; one != NULL; one = one->next)
        one->is_under_way = false;
    state->is_due = true;
    sd_event_add_time_relative(networks->loop, &state->retry, CLOCK_MONOTONIC,
                               is_hopeless ? LATER_RETRY_US : FIRST_RETRY_US, 0, on_retry,
                               networks);
    completions_move(&state->later_waiters, &state->waiters);
    log_warning("networks: connections of former containers: %s", err->message);
    if (is_hopeless)
        connections_fail(networks, err);
}

static void end_run(struct networks *networks, const struct error *err)
{
    struct connections_state *state = &networks->connections;
    struct completion *waiters = NULL;

    state->source = sd_event_source_disable_unref(state->source);
    state->deadline = sd_event_source_disable_unref(state->deadline);
    fd_close(&state->report_fd);
    state->report_length = 0;
    if (err != NULL) {
        try_again_later(networks, err);
        return;
    }
    state->failures = 0;
    forget(networks, is_under_way, NULL);
    note_all(networks, CONNECTIONS_RIGHT);
    completions_move(&waiters, &state->waiters);
    completions_end(&waiters, NULL);
    connections_begin(networks);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *context)
{
    struct error err = {0};

    (void)source;
    (void)usec;
    error_set(&err, ERROR_INTERNAL, ETIMEDOUT, "whoever ends them does not answer");
    end_run(context, &err);
    return 0;
}

static int on_report(sd_event_source *source, int fd, uint32_t events, void *context)
{
    struct networks *networks = context;
    struct connections_state *state = &networks->connections;
    struct error err = {0};
    ssize_t count = read(fd, state->report + state->report_length,
                         sizeof(state->report) - 1 - state->report_length);

    (void)source;
    (void)events;
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (count > 0)
        state->report_length += (size_t)count;
    if (count > 0 && state->report_length < sizeof(state->report) - 1)
        return 0;
    state->report[state->report_length] = '\0';
    if (strcmp(state->report, CONNTRACK_DONE) != 0)
        error_set(&err, ERROR_INTERNAL, EIO, "%s",
                  state->report_length > 0 ? state->report : "whoever ends them was killed");
    end_run(networks, err.errnum != 0 ? &err : NULL);
    return 0;
}

static int spawn(struct networks *networks, const struct conntrack_job *job, struct error *err)
{
    struct connections_state *state = &networks->connections;
    cleanup_close int job_fd = spawner_open_job(&conntrack_job_type, job, CONNTRACK_JOB_MAX, err);
    cleanup_close int write_fd = -1;

    if (job_fd < 0)
        return job_fd;
    state->report_fd = spawner_open_report(&write_fd, err);
    if (state->report_fd < 0)
        return state->report_fd;
    if (sd_event_add_io(networks->loop, &state->source, state->report_fd, EPOLLIN, on_report,
                        networks) < 0 ||
        sd_event_add_time_relative(networks->loop, &state->deadline, CLOCK_MONOTONIC, DEADLINE_US,
                                   0, on_deadline, networks) < 0)
        return error_set(err, ERROR_INTERNAL, ENOMEM, "watch davit-conntrack");
    return spawner_request_conntrack(networks->spawner, job_fd, write_fd, err);
}

void connections_begin(struct networks *networks)
{
    cleanup_arena struct arena arena = {0};
    struct connections_state *state = &networks->connections;
    struct conntrack_job job = {.changes.count = 0};
    struct error err = {0};

    /* Each of these calls this again when it is over: the process at work, the pause after a
     * failure, the firewall's writing, and whoever takes the lock writes that. */
    if (!state->is_due || state->report_fd >= 0 || state->retry != NULL ||
        networks->firewall.is_dirty || networks->lock_fd < 0)
        return;
    describe_job(&arena, networks, &job);
    completions_move(&state->waiters, &state->later_waiters);
    if (spawn(networks, &job, &err) < 0)
        end_run(networks, &err);
}

void connections_fail(struct networks *networks, const struct error *err)
{
    completions_end(&networks->connections.later_waiters, err);
}
