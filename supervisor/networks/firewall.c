/* The kernel's rules follow what davitd knows: by nft(8), beside davitd's other work. See
 * networks.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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
#include "network/egress.h"
#include "network/firewall.h"
#include "network/nft_watch.h"
#include "networks.h"
#include "supervisor/containers/internal.h"

#define OUTPUT_MAX 4096
#define SETTLE_MS 2000
#define FIRST_RETRY_US 1000000
#define LAST_RETRY_US 60000000

static const char *const tables[] = {FIREWALL_TABLE, EGRESS_TABLE};

/* What is under way. */
struct firewall_run {
    struct daemon *daemon;
    pid_t pid;
    int pidfd;
    int output_fd; /* a memfd: what nft has to say */
    sd_event_source *source;
    char *script;
    char *base; /* of it, without ports */
    bool has_networks;
    struct firewall_waiter *waiters;
};

/* ---- what is to be ---- */

/* A port of any address is one of both families, where the container has both. */
static void add_port(struct firewall_port *ports, size_t *count,
                     const struct managed_container *container, const struct published_port *from,
                     int family)
{
    const struct address *address = container_network_address(container, family);
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

/* Those of one container, behind the `count` that there are. */
static void add_ports(struct firewall_port *ports, size_t *count,
                      const struct managed_container *container)
{
    for (size_t i = 0; i < container->ports.count; i++) {
        add_port(ports, count, container, &container->ports.items[i], AF_INET);
        add_port(ports, count, container, &container->ports.items[i], AF_INET6);
    }
}

static void list_ports(struct arena *arena, const struct daemon *daemon, struct firewall *firewall)
{
    struct firewall_port *ports;
    size_t count = 0;

    for (const struct managed_container *one = daemon->containers; one != NULL; one = one->next)
        count += 2 * one->ports.count;
    ports = arena_new(arena, count, sizeof(*ports));
    for (const struct managed_container *one = daemon->containers; one != NULL; one = one->next)
        add_ports(ports, &firewall->port_count, one);
    firewall->ports = ports;
}

/* `base` is the script without ports, which come and go by themselves. False if it removes the
 * table: there are no networks. */
static bool write_script(struct daemon *daemon, struct buffer *script, struct buffer *base)
{
    cleanup_arena struct arena arena = {0};
    cleanup_buffer struct buffer egress = {0};
    struct firewall firewall = {0};
    struct firewall_network *networks;
    size_t count = 0;

    for (const struct network *one = daemon->networks; one != NULL; one = one->next)
        count++;
    networks = arena_new(&arena, count, sizeof(*networks));
    for (const struct network *one = daemon->networks; one != NULL; one = one->next) {
        /* Those whose bridge is there stay: the next container need not wait for its rules. */
        if (one->driver == NETWORK_DRIVER_BRIDGE &&
            (one->is_prepared || network_is_used(daemon, one)))
            networks[firewall.network_count++] =
                (struct firewall_network){.bridge = one->device,
                                          .subnet = one->ipv4.subnet,
                                          .subnet6 = one->ipv6.subnet,
                                          .is_internal = one->is_internal,
                                          .is_isolated = one->is_isolated,
                                          .keeps_sources = one->keeps_sources};
    }
    firewall.networks = networks;
    firewall_write(base, &firewall);
    list_ports(&arena, daemon, &firewall);
    firewall_write(script, &firewall);
    egress_add_to_script(daemon, &arena, &egress);
    buffer_append(base, buffer_text(&egress), egress.length);
    buffer_append(script, buffer_text(&egress), egress.length);
    return firewall.network_count > 0;
}

/* ---- making it so ---- */

static void start_run(struct daemon *daemon);
static void watch(struct daemon *daemon);
static void hear_own(const struct firewall_run *run, bool has_succeeded);
static void retry_later(struct daemon *daemon);

static void tell(struct firewall_waiter *waiters, const struct error *err)
{
    while (waiters != NULL) {
        struct firewall_waiter *waiter = waiters;

        waiters = waiter->next;
        waiter->done(waiter, err);
    }
}

/* How it went; the process has ended. */
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

/* What a kernel cannot do is found out by asking for it, once. */
static bool tries_without_tracking(const struct firewall_run *run)
{
    return run->daemon->has_egress && !run->daemon->lacks_bridge_tracking;
}

static void try_again(struct firewall_run *run)
{
    struct daemon *daemon = run->daemon;
    struct firewall_waiter **end = &daemon->firewall_waiters;

    daemon->lacks_bridge_tracking = true;
    daemon->lost_track_of_ports = true;
    /* Others may have begun to wait for the next run, which this is as well. */
    while (*end != NULL)
        end = &(*end)->next;
    *end = run->waiters;
    free(run->base);
    free(run->script);
    free(run);
    start_run(daemon);
}

static void end_run(struct firewall_run *run, const struct error *err)
{
    struct daemon *daemon = run->daemon;
    struct firewall_waiter *waiters = run->waiters;

    daemon->firewall_run = NULL;
    if (daemon->firewall_watch != NULL)
        sd_event_source_set_enabled(daemon->firewall_watch, SD_EVENT_ON);
    sd_event_source_disable_unref(run->source);
    fd_close(&run->pidfd);
    fd_close(&run->output_fd);
    if (err->errnum != 0 && tries_without_tracking(run)) {
        try_again(run);
        return;
    }
    free(daemon->firewall_base);
    daemon->firewall_base =
        err->errnum == 0 && daemon->networks_lock_fd >= 0 ? take_pointer(&run->base) : NULL;
    if (err->errnum == 0) {
        egress_is_written(daemon);
        daemon->firewall_retry_us = 0;
    } else {
        log_error("firewall: %s", err->message);
        /* It was not for that. */
        daemon->lacks_bridge_tracking = false;
        retry_later(daemon);
    }
    egress_open_log(daemon);
    free(run->base);
    free(run->script);
    free(run);
    tell(waiters, err);
    if (daemon->firewall_is_dirty && daemon->firewall_run == NULL)
        start_run(daemon);
}

static int on_exit_of_nft(sd_event_source *source, int fd, uint32_t events, void *context)
{
    struct firewall_run *run = context;
    struct error err = {0};

    (void)source;
    (void)fd;
    (void)events;
    outcome(run, &err);
    hear_own(run, err.errnum == 0);
    end_run(run, &err);
    return 0;
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
    /* If davitd dies now, the next one waits for the end of this. */
    posix_spawn_file_actions_adddup2(&actions, run->daemon->networks_lock_fd, STDERR_FILENO + 1);
    result = posix_spawnp(&run->pid, "nft", &actions, NULL, (char *const *)(uintptr_t)arguments,
                          (char *const *)(uintptr_t)environment);
    posix_spawn_file_actions_destroy(&actions);
    if (result != 0)
        return error_errno(err, result, "run nft (is nftables installed?)");
    run->pidfd = pidfd_open(run->pid, 0);
    return run->pidfd < 0 ? error_errno(err, errno, "pidfd of nft") : 0;
}

static int begin(struct firewall_run *run, struct error *err)
{
    cleanup_close int script_fd = file_in_memory("davit-nft", run->script, strlen(run->script));
    int result;

    if (script_fd < 0)
        return error_errno(err, -script_fd, "script for nft");
    run->output_fd = memfd_create("davit-nft-output", MFD_CLOEXEC);
    if (run->output_fd < 0)
        return error_errno(err, errno, "output of nft");
    result = spawn_nft(run, script_fd, err);
    if (result == 0 && sd_event_add_io(run->daemon->loop, &run->source, run->pidfd, EPOLLIN,
                                       on_exit_of_nft, run) < 0)
        result = error_set(err, ERROR_INTERNAL, ENOMEM, "watch nft");
    return result;
}

static void start_run(struct daemon *daemon)
{
    struct firewall_run *run = memory_new_one(struct firewall_run);
    cleanup_buffer struct buffer script = {0};
    cleanup_buffer struct buffer base = {0};
    bool is_known = !daemon->lost_track_of_ports;
    struct error err = {0};

    daemon->lost_track_of_ports = false;
    run->has_networks = write_script(daemon, &script, &base);
    run->script = memory_strdup(buffer_text(&script));
    run->base = memory_strdup(buffer_text(&base));
    watch(daemon);
    /* What is heard while nft runs are its own changes, see hear_own(). */
    if (daemon->firewall_watch != NULL)
        sd_event_source_set_enabled(daemon->firewall_watch, SD_EVENT_OFF);
    run->daemon = daemon;
    run->pidfd = run->output_fd = -1;
    run->waiters = daemon->firewall_waiters;
    daemon->firewall_waiters = NULL;
    daemon->firewall_is_dirty = false;
    daemon->firewall_run = run;
    is_known =
        is_known && daemon->firewall_base != NULL && strcmp(daemon->firewall_base, run->base) == 0;
    /* Most containers come and go without a change, and another davitd's rules are not ours. */
    if (daemon->networks_lock_fd < 0 || is_known || begin(run, &err) < 0)
        end_run(run, &err);
}

static int on_turn(sd_event_source *source, void *context)
{
    struct daemon *daemon = context;

    (void)source;
    daemon->firewall_turn = sd_event_source_disable_unref(daemon->firewall_turn);
    if (daemon->firewall_run == NULL)
        start_run(daemon);
    return 0;
}

void firewall_change(struct daemon *daemon)
{
    daemon->firewall_is_dirty = true;
    if (daemon->firewall_turn == NULL && daemon->firewall_run == NULL)
        sd_event_add_defer(daemon->loop, &daemon->firewall_turn, on_turn, daemon);
}

void firewall_await(struct daemon *daemon, struct firewall_waiter *waiter)
{
    static const struct error none = {0};

    if (daemon->firewall_is_dirty) {
        waiter->next = daemon->firewall_waiters;
        daemon->firewall_waiters = waiter;
    } else if (daemon->firewall_run != NULL) {
        waiter->next = daemon->firewall_run->waiters;
        daemon->firewall_run->waiters = waiter;
    } else {
        waiter->done(waiter, &none);
    }
}

/* ---- what others do to it ---- */

/* A host's firewall that is loaded anew takes all tables away, ours too. */
static int on_change(sd_event_source *source, int fd, uint32_t events, void *context)
{
    struct daemon *daemon = context;

    (void)source;
    (void)events;
    if (!nft_watch_read(fd, tables, ARRAY_SIZE(tables)))
        return 0;
    log_warning("firewall: somebody else has removed rules of davit, or may have: they are written "
                "again");
    events_publish(&daemon->events, "daemon", "firewall-restored", daemon->id,
                   &(struct string_map){0});
    free(take_pointer(&daemon->firewall_base));
    daemon->lost_track_of_ports = true;
    firewall_change(daemon);
    return 0;
}

/* Before the first run. Without it rules are as safe as the host's administrator is careful. */
static void watch(struct daemon *daemon)
{
    struct error err = {0};
    int fd;

    if (daemon->firewall_watch != NULL || daemon->networks_lock_fd < 0)
        return;
    fd = nft_watch_open(&err);
    if (fd >= 0 &&
        sd_event_add_io(daemon->loop, &daemon->firewall_watch, fd, EPOLLIN, on_change, daemon) < 0)
        fd_close(&fd);
    if (fd < 0)
        log_warning("firewall: rules that somebody else removes will not be noticed: %s",
                    err.message);
    else
        sd_event_source_set_io_fd_own(daemon->firewall_watch, 1);
}

/* What nft has just done was said before it ended. What somebody else did meanwhile may be among
 * it: that the table is there is looked at. */
static void hear_own(const struct firewall_run *run, bool has_succeeded)
{
    struct daemon *daemon = run->daemon;

    if (daemon->firewall_watch == NULL)
        return;
    nft_watch_read(sd_event_source_get_io_fd(daemon->firewall_watch), tables, ARRAY_SIZE(tables));
    if (has_succeeded && run->has_networks &&
        !nft_table_exists(&daemon->nft, NFT_INET, FIREWALL_TABLE))
        retry_later(daemon);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *context)
{
    struct daemon *daemon = context;

    (void)source;
    (void)usec;
    daemon->firewall_retry = sd_event_source_disable_unref(daemon->firewall_retry);
    free(take_pointer(&daemon->firewall_base));
    firewall_change(daemon);
    return 0;
}

/* What could not be written is tried again, as long as anybody relies on it. */
static void retry_later(struct daemon *daemon)
{
    bool is_needed = false;

    for (const struct managed_container *one = daemon->containers; one != NULL; one = one->next)
        is_needed = is_needed || container_is_on_networks(one);
    if (!is_needed || daemon->firewall_retry != NULL)
        return;
    daemon->firewall_retry_us = daemon->firewall_retry_us == 0 ? FIRST_RETRY_US
                                : daemon->firewall_retry_us < LAST_RETRY_US / 2
                                    ? 2 * daemon->firewall_retry_us
                                    : LAST_RETRY_US;
    daemon->lost_track_of_ports = true;
    sd_event_add_time_relative(daemon->loop, &daemon->firewall_retry, CLOCK_MONOTONIC,
                               daemon->firewall_retry_us, 0, on_retry, daemon);
}

bool firewall_settle(const struct daemon *daemon)
{
    struct pollfd ended = {.fd = daemon->firewall_run != NULL ? daemon->firewall_run->pidfd : -1,
                           .events = POLLIN};

    return daemon->firewall_run == NULL || poll(&ended, 1, SETTLE_MS) > 0;
}

/* ---- ports ---- */

static int change_elements(const struct managed_container *container, bool is_removed)
{
    cleanup_free struct firewall_port *ports =
        memory_new(2 * container->ports.count, sizeof(*ports));
    cleanup_free struct nft_element *elements =
        memory_new(2 * container->ports.count, sizeof(*elements));
    size_t count = 0;

    add_ports(ports, &count, container);
    for (size_t i = 0; i < count; i++)
        firewall_port_element(&ports[i], is_removed, &elements[i]);
    return nft_elements_change(&container->daemon->nft, elements, count, NULL);
}

void firewall_change_ports(const struct managed_container *container, bool is_removed)
{
    struct daemon *daemon = container->daemon;

    if (container->ports.count == 0)
        return;
    if (daemon->firewall_base != NULL && !daemon->firewall_is_dirty &&
        daemon->firewall_run == NULL && change_elements(container, is_removed) == 0)
        return;
    /* The table is being written, or somebody else has changed it: it is written as a whole. */
    daemon->lost_track_of_ports = true;
    firewall_change(daemon);
}
