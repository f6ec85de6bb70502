/* davitd's side of the resolver: see names.h. */
#include "names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/build.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/network_namespace.h"
#include "base/socket.h"
#include "egress.h"
#include "egress_notes.h"
#include "membership.h"
#include "network/dns.h"
#include "network/resolver_channel.h"
#include "networks.h"
#include "supervisor/spawn/spawner.h"

#define ANSWER_TIMEOUT_MS 1000
#define RESTART_DELAY_US 200000
#define CHANNEL_BYTES (8 << 20) /* thousands of containers, while the resolver gets to them */
#define CONNECTIONS_WAITING 64
#define REPORT_MAX 16384
#define RESOLV_CONF "/etc/resolv.conf"

static void append_words(struct arena *arena, struct string_list *list, char *text)
{
    char *rest = NULL;

    for (char *word = strtok_r(text, " \t", &rest); word != NULL;
         word = strtok_r(NULL, " \t", &rest))
        string_list_append(arena, list, word);
}

void names_read_host(struct arena *arena, struct resolver_host *host)
{
    cleanup_buffer struct buffer text = {0};
    char *rest = NULL;
    char *copy;

    file_read(AT_FDCWD, RESOLV_CONF, 1 << 16, &text, NULL);
    copy = arena_strdup(arena, buffer_text(&text));
    for (char *line = strtok_r(copy, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        size_t length = strcspn(line, " \t");
        char *value = line + length + (line[length] != '\0');

        line[length] = '\0';
        if (strcmp(line, "nameserver") == 0) {
            append_words(arena, &host->servers, value);
        } else if (strcmp(line, "search") == 0 || strcmp(line, "domain") == 0) {
            /* The last one counts. */
            host->search.count = 0;
            append_words(arena, &host->search, value);
        } else if (strcmp(line, "options") == 0) {
            append_words(arena, &host->options, value);
        }
    }
}

static int send_order(struct networks *networks, const struct resolver_order *order, const int *fds,
                      size_t fd_count, struct error *err)
{
    struct json_writer *writer = json_writer_new(false);
    const char *text;
    int result;

    json_encode(writer, &resolver_order_type, order);
    text = json_writer_text(writer);
    if (strlen(text) < RESOLVER_MESSAGE_MAX)
        result = outbox_send(&networks->names.outbox, networks->loop, networks->names.fd, text,
                             strlen(text), fds, fd_count, "the resolver of names", err);
    else
        result = error_errno(err, EMSGSIZE, "tell the resolver");
    json_writer_free(writer);
    return result;
}

/* Lists a container's names. Its own name is the first: its address resolves to that. */
static void list_names(struct arena *arena, const struct membership *member,
                       const struct endpoint *endpoint, struct string_list *names)
{
    const char *hostname = member->definition->config.hostname;

    string_list_append(arena, names, member->definition->name);
    string_list_append(arena, names, arena_printf(arena, "%.12s", member->definition->id));
    for (size_t i = 0; i < endpoint->aliases.count; i++)
        string_list_append(arena, names, endpoint->aliases.items[i]);
    if (hostname != NULL && hostname[0] != '\0' && !string_list_has(names, hostname))
        string_list_append(arena, names, hostname);
}

static void list_links(struct arena *arena, const struct string_list *links,
                       struct resolver_container *said)
{
    for (size_t i = 0; i < links->count; i++) {
        const char *alias = strrchr(links->items[i], ':');

        if (alias != NULL)
            string_map_set(
                arena, &said->links, alias + 1,
                arena_strndup(arena, links->items[i], (size_t)(alias - links->items[i])));
    }
}

static void resolver_describe_container(struct arena *arena, const struct membership *member,
                                        struct resolver_container *said)
{
    const struct string_list *own = &member->definition->host_config.dns;
    struct resolver_host host = {0};
    size_t count = member->definition->endpoints.count;

    said->id = member->definition->id;
    said->tenant = member->definition->tenant;
    said->endpoints.items = arena_new(arena, count, sizeof(*said->endpoints.items));
    list_links(arena, &member->definition->host_config.links, said);
    for (size_t i = 0; i < count; i++)
        list_links(arena, &member->definition->endpoints.items[i].links, said);
    for (size_t i = 0; i < count; i++) {
        const struct endpoint *endpoint = &member->definition->endpoints.items[i];
        struct resolver_endpoint *to = &said->endpoints.items[said->endpoints.count];
        char address[ADDRESS_TEXT_SIZE];

        if (member->leases[i].address.family == 0)
            continue;
        address_format(&member->leases[i].address, address);
        to->network = endpoint->network_id;
        to->network_name = endpoint->network_name;
        to->ipv4 = arena_strdup(arena, address);
        address_format(&member->leases[i].address6, address);
        to->ipv6 = arena_strdup(arena, address);
        list_names(arena, member, endpoint, &to->names);
        said->endpoints.count++;
    }
    egress_list_names(arena, member, said);
    /* A container without a way out gets no servers: questions could carry data out. */
    if (!membership_leads_out(member))
        return;
    names_read_host(arena, &host);
    said->servers = own->count > 0 ? *own : host.servers;
}

static int send_container(struct membership *member, const int *fds, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    struct resolver_order order = {.kind = RESOLVER_SET};

    resolver_describe_container(&arena, member, &order.container);
    return send_order(member->networks, &order, fds, fds != NULL ? RESOLVER_DESCRIPTORS : 0, err);
}

static void disconnect(struct networks *networks)
{
    networks->names.channel = sd_event_source_disable_unref(networks->names.channel);
    outbox_release(&networks->names.outbox);
    fd_close(&networks->names.fd);
}

static bool is_needed(const struct networks *networks)
{
    for (const struct membership *one = networks->members; one != NULL; one = one->next) {
        if (membership_is_attached(one))
            return true;
    }
    return false;
}

static void resolver_tell_all(struct networks *networks);

static int on_restart(sd_event_source *source, uint64_t usec, void *context)
{
    struct networks *networks = context;

    (void)source;
    (void)usec;
    networks->names.restart_timer = sd_event_source_disable_unref(networks->names.restart_timer);
    if (networks->names.fd < 0 && is_needed(networks))
        resolver_tell_all(networks);
    return 0;
}

/* Tells the resolver that the addresses of its report `serial` are let through. */
static void confirm(struct networks *networks, uint64_t serial)
{
    if (networks->names.fd >= 0)
        send_order(networks, &(struct resolver_order){.kind = RESOLVER_GRANTED, .serial = serial},
                   NULL, 0, NULL);
}

static void handle_report(struct networks *networks, const char *text, size_t length)
{
    cleanup_arena struct arena arena = {0};
    struct resolver_report report = {0};

    if (json_decode_text(&arena, text, length, &resolver_report_type, &report, NULL) < 0)
        return;
    if (report.grant.serial != 0)
        egress_note_answer(networks, &report.grant);
    if (report.grant.serial != 0 && egress_grant(networks, &report.grant))
        confirm(networks, report.grant.serial);
    if (report.refusal.id != NULL)
        egress_note_refusal(networks, &report.refusal);
}

static int on_channel(sd_event_source *source, int fd, uint32_t events, void *context)
{
    struct networks *networks = context;
    char text[REPORT_MAX];
    ssize_t length = recv(fd, text, sizeof(text), MSG_DONTWAIT);

    (void)source;
    (void)events;
    if (length > 0)
        handle_report(networks, text, (size_t)length);
    if (length > 0 || (length < 0 && (errno == EAGAIN || errno == EINTR)))
        return 0;
    log_warning("the resolver of names has ended; another is started");
    disconnect(networks);
    if (networks->names.restart_timer == NULL)
        sd_event_add_time_relative(networks->loop, &networks->names.restart_timer, CLOCK_MONOTONIC,
                                   RESTART_DELAY_US, 0, on_restart, networks);
    return 0;
}

static int watch_channel(struct networks *networks, struct error *err)
{
    const int size = CHANNEL_BYTES;
    int result;

    setsockopt(networks->names.fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
    result = sd_event_add_io(networks->loop, &networks->names.channel, networks->names.fd, EPOLLIN,
                             on_channel, networks);
    return result < 0 ? error_errno(err, -result, "watch the resolver") : 0;
}

static char *socket_path(const struct networks *networks)
{
    return memory_printf("%s/" RESOLVER_SOCKET, networks->places->run);
}

/* Waits for the resolver's answer or end: at davitd's start alone, and not for long. */
static bool read_report(int fd, struct arena *arena, struct resolver_report *report)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    char text[1024];
    ssize_t length =
        poll(&ready, 1, ANSWER_TIMEOUT_MS) > 0 ? recv(fd, text, sizeof(text), MSG_DONTWAIT) : -1;

    return length > 0 &&
           json_decode_text(arena, text, (size_t)length, &resolver_report_type, report, NULL) ==
               0 &&
           report->version != NULL && report->instance != NULL;
}

/* Takes over a resolver that runs. One of another version is told to end. */
static bool resolver_take_over(struct networks *networks)
{
    cleanup_arena struct arena arena = {0};
    cleanup_free char *path = socket_path(networks);
    struct resolver_report report = {0};

    networks->names.fd = socket_connect(AT_FDCWD, path, SOCK_SEQPACKET | SOCK_NONBLOCK, NULL);
    if (networks->names.fd < 0)
        return false;
    if (send_order(networks, &(struct resolver_order){.kind = RESOLVER_BEGIN}, NULL, 0, NULL) ==
            0 &&
        read_report(networks->names.fd, &arena, &report) &&
        strcmp(report.version, davit_version) == 0 && watch_channel(networks, NULL) == 0) {
        snprintf(networks->names.instance, sizeof(networks->names.instance), "%s", report.instance);
        return true;
    }
    send_order(networks, &(struct resolver_order){.kind = RESOLVER_QUIT}, NULL, 0, NULL);
    while (read_report(networks->names.fd, &arena, &report)) {
    }
    disconnect(networks);
    return false;
}

static int resolver_start(struct networks *networks, struct error *err)
{
    cleanup_free char *path = socket_path(networks);
    cleanup_close int listener_fd = socket_listen(AT_FDCWD, path, SOCK_SEQPACKET, 0600, err);
    struct resolver_order begin = {.kind = RESOLVER_BEGIN, .instance = networks->names.instance};
    int result;

    if (listener_fd < 0)
        return listener_fd;
    identifier_make(networks->names.instance);
    result = spawner_request_worker(networks->spawner, WORKER_RESOLVER, &listener_fd, 1, err);
    if (result < 0)
        return result;
    networks->names.fd = socket_connect(AT_FDCWD, path, SOCK_SEQPACKET | SOCK_NONBLOCK, err);
    if (networks->names.fd < 0)
        return networks->names.fd;
    result = watch_channel(networks, err);
    if (result == 0)
        result = send_order(networks, &begin, NULL, 0, err);
    if (result < 0)
        disconnect(networks);
    return result;
}

/* Redirects questions from port 53, which programs in containers may want, to the resolver's port.
 * Does so again if somebody has removed the empty parent cgroup and it is a new one. */
static int redirect(struct networks *networks, struct error *err)
{
    cleanup_free struct cgroup *parent = memory_new_one(struct cgroup);
    struct cgroup_redirection redirection = {.from = DNS_PORT, .to = RESOLVER_PORT};
    struct stat status;
    int result;

    if (fstatat(networks->hierarchy->fd, networks->cgroup_parent + 1, &status, 0) == 0 &&
        status.st_ino == networks->names.redirected_cgroup)
        return 0;
    inet_pton(AF_INET, RESOLVER_ADDRESS, redirection.address);
    result = cgroup_create(networks->hierarchy, networks->cgroup_parent, 0, false, parent, err);
    if (result == 0)
        result = cgroup_redirect(parent, &redirection, err);
    if (result == 0 && fstat(parent->fd, &status) == 0)
        networks->names.redirected_cgroup = status.st_ino;
    cgroup_close(parent);
    return result;
}

static bool has_sockets(const struct membership *member)
{
    return member->resolver_instance[0] != '\0' &&
           strcmp(member->resolver_instance, member->networks->names.instance) == 0;
}

static int on_host_change(sd_event_source *source, const struct inotify_event *event, void *context)
{
    struct networks *networks = context;

    (void)source;
    if (event->len == 0 || strcmp(event->name, "resolv.conf") != 0)
        return 0;
    for (struct membership *one = networks->members; one != NULL; one = one->next) {
        if (has_sockets(one))
            names_update(one);
    }
    return 0;
}

/* Watches the directories of the file and of what it links to: some programs write the file, others
 * replace it. */
static void watch_host(struct networks *networks)
{
    const uint32_t changes = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE;
    cleanup_free char *file = realpath(RESOLV_CONF, NULL);
    char *slash = file != NULL ? strrchr(file, '/') : NULL;

    if (networks->names.watches_host)
        return;
    networks->names.watches_host = true;
    sd_event_add_inotify(networks->loop, NULL, "/etc", changes, on_host_change, networks);
    if (slash == NULL || slash == file)
        return;
    *slash = '\0';
    if (strcmp(file, "/etc") != 0)
        sd_event_add_inotify(networks->loop, NULL, file, changes, on_host_change, networks);
}

/* Makes sure that the resolver runs and that questions of containers are redirected to it. */
static int resolver_make_ready(struct networks *networks, struct error *err)
{
    int result = redirect(networks, err);

    if (result == 0 && networks->names.fd < 0)
        result = resolver_start(networks, err);
    if (result == 0)
        watch_host(networks);
    return result < 0 ? error_prefix(err, "resolver of names") : 0;
}

static int open_socket(int type, struct error *err)
{
    cleanup_close int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(RESOLVER_PORT)};
    const int one = 1;

    inet_pton(AF_INET, RESOLVER_ADDRESS, &address.sin_addr);
    /* The loopback device may not be up yet. */
    if (fd < 0 || setsockopt(fd, SOL_IP, IP_FREEBIND, &one, sizeof(one)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        (type == SOCK_STREAM && listen(fd, CONNECTIONS_WAITING) < 0))
        return error_errno(err, errno, "socket for questions for names");
    return take_fd(&fd);
}

static int open_sockets(void *context, struct error *err)
{
    int *fds = context;

    fds[RESOLVER_UDP] = open_socket(SOCK_DGRAM, err);
    fds[RESOLVER_TCP] = fds[RESOLVER_UDP] < 0 ? -1 : open_socket(SOCK_STREAM, err);
    return fds[RESOLVER_TCP] < 0 ? -err->errnum : 0;
}

int names_attach(struct membership *member, int netns_fd, pid_t pid, struct error *err)
{
    int fds[RESOLVER_DESCRIPTORS] = {-1, -1, -1};
    int result = resolver_make_ready(member->networks, err);

    if (result == 0)
        result = network_namespace_run(netns_fd, open_sockets, fds, err);
    if (result == 0) {
        fds[RESOLVER_PROCESS] = pidfd_open(pid, 0);
        result = fds[RESOLVER_PROCESS] < 0 ? error_errno(err, errno, "pidfd of the container")
                                           : send_container(member, fds, err);
    }
    for (size_t i = 0; i < RESOLVER_DESCRIPTORS; i++)
        fd_close(&fds[i]);
    if (result == 0)
        strcpy(member->resolver_instance, member->networks->names.instance);
    return result;
}

void names_update(struct membership *member)
{
    struct networks *networks = member->networks;
    cleanup_close int netns_fd = -1;
    struct error err = {0};
    int result = 0;

    if (has_sockets(member)) {
        if (networks->names.fd >= 0)
            result = send_container(member, NULL, &err);
    } else if (membership_is_attached(member) && member->pid > 0 &&
               member->phase == MEMBER_RUNNING) {
        netns_fd = member->owner->open_namespace(member, &err);
        result = netns_fd < 0 ? netns_fd : names_attach(member, netns_fd, member->pid, &err);
        if (result == 0)
            member->owner->save(member);
    }
    if (result < 0)
        log_warning("container %s: %s", member->definition->name, err.message);
}

void names_detach(struct membership *member)
{
    const struct resolver_order order = {.kind = RESOLVER_REMOVE,
                                         .container = {.id = member->definition->id}};

    if (member->resolver_instance[0] != '\0' && member->networks->names.fd >= 0)
        send_order(member->networks, &order, NULL, 0, NULL);
    member->resolver_instance[0] = '\0';
}

static void resolver_tell_all(struct networks *networks)
{
    struct error err = {0};

    if (resolver_make_ready(networks, &err) < 0) {
        log_error("%s", err.message);
        return;
    }
    for (struct membership *one = networks->members; one != NULL; one = one->next)
        names_update(one);
    send_order(networks, &(struct resolver_order){.kind = RESOLVER_ALL}, NULL, 0, NULL);
}

void names_open(struct networks *networks)
{
    bool is_there = resolver_take_over(networks);

    if (is_needed(networks))
        resolver_tell_all(networks);
    else if (is_there)
        send_order(networks, &(struct resolver_order){.kind = RESOLVER_ALL}, NULL, 0, NULL);
}

void names_close(struct networks *networks)
{
    cleanup_free char *path = socket_path(networks);

    if (networks->names.fd < 0 || is_needed(networks))
        return;
    send_order(networks, &(struct resolver_order){.kind = RESOLVER_QUIT}, NULL, 0, NULL);
    unlink(path);
}
