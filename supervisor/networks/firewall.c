/* The kernel's rules follow what davitd knows: by nft(8), beside davitd's other work. See
 * networks.h. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "egress.h"
#include "membership.h"
#include "network/egress.h"
#include "network/firewall.h"
#include "network/nft_watch.h"
#include "networks.h"

#define OUTPUT_MAX 4096
#define SETTLE_MS 2000
#define FIRST_RETRY_US 1000000
#define LAST_RETRY_US 60000000

static const char *const tables[] = {FIREWALL_TABLE, EGRESS_TABLE};

/* A run of nft(8). */
struct firewall_run {
    struct networks *networks;
    pid_t pid;
    int pidfd;
    int output_fd; /* a memfd: what nft has to say */
    sd_event_source *source;
    char *script;
    char *base; /* the script without ports */
    bool has_networks;
    struct completion *waiters;
};

/* A port of any address is one of both families, where the container has both. */
static void add_port(struct firewall_port *ports, size_t *count, const struct membership *member,
                     const struct published_port *from, int family)
{
    const struct address *address = membership_address(member, family);
    struct firewall_port port = {.protocol = from->protocol,
                                 .host_port = (uint16_t)from->host_port,
                                 .container_port = (uint16_t)from->container_port};

    if (from->host[0] != '\0' &&
        (address_parse(from->host, &port.host) < 0 || port.host.family != family))
        return;
    if (address == NULL)
        return;
    if (address_is_any(&port.host))
        port.host.family = 0;
    port.container = *address;
    ports[(*count)++] = port;
}

/* Appends the ports of one container to the `count` that are there. */
static void add_ports(struct firewall_port *ports, size_t *count, const struct membership *member)
{
    for (size_t i = 0; i < member->ports.count; i++) {
        add_port(ports, count, member, &member->ports.items[i], AF_INET);
        add_port(ports, count, member, &member->ports.items[i], AF_INET6);
    }
}

static void list_ports(struct arena *arena, const struct networks *networks,
                       struct firewall *firewall)
{
    struct firewall_port *ports;
    size_t count = 0;

    for (const struct membership *one = networks->members; one != NULL; one = one->next)
        count += 2 * one->ports.count;
    ports = arena_new(arena, count, sizeof(*ports));
    for (const struct membership *one = networks->members; one != NULL; one = one->next)
        add_ports(ports, &firewall->port_count, one);
    firewall->ports = ports;
}

/* `base` is the script without ports, which come and go by themselves. False if it removes the
 * table: there are no networks. */
static bool write_script(struct networks *networks, struct buffer *script, struct buffer *base)
{
    cleanup_arena struct arena arena = {0};
    cleanup_buffer struct buffer egress = {0};
    struct firewall firewall = {0};
    struct firewall_network *listed;
    size_t count = 0;

    for (const struct network *one = networks->list; one != NULL; one = one->next)
        count++;
    listed = arena_new(&arena, count, sizeof(*listed));
    for (const struct network *one = networks->list; one != NULL; one = one->next) {
        /* Those whose bridge is there stay: the next container need not wait for its rules. */
        if (one->driver == NETWORK_DRIVER_BRIDGE &&
            (one->is_prepared || network_is_used(networks, one)))
            listed[firewall.network_count++] =
                (struct firewall_network){.bridge = one->device,
                                          .subnet = one->ipv4.subnet,
                                          .subnet6 = one->ipv6.subnet,
                                          .is_internal = one->is_internal,
                                          .is_isolated = one->is_isolated,
                                          .keeps_sources = one->keeps_sources};
    }
    firewall.networks = listed;
    firewall_write(base, &firewall);
    list_ports(&arena, networks, &firewall);
    firewall_write(script, &firewall);
    egress_add_to_script(networks, &arena, &egress);
    buffer_append(base, buffer_text(&egress), egress.length);
    buffer_append(script, buffer_text(&egress), egress.length);
    return firewall.network_count > 0;
}

static void start_run(struct networks *networks);
static void firewall_watch_changes(struct networks *networks);
static void firewall_drop_own_notices(const struct firewall_run *run, bool has_succeeded);
static void retry_later(struct networks *networks);

/* Reads the result of nft, whose process has ended. */
static int outcome(const struct firewall_run *run, struct error *err)
{
    char text[OUTPUT_MAX] = "";
    int status = -1;
    ssize_t length;

    if (waitpid(run->pid, &status, 0) == run->pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    length = pread(run->output_fd, text, sizeof(text) - 1, 0);
    text[length > 0 ? length : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return error_set(err, ERROR_INTERNAL, EIO, "nft (is nftables installed?): %.300s", text);
}

/* Whether to try once without bridge tracking, which the kernel may lack. */
static bool may_lack_tracking(const struct firewall_run *run)
{
    return run->networks->egress.is_there && !run->networks->firewall.lacks_bridge_tracking;
}

static void firewall_rerun_untracked(struct firewall_run *run)
{
    struct networks *networks = run->networks;

    networks->firewall.lacks_bridge_tracking = true;
    networks->firewall.lost_track_of_ports = true;
    /* Others may have begun to wait for the next run, which this is as well. */
    completions_move(&networks->firewall.waiters, &run->waiters);
    free(run->base);
    free(run->script);
    free(run);
    start_run(networks);
}

static void end_run(struct firewall_run *run, const struct error *err)
{
    struct networks *networks = run->networks;
    struct completion *waiters = run->waiters;

    networks->firewall.run = NULL;
    if (networks->firewall.watch != NULL)
        sd_event_source_set_enabled(networks->firewall.watch, SD_EVENT_ON);
    sd_event_source_disable_unref(run->source);
    fd_close(&run->pidfd);
    fd_close(&run->output_fd);
    if (err->errnum != 0 && may_lack_tracking(run)) {
        firewall_rerun_untracked(run);
        return;
    }
    free(networks->firewall.base);
    networks->firewall.base =
        err->errnum == 0 && networks->lock_fd >= 0 ? take_pointer(&run->base) : NULL;
    if (err->errnum == 0) {
        egress_forget_written(networks);
        networks->firewall.retry_us = 0;
    } else {
        log_error("firewall: %s", err->message);
        /* The run did not fail for want of bridge tracking. */
        networks->firewall.lacks_bridge_tracking = false;
        retry_later(networks);
    }
    egress_open_log(networks);
    free(run->base);
    free(run->script);
    free(run);
    completions_end(&waiters, err->errnum != 0 ? err : NULL);
    if (networks->firewall.is_dirty && networks->firewall.run == NULL)
        start_run(networks);
}

static int on_exit_of_nft(sd_event_source *source, int fd, uint32_t events, void *context)
{
    struct firewall_run *run = context;
    struct error err = {0};

    (void)source;
    (void)fd;
    (void)events;
    outcome(run, &err);
    firewall_drop_own_notices(run, err.errnum == 0);
    end_run(run, &err);
    return 0;
}

/* Nobody would hear of its end. */
static void end_unwatched(const struct firewall_run *run)
{
    kill(run->pid, SIGKILL);
    waitpid(run->pid, NULL, 0);
}

static int spawn_nft(struct firewall_run *run, int script_fd, struct error *err)
{
    static const char *const arguments[] = {"nft", "-f", "-", NULL};
    static const char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    posix_spawn_file_actions_t actions;
    int result;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, script_fd, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, run->output_fd, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, run->output_fd, STDERR_FILENO);
    /* nft inherits the lock: if davitd dies now, the next one waits until nft has ended. */
    posix_spawn_file_actions_adddup2(&actions, run->networks->lock_fd, STDERR_FILENO + 1);
    result = posix_spawnp(&run->pid, "nft", &actions, NULL, (char *const *)(uintptr_t)arguments,
                          (char *const *)(uintptr_t)environment);
    posix_spawn_file_actions_destroy(&actions);
    if (result != 0)
        return error_errno(err, result, "run nft (is nftables installed?)");
    run->pidfd = pidfd_open(run->pid, 0);
    if (run->pidfd >= 0)
        return 0;
    error_errno(err, errno, "pidfd of nft");
    end_unwatched(run);
    return -err->errnum;
}

static int firewall_run_spawn(struct firewall_run *run, struct error *err)
{
    cleanup_close int script_fd = file_in_memory("davit-nft", run->script, strlen(run->script));
    int result;

    if (script_fd < 0)
        return error_errno(err, -script_fd, "script for nft");
    run->output_fd = memfd_create("davit-nft-output", MFD_CLOEXEC);
    if (run->output_fd < 0)
        return error_errno(err, errno, "output of nft");
    result = spawn_nft(run, script_fd, err);
    if (result == 0 && sd_event_add_io(run->networks->loop, &run->source, run->pidfd, EPOLLIN,
                                       on_exit_of_nft, run) < 0) {
        result = error_set(err, ERROR_INTERNAL, ENOMEM, "watch nft");
        end_unwatched(run);
    }
    return result;
}

static void start_run(struct networks *networks)
{
    struct firewall_run *run = memory_new_one(struct firewall_run);
    cleanup_buffer struct buffer script = {0};
    cleanup_buffer struct buffer base = {0};
    bool is_known = !networks->firewall.lost_track_of_ports;
    struct error err = {0};

    networks->firewall.lost_track_of_ports = false;
    run->has_networks = write_script(networks, &script, &base);
    run->script = memory_strdup(buffer_text(&script));
    run->base = memory_strdup(buffer_text(&base));
    firewall_watch_changes(networks);
    /* What is heard while nft runs are its own changes, see firewall_drop_own_notices(). */
    if (networks->firewall.watch != NULL)
        sd_event_source_set_enabled(networks->firewall.watch, SD_EVENT_OFF);
    run->networks = networks;
    run->pidfd = run->output_fd = -1;
    run->waiters = networks->firewall.waiters;
    networks->firewall.waiters = NULL;
    networks->firewall.is_dirty = false;
    networks->firewall.run = run;
    is_known = is_known && networks->firewall.base != NULL &&
               strcmp(networks->firewall.base, run->base) == 0;
    /* Without the lock the rules are another davitd's. Most containers do not change the script. */
    if (networks->lock_fd < 0 || is_known || firewall_run_spawn(run, &err) < 0)
        end_run(run, &err);
}

static int on_turn(sd_event_source *source, void *context)
{
    struct networks *networks = context;

    (void)source;
    networks->firewall.turn = sd_event_source_disable_unref(networks->firewall.turn);
    if (networks->firewall.run == NULL)
        start_run(networks);
    return 0;
}

void firewall_change(struct networks *networks)
{
    networks->firewall.is_dirty = true;
    if (networks->firewall.turn == NULL && networks->firewall.run == NULL)
        sd_event_add_defer(networks->loop, &networks->firewall.turn, on_turn, networks);
}

void firewall_await(struct networks *networks, struct completion *completion)
{
    if (networks->firewall.is_dirty)
        completion_add(&networks->firewall.waiters, completion);
    else if (networks->firewall.run != NULL)
        completion_add(&networks->firewall.run->waiters, completion);
    else
        completion->done(completion, NULL);
}

/* A host's firewall that is loaded anew takes all tables away, ours too. */
static int on_change(sd_event_source *source, int fd, uint32_t events, void *context)
{
    struct networks *networks = context;

    (void)source;
    (void)events;
    if (!nft_watch_read(fd, tables, ARRAY_SIZE(tables)))
        return 0;
    log_warning("firewall: somebody else has removed rules of davit, or may have: they are written "
                "again");
    events_publish(networks->events, "daemon", "firewall-restored", networks->id,
                   &(struct string_map){0});
    free(take_pointer(&networks->firewall.base));
    networks->firewall.lost_track_of_ports = true;
    firewall_change(networks);
    return 0;
}

/* Watches, from the first run on, for changes by others. If it cannot, rules that somebody else
 * removes stay removed. */
static void firewall_watch_changes(struct networks *networks)
{
    struct error err = {0};
    int fd;

    if (networks->firewall.watch != NULL || networks->lock_fd < 0)
        return;
    fd = nft_watch_open(&err);
    if (fd >= 0 && sd_event_add_io(networks->loop, &networks->firewall.watch, fd, EPOLLIN,
                                   on_change, networks) < 0)
        fd_close(&fd);
    if (fd < 0)
        log_warning("firewall: rules that somebody else removes will not be noticed: %s",
                    err.message);
    else
        sd_event_source_set_io_fd_own(networks->firewall.watch, 1);
}

/* Drops the notices of nft's own changes, which the kernel sent before nft ended. Changes by others
 * may be among them: checks that the table is there. */
static void firewall_drop_own_notices(const struct firewall_run *run, bool has_succeeded)
{
    struct networks *networks = run->networks;

    if (networks->firewall.watch == NULL)
        return;
    nft_watch_read(sd_event_source_get_io_fd(networks->firewall.watch), tables, ARRAY_SIZE(tables));
    if (has_succeeded && run->has_networks &&
        !nft_table_exists(&networks->nft, NFT_INET, FIREWALL_TABLE))
        retry_later(networks);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *context)
{
    struct networks *networks = context;

    (void)source;
    (void)usec;
    networks->firewall.retry = sd_event_source_disable_unref(networks->firewall.retry);
    free(take_pointer(&networks->firewall.base));
    firewall_change(networks);
    return 0;
}

/* What could not be written is tried again, as long as anybody relies on it. */
static void retry_later(struct networks *networks)
{
    bool is_needed = false;

    for (const struct membership *one = networks->members; one != NULL; one = one->next)
        is_needed = is_needed || membership_is_attached(one);
    if (!is_needed || networks->firewall.retry != NULL)
        return;
    networks->firewall.retry_us = networks->firewall.retry_us == 0 ? FIRST_RETRY_US
                                  : networks->firewall.retry_us < LAST_RETRY_US / 2
                                      ? 2 * networks->firewall.retry_us
                                      : LAST_RETRY_US;
    networks->firewall.lost_track_of_ports = true;
    sd_event_add_time_relative(networks->loop, &networks->firewall.retry, CLOCK_MONOTONIC,
                               networks->firewall.retry_us, 0, on_retry, networks);
}

bool firewall_settle(const struct networks *networks)
{
    struct pollfd ended = {.fd =
                               networks->firewall.run != NULL ? networks->firewall.run->pidfd : -1,
                           .events = POLLIN};

    return networks->firewall.run == NULL || poll(&ended, 1, SETTLE_MS) > 0;
}

static int change_elements(const struct membership *member, bool is_removed)
{
    cleanup_free struct firewall_port *ports = memory_new(2 * member->ports.count, sizeof(*ports));
    cleanup_free struct nft_element *elements =
        memory_new(2 * member->ports.count, sizeof(*elements));
    size_t count = 0;

    add_ports(ports, &count, member);
    for (size_t i = 0; i < count; i++)
        firewall_port_element(&ports[i], is_removed, &elements[i]);
    return nft_elements_change(&member->networks->nft, elements, count, NULL);
}

void firewall_change_ports(const struct membership *member, bool is_removed)
{
    struct networks *networks = member->networks;

    if (member->ports.count == 0)
        return;
    if (networks->firewall.base != NULL && !networks->firewall.is_dirty &&
        networks->firewall.run == NULL && change_elements(member, is_removed) == 0)
        return;
    /* The table is being written, or somebody else has changed it: it is written as a whole. */
    networks->firewall.lost_track_of_ports = true;
    firewall_change(networks);
}
