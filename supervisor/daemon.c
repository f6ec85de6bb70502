/* Opening what davitd needs, serving, and closing again: see daemon.h. */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/socket.h"
#include "cgroups/systemd/scope.h"
#include "shutdown.h"
#include "supervisor/api/api.h"
#include "supervisor/containers/all_parts.h"
#include "supervisor/networks/names.h"
#include "supervisor/networks/networks.h"
#include "supervisor/spawn/namespace_pool.h"
#include "supervisor/store/trash.h"
#include "supervisor/volumes/volumes.h"

/* All rooms, each with its own state. No other file knows this struct. */
struct daemon {
    struct daemon_options options;
    sd_event *loop;
    struct spawner spawner;
    struct places places;
    struct trash trash;
    struct projects projects;
    struct event_bus events;
    struct cgroup_hierarchy hierarchy;
    char cgroup_parent[CGROUP_PATH_SIZE];
    struct image_store store;
    struct namespace_pool namespace_pool;
    struct volumes volumes;
    struct networks networks;
    struct containers containers;
    struct images images;
    struct api api;
    struct server *server;
    struct shutdown shutdown;
    char id[IDENTIFIER_SIZE];
};

/* Below a parent of the administrator's choice, in a scope of our own under systemd, or in /davit.
 * A cgroup that has children with controllers holds no processes, so the spawner, and its monitors
 * with it, gets a leaf beside the containers. */
static int choose_cgroup_parent(struct daemon *daemon, struct error *err)
{
    cleanup_free struct cgroup *leaf = memory_new_one(struct cgroup);
    cleanup_free char *path = NULL;
    char *own_unit = NULL;
    const char *own_name;
    struct systemd_property properties[] = {
        {.name = "TasksMax", .kind = SYSTEMD_PROPERTY_UINT64, .number = -1},
        /* Before: systemd stops in reverse order, davitd first, which then asks containers to
         * end. */
        {.name = "Before", .kind = SYSTEMD_PROPERTY_STRINGS},
    };
    struct systemd_scope unit = {
        .unit = "davit-containers.scope",
        .description = "Containers of davit",
        .properties = {properties, 1},
    };
    char scope[CGROUP_PATH_SIZE];
    int result;

    if (daemon->options.cgroup_parent != NULL || !systemd_manages_us()) {
        snprintf(daemon->cgroup_parent, sizeof(daemon->cgroup_parent), "%s",
                 daemon->options.cgroup_parent != NULL ? daemon->options.cgroup_parent : "/davit");
        return 0;
    }
    unit.pid = daemon->spawner.pid;
    if (sd_pid_get_unit(0, &own_unit) >= 0) {
        own_name = own_unit;
        properties[1].texts = (struct string_list){&own_name, 1};
        unit.properties.count = 2;
    }
    result = systemd_scope_get(&unit, scope, err);
    free(own_unit);
    if (result < 0)
        return result;
    path = memory_printf("%s/monitors", scope);
    result = cgroup_create(&daemon->hierarchy, path, 0, false, leaf, err);
    if (result == 0)
        result = cgroup_attach(leaf, daemon->spawner.pid, err);
    if (result == 0)
        snprintf(daemon->cgroup_parent, sizeof(daemon->cgroup_parent), "%.4000s/containers", scope);
    cgroup_close(leaf);
    return result;
}

static void report_damage(const char *what, const struct error *err)
{
    log_error("images: %s: %s", what, err->message);
}

static int load_id(struct daemon *daemon, struct error *err)
{
    cleanup_buffer struct buffer text = {0};

    if (file_read(daemon->places.root_fd, "id", 128, &text, NULL) == 0 &&
        text.length == IDENTIFIER_SIZE - 1) {
        memcpy(daemon->id, text.data, IDENTIFIER_SIZE);
        return 0;
    }
    identifier_make(daemon->id);
    return file_replace(daemon->places.root_fd, "id", daemon->id, strlen(daemon->id), 0600, true,
                        err);
}

/* The directory that the socket is in may have been made for root alone. */
static int let_group_in(const struct daemon *daemon, const char *socket_path, struct error *err)
{
    const struct group *group = getgrnam(daemon->options.socket_group);
    char storage[PATH_MAX];
    const char *directory;
    const char *name;
    struct stat status;

    if (group == NULL)
        return error_set(err, ERROR_INVALID, EINVAL, "socket_group: no group \"%.64s\"",
                         daemon->options.socket_group);
    if (path_split(socket_path, storage, &directory, &name) < 0 || directory[0] == '\0')
        directory = ".";
    if (chown(socket_path, 0, group->gr_gid) < 0 || chmod(socket_path, 0660) < 0 ||
        stat(directory, &status) < 0)
        return error_errno(err, errno, "socket_group: %s", socket_path);
    /* The mode lets others pass through the directory, but not read it. */
    if ((status.st_mode & 0001) == 0 && chmod(directory, (status.st_mode & 07777) | 0011) < 0)
        return error_errno(err, errno, "socket_group: %s", directory);
    return 0;
}

/* Where systemd has bound the socket that it gives us. */
static int find_path(int fd, char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1],
                     struct error *err)
{
    struct sockaddr_un address = {0};
    socklen_t length = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        return error_errno(err, errno, "the socket from systemd");
    if (address.sun_family != AF_UNIX || address.sun_path[0] != '/')
        return error_set(err, ERROR_INVALID, EINVAL,
                         "socket_group: the socket from systemd has no place in a directory");
    snprintf(path, sizeof(address.sun_path) + 1, "%.*s", (int)sizeof(address.sun_path),
             address.sun_path);
    return 0;
}

static bool is_served(const char *path)
{
    cleanup_close int fd = socket_connect(AT_FDCWD, path, SOCK_STREAM | SOCK_NONBLOCK, NULL);

    return fd >= 0;
}

/* A socket from systemd (sd_listen_fds(3)), or one of our own. */
static int open_socket(struct daemon *daemon, struct error *err)
{
    bool has_group = daemon->options.socket_group != NULL;
    cleanup_close int fd = -1;
    char path[512];
    int result = 0;

    if (sd_listen_fds(1) > 0) {
        fd = SD_LISTEN_FDS_START;
        fcntl(fd, F_SETFL, O_NONBLOCK);
        if (has_group)
            result = find_path(fd, path, err);
    } else {
        if (daemon->options.socket != NULL)
            snprintf(path, sizeof(path), "%s", daemon->options.socket);
        else
            snprintf(path, sizeof(path), "%s/davit.sock", daemon->places.run);
        if (is_served(path))
            return error_set(err, ERROR_CONFLICT, EADDRINUSE,
                             "socket %s: another program answers there", path);
        fd = socket_listen(AT_FDCWD, path, SOCK_STREAM | SOCK_NONBLOCK, 0600, err);
        result = fd < 0 ? fd : 0;
    }
    if (result == 0 && has_group)
        result = let_group_in(daemon, path, err);
    return result < 0 ? result : take_fd(&fd);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
    struct daemon *daemon = context;

    (void)source;
    if (shutdown_begin(&daemon->shutdown, &daemon->containers))
        return 0;
    log_info("signal %u: stopping; containers go on", info->ssi_signo);
    sd_event_exit(daemon->loop, 0);
    return 0;
}

/* Without the spawner no container can start: davitd ends, and systemd starts both again. */
static int on_spawner_end(sd_event_source *source, int fd, uint32_t events, void *context)
{
    struct daemon *daemon = context;

    (void)source;
    (void)fd;
    (void)events;
    sd_event_exit(daemon->loop, -ESRCH);
    return 0;
}

static int watch_spawner(struct daemon *daemon, struct error *err)
{
    int fd = pidfd_open(daemon->spawner.pid, 0);

    if (fd < 0 || sd_event_add_io(daemon->loop, NULL, fd, EPOLLIN, on_spawner_end, daemon) < 0)
        return error_errno(err, fd < 0 ? errno : ENOMEM, "watch the spawner");
    return 0;
}

static int start_loop(struct daemon *daemon, struct error *err)
{
    static const int signals[] = {SIGTERM, SIGINT};
    sigset_t mask;
    int result = 0;

    sigemptyset(&mask);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        sigaddset(&mask, signals[i]);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    for (size_t i = 0; result >= 0 && i < ARRAY_SIZE(signals); i++)
        result = sd_event_add_signal(daemon->loop, NULL, signals[i], on_signal, daemon);
    if (result >= 0)
        result = sd_event_set_watchdog(daemon->loop, 1);
    return result < 0 ? error_errno(err, -result, "event loop") : watch_spawner(daemon, err);
}

static int sweep(void *context, int directory_fd, struct error *err)
{
    return spawner_request_sweep(context, directory_fd, err);
}

/* The parts of containers, in the order of their calls: a row comes after those that it needs. */
static const struct container_part *const container_parts[] = {
    &closing_part,   &attach_part,  &probe_part, &network_part, &volume_part,
    &namespace_part, &id_part,      &label_part, &quota_part,   &exec_part,
    &log_part,       &restart_part, NULL,
};

/* Gives each room those that it uses. */
static void assemble(struct daemon *daemon)
{
    const struct daemon_options *options = &daemon->options;

    daemon->spawner.loop = daemon->loop;
    daemon->trash =
        (struct trash){.fd = -1, .loop = daemon->loop, .sweep = sweep, .context = &daemon->spawner};
    daemon->namespace_pool = (struct namespace_pool){.loop = daemon->loop,
                                                     .spawner = &daemon->spawner,
                                                     .target = options->namespace_pool,
                                                     .channel_fd = -1};
    daemon->volumes = (struct volumes){.places = &daemon->places,
                                       .trash = &daemon->trash,
                                       .projects = &daemon->projects,
                                       .events = &daemon->events};
    daemon->networks = (struct networks){.loop = daemon->loop,
                                         .spawner = &daemon->spawner,
                                         .events = &daemon->events,
                                         .places = &daemon->places,
                                         .hierarchy = &daemon->hierarchy,
                                         .cgroup_parent = daemon->cgroup_parent,
                                         .default_network = options->default_network,
                                         .leaves_host_firewall = options->leaves_host_firewall,
                                         .default_connections = options->network_connections,
                                         .plugin_directories = options->cni_plugin_directories,
                                         .id = daemon->id,
                                         .lock_fd = -1,
                                         .nft.fd = -1,
                                         .connections.report_fd = -1,
                                         .names.fd = -1};
    daemon->containers = (struct containers){.loop = daemon->loop,
                                             .spawner = &daemon->spawner,
                                             .events = &daemon->events,
                                             .places = &daemon->places,
                                             .trash = &daemon->trash,
                                             .projects = &daemon->projects,
                                             .images = &daemon->store,
                                             .volumes = &daemon->volumes,
                                             .networks = &daemon->networks,
                                             .namespace_pool = &daemon->namespace_pool,
                                             .hierarchy = &daemon->hierarchy,
                                             .cgroup_parent = daemon->cgroup_parent,
                                             .settings = options->containers,
                                             .parts = container_parts};
    daemon->images = (struct images){.loop = daemon->loop,
                                     .spawner = &daemon->spawner,
                                     .events = &daemon->events,
                                     .places = &daemon->places,
                                     .trash = &daemon->trash,
                                     .store = &daemon->store,
                                     .containers = &daemon->containers,
                                     .registries = &options->registries,
                                     .policy = options->policy};
    daemon->api = (struct api){.loop = daemon->loop,
                               .places = &daemon->places,
                               .id = daemon->id,
                               .events = &daemon->events,
                               .store = &daemon->store,
                               .volumes = &daemon->volumes,
                               .networks = &daemon->networks,
                               .containers = &daemon->containers,
                               .images = &daemon->images};
}

static int open_store(struct daemon *daemon, struct error *err)
{
    int result = image_store_open(&daemon->store, daemon->places.root_fd, daemon->places.trash_fd,
                                  report_damage, err);

    if (result == 0 && daemon->store.distrust != NULL)
        log_error("images: nothing is collected: %s", daemon->store.distrust);
    return result;
}

static int open_all(struct daemon *daemon, struct error *err)
{
    int result = places_open(&daemon->places, daemon->options.root, daemon->options.run, err);

    daemon->trash.fd = daemon->places.trash_fd;
    if (result == 0)
        result = start_loop(daemon, err);
    if (result == 0)
        result = load_id(daemon, err);
    if (result == 0)
        result = cgroup_hierarchy_open(&daemon->hierarchy, err);
    if (result == 0)
        result = choose_cgroup_parent(daemon, err);
    if (result == 0)
        result = open_store(daemon, err);
    if (result == 0)
        result = database_open(daemon->places.root, &daemon->containers.database, err);
    if (result == 0)
        result = volumes_read(&daemon->volumes, err);
    networks_open_channel(&daemon->networks);
    if (result == 0)
        result = networks_read(&daemon->networks, err);
    if (result < 0)
        return result;
    containers_open(&daemon->containers);
    daemon->namespace_pool.has_user =
        daemon->containers.maps_ids && !daemon->options.containers.gives_host_ids;
    namespace_pool_fill(&daemon->namespace_pool);
    trash_sweep(&daemon->trash);
    return 0;
}

static int daemon_serve(struct daemon *daemon, struct error *err)
{
    int result = containers_recover(&daemon->containers, err);
    int fd;

    if (result < 0)
        return result;
    names_open(&daemon->networks);
    fd = open_socket(daemon, err);
    if (fd < 0)
        return fd;
    result = server_start(daemon->loop, fd, api_handle, api_streams_body, &daemon->api,
                          &daemon->server, err);
    if (result < 0)
        return result;
    sd_notify(0, "READY=1");
    log_info("ready: %zu containers, %zu images, root %s", daemon->containers.count,
             daemon->store.image_count, daemon->places.root);
    result = sd_event_loop(daemon->loop);
    sd_notify(0, "STOPPING=1");
    if (result == -ESRCH)
        return error_set(
            err, ERROR_INTERNAL, ESRCH,
            "the spawner was killed: davitd has to be started again; containers go on");
    return result < 0 ? error_errno(err, -result, "event loop") : 0;
}

/* The kernel refuses while containers are in it. */
static void remove_empty_cgroup(const struct daemon *daemon)
{
    if (daemon->hierarchy.fd >= 0 && daemon->cgroup_parent[0] == '/')
        unlinkat(daemon->hierarchy.fd, daemon->cgroup_parent + 1, AT_REMOVEDIR);
}

int daemon_run(const struct daemon_options *options, const struct spawner *spawner,
               struct error *err)
{
    struct daemon *daemon = memory_new_one(struct daemon);
    int result;

    daemon->options = *options;
    daemon->spawner = *spawner;
    daemon->hierarchy.fd = -1;
    daemon->store.layers_fd = -1;
    signal(SIGPIPE, SIG_IGN);
    umask(077);
    /* Thousands of containers are thousands of descriptors. */
    open_files_raise_limit();
    result = sd_event_new(&daemon->loop);
    if (result < 0)
        return error_errno(err, -result, "event loop");
    assemble(daemon);
    result = open_all(daemon, err);
    if (result == 0)
        result = daemon_serve(daemon, err);
    /* State is on disk after every change; what memory holds goes with the process. */
    server_stop(daemon->server);
    names_close(&daemon->networks);
    networks_release(&daemon->networks);
    database_close(daemon->containers.database);
    remove_empty_cgroup(daemon);
    return result;
}
